"""Whether judges agree beyond what scores, skills and position biases explain: a posterior predictive check.

What a judge answers beyond its expectation is summed over the comparisons of each item, with the sign of its side.
Where judges err independently given the scores, these sums of two judges are as correlated as those of answers that are
drawn from the fit, on the same comparisons, and fitted again (Gelman, Meng and Stern 1996). What all judges share is
not seen: it looks like scores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.preferences.outcomes import answer_probabilities
from weaklabel.kinds.preferences.posterior import Estimated, estimate_scores, slope_of
from weaklabel.kinds.preferences.records import LEFT, RIGHT, Comparisons, Rankings
from weaklabel.kinds.preferences.settings import PreferenceSettings

REPLICATES = 4
ITERATIONS = 40
"""Of the fit to each replicate, at most."""
SURE = 3.0
"""Standard deviations among the replicates that are taken off what is seen."""
UNSEEN = 0.25
"""Share of the sampling variance of a correlation that is added for doubt, and taken off for what is refuted."""
IGNORED = 0.02
"""Root mean square of correlations up to which independence stands; at twice as much it is refuted."""
MOST_JUDGES, MOST_COMPARISONS = 100, 30_000
"""Of the sample that is checked: the judges of most comparisons, on random pairs."""


class Independence(NamedTuple):
    """How far the independence of judges is refuted."""

    doubt: float
    """In [0, 1]: 0 where it stands, 1 where it is refuted or cannot be tested."""
    refuted: float
    """In [0, 1]: the part of it that is seen."""
    residual: float
    """Root mean square of the correlations of pairs of judges, beyond that of the replicates."""


def check_independence(
    comparisons: Comparisons, settings: PreferenceSettings, *, ties: bool, seed: int
) -> Independence:
    """The check, on a sample where there are many comparisons.

    Args:
        comparisons: merged.
        settings: constants.
        ties: whether a tie is an outcome.
        seed: of the sample and of the replicates.
    """
    rng = np.random.default_rng(seed)
    some = _sample(comparisons, rng)
    fit = estimate_scores(some, settings, ties=ties, max_iter=ITERATIONS, tol=1e-2, seed=seed)
    seen, sampling = _statistic(some, fit, ties=ties)
    if not np.isfinite(sampling):
        return Independence(doubt=1.0, refuted=0.0, residual=0.0)
    drawn: list[float] = []
    while len(drawn) < REPLICATES:
        replicate = _drawn(some, fit, rng, ties=ties)
        again = estimate_scores(replicate, settings, ties=ties, max_iter=ITERATIONS, tol=1e-2, seed=seed)
        drawn.append(_statistic(replicate, again, ties=ties)[0])
        if seen <= drawn[-1]:
            break
    beyond = seen - float(np.mean(drawn)) - SURE * float(np.std(drawn, ddof=1)) if seen > drawn[-1] else 0.0
    residual = float(np.sqrt(max(beyond, 0.0)))
    at_least = float(np.sqrt(max(beyond - UNSEEN * sampling, 0.0)))
    at_most = float(np.sqrt(max(beyond, 0.0) + UNSEEN * sampling))
    return Independence(doubt=_share(at_most), refuted=_share(at_least), residual=residual)


def _share(residual: float) -> float:
    return float(np.clip((residual - IGNORED) / IGNORED, 0, 1))


def _sample(comparisons: Comparisons, rng: np.random.Generator) -> Comparisons:
    """All comparisons, or those of the busiest judges on random pairs."""
    keep = np.ones(len(comparisons.left), bool)
    n_judges = len(comparisons.judge_names)
    if n_judges > MOST_JUDGES:
        busiest = np.argsort(-np.bincount(comparisons.judge, minlength=n_judges), kind="stable")[:MOST_JUDGES]
        keep = np.isin(comparisons.judge, busiest)
    if keep.sum() > MOST_COMPARISONS:
        pair = comparisons.left.astype(np.int64) * len(comparisons.item_names) + comparisons.right
        _, number = np.unique(pair, return_inverse=True)
        rate = MOST_COMPARISONS / keep.sum()
        chosen = rng.random(number.max() + 1)[number] < rate
        if comparisons.rankings is not None:  # these whole, or not at all
            slot, longest = comparisons.rankings.slot_left, comparisons.rankings.items.shape[1]
            of_rankings = rng.random(len(comparisons.rankings.items)) < rate
            chosen = np.where(slot < 0, chosen, of_rankings[slot // longest])
        keep &= chosen
    if keep.all():
        return comparisons
    items, ends = np.unique(np.stack([comparisons.left[keep], comparisons.right[keep]]), return_inverse=True)
    judges, judge = np.unique(comparisons.judge[keep], return_inverse=True)
    left, right = ends.reshape(2, -1).astype(np.int32)
    return Comparisons(
        left=left,
        right=right,
        judge=judge.astype(np.int32),
        outcome=comparisons.outcome[keep],
        first=comparisons.first[keep],
        weight=comparisons.weight[keep],
        item_names=tuple(comparisons.item_names[item] for item in items),
        judge_names=tuple(comparisons.judge_names[one] for one in judges),
        rankings=_some_rankings(comparisons.rankings, keep, items, judges),
    )


def _some_rankings(
    rankings: Rankings | None, keep: NDArray[np.bool_], items: NDArray[np.int32], judges: NDArray[np.int32]
) -> Rankings | None:
    """The rankings of the comparisons that are kept, by the new numbers of items and judges."""
    if rankings is None or not (rankings.slot_left[keep] >= 0).any():
        return None
    longest = rankings.items.shape[1]
    slots = [slot[keep] for slot in (rankings.slot_left, rankings.slot_right)]
    number = np.unique(slots[0][slots[0] >= 0] // longest)
    there = rankings.items[number]
    left, right = (
        np.where(slot < 0, -1, np.searchsorted(number, slot // longest) * longest + slot % longest) for slot in slots
    )
    return Rankings(
        items=np.where(there < 0, -1, np.searchsorted(items, there)).astype(np.int32),
        judge=np.searchsorted(judges, rankings.judge[number]).astype(np.int32),
        weight=rankings.weight[number],
        slot_left=left,
        slot_right=right,
    )


def _expected(
    comparisons: Comparisons, fit: Estimated, scores: NDArray[np.float64], *, ties: bool
) -> NDArray[np.float64]:
    """[C, 2 or 3] what each comparison's judge answers, at given scores."""
    answers, judge = fit.state.answers, comparisons.judge
    skill, bias, tie = (np.asarray(one, np.float64)[judge] for one in (answers.skill, answers.bias, answers.tie))
    difference = scores[comparisons.left] - scores[comparisons.right]
    return answer_probabilities(
        difference, np.zeros(len(difference)), skill, bias * comparisons.first, tie if ties else None
    )


def _answers(
    comparisons: Comparisons, fit: Estimated, scores: NDArray[np.float64], rng: np.random.Generator, *, ties: bool
) -> NDArray[np.int8]:
    """[C] outcomes drawn at given scores, each for itself."""
    cumulated = _expected(comparisons, fit, scores, ties=ties).cumsum(1)[:, :-1]
    return np.asarray((rng.random((len(cumulated), 1)) > cumulated).sum(1), np.int8)


def _drawn(comparisons: Comparisons, fit: Estimated, rng: np.random.Generator, *, ties: bool) -> Comparisons:
    """The same comparisons with outcomes, and rankings with orders, that are drawn from the posterior."""
    deviation = np.sqrt(np.maximum(fit.variance - fit.covariance, 1e-9))
    scores = fit.mean + deviation * rng.standard_normal(len(fit.mean))
    outcome, rankings = _answers(comparisons, fit, scores, rng, ties=ties), comparisons.rankings
    if rankings is None:
        return comparisons._replace(outcome=outcome)
    skill = np.asarray(fit.state.answers.skill, np.float64)[rankings.judge][:, None]
    # The order of log-weights and Gumbel noise is Plackett and Luce's (Yellott 1977, doi:10.1016/0022-2496(77)90026-8).
    noisy = skill * scores[rankings.items] + rng.gumbel(size=rankings.items.shape)
    order = np.argsort(np.where(rankings.items >= 0, -noisy, np.inf), axis=1, kind="stable")
    longest = rankings.items.shape[1]
    place = np.argsort(order, axis=1) + longest * np.arange(len(order))[:, None]
    slots = [np.where(slot < 0, -1, place.ravel()[slot]) for slot in (rankings.slot_left, rankings.slot_right)]
    ordered = np.where(slots[0] < slots[1], LEFT, RIGHT).astype(np.int8)
    return comparisons._replace(
        outcome=np.where(slots[0] < 0, outcome, ordered),
        rankings=rankings._replace(
            items=np.take_along_axis(rankings.items, order, axis=1), slot_left=slots[0], slot_right=slots[1]
        ),
    )


def _statistic(comparisons: Comparisons, fit: Estimated, *, ties: bool) -> tuple[float, float]:
    """Mean squared correlation of pairs of judges, by how much they share, and its sampling variance."""
    expected = _expected(comparisons, fit, fit.mean, ties=ties)
    sign = np.select([comparisons.outcome == LEFT, comparisons.outcome == RIGHT], [0.5, -0.5], 0.0)
    residual = comparisons.weight * (sign - (expected[:, 0] - expected[:, 1]) / 2)
    if fit.data.ranked is not None and comparisons.rankings is not None:
        slope = np.asarray(slope_of(fit.data, fit.state), np.float32)[: len(residual)]
        residual = np.where(comparisons.rankings.slot_left >= 0, slope, residual)
    n_items, n_judges = len(comparisons.item_names), len(comparisons.judge_names)
    alone = fit.graph.size[comparisons.left] == 2
    sums, voted = np.zeros((n_items, n_judges), np.float32), np.zeros((n_items, n_judges), np.float32)
    for items, values, chosen in ((comparisons.left, residual, slice(None)), (comparisons.right, -residual, ~alone)):
        np.add.at(sums, (items[chosen], comparisons.judge[chosen]), values[chosen])
        voted[items[chosen], comparisons.judge[chosen]] = 1
    products, shared, squares = sums.T @ sums, voted.T @ voted, (sums**2).T @ voted
    scale = np.sqrt(squares * squares.T)
    above = np.triu(shared > 1, 1) & (scale > 0)
    weight = scale[above].astype(np.float64)
    if not weight.sum() > 0:
        return 0.0, float("inf")
    squared = (products[above].astype(np.float64) / weight) ** 2
    return float(weight @ squared / weight.sum()), float(weight @ (1 / shared[above]) / weight.sum())
