"""Votes given only, in blocks of rows with as many slots as their longest row: a cost per vote, not per cell.

Rows are laid out by their number of votes, longest first, so that rows of a block are about as long and hardly a slot
is empty. What is made of a block stays in the cache. Where a few rows are far longer than the others, as questions are
that every worker of a crowd answers, a block has narrow slots as well, of its first rows only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.layout.protocol import Block, Layout, Tree
from weaklabel.model.layout.slots import FEWEST_ROWS
from weaklabel.votes.counting import FEW_CLASSES

SLOTS_AT_ONCE, SMALL_STEP = 16, 2**12
"""So many slots of small blocks are looked up in one step, if that is no more than so many votes."""


class _SparseVotes:
    """What a block of sparse votes and the whole have in common."""

    symbols: Int[Array, " V"]
    shares: Float[Array, " V"] | None

    @property
    def n_cells(self) -> int:
        """See `Layout.n_cells`."""
        return len(self.symbols)

    @property
    def is_weighted(self) -> bool:
        """See `Layout.is_weighted`."""
        return self.shares is not None

    def unweighted(self) -> Self:
        """See `Layout.unweighted`."""
        return replace(self, shares=None)  # type: ignore[type-var]  # of a dataclass


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["symbols", "shares", "start", "n_slots", "n_narrow"],
    meta_fields=["n_rows"],
)
@dataclass(frozen=True)
class SparseBlock(_SparseVotes):
    """B rows in a row, slot after slot; a layout of its own. A slot without a vote points behind the last symbol."""

    symbols: Int[Array, " V"]
    """source * S + symbol, of all blocks."""
    shares: Float[Array, " V"] | None
    """Weight of each vote as evidence; None where all are 1."""
    start: Int[Array, ""]
    """Where the block begins."""
    n_slots: Int[Array, ""]
    n_narrow: Int[Array, ""] | None
    """Narrow slots, behind the others; None where no block has any."""
    n_rows: int
    """See `Layout.n_rows`."""

    @property
    def block_rows(self) -> int:
        """See `Layout.block_rows`."""
        return self.n_rows

    @property
    def streams(self) -> bool:
        """See `Layout.streams`."""
        return False

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "B C"]:
        """See `Layout.evidence`."""
        table = weights.reshape(-1, weights.shape[2])

        def add(total: Array, symbols: Array, shares: Array | None) -> Array:
            entries = table.at[symbols].get(mode="fill", fill_value=0)
            entries = entries if shares is None else entries * shares[:, None]
            return total + entries.reshape(-1, *total.shape).sum(0)

        return self._of_rows(add, weights.shape[2], weights.dtype)

    def counts(
        self, values: Float[Array, "B C"], n_sources: int, n_symbols: int, start: Float[Array, "M S C"] | None = None
    ) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""

        def add(total: Array, symbols: Array, _: Array | None, n_rows: int) -> Array:
            return total.at[symbols].add(_each_slot(values[:n_rows], symbols), mode="drop")

        shape = (n_sources, n_symbols, values.shape[1])
        start = jnp.zeros(shape, values.dtype) if start is None else start
        return self._of_symbols(add, start.reshape(-1, values.shape[1])).reshape(shape)

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "B K"]:
        """See `Layout.own_evidence`."""
        n_classes = weights.shape[1]
        if n_classes <= FEW_CLASSES:  # a whole row of a table is looked up as quickly as one entry
            return self.evidence(jax.vmap(jnp.diag)(weights))
        table = weights.reshape(-1)

        def add(total: Array, symbols: Array, shares: Array | None) -> Array:
            entries = table.at[symbols].get(mode="fill", fill_value=0)
            entries = entries if shares is None else entries * shares
            rows = _each_slot(jnp.arange(len(total)), symbols)
            return total.at[rows, symbols % n_classes].add(entries, mode="promise_in_bounds")

        return self._of_rows(add, n_classes, weights.dtype)

    def own_counts(self, values: Float[Array, "B K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        n_classes = values.shape[1]
        if n_classes <= FEW_CLASSES:
            return jax.vmap(jnp.diag)(self.counts(values, n_sources, n_classes))

        def add(total: Array, symbols: Array, _: Array | None, n_rows: int) -> Array:
            rows = _each_slot(jnp.arange(n_rows), symbols)
            right = values.at[rows, symbols % n_classes].get(mode="promise_in_bounds")
            return total.at[symbols].add(right, mode="drop")

        total = self._of_symbols(add, jnp.zeros(n_sources * n_classes, values.dtype))
        return total.reshape(n_sources, n_classes)

    def share_totals(self, weight: Float[Array, " B"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""

        def add(total: Array, symbols: Array, shares: Array | None, n_rows: int) -> Array:
            of_vote = _each_slot(weight[:n_rows], symbols)
            return total.at[symbols].add(of_vote if shares is None else of_vote * shares, mode="drop")

        total = self._of_symbols(add, jnp.zeros(n_sources * n_symbols, weight.dtype))
        return total.reshape(n_sources, -1).sum(1)

    def map_blocks(self, function: Callable[[Layout], Tree]) -> Tree:
        """See `Layout.map_blocks`."""
        return function(self)

    def fold_blocks(self, function: Callable[[Block, Tree], Tree], start: Tree) -> Tree:
        """See `Layout.fold_blocks`."""
        return function(Block(0, self, lambda values: values), start)

    def in_storage_order(self) -> tuple[Layout, NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """See `Layout.in_storage_order`."""
        return self, None, None

    def _of_rows(
        self, add: Callable[[Array, Array, Array | None], Array], n_columns: int, dtype: jnp.dtype[Any]
    ) -> Float[Array, "B C"]:
        """The sum over the slots of each row; `add` takes as many rows as the slots have that it is given."""
        total = self._over_slots(add, jnp.zeros((self.n_rows, n_columns), dtype), self.n_rows)
        if self.n_narrow is None:
            return total
        of_first = self._over_slots(add, jnp.zeros((FEWEST_ROWS, n_columns), dtype), FEWEST_ROWS)
        return total.at[:FEWEST_ROWS].add(of_first)

    def _of_symbols(self, add: Callable[[Array, Array, Array | None, int], Array], start: Array) -> Array:
        """The sum over all slots in a table of symbols; `add` takes, last, how many rows the slots have."""

        def of_rows(n_rows: int) -> Callable[[Array, Array, Array | None], Array]:
            return lambda total, symbols, shares: add(total, symbols, shares, n_rows)

        total = self._over_slots(of_rows(self.n_rows), start, self.n_rows)
        if self.n_narrow is None:
            return total
        return self._over_slots(of_rows(FEWEST_ROWS), total, FEWEST_ROWS)

    def _over_slots(self, add: Callable[[Array, Array, Array | None], Array], start: Array, slot_rows: int) -> Array:
        """Adds slot after slot, of all rows or of the first; of few rows, which may be very long, several at once."""
        is_narrow = slot_rows < self.n_rows
        n_slots = self.n_narrow if is_narrow else self.n_slots
        assert n_slots is not None
        origin = self.start + self.n_slots * self.n_rows if is_narrow else self.start

        def steps(first: Array | int, stop: Array, at_once: int, total: Array) -> Array:
            def step(number: Array, total: Array) -> Array:
                begin, size = origin + (first + number * at_once) * slot_rows, at_once * slot_rows
                shares = None if self.shares is None else jax.lax.dynamic_slice(self.shares, (begin,), (size,))
                return add(total, jax.lax.dynamic_slice(self.symbols, (begin,), (size,)), shares)

            summed: Array = jax.lax.fori_loop(0, (stop - first) // at_once, step, total)
            return summed

        at_once = SLOTS_AT_ONCE if slot_rows * SLOTS_AT_ONCE <= min(SMALL_STEP, len(self.symbols)) else 1
        if at_once == 1:
            return steps(0, n_slots, 1, start)
        whole = n_slots // at_once * at_once
        return steps(whole, n_slots, 1, steps(0, whole, at_once, start))


def _each_slot(of_rows: Array, symbols: Array) -> Array:
    """The values of the rows, once for each slot that the symbols are of."""
    return jnp.tile(of_rows, (len(symbols) // len(of_rows), *[1] * (of_rows.ndim - 1)))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["symbols", "shares", "starts", "n_slots", "n_narrow", "n_blocks", "rows", "places"],
    meta_fields=["block_rows"],
)
@dataclass(frozen=True)
class SparseLayout(_SparseVotes):
    """Blocks of rows. U / B of them are laid out, as many as hold rows are worked on."""

    symbols: Int[Array, " V"]
    """See `SparseBlock`."""
    shares: Float[Array, " V"] | None
    starts: Int[Array, " U/B"]
    n_slots: Int[Array, " U/B"]
    n_narrow: Int[Array, " U/B"] | None
    """See `SparseBlock`."""
    n_blocks: Int[Array, ""]
    """Those with rows; the rest is padding."""
    rows: Int[Array, " U"] | None
    """Row at each place; None where rows are in the order of their places."""
    places: Int[Array, " U"] | None
    """Place of each row."""
    block_rows: int
    """B."""

    @property
    def n_rows(self) -> int:
        """See `Layout.n_rows`."""
        return self.starts.shape[0] * self.block_rows

    @property
    def streams(self) -> bool:
        """See `Layout.streams`."""
        return self.rows is None

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""
        return self.map_blocks(lambda block: block.evidence(weights))

    def counts(
        self, values: Float[Array, "U C"], n_sources: int, n_symbols: int, start: Float[Array, "M S C"] | None = None
    ) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""
        counts = self._summed(lambda block, values: block.counts(values, n_sources, n_symbols), values)
        return counts if start is None else start + counts

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.map_blocks(lambda block: block.own_evidence(weights))

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return self._summed(lambda block, values: block.own_counts(values, n_sources), values)

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        return self._summed(lambda block, weight: block.share_totals(weight, n_sources, n_symbols), weight)

    def block(self, at: int | Array) -> SparseBlock:
        """One block."""
        n_narrow = None if self.n_narrow is None else self.n_narrow[at]
        return SparseBlock(
            symbols=self.symbols,
            shares=self.shares,
            start=self.starts[at],
            n_slots=self.n_slots[at],
            n_narrow=n_narrow,
            n_rows=self.block_rows,
        )

    def part(self, values: Float[Array, "U ..."], at: Array) -> Float[Array, "B ..."]:
        """The values of a block's rows, of values in the order of places."""
        of_block: Array = jax.lax.dynamic_slice_in_dim(values, at * self.block_rows, self.block_rows)
        return of_block

    def with_part(self, values: Float[Array, "U ..."], part: Float[Array, "B ..."], at: Array) -> Float[Array, "U ..."]:
        """The values, in the order of places, with those of one block."""
        return jax.lax.dynamic_update_slice_in_dim(values, part, at * self.block_rows, 0)

    def by_place(self, values: Float[Array, "U ..."]) -> Float[Array, "U ..."]:
        """Values of rows in the order of places."""
        return values if self.rows is None else values.at[self.rows].get(mode="promise_in_bounds")

    def by_row(self, values: Float[Array, "U ..."]) -> Float[Array, "U ..."]:
        """Values in the order of places in that of rows."""
        return values if self.places is None else values.at[self.places].get(mode="promise_in_bounds")

    def map_blocks(self, function: Callable[[Layout], Tree]) -> Tree:
        """See `Layout.map_blocks`; zeros for padding."""

        def write(at: Array, made: Tree) -> Tree:
            written: Tree = jax.tree.map(partial(self.with_part, at=at), made, function(self.block(at)))
            return written

        def nothing(of_block: jax.ShapeDtypeStruct) -> Array:
            return jnp.zeros((self.n_rows, *of_block.shape[1:]), of_block.dtype)

        start = jax.tree.map(nothing, jax.eval_shape(lambda: function(self.block(0))))
        made = jax.lax.fori_loop(0, self.n_blocks, write, start)
        by_row: Tree = jax.tree.map(self.by_row, made)
        return by_row

    def fold_blocks(self, function: Callable[[Block, Tree], Tree], start: Tree) -> Tree:
        """See `Layout.fold_blocks`."""

        def step(at: Array, total: Tree) -> Tree:
            def of_block(values: Array) -> Array:
                return self.part(self.by_place(values), at)

            return function(Block(at, self.block(at), of_block), total)

        total: Tree = jax.lax.fori_loop(0, self.n_blocks, step, start)
        return total

    def in_storage_order(self) -> tuple[Layout, NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """See `Layout.in_storage_order`."""
        if self.rows is None or self.places is None:
            return self, None, None
        return replace(self, rows=None, places=None), np.asarray(self.places), np.asarray(self.rows)

    def _summed(self, function: Callable[[SparseBlock, Array], Array], values: Array) -> Array:
        """The sum over the blocks of a function of each and the values of its rows."""
        ordered = self.by_place(values)
        shape = jax.eval_shape(lambda: function(self.block(0), ordered[: self.block_rows]))

        def add(at: Array, total: Array) -> Array:  # sums of sums: float32 would lose digits
            return total + function(self.block(at), self.part(ordered, at))

        total: Array = jax.lax.fori_loop(0, self.n_blocks, add, jnp.zeros(shape.shape, shape.dtype))
        return total
