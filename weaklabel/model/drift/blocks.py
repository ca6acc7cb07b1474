"""Items cut into blocks of time, in which skills are taken to be constant."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_BLOCKS = 64
"""Blocks that are kept; with more, neighbours are put together."""
FEWEST_BLOCKS = 8
"""Blocks that are kept, however many cells the counts have."""
LEAST_ITEMS = 50
"""Items of a block, unless there are fewer."""
MOST_CELLS = 2**22
"""Cells of the counts of all blocks, ..."""
MOST_TERMS = 2**20
"""... and terms of the search for jumps, that set the number of blocks."""


class Blocks(NamedTuple):
    """Consecutive blocks of time."""

    number: NDArray[np.int32]
    """[N] block of each item."""
    starts: NDArray[np.float64]
    """[B] earliest time of each block."""
    ends: NDArray[np.float64]
    """[B] latest time of each block."""


def most_blocks(n_sources: int, n_classes: int, n_rates: int) -> int:
    """Blocks that are kept of so many sources and classes."""
    by_search = (2 * MOST_TERMS / (n_rates * n_sources * n_classes)) ** 0.5
    by_memory = MOST_CELLS / (n_sources * n_classes**2)
    return int(np.clip(min(by_search, by_memory), FEWEST_BLOCKS, MOST_BLOCKS))


def cut(times: NDArray[np.float64], block_items: float) -> Blocks:
    """Blocks of about so many items; items of one time are in one block.

    Args:
        times: [N]
        block_items: aimed at.
    """
    n_items = len(times)
    n_blocks = max(round(n_items / max(block_items, 1)), 1)
    in_order = np.sort(times)
    firsts = in_order[np.linspace(0, n_items, n_blocks, endpoint=False).astype(int)] if n_items else in_order
    firsts = np.unique(firsts)
    number = np.searchsorted(firsts, times, side="right").astype(np.int32) - 1
    ends = np.full(len(firsts), -np.inf)
    np.maximum.at(ends, number, times)
    return Blocks(number, firsts, ends)


def block_at(times: NDArray[np.float64], borders: NDArray[np.float64]) -> NDArray[np.int64]:
    """[N] the block of each time.

    Args:
        times: [N]
        borders: [B - 1] of `borders`.
    """
    return np.asarray(np.searchsorted(borders, times, side="right"))


def borders(
    starts: NDArray[np.float64], middles: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[B - 1] times at which one block gives way to the next: half way between their items.

    Args:
        starts: [B] earliest time of each block.
        middles: [B] mean time, ascending.
        ends: [B] latest time.
    """
    apart = ends[:-1] <= starts[1:]  # not where late votes have come in
    between = np.where(apart, (ends[:-1] + starts[1:]) / 2, (middles[:-1] + middles[1:]) / 2)
    return np.asarray(np.maximum.accumulate(between))


def pairs_to_join(items: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """[B] the block that each becomes part of, so that at most so many are left: neighbours with the fewest items.

    Args:
        items: [B] items of each block.
        most: blocks to keep.
    """
    joined = [[at] for at in range(len(items))]
    sizes = [float(size) for size in items]
    while len(joined) > most:
        at = int(np.argmin([left + right for left, right in pairwise(sizes)]))
        joined[at] += joined.pop(at + 1)
        sizes[at] += sizes.pop(at + 1)
    becomes = np.empty(len(items), np.int64)
    for at, members in enumerate(joined):
        becomes[members] = at
    return becomes
