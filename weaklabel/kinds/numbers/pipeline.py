"""Votes in, parameters or predictions out: units, the device, EM, combination."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from weaklabel.kinds.numbers import settings
from weaklabel.kinds.numbers.combining import combine, regress
from weaklabel.kinds.numbers.distribution import NumericDistribution
from weaklabel.kinds.numbers.fitting import Known, State, VoteArrays, before_first, run, start, start_items
from weaklabel.kinds.numbers.gold import GoldCalibration, calibrate, source_shifts
from weaklabel.kinds.numbers.votes import NumericVotes
from weaklabel.model.em.segments import OnProgress, in_segments
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import bucket, rounded_up, single, to_device

SMALL = 2**16
"""Votes or items up to which they are padded to a power of two."""
QUARTILES = float(ndtri(0.95) / ndtri(0.75))
"""Nine tenths of a normal distribution, in middle halves."""
T_SCALE = float(ndtri(0.95) / stdtrit(settings.DEGREES_OF_FREEDOM, 0.95))
"""Of the predictive t distribution, in standard deviations: the 90 % interval is that of a normal."""


class NumericParams(NamedTuple):
    """What a fit learns, in units of `spread` about `center` unless said otherwise."""

    center: float
    """Median of all values, in their units."""
    spread: float
    """Of all values, robust, in their units: of a normal distribution, from the 5th to the 95th percentile."""
    base: float
    """Variance of the pooled source on the pooled item."""
    scale: NDArray[np.float64]
    """[M] variance of each source relative to it."""
    gain: NDArray[np.float64]
    """[M]"""
    gain_sd: NDArray[np.float64]
    """[M]"""
    shift: NDArray[np.float64]
    """[M] mean error against consensus."""
    shift_sd: NDArray[np.float64]
    """[M]"""
    correction: NDArray[np.float64]
    """[M] what is taken off each source's votes, in standard deviations of the vote; 0 without gold."""
    genuine: NDArray[np.float64]
    """[M] expected number of votes that are no gross errors."""
    free: NDArray[np.float64]
    """[M] degrees of freedom of each source's variance."""
    n_votes: NDArray[np.int64]
    """[M]"""
    mean: float
    """Mean of the predictions."""
    variance: float
    """Variance of the predictions."""
    scatter_ratio: float
    """Observed scatter of an item's votes in that which is expected."""
    gold: GoldCalibration


class Fitted(NamedTuple):
    """Parameters, and how the fit went."""

    params: NumericParams
    objective: NDArray[np.float64]
    n_iter: int
    converged: bool
    n_items: int
    effective: float
    """Median of the items' effective numbers of votes."""


class Predictions(NamedTuple):
    """What is predicted of N items."""

    distribution: NumericDistribution
    effective: NDArray[np.float64]
    """[N] effective number of votes."""
    difficulty: NDArray[np.float64]
    """[N] standard deviation of an item's votes relative to the pooled item."""


class _Items(NamedTuple):
    """`Combined` on the host, and difficulty as a variance."""

    value: NDArray[np.float64]
    effective: NDArray[np.float64]
    scatter: NDArray[np.float64]
    expected: NDArray[np.float64]
    difficulty: NDArray[np.float64]


@under_own_settings
def fit_numbers(
    votes: NumericVotes,
    gold: NDArray[np.float64] | None,
    common_error: float,
    max_iter: int,
    tol: float,
    progress: OnProgress | None = None,
) -> Fitted:
    """Sources from votes, and from gold where there is some; `progress` is told of the iterations that learn these."""
    center, spread = _units(votes.value)
    arrays = _on_device(votes, center, spread)
    n_items, n_sources = _room(votes.n_items), votes.n_sources
    known = None if gold is None else (gold - center) / spread
    given = _known(known, n_items)
    first = start(arrays, given, single(_medians(votes, center, spread, n_items)), n_sources)
    done = in_segments(
        lambda begin, stop_at: run(begin, arrays, given, stop_at, single(tol), learn_sources=True),
        before_first(first, max_iter),
        max_iter,
        progress,
        lambda now, iteration: float(np.asarray(now.objective)[iteration - 1]) / votes.n_items,
    )
    state = done.state
    middle = float(np.mean(np.asarray(state.value)[: votes.n_items]))
    found = regress(state, arrays, single(middle))
    params = NumericParams(
        center=center,
        spread=spread,
        base=float(state.base),
        scale=_host(state.scale),
        gain=_host(found.gain),
        gain_sd=_host(found.gain_sd),
        shift=_host(found.shift),
        shift_sd=_host(found.shift_sd),
        correction=np.zeros(n_sources),
        genuine=_host(found.genuine),
        free=_host(found.free),
        n_votes=np.bincount(votes.source, minlength=n_sources),
        mean=middle,
        variance=0.0,
        scatter_ratio=1.0,
        gold=GoldCalibration(),
    )
    if known is not None:
        params = params._replace(correction=_shifts(votes, known, state, params))
    items = _items(votes, arrays, params, max_iter, tol)
    seen = items.effective > 0
    params = params._replace(
        scatter_ratio=_scatter_ratio(items),
        mean=float(items.value[seen].mean()),
        variance=float(items.value[seen].var()),
    )
    if known is not None:
        told = np.flatnonzero(~np.isnan(known))
        value, variance = _predictive(items, params, common_error)
        params = params._replace(gold=calibrate(known[told], value[told], variance[told]))
    n_iter = int(done.iteration)
    return Fitted(
        params=params,
        objective=_host(done.objective)[:n_iter] / votes.n_items,
        n_iter=n_iter,
        converged=bool(done.change <= tol),
        n_items=votes.n_items,
        effective=float(np.median(items.effective[seen])),
    )


@under_own_settings
def predict_numbers(
    votes: NumericVotes, params: NumericParams, common_error: float, max_iter: int, tol: float
) -> Predictions:
    """Items from votes of known sources."""
    items = _items(votes, _on_device(votes, params.center, params.spread), params, max_iter, tol)
    value, variance = _predictive(items, params, common_error)
    scale = np.sqrt(variance * params.gold.width)
    return Predictions(
        distribution=NumericDistribution(
            params.center + params.spread * (value + params.gold.shift * np.sqrt(variance)),
            params.spread * scale * T_SCALE,
        ),
        effective=items.effective,
        difficulty=np.sqrt(items.difficulty),
    )


def _predictive(
    items: _Items, params: NumericParams, common_error: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[N] values and variances, before gold: s^2 (1/n + c), s^2 from the item's scatter and what the model expects."""
    prior, free = settings.SCATTER_PRIOR, np.maximum(items.effective - 1, 0.0)
    expected = params.scatter_ratio * items.expected
    per_vote = (prior * expected + free * items.scatter) / (prior + free)
    variance = per_vote * (1 / np.maximum(items.effective, 1.0) + common_error)
    silent = items.effective == 0
    least = settings.LEAST_VARIANCE
    pooled = params.variance + params.base * params.scatter_ratio
    return np.where(silent, params.mean, items.value), np.maximum(np.where(silent, pooled, variance), least)


def _scatter_ratio(items: _Items) -> float:
    free = np.maximum(items.effective - 1, 0.0)
    expected = float((free * items.expected).sum())
    return float((free * items.scatter).sum()) / expected if expected > 0 else 1.0


def _items(votes: NumericVotes, arrays: VoteArrays, params: NumericParams, max_iter: int, tol: float) -> _Items:
    """EM over the items alone, and their weighted means."""
    n_items = _room(votes.n_items)
    known = _known(None, n_items)
    medians = single(_medians(votes, params.center, params.spread, n_items))
    begin = start_items(arrays, medians, single(params.base), single(params.scale))
    first = before_first(begin, max_iter)
    state = run(first, arrays, known, np.int32(max_iter), single(tol), learn_sources=False).state
    combined = combine(state, arrays, single(params.gain), single(params.correction), n_items=n_items)
    cut = [_host(one)[: votes.n_items] for one in (*combined, state.difficulty)]
    return _Items(*cut)


def _shifts(
    votes: NumericVotes, known: NDArray[np.float64], state: State, params: NumericParams
) -> NDArray[np.float64]:
    told = np.flatnonzero(~np.isnan(known)[votes.item])
    item, source = votes.item[told], votes.source[told]
    sd = np.sqrt(params.base * params.scale[source] * _host(state.difficulty)[item])
    error = ((votes.value[told] - params.center) / params.spread - known[item]) / sd
    return source_shifts(error, item, source, _host(state.genuine)[: votes.n_votes][told], votes.n_sources)


def _units(values: NDArray[np.float64]) -> tuple[float, float]:
    """Center and spread: the middle half of the values, widened to nine tenths of a normal's.

    A quarter of the values may be in another unit. Where the middle half is one value, nine tenths of them; then all.
    """
    least, low, left, center, right, high, most = np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    widths = (QUARTILES * (right - left), high - low, most - least)
    return float(center), float(next((width for width in widths if 0 < width < np.inf), 1.0))


def _on_device(votes: NumericVotes, center: float, spread: float) -> VoteArrays:
    room = _room(votes.n_votes)
    units = np.clip((votes.value - center) / spread, -settings.FARTHEST, settings.FARTHEST)
    last = _room(votes.n_items) - 1  # padding stays in the order of items
    return VoteArrays(
        to_device(votes.item, room, last),
        to_device(votes.source, room, 0),
        to_device(units.astype(np.float32), room),
        to_device(np.ones(votes.n_votes, np.float32), room),
    )


def _room(size: int) -> int:
    """Padded size: few sizes where programs are small, since each is compiled."""
    return bucket(size) if size <= SMALL else rounded_up(size)


def _medians(votes: NumericVotes, center: float, spread: float, room: int) -> NDArray[np.float64]:
    """[room] median of each item; votes are in the order of item and value."""
    count = np.bincount(votes.item, minlength=votes.n_items)
    first = np.cumsum(count) - count
    seen = count > 0
    low = votes.value[np.minimum(first + (count - 1) // 2, votes.n_votes - 1)]
    high = votes.value[np.minimum(first + count // 2, votes.n_votes - 1)]
    medians = np.zeros(room)
    middle = ((low / 2 + high / 2 - center) / spread)[seen]
    medians[: votes.n_items][seen] = np.clip(middle, -settings.FARTHEST, settings.FARTHEST)
    return medians


def _known(values: NDArray[np.float64] | None, room: int) -> Known:
    full = np.zeros(room)
    mask = np.zeros(room)
    if values is not None:
        told = ~np.isnan(values)
        mask[: len(values)] = told
        full[: len(values)][told] = values[told]
    return Known(single(full), single(mask))


def _host(array: Any) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)
