"""How far sources err together beyond what their accuracies explain: measured against a simulated twin of the data.

Votes drawn from the fitted model, on the same pattern of who votes where, are independent given the label; they show
how much correlation of errors the model finds where there is none. What the real votes show beyond that is dependence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.votes import ABSTAIN, Votes

SAMPLED_ROWS = 3000
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
    """Correlation of the errors of two sources on one item, less that of a simulated twin.

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
    n_sampled = min(SAMPLED_ROWS, MOST_CELLS // max(n_sources * n_classes, 1))
    total = float(weight.sum())
    if n_sources < 3 or n_sampled < FEWEST_ROWS or total <= 0:
        return 0.0
    rng = np.random.default_rng(seed)
    sampled = rng.choice(votes.n_items, n_sampled, p=weight / total)
    codes = votes.select_items(sampled).to_dense().astype(np.int64)
    voted = codes >= 0
    log_confusion = np.log(confusion)
    every = np.arange(n_sources)[None]

    def posterior(codes: NDArray[np.int64]) -> NDArray[np.float64]:
        evidence = log_confusion[every, np.maximum(codes, 0)] * voted[:, :, None]
        return np.asarray(softmax(log_prior + evidence.sum(1), axis=1))

    def correlation(codes: NDArray[np.int64], labels: NDArray[np.float64]) -> tuple[float, float]:
        """Sum over pairs of the products of residuals, and of their standard deviations."""
        called = labels.argmax(1)[:, None]
        right = confusion[every, called, called]
        residual = ((codes == called) - right) * voted
        deviation = np.sqrt(np.maximum(right * (1 - right), 1e-9)) * voted
        products, scale = ((part.sum(1) ** 2 - (part**2).sum(1)).sum() for part in (residual, deviation))
        return float(products), float(scale)

    labels = posterior(codes)
    truth = (labels.cumsum(1) > rng.random((n_sampled, 1))).argmax(1)
    below = confusion.cumsum(1)[every, :, truth[:, None]] < rng.random((n_sampled, n_sources, 1))
    twin = np.where(voted, np.minimum(below.sum(2), n_classes - 1), ABSTAIN)
    real, twin_found = correlation(codes, labels), correlation(twin, posterior(twin))
    if min(real[1], twin_found[1]) <= 1e-6:
        return 0.0
    return real[0] / real[1] - twin_found[0] / twin_found[1]
