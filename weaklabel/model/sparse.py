"""Votes given only, in blocks of rows with as many slots as their longest row: a cost per vote, not per cell.

Rows are laid out by their number of votes, longest first, so that rows of a block are about as long and hardly a slot
is empty. What is made of a block stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.devices import aligned, at_once
from weaklabel.model.over_classes import FEW

CACHED_CELLS = 2**18
"""Rows of a block x K on a CPU, ..."""
ACCELERATOR_CELLS = 2**26
"""... and on a GPU or TPU, which has no such cache, and for which each step is a launch."""
FEWEST_ROWS = 64
"""Of a block, ..."""
FEWEST_BLOCKS = 16
"""... and blocks of a layout, where there are enough rows: the longest row of each sets the slots of all."""
WASTE = 4
"""Slots a vote, at most: else blocks are smaller. Sizes depend on votes no more than that, since each is a program to
compile."""

SLOTS_AT_ONCE, SMALL_STEP = 16, 2**12
"""So many slots of small blocks are looked up in one step, if that is no more than so many votes."""
LONG_ROWS = 16
"""When no more rows than this have further votes, these are put in place row by row, on the host."""

Found = TypeVar("Found")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["symbols", "shares", "start", "n_slots", "counted"],
    meta_fields=["n_rows"],
)
@dataclass(frozen=True)
class SparseBlock:
    """B rows in a row, slot after slot; a layout of its own. A slot without a vote points behind the last symbol."""

    symbols: Int[Array, " V"]
    """source * S + symbol, of all blocks."""
    shares: Float[Array, " V"] | None
    """Weight of each vote as evidence; None where all are 1."""
    start: Int[Array, ""]
    """Where the block begins."""
    n_slots: Int[Array, ""]
    n_rows: int
    """See `Layout.n_rows`."""
    counted: Float[Array, "M S C"] | None = None
    """What `counts` are added to; None for nothing."""

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "B C"]:
        """See `Layout.evidence`."""
        table = weights.reshape(-1, weights.shape[2])

        def add(total: Array, symbols: Array, shares: Array | None) -> Array:
            found = table.at[symbols].get(mode="fill", fill_value=0)
            found = found if shares is None else found * shares[:, None]
            return total + found.reshape(-1, *total.shape).sum(0)

        return self._over_slots(add, jnp.zeros((self.n_rows, weights.shape[2]), weights.dtype))

    def counts(self, values: Float[Array, "B C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""

        def add(total: Array, symbols: Array, _: Array | None) -> Array:
            return total.at[symbols].add(self._each_slot(values, symbols), mode="drop")

        shape = (n_sources, n_symbols, values.shape[1])
        start = jnp.zeros(shape, values.dtype) if self.counted is None else self.counted
        return self._over_slots(add, start.reshape(-1, values.shape[1])).reshape(shape)

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "B K"]:
        """See `Layout.own_evidence`."""
        n_classes = weights.shape[1]
        if n_classes <= FEW:  # a whole row of a table is looked up as quickly as one entry
            return self.evidence(jax.vmap(jnp.diag)(weights))
        table, rows = weights.reshape(-1), jnp.arange(self.n_rows)

        def add(total: Array, symbols: Array, shares: Array | None) -> Array:
            found = table.at[symbols].get(mode="fill", fill_value=0)
            found = found if shares is None else found * shares
            return total.at[self._each_slot(rows, symbols), symbols % n_classes].add(found, mode="promise_in_bounds")

        return self._over_slots(add, jnp.zeros((self.n_rows, n_classes), weights.dtype))

    def own_counts(self, values: Float[Array, "B K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        n_classes = values.shape[1]
        if n_classes <= FEW:
            return jax.vmap(jnp.diag)(self.counts(values, n_sources, n_classes))
        rows = jnp.arange(self.n_rows)

        def add(total: Array, symbols: Array, _: Array | None) -> Array:
            right = values.at[self._each_slot(rows, symbols), symbols % n_classes].get(mode="promise_in_bounds")
            return total.at[symbols].add(right, mode="drop")

        total = self._over_slots(add, jnp.zeros(n_sources * n_classes, values.dtype))
        return total.reshape(n_sources, n_classes)

    def share_totals(self, weight: Float[Array, " B"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""

        def add(total: Array, symbols: Array, shares: Array | None) -> Array:
            of_vote = self._each_slot(weight, symbols)
            return total.at[symbols].add(of_vote if shares is None else of_vote * shares, mode="drop")

        return self._over_slots(add, jnp.zeros(n_sources * n_symbols, weight.dtype)).reshape(n_sources, -1).sum(1)

    def _each_slot(self, of_rows: Array, symbols: Array) -> Array:
        """The values of the rows, once for each slot that the symbols are of."""
        return jnp.tile(of_rows, (len(symbols) // self.n_rows, *[1] * (of_rows.ndim - 1)))

    def _over_slots(self, add: Callable[[Array, Array, Array | None], Array], start: Array) -> Array:
        """Adds slot after slot; of small blocks, whose rows may be very long, several at once."""

        def steps(first: Array | int, stop: Array, at_once: int, total: Array) -> Array:
            def step(number: Array, total: Array) -> Array:
                begin, size = self.start + (first + number * at_once) * self.n_rows, at_once * self.n_rows
                shares = None if self.shares is None else jax.lax.dynamic_slice(self.shares, (begin,), (size,))
                return add(total, jax.lax.dynamic_slice(self.symbols, (begin,), (size,)), shares)

            found: Array = jax.lax.fori_loop(0, (stop - first) // at_once, step, total)
            return found

        at_once = SLOTS_AT_ONCE if self.n_rows * SLOTS_AT_ONCE <= min(SMALL_STEP, len(self.symbols)) else 1
        if at_once == 1:
            return steps(0, self.n_slots, 1, start)
        whole = self.n_slots // at_once * at_once
        return steps(whole, self.n_slots, 1, steps(0, whole, at_once, start))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["symbols", "shares", "starts", "n_slots", "n_blocks", "rows", "places"],
    meta_fields=["block_rows"],
)
@dataclass(frozen=True)
class SparseLayout:
    """Blocks of rows. U / B of them are laid out, as many as hold rows are worked on."""

    symbols: Int[Array, " V"]
    """See `SparseBlock`."""
    shares: Float[Array, " V"] | None
    starts: Int[Array, " U/B"]
    n_slots: Int[Array, " U/B"]
    n_blocks: Int[Array, ""]
    """Those with rows; the rest is padding."""
    rows: Int[Array, " U"] | None
    """Row at each place; None where rows are given, and found, in the order of their places."""
    places: Int[Array, " U"] | None
    """Place of each row."""
    block_rows: int
    """B."""

    @property
    def n_rows(self) -> int:
        """See `Layout.n_rows`."""
        return self.starts.shape[0] * self.block_rows

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""
        return self.of_blocks(lambda block: block.evidence(weights))

    def counts(self, values: Float[Array, "U C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""
        return self._summed(lambda block, values: block.counts(values, n_sources, n_symbols), values)

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.of_blocks(lambda block: block.own_evidence(weights))

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return self._summed(lambda block, values: block.own_counts(values, n_sources), values)

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        return self._summed(lambda block, weight: block.share_totals(weight, n_sources, n_symbols), weight)

    def block(self, at: int | Array) -> SparseBlock:
        """One block."""
        return SparseBlock(self.symbols, self.shares, self.starts[at], self.n_slots[at], self.block_rows)

    def part(self, values: Float[Array, "U ..."], at: Array) -> Float[Array, "B ..."]:
        """The values of a block's rows, of values in the order of places."""
        found: Array = jax.lax.dynamic_slice_in_dim(values, at * self.block_rows, self.block_rows)
        return found

    def with_part(self, values: Float[Array, "U ..."], part: Float[Array, "B ..."], at: Array) -> Float[Array, "U ..."]:
        """The values, in the order of places, with those of one block."""
        return jax.lax.dynamic_update_slice_in_dim(values, part, at * self.block_rows, 0)

    def by_place(self, values: Float[Array, "U ..."]) -> Float[Array, "U ..."]:
        """Values of rows in the order of places."""
        return values if self.rows is None else values.at[self.rows].get(mode="promise_in_bounds")

    def by_row(self, values: Float[Array, "U ..."]) -> Float[Array, "U ..."]:
        """Values in the order of places in that of rows."""
        return values if self.places is None else values.at[self.places].get(mode="promise_in_bounds")

    def without_order(self) -> Self:
        """The layout of rows in the order of places."""
        return replace(self, rows=None, places=None)

    def of_blocks(self, function: Callable[[SparseBlock], Found]) -> Found:
        """A tree of arrays with the rows first, made block by block; zeros for padding."""

        def write(at: Array, found: Found) -> Found:
            written: Found = jax.tree.map(partial(self.with_part, at=at), found, function(self.block(at)))
            return written

        def nothing(of_block: jax.ShapeDtypeStruct) -> Array:
            return jnp.zeros((self.n_rows, *of_block.shape[1:]), of_block.dtype)

        start = jax.tree.map(nothing, jax.eval_shape(lambda: function(self.block(0))))
        found = jax.lax.fori_loop(0, self.n_blocks, write, start)
        by_row: Found = jax.tree.map(self.by_row, found)
        return by_row

    def _summed(self, function: Callable[[SparseBlock, Array], Array], values: Array) -> Array:
        """The sum over the blocks of a function of each and the values of its rows."""
        ordered = self.by_place(values)
        shape = jax.eval_shape(lambda: function(self.block(0), ordered[: self.block_rows]))

        def add(at: Array, total: Array) -> Array:  # sums of sums: float32 would lose digits
            return total + function(self.block(at), self.part(ordered, at))

        total: Array = jax.lax.fori_loop(0, self.n_blocks, add, jnp.zeros(shape.shape, shape.dtype))
        return total


class Arrangement(NamedTuple):
    """Where votes lie: on the host."""

    rows: NDArray[np.int32]
    """[U] see `SparseLayout`."""
    places: NDArray[np.int32]
    """[U]"""
    n_slots: NDArray[np.int32]
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
        return int(self.n_slots.sum()) * self.block_rows


def arrange(length: NDArray[np.int64], n_rows: int, n_classes: int) -> Arrangement:
    """Finds a place for each row, and the size of blocks.

    Args:
        length: [n] number of votes of each row.
        n_rows: U, a power of two.
        n_classes: K.
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
    cells = CACHED_CELLS if jax.default_backend() == "cpu" else ACCELERATOR_CELLS
    size = 1 << (max(cells // n_classes, 1).bit_length() - 1)
    size = max(min(size, n_rows // FEWEST_BLOCKS), FEWEST_ROWS)
    while size > FEWEST_ROWS and size * ordered[::size].sum() > WASTE * max(ordered.sum(), n_rows):
        size //= 2
    n_slots = ordered[::size]  # of the first row of each block, its longest
    starts = (np.cumsum(n_slots) - n_slots) * size
    return Arrangement(rows, places, n_slots.astype(np.int32), starts.astype(np.int32), ordered, size)


def in_slots(arrangement: Arrangement, values: NDArray[Any], nothing: int, size: int) -> NDArray[Any]:
    """[size] the values [V] of votes, in the order of their rows, where they lie; `nothing` in empty slots.

    Args:
        arrangement: of the rows.
        values: [V].
        nothing: for empty slots.
        size: V of the layout; what is beyond the last block is never read, and undefined.
    """
    block_rows, length = arrangement.block_rows, arrangement.length
    n_rows, shorter = len(length), -length
    of_row = np.empty(n_rows, np.int64)
    of_row[arrangement.rows] = length
    first = (np.cumsum(of_row) - of_row)[arrangement.rows]
    place = np.repeat(arrangement.starts.astype(np.int64), block_rows) + np.arange(n_rows) % block_rows
    found = aligned(size, values.dtype)

    def fill(slot: int) -> None:
        n_longer, shift = int(np.searchsorted(shorter, -slot)), slot * block_rows  # rows that have the slot come first
        found[place[:n_longer] + shift] = values[first[:n_longer] + slot]
        of_blocks = -(-n_longer // block_rows) * block_rows
        found[place[n_longer:of_blocks] + shift] = nothing

    # Beyond, there are votes of a few rows of the first block only.
    short = int(length[LONG_ROWS]) if n_rows > LONG_ROWS else 0
    for _ in at_once(fill, range(short)):
        pass
    found[short * block_rows : int(arrangement.n_slots[0]) * block_rows] = nothing
    for row in range(LONG_ROWS):
        votes = slice(first[row] + short, first[row] + length[row])
        found[row + short * block_rows : row + int(length[row]) * block_rows : block_rows] = values[votes]
    return found
