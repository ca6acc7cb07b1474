"""How many observations confusions are worth that were read off soft labels, not off known ones.

Where labels are latent, the information about the confusions and the class balance is the variance of their scores
under the votes (Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x): an item whose class is doubtful tells little of
anybody's confusions, and what it tells is shared among all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import Votes

MOST_PARAMETERS = 600
"""Above, the others are taken for known, as many sources make them."""
MOST_ITEMS = 20_000
"""More items than this are sampled."""
LEAST_RATE = 0.01
LEAST_INFORMATION = 1.0
"""About each parameter, beside the votes."""


def observations(votes: Votes, soft: NDArray[np.floating[Any]], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, K, K] known votes that would tell as much of each rate; infinitely many where there are many parameters.

    Args:
        votes: N items, M sources, K classes, plain.
        soft: [N, K] probabilities of the classes.
        rates: [M, K, K] true class on the second axis, vote on the last; NaN without votes.
    """
    n_sources, n_classes, _ = rates.shape
    if not n_sources or not votes.n_items:
        return np.zeros(rates.shape)
    of_class, wrong = np.nonzero(~np.eye(n_classes, dtype=bool))  # what these gain, the right vote loses
    n_free = len(of_class)
    if n_sources * n_free > MOST_PARAMETERS:
        return np.full(rates.shape, np.inf)
    scale = 1.0
    if votes.n_items > MOST_ITEMS:
        kept = np.sort(np.random.default_rng(0).choice(votes.n_items, MOST_ITEMS, replace=False))
        scale, votes, soft = votes.n_items / MOST_ITEMS, votes.select_items(kept), soft[kept]
    p = soft.astype(np.float64)
    safe = np.nan_to_num(rates, nan=1 / n_classes).clip(LEAST_RATE)
    safe /= safe.sum(2, keepdims=True)
    codes = votes.to_dense().astype(np.int64)
    scores = np.empty((votes.n_items, n_sources * n_free + n_classes - 1))
    for source in range(n_sources):
        of_vote = np.zeros((n_classes + 1, n_free))  # by the vote, the last of which is silence
        of_vote[wrong, np.arange(n_free)] = 1 / safe[source][of_class, wrong]
        of_vote[of_class, np.arange(n_free)] = -1 / safe[source][of_class, of_class]
        scores[:, source * n_free : (source + 1) * n_free] = p[:, of_class] * of_vote[codes[:, source]]
    balance = p.mean(0).clip(1e-6)
    scores[:, n_sources * n_free :] = p[:, :-1] / balance[:-1] - p[:, -1:] / balance[-1]
    information = scale * scores.T @ scores
    information[np.diag_indices(len(information))] += LEAST_INFORMATION
    covariance = np.linalg.inv(information)
    variance = np.zeros(rates.shape)
    for source in range(n_sources):
        at = slice(source * n_free, (source + 1) * n_free)
        own = covariance[at, at]
        variance[source, of_class, wrong] = own.diagonal()
        for k in range(n_classes):
            variance[source, k, k] = own[np.ix_(of_class == k, of_class == k)].sum()
    return np.asarray(safe * (1 - safe) / variance.clip(1e-12))
