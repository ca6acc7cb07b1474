"""Votes given only, a few slots to a row: a cost per vote, not per cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.once import once
from weaklabel.model.over_classes import FEW

MOST_SLOTS = 16
FURTHER_COST = 4
"""Of a slot in a further segment, whose row must be looked up, in slots of a first one."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["symbols", "further_rows", "further_symbols", "shares", "further_shares"],
    meta_fields=[],
)
@dataclass(frozen=True)
class SparseLayout:
    """L slots a row; rows with more votes have further segments of L slots.

    A slot without a vote points behind the last symbol, a further segment without votes behind the last row.
    """

    symbols: Int[Array, "L U"]
    """source * S + symbol."""
    further_rows: Int[Array, " G"]
    """Row of each further segment, ascending."""
    further_symbols: Int[Array, "L G"]
    shares: Float[Array, "L U"] | None
    """Weight of each vote as evidence; None where all are 1."""
    further_shares: Float[Array, "L G"] | None

    @property
    def n_rows(self) -> int:
        """See `Layout.n_rows`."""
        return self.symbols.shape[1]

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""
        n_columns = weights.shape[2]
        table = jnp.concatenate([weights.reshape(-1, n_columns), jnp.zeros((1, n_columns), weights.dtype)])

        def looked_up(table: Array, symbols: Array, *shares: Array) -> Array:
            total = jnp.zeros((symbols.shape[1], n_columns), table.dtype)
            for slot in range(symbols.shape[0]):  # unrolled: the compiler fuses look-ups and sums
                found = table.at[symbols[slot]].get(mode="promise_in_bounds")
                total += found * shares[0][slot, :, None] if shares else found
            return total

        (_, *first), (_, *further) = ([part for part in parts if part is not None] for parts in self._parts())
        of_further = looked_up(table, *further)
        total = once(looked_up, table, *first)
        return total.at[self.further_rows].add(of_further, mode="drop", indices_are_sorted=True)

    def counts(self, values: Float[Array, "U C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""

        def histogram(values: Array, first: Array, rows: Array, further: Array) -> Array:
            total = jnp.zeros((n_sources * n_symbols + 1, values.shape[1]), values.dtype)
            for symbols in first:
                total = total.at[symbols].add(values, mode="promise_in_bounds")
            of_further = values.at[rows].get(mode="fill", fill_value=0)
            for symbols in further:
                total = total.at[symbols].add(of_further, mode="promise_in_bounds")
            return total[:-1]

        found = once(histogram, values, self.symbols, self.further_rows, self.further_symbols)
        return found.reshape(n_sources, n_symbols, values.shape[1])

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        n_classes = weights.shape[1]
        if n_classes <= FEW:  # a whole row of a table is looked up as quickly as one entry
            return self.evidence(jax.vmap(jnp.diag)(weights))
        table = jnp.append(weights.reshape(-1), jnp.zeros((), weights.dtype))
        total = jnp.zeros((self.n_rows, n_classes), weights.dtype)
        for rows, slots, shares in self._parts():
            for slot, symbols in enumerate(slots):
                found = table.at[symbols].get(mode="promise_in_bounds")
                found = found if shares is None else found * shares[slot]
                total = total.at[rows, symbols % n_classes].add(found, mode="drop")
        return total

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        n_classes = values.shape[1]
        if n_classes <= FEW:  # a whole row of a table is looked up as quickly as one entry
            return jax.vmap(jnp.diag)(self.counts(values, n_sources, n_classes))
        total = jnp.zeros(n_sources * n_classes + 1, values.dtype)
        for rows, slots, _ in self._parts():
            for symbols in slots:
                right = values.at[rows, symbols % n_classes].get(mode="fill", fill_value=0)
                total = total.at[symbols].add(right, mode="promise_in_bounds")
        return total[:-1].reshape(n_sources, n_classes)

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        total = jnp.zeros(n_sources * n_symbols + 1, weight.dtype)
        for rows, slots, shares in self._parts():
            of_row = weight.at[rows].get(mode="fill", fill_value=0)
            for slot, symbols in enumerate(slots):
                of_vote = of_row if shares is None else of_row * shares[slot]
                total = total.at[symbols].add(of_vote, mode="promise_in_bounds")
        return total[:-1].reshape(n_sources, n_symbols).sum(1)

    def _parts(self) -> tuple[tuple[Array, Array, Array | None], ...]:
        first = jnp.arange(self.n_rows, dtype=self.further_rows.dtype)
        return (first, self.symbols, self.shares), (self.further_rows, self.further_symbols, self.further_shares)


class Segments(NamedTuple):
    """Rows of votes cut into segments of L slots, on the host."""

    filled: NDArray[np.bool_]
    """[segments, L] the slots with a vote, in the order of the rows."""
    is_first: NDArray[np.bool_]
    """[segments] those that a row begins with; each row has one."""
    further_rows: NDArray[np.int32]
    """Rows of the others."""

    def fill(
        self, values: NDArray[Any], nothing: int, n_rows: int, n_further: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """[L, n_rows] and [L, n_further] the values [V] of the votes in first and further segments, padded."""
        slots = np.full(self.filled.shape, nothing, values.dtype)
        slots[self.filled] = values
        found = []
        for chosen, size in ((self.is_first, n_rows), (~self.is_first, n_further)):
            padded = np.full((slots.shape[1], size), nothing, values.dtype)
            some = slots if chosen.all() else slots[chosen]
            padded[:, : len(some)] = some.T
            found.append(padded)
        return found[0], found[1]


def segments(rows: NDArray[np.int32], n_rows: int) -> Segments:
    """Cuts rows into segments of as many slots as cost least.

    Args:
        rows: [V] row of each vote, ascending.
        n_rows: U.
    """
    length = np.bincount(rows, minlength=n_rows)
    many = np.bincount(length, minlength=MOST_SLOTS + 1)

    def cost(n_slots: int) -> float:
        further = np.maximum(-(-np.arange(len(many)) // n_slots) - 1, 0)
        return n_slots * (n_rows + FURTHER_COST * float(many @ further))

    n_slots = min(range(1, MOST_SLOTS + 1), key=cost)
    n_segments = np.maximum(-(-length // n_slots), 1)
    row = np.repeat(np.arange(n_rows, dtype=np.int32), n_segments)
    first = np.cumsum(n_segments) - n_segments
    is_first = np.zeros(len(row), bool)
    is_first[first] = True
    votes = length[row] - n_slots * (np.arange(len(row)) - first[row])
    return Segments(votes[:, None] > np.arange(n_slots), is_first, row[~is_first])
