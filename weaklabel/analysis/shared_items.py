"""Counting the items on which each two of M sources do something, by bits: an item is a bit of a word.

Counts are exact, and take neither copies of the votes as numbers nor threads of a BLAS, which on a busy machine wait
for each other longer than small products take.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.validation import Codes

WORD = 64
BLOCK_CELLS = 2**21
"""Of the votes that are laid out at once; their bits stay in a processor's cache."""

Bits = NDArray[np.uint64]
"""[M, words]"""


def blocks_of(n_items: int, n_sources: int) -> Iterator[slice]:
    """Runs of items to lay out at once."""
    step = max(WORD, BLOCK_CELLS // max(n_sources, 1) // WORD * WORD)
    return (slice(start, start + step) for start in range(0, n_items, step))


def by_source(block: Codes) -> Codes:
    """[M, items] the votes of some items, each source's together, filled up with abstains to whole words."""
    n_items, n_sources = block.shape
    laid_out = np.full((n_sources, -(-n_items // WORD) * WORD), -1, block.dtype)
    laid_out[:, :n_items] = block.T
    return laid_out


def bits_of(chosen: NDArray[np.bool_]) -> Bits:
    """One bit for each cell of a table [M, items] of whole words."""
    return np.packbits(chosen, axis=1).view(np.uint64)


def count_together(first: Bits, second: Bits) -> NDArray[np.int64]:
    """[M, M] number of items where one source is chosen in `first`, and the other in `second`."""
    counts = [np.bitwise_count(one & second).sum(axis=1, dtype=np.int64) for one in first]
    return np.array(counts, np.int64).reshape(len(first), len(second))


def count_both(chosen: Bits) -> NDArray[np.int64]:
    """[M, M] `count_together` of a choice with itself: half of the work, since it is symmetric."""
    counts = np.zeros((len(chosen), len(chosen)), np.int64)
    for at, one in enumerate(chosen):
        counts[at, at:] = np.bitwise_count(one & chosen[at:]).sum(axis=1, dtype=np.int64)
    return counts + np.triu(counts, 1).T
