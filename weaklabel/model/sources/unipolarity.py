"""Unipolar sources: those that vote for part of the classes only, so that their silence is no information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

NARROW_CONCENTRATION = 0.1
"""Dirichlet parameter, per class, of the votes of a source that uses part of the classes only."""
MIXING_ROUNDS = 50


def unipolarity(vote_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How surely each source votes for part of the classes only.

    The posterior probability that a source's vote counts come from a Dirichlet-multinomial concentrated on few classes,
    against one around the shares of all votes, where the share of such sources is learned from them all; 0 up to even
    odds, then linear to 1.

    Args:
        vote_counts: [M, K] votes of each source for each class.

    Returns:
        [M] in [0, 1].
    """
    n_sources, n_classes = vote_counts.shape
    pooled = vote_counts.sum(0)
    shares = (pooled + 1) / (pooled.sum() + n_classes)
    narrow = _dirichlet_multinomial(vote_counts, np.full(n_classes, NARROW_CONCENTRATION))
    broad = _dirichlet_multinomial(vote_counts, n_classes * shares)
    log_odds = np.clip(narrow - broad, -50, 50)
    voting = vote_counts.sum(1) > 0
    mixing, posterior = 0.5, np.full(n_sources, 0.5)
    for _ in range(MIXING_ROUNDS):
        posterior = np.asarray(expit(log_odds + logit(mixing)))
        mixing = float(np.clip((posterior[voting].sum() + 1) / (voting.sum() + 2), 0.02, 0.98))
    return np.asarray(np.clip(2 * posterior - 1, 0, 1))


def _dirichlet_multinomial(counts: NDArray[np.float64], concentration: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] logarithm of the probability of counts in a given order."""
    total = concentration.sum()
    return np.asarray(
        gammaln(total)
        - gammaln(total + counts.sum(1))
        + (gammaln(concentration + counts) - gammaln(concentration)).sum(1)
    )
