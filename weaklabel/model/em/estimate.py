"""EM until it converges: on all distinct rows, or on a subsample and by passes over all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.em.full_pass import PassParams, PassStatistics
from weaklabel.model.em.loop import run, start
from weaklabel.model.em.m_step import m_step
from weaklabel.model.em.segments import OnProgress, in_segments
from weaklabel.model.em.statistics import e_step_with_statistics, watched
from weaklabel.model.em.subsample import refreshed
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics import class_axis, processes
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.padding import single
from weaklabel.model.params import State
from weaklabel.model.preparation.prepare import FitInputs, Prepared, prepare
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.records import Profile, Rows, Statistics
from weaklabel.model.settings import Settings

MOST_PASSES = 100
"""Over all rows, after a fit on a subsample."""
SETTLED = 2.5e-4
"""Passes end when the responsibilities of the sampled rows are expected to change by less in all further ones (total
variation, on the mean)."""
SLOWEST = 0.99
"""Rate of EM that is assumed at most."""
LITTLE_INFORMATION = 0.25
"""Of a vote on the mean: "not k" of four classes has .21, a pair of four .5."""
FEW_ITERATIONS = 2
"""Where votes have less. An item's label hardly shows then how often its votes are right, and EM drifts from the votes:
it takes what is not sure for wrong, and is less sure the next time."""


OnePass = Callable[[sp.csr_array[np.float64], int, PassParams], PassStatistics]
"""Goes over all rows, by copies, the number of sources and parameters; see `pass_over`."""


class Options(NamedTuple):
    """How long EM goes on, and who watches."""

    max_iter: int
    tol: float
    progress: OnProgress | None


class Estimate(NamedTuple):
    """What EM has estimated, on rows that are all rows or a subsample of them."""

    unique: UniqueRows
    prepared: Prepared
    profile: Profile
    state: State
    statistics: Statistics
    """Of all rows, to which the parameters were fitted."""
    coverage: NDArray[np.float64]
    """[M]"""
    converged: bool
    group_names: tuple[str, ...] = ()


def estimate_rows(
    unique: UniqueRows,
    settings: Settings,
    label_space: type[LabelSpace],
    options: Options,
    inputs: FitInputs | None = None,
    source_model: type[SourceModel] | None = None,
    seed: int = 0,
) -> Estimate:
    """EM on rows in memory until it converges."""
    prepared = prepare(unique, settings, label_space, inputs, source_model, seed)
    ends_early = _information(prepared.profile) < LITTLE_INFORMATION
    if ends_early:
        options = options._replace(max_iter=min(options.max_iter, FEW_ITERATIONS))
    state = _iterate(prepared, settings, options)
    weight = unique.weight.astype(np.float64)
    if unique.votes.is_plain:
        coverage = np.asarray(prepared.profile.vote_counts, np.float64).sum(1) / max(weight.sum(), 1)
    else:
        coverage = unique.votes.coverage
    return Estimate(
        unique=unique,
        prepared=prepared,
        profile=prepared.profile,
        state=state,
        statistics=state.statistics,
        coverage=coverage,
        converged=float(state.change) < options.tol or (ends_early and options.max_iter == FEW_ITERATIONS),
        group_names=inputs.items.group_names if inputs and inputs.items else (),
    )


def _information(profile: Profile) -> float:
    """Of a vote, on the mean."""
    if profile.information is None:
        return 1.0
    of_sources = np.asarray(profile.vote_counts, np.float64).sum(1)
    n_votes = of_sources / np.maximum(np.asarray(profile.information, np.float64), 1e-9)
    return float(of_sources.sum() / max(n_votes.sum(), 1e-9))


def _iterate(prepared: Prepared, settings: Settings, options: Options) -> State:
    """The compiled loop: in one go, or in segments where somebody watches; the same bits either way."""
    state: State = start(
        prepared.rows,
        prepared.profile,
        settings,
        source_model=prepared.source_model,
        label_space=prepared.label_space,
        max_iter=options.max_iter,
    )
    limit = np.float32(options.tol)
    return in_segments(
        lambda state, stop_at: run(prepared.rows, prepared.profile, state, settings, stop_at, limit),
        state,
        options.max_iter,
        options.progress,
        lambda state, done: float(np.asarray(state.objective)[done - 1]),
    )


def refine(estimate: Estimate, one_pass: OnePass, settings: Settings, *, everywhere: bool = False) -> Estimate:
    """The estimate after passes over all rows.

    Args:
        estimate: of a subsample.
        one_pass: goes over all rows of this process.
        settings: constants.
        everywhere: whether the rows are those of all processes.
    """
    prepared, state, n_sources = estimate.prepared, estimate.state, len(estimate.coverage)
    fixed: dict[str, Any] = {
        "share_prior_mass": np.float32(settings.share_prior_mass),
        "share_weight": np.float32(prepared.independence.hold),
        "smoothing": np.asarray(prepared.smoothing, np.float32),
    }
    rate, before = float(processes.of_first(state.rate) if everywhere else state.rate), np.inf
    trace = [float(value) for value in np.asarray(state.objective)[: int(state.iteration)]]
    for _ in range(MOST_PASSES):
        params = processes.of_first(state.params) if everywhere else state.params
        summed = one_pass(prepared.copies, n_sources, PassParams(params=params, **fixed))
        summed = processes.summed(summed) if everywhere else summed
        profile = refreshed(prepared.profile, summed)
        statistics = jax.tree.map(single, summed.statistics)
        state, moved = _advance(prepared.rows, profile, state, statistics, settings)
        trace.append(float(summed.log_marginal / max(float(summed.weight), 1.0)))
        distance = float(processes.of_first(moved) if everywhere else moved)
        # What is left shrinks from pass to pass: as it did in EM on the subsample, then as it was seen to.
        rate = min(distance / before if before < np.inf else rate, SLOWEST)
        before = distance
        if distance * rate / (1 - rate) < SETTLED:
            break
    else:
        estimate = estimate._replace(converged=False)
    return estimate._replace(
        profile=profile,
        state=state._replace(  # made on the host: on the device, each number of passes would be a program to compile
            objective=jax.device_put(np.asarray(trace, np.float32)), iteration=jax.device_put(np.int32(len(trace)))
        ),
        statistics=statistics,
        coverage=np.rint(summed.n_votes) / float(estimate.unique.weight.sum()),
    )


@compiled
def _advance(
    rows: Rows, profile: Profile, state: State, statistics: Statistics, settings: Settings
) -> tuple[State, Float[Array, ""]]:
    """The M-step on the statistics of all rows, and how far the responsibilities of the sampled rows move by it."""
    params = m_step(statistics, state.params, profile, settings)
    after, weight = e_step_with_statistics(rows, params).watched, watched(rows, rows.weight)
    moved = class_axis.total(jnp.abs(after - state.watched)) / 2
    return state._replace(params=params, watched=after), (weight * moved).sum() / weight.sum().clip(1)
