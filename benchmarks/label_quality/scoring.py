"""Scores of soft labels, and intervals of their differences."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_BINS = 15
SMALLEST_PROBABILITY = 1e-6
TIE = 1e-9


class Scores(NamedTuple):
    """How good soft labels are."""

    score: float
    """F1 of class 1 where that class is rare, accuracy elsewhere; classes tied for the largest probability share."""
    nll: float
    """Mean negative log-likelihood, in nats; probabilities below 1e-6 count as 1e-6."""
    brier: float
    """Mean squared error, summed over the classes."""
    ece: float
    """Expected calibration error in 15 equal bins of the largest probability (arXiv:1706.04599)."""


METRICS = Scores._fields


def score(probabilities: NDArray[Any], gold: ArrayLike, *, rare: bool = False) -> Scores:
    """Scores of soft labels [N, K] on the items whose gold [N] is known (not -1); `rare` asks for F1 of class 1."""
    truth = np.asarray(gold)
    p, truth = np.asarray(probabilities, np.float64)[truth >= 0], truth[truth >= 0]
    items = np.arange(len(truth))
    called = p >= p.max(1, keepdims=True) - TIE
    called = called / called.sum(1, keepdims=True)
    right = called[items, truth]
    if rare:
        positives = called[:, 1].sum() + (truth == 1).sum()
        value = 2 * called[truth == 1, 1].sum() / max(positives, 1e-300)
    else:
        value = right.mean()
    confidence = p.max(1)
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gap = np.bincount(bins, confidence, N_BINS) - np.bincount(bins, right, N_BINS)
    return Scores(
        score=float(value),
        nll=float(-np.log(np.clip(p[items, truth], SMALLEST_PROBABILITY, 1)).mean()),
        brier=float(((p - np.eye(p.shape[1])[truth]) ** 2).sum(1).mean()),
        ece=float(np.abs(gap).sum() / len(truth)),
    )


def mean(scores: list[Scores]) -> Scores:
    """Mean over sets."""
    return Scores(*(float(value) for value in np.mean(scores, axis=0)))


def difference(scores: Scores, others: Scores) -> Scores:
    """Of each metric."""
    return Scores(*np.subtract(scores, others).tolist())


def family_interval(
    differences: ArrayLike, families: list[str], *, n_draws: int = 2000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile interval of the mean of `differences` [n, ...] over sets, by a bootstrap over their families.

    Sets of one family share sources or makers, so that families, not sets, are drawn with replacement, each with all of
    its sets (cluster bootstrap: Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). NaN where there is one
    family only.
    """
    values = np.asarray(differences, np.float64)
    _, family = np.unique(families, return_inverse=True)
    n_families = int(family.max()) + 1
    if n_families < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    sums = np.zeros((n_families, *values.shape[1:]))
    np.add.at(sums, family, values)
    drawn = np.random.default_rng(seed).integers(0, n_families, (n_draws, n_families))
    n_sets = np.bincount(family)[drawn].sum(1)
    means = sums[drawn].sum(1) / n_sets.reshape(-1, *[1] * (values.ndim - 1))
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high
