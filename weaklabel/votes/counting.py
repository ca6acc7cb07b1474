"""Counting votes: how many there are for each class on each item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import Codes

BLOCK_ROWS = 8192
"""Rows of a large matrix that are looked at together."""
VOTES_OF_A_RUN = 2**18
"""The same, of sparse votes."""
FEW_CLASSES = 16
"""Up to so many classes, work goes class by class: numpy and compilers take long to reduce over a short axis."""


def n_votes(codes: Codes) -> int:
    """Number of votes among codes of any shape, abstains and errors left out."""
    blocks = range(0, len(codes), BLOCK_ROWS)  # which stay in the cache, comparisons included
    return sum(int(np.count_nonzero(codes[start : start + BLOCK_ROWS] >= 0)) for start in blocks)


def counts_of_matrix(codes: Codes, n_classes: int) -> NDArray[np.int64]:
    """[N, K] number of votes for each class, of a matrix [N, M] of plain votes on few classes."""
    total = np.empty((len(codes), n_classes), np.int64)
    each = np.ones(codes.shape[1], np.float32)
    for start in range(0, len(codes), BLOCK_ROWS):
        block = codes[start : start + BLOCK_ROWS]
        for k in range(n_classes):
            total[start : start + BLOCK_ROWS, k] = (block == k).astype(np.float32) @ each
    return total


def counts_of_triples(
    rows: NDArray[np.int32], labels: NDArray[np.int32], n_items: int, symbols: Symbols
) -> NDArray[np.int64] | NDArray[np.float64]:
    """[N, K] number of votes for each class; expected numbers, as float64, where votes are not plain.

    Args:
        rows: [V] item of each vote, ascending.
        labels: [V] class, or code of `symbols`.
        n_items: N.
        symbols: what the codes from K on stand for.
    """
    n_classes = symbols.n_classes
    if not len(symbols):
        return _tally(rows, labels, n_items, n_classes)
    is_class = labels < n_classes
    total = _tally(rows[is_class], labels[is_class], n_items, n_classes).astype(np.float64)
    shares, rows, labels = symbols.distributions(), rows[~is_class], labels[~is_class]
    for k in range(n_classes):
        total[:, k] += np.bincount(rows, shares[labels, k], minlength=n_items)
    return total


def _tally(rows: NDArray[np.int32], labels: NDArray[np.int32], n_items: int, n_classes: int) -> NDArray[np.int64]:
    total = np.zeros((n_items, n_classes), np.int64)
    for start in range(0, len(rows), VOTES_OF_A_RUN):  # in cache
        of_run = rows[start : start + VOTES_OF_A_RUN]
        first, last = int(of_run[0]), int(of_run[-1])
        place = (of_run - first).astype(np.int64) * n_classes + labels[start : start + VOTES_OF_A_RUN]
        counts = np.bincount(place, minlength=(last + 1 - first) * n_classes)
        total[first : last + 1] += counts.reshape(-1, n_classes)
    return total
