"""Annotators that copy each other: two that share errors beyond what chance and difficult tokens explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_SOURCES = 4
"""With fewer there is no usual pair to compare with."""
FEWEST_ERRORS = 20.0
"""Expected errors of the better source of a pair on shared tokens."""
DEVIATIONS = 3.0
"""Median absolute deviations above the median pair from which on a pair is taken for copies."""
LEAST_COPIED = 0.1
"""Share of errors below which a pair is left alone: the median pair of independent sources has next to none."""
MOST_SOURCES = 64
"""With more, pairs are not looked at: they are too many, and share few tokens."""


def find_copies(
    votes: NDArray[np.signedinteger], responsibilities: NDArray[np.float64], annotator: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """[M, M] share of the errors of a pair that are copied, 0 where it is no more than usual among the pairs.

    For sources j and k the expected number of tokens on which both cast the same wrong vote, minus that of independent
    sources with their confusions, over the errors of the one that makes fewer: x. Difficult tokens raise x of all
    pairs, so that what counts is f = (x - t) / (1 - t), t = the median of x + 3 median absolute deviations,
    and a tenth at least.

    Args:
        votes: [U, M] tags of distinct rows; -1 for none.
        responsibilities: [U, K] expected number of tokens of each row and tag.
        annotator: [M] sources that are looked at.
    """
    n_sources, n_tags = votes.shape[1], responsibilities.shape[1]
    copies = np.zeros((n_sources, n_sources))
    some = np.flatnonzero(annotator)
    if not FEWEST_SOURCES <= len(some) <= MOST_SOURCES:
        return copies
    confusion = np.stack([_confusion(votes[:, one], responsibilities, n_tags) for one in some])
    pairs, excess = [], []
    for j in range(len(some)):
        for k in range(j):
            x = _excess(votes[:, some[j]], votes[:, some[k]], responsibilities, confusion[j], confusion[k])
            if x is not None:
                pairs.append((some[j], some[k]))
                excess.append(x)
    if len(pairs) < FEWEST_SOURCES * (FEWEST_SOURCES - 1) / 2:
        return copies
    found = np.array(excess)
    median = np.median(found)
    limit = min(max(median + DEVIATIONS * np.median(np.abs(found - median)), LEAST_COPIED), 1.0)
    for (j, k), x in zip(pairs, found, strict=True):
        if x > limit:
            copies[j, k] = copies[k, j] = min((x - limit) / (1 - limit), 1.0)
    return copies


def _confusion(votes: NDArray[np.signedinteger], q: NDArray[np.float64], n_tags: int) -> NDArray[np.float64]:
    """[K, K] P(vote | tag), the tag first."""
    counts = np.zeros((n_tags, n_tags))
    np.add.at(counts, votes[votes >= 0], q[votes >= 0])
    return np.asarray((counts.T + 1e-9) / (counts.T + 1e-9).sum(1, keepdims=True))


def _excess(
    one: NDArray[np.signedinteger],
    other: NDArray[np.signedinteger],
    q: NDArray[np.float64],
    of_one: NDArray[np.float64],
    of_other: NDArray[np.float64],
) -> float | None:
    shared = (one >= 0) & (other >= 0)
    one, other, q = one[shared], other[shared], q[shared]
    total, at = q.sum(1), np.arange(len(q))
    wrong, also_wrong = total - q[at, one], total - q[at, other]
    fewer = min(wrong.sum(), also_wrong.sum())
    if fewer < FEWEST_ERRORS:
        return None
    together = wrong[one == other].sum()
    both = of_one * of_other
    expected = q.sum(0) @ (both.sum(1) - np.diagonal(both))
    return float((together - expected) / fewer)
