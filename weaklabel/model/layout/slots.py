"""Where sparse votes lie: rows by their number of votes, in blocks with as many slots as their longest. On the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.numerics.default_device import on_cpu
from weaklabel.model.numerics.devices import aligned, at_once

CACHED_CELLS = 2**18
"""Rows of a block x K on a CPU, ..."""
ACCELERATOR_CELLS = 2**26
"""... and on a GPU or TPU, which has no such cache, and for which each step is a launch."""
FEWEST_ROWS = 64
"""Of a block, and in a narrow slot, ..."""
FEWEST_BLOCKS = 16
"""... and blocks of a layout, where there are enough rows: the longest row of each sets the slots of all."""
WASTE = 4
"""Slots per vote, at most: else blocks are smaller. Sizes depend on votes no more than that, since each is a program to
compile."""


class Arrangement(NamedTuple):
    """Where votes lie: on the host."""

    rows: NDArray[np.int32]
    """[U] see `SparseLayout`."""
    places: NDArray[np.int32]
    """[U]"""
    n_slots: NDArray[np.int32]
    """[U / B]"""
    n_narrow: NDArray[np.int32] | None
    """[U / B]"""
    starts: NDArray[np.int32]
    """[U / B]"""
    length: NDArray[np.int64]
    """[U] number of votes of the row at each place: descending."""
    block_rows: int
    """B."""

    @property
    def size(self) -> int:
        """Slots of all blocks."""
        of_first = 0 if self.n_narrow is None else int(self.n_narrow.sum()) * FEWEST_ROWS
        return int(self.n_slots.sum()) * self.block_rows + of_first


def arrange(length: NDArray[np.int64], n_rows: int, n_classes: int, block_rows: int | None = None) -> Arrangement:
    """Finds a place for each row, and the size of blocks.

    Args:
        length: [n] number of votes of each row.
        n_rows: U, a power of two.
        n_classes: K.
        block_rows: B; None for what suits the lengths, which then set the shapes of the arrays.
    """
    n_items = len(length)
    rows = np.arange(n_rows, dtype=np.int32)
    shorter = length.max(initial=0) - length
    if shorter.max(initial=0) < 2**16:  # a stable sort of 16-bit numbers is a radix sort
        shorter = shorter.astype(np.uint16)
    rows[:n_items] = np.argsort(shorter, kind="stable")
    places = np.empty(n_rows, np.int32)
    places[rows] = np.arange(n_rows, dtype=np.int32)
    ordered = np.zeros(n_rows, np.int64)
    ordered[:n_items] = length[rows[:n_items]]
    cells = CACHED_CELLS if on_cpu() else ACCELERATOR_CELLS
    size = 1 << (max(cells // n_classes, 1).bit_length() - 1)
    size = max(min(size, n_rows // FEWEST_BLOCKS), FEWEST_ROWS) if block_rows is None else block_rows
    most = WASTE * max(ordered.sum(), n_rows)
    # Of the first row of each block, its longest; or, where too many slots were empty, of the first that has no other.
    longest, n_slots = ordered[::size], ordered[::size]
    if block_rows is None and size > FEWEST_ROWS and size * longest.sum() > most:
        while size > FEWEST_ROWS and size * ordered[FEWEST_ROWS::size].sum() > most:
            size //= 2
        longest = n_slots = ordered[::size]
        if size > FEWEST_ROWS:
            n_slots = ordered[FEWEST_ROWS::size]
    n_narrow = longest - n_slots
    of_block = n_slots * size + n_narrow * FEWEST_ROWS
    starts = np.cumsum(of_block) - of_block
    return Arrangement(
        rows=rows,
        places=places,
        n_slots=n_slots.astype(np.int32),
        n_narrow=n_narrow.astype(np.int32) if n_narrow.any() else None,
        starts=starts.astype(np.int32),
        length=ordered,
        block_rows=size,
    )


def in_slots(arrangement: Arrangement, values: NDArray[Any], nothing: int, size: int) -> NDArray[Any]:
    """[size] the values [V] of votes, in the order of their rows, where they lie; `nothing` in empty slots.

    Args:
        arrangement: of the rows.
        values: [V].
        nothing: for empty slots.
        size: V of the layout; what is beyond the last block is never read, and undefined.
    """
    size_of_block, length, n_slots = arrangement.block_rows, arrangement.length, arrangement.n_slots
    of_row = np.empty(len(length), np.int64)
    of_row[arrangement.rows] = length
    first = (np.cumsum(of_row) - of_row)[arrangement.rows]
    memory = aligned(size, values.dtype)

    def fill(start: int, begin: NDArray[np.int64], length: NDArray[np.int64], n_slots: int) -> None:
        """Slots of some rows, longest first, whose votes begin there."""
        slots = memory[start : start + n_slots * len(length)].reshape(n_slots, len(length))
        if n_slots > len(length):  # one step per slot or per row, whichever are fewer
            slots[:] = nothing
            for row, n_votes in enumerate(length):
                slots[:n_votes, row] = values[begin[row] : begin[row] + n_votes]
            return
        n_longer = np.searchsorted(-length, -np.arange(n_slots))
        for slot, n_votes in enumerate(n_longer):
            values.take(begin[:n_votes] + slot, out=slots[slot, :n_votes], mode="clip")
            slots[slot, n_votes:] = nothing

    def fill_block(at: int) -> None:
        rows, start, n_wide = (
            slice(at * size_of_block, (at + 1) * size_of_block),
            int(arrangement.starts[at]),
            int(n_slots[at]),
        )
        fill(start, first[rows], np.minimum(length[rows], n_wide), n_wide)
        if arrangement.n_narrow is not None and arrangement.n_narrow[at]:
            begin, rest = first[rows][:FEWEST_ROWS] + n_wide, length[rows][:FEWEST_ROWS] - n_wide
            fill(start + n_wide * size_of_block, begin, rest, int(arrangement.n_narrow[at]))

    for _ in at_once(fill_block, np.flatnonzero(n_slots).tolist()):
        pass
    return memory
