"""Sets of tags out of their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.tags import settings


def counts_of(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n + 1] distribution of the number of successes of n independent trials."""
    found = np.ones(1)
    for p in probability.tolist():
        found = np.convolve(found, (1 - p, p))
    return found


def best_f1(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the set of most expected F1, tags being independent; F1 of the empty set is 1 where no tag holds.

    The best set holds the most probable tags (Lewis 1995, doi:10.1145/215206.215366); how many, is enumerated. Tags
    after the `F1_TAGS` most probable are not chosen; they count in the size of the truth by their mean.

    Args:
        probability: [n] of one item.
    """
    order = np.argsort(-probability, kind="stable")
    top, rest = probability[order[: settings.F1_TAGS]], float(probability[order[settings.F1_TAGS :]].sum())
    best, size = float(np.prod(1 - probability)), 0
    for k in range(1, len(top) + 1):
        hits, misses = counts_of(top[:k]), counts_of(top[k:])
        a, b = np.arange(len(hits))[:, None], np.arange(len(misses))
        expected = float((hits[:, None] * misses * 2 * a / (k + a + b + rest)).sum())
        if expected > best + 1e-12:
            best, size = expected, k
    return np.sort(order[:size])
