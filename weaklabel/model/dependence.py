"""How far sources err together beyond what their accuracies explain: measured against a simulated twin of the data.

Votes drawn from the fitted model, on the same pattern of who votes where, are independent given the label; they show
how much correlation of errors the model finds where there is none. What the real votes show beyond that is dependence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.votes import ABSTAIN, Votes

MOST_ROWS = 4000
"""More distinct rows than this are sampled."""
SIMULATED_PAIRS = 1_000_000
"""Pairs of votes in the twins: the standard error of a correlation is about one over the root."""
MOST_TWINS = 400
MOST_CELLS = 10_000_000
"""Of rows x M x K in memory."""
FEWEST_ROWS = 50


def excess_correlation(
    votes: Votes,
    weight: NDArray[np.float64],
    confusion: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    seed: int,
) -> float:
    """Correlation of the errors of two sources on one item, less that of simulated twins.

    Args:
        votes: U distinct rows; one source out of each group of copies.
        weight: [U] how many items have the row.
        confusion: [M, K, K] probability of each vote (second axis) in each class (last axis).
        log_prior: [K] as it enters the posterior.
        seed: of the sample of rows and of the twin.

    Returns:
        About 0 for independent sources; 0 where there is too little to tell.
    """
    n_sources, n_classes = votes.n_sources, votes.n_classes
    most = min(MOST_ROWS, MOST_CELLS // max(n_sources * n_classes, 1))
    if n_sources < 3 or most < FEWEST_ROWS or weight.sum() <= 0:
        return 0.0
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(weight)
    if len(kept) > most:
        kept = np.sort(rng.choice(votes.n_items, most, replace=False, p=weight / weight.sum()))
        weight = np.ones(votes.n_items)
    codes, weight, order = _in_canonical_order(votes.select_items(kept).to_dense().astype(np.int64), weight[kept])
    confusion = confusion[order]
    voted = codes >= 0
    n_voted = voted.sum(1)
    log_confusion = np.log(confusion)
    every = np.arange(n_sources)[None]

    def posterior(codes: NDArray[np.int64]) -> NDArray[np.float64]:
        evidence = log_confusion[every, np.maximum(codes, 0)] * voted[:, :, None]
        return np.asarray(softmax(log_prior + evidence.sum(1), axis=1))

    def pair_sums(codes: NDArray[np.int64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over pairs of votes: of the products of residuals, and of their standard deviations."""
        called = labels.argmax(1)[:, None]
        right = confusion[every, called, called]
        residual = ((codes == called) - right) * voted
        deviation = np.sqrt(np.maximum(right * (1 - right), 1e-9)) * voted
        return np.array([(weight * (x.sum(1) ** 2 - (x**2).sum(1))).sum() for x in (residual, deviation)])

    labels = posterior(codes)
    real, twins = pair_sums(codes, labels), np.zeros(2)
    n_pairs = max(int((n_voted * (n_voted - 1) // 2).sum()), 1)
    for _ in range(min(1 + SIMULATED_PAIRS // n_pairs, MOST_TWINS)):
        truth = (labels.cumsum(1) > rng.random((len(codes), 1))).argmax(1)
        below = confusion.cumsum(1)[every, :, truth[:, None]] < rng.random((len(codes), n_sources, 1))
        twin = np.where(voted, np.minimum(below.sum(2), n_classes - 1), ABSTAIN)
        twins += pair_sums(twin, posterior(twin))
    if min(real[1], twins[1]) <= 1e-6:
        return 0.0
    return float(real[0] / real[1] - twins[0] / twins[1])


def _in_canonical_order(
    codes: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Distinct rows, their weight, and the order of the columns: the same however items and sources were ordered.

    Twins are drawn cell by cell, so that another order would draw others.
    """
    n_classes = int(codes.max(initial=0)) + 1
    by_class = np.stack([weight @ (codes == k) for k in range(-1, n_classes)])
    order = np.lexsort(by_class)
    rows, inverse = np.unique(codes[:, order], axis=0, return_inverse=True)
    return rows, np.bincount(inverse.reshape(-1), weight).astype(np.float64), order
