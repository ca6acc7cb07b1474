"""Votes as a linear operator: the only two things that EM does with them.

Write the votes as a matrix X of shape [U, M*S]: one row for each distinct vote row, one column for each (source,
symbol), 1 where the source showed it. EM multiplies by X (evidence, E-step) and by its transpose (expected counts,
M-step), and never asks how the votes lie in memory.

Shapes: U rows (padded), M sources, S symbols (the K classes, then the candidate sets), K classes. C: any number of
columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.copies import vote_shares
from weaklabel.model.imprecise import SoftVotes, information
from weaklabel.votes import Votes

BLOCK_ROWS = 1024
"""Of a dense layout, on a CPU: what is made of them stays in the cache."""
BLOCK_SEGMENTS = 2048
ACCELERATOR_BLOCKS = 64
"""Blocks that a GPU or TPU takes together: it has no such cache, and each step costs it a launch."""
SLOTS = 4
"""Votes in a segment of a sparse layout."""
SMALLEST_BUCKET = 256
MOST_PAIRS = 2**24
"""Rows x M x M that are looked at together for copies, times the smallest bucket."""
DENSE_CLASSES = 16
"""Above, a one-hot product does K times the work of a gather."""
DENSE_FILL = 0.05
"""Below, most of a one-hot product is zeros."""


class Layout(Protocol):
    """How votes lie in memory."""

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """X @ weights, each vote by its share: the sum of the evidence of a row's votes."""
        ...

    def counts(self, values: Float[Array, "U C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """X^T @ values: with responsibilities, how often each source showed each symbol in each class."""
        ...

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """`evidence` of votes that speak for their own class only: the diagonal of the full weights."""
        ...

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """The diagonal of `counts`: how often each vote of each source is right."""
        ...

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """Sum of the shares of each source's votes, rows weighted."""
        ...


class DenseLayout(NamedTuple):
    """Every cell of the matrix, in blocks of rows: one-hot products for few classes, gathers for many."""

    codes: Int[Array, "U M"]
    """Symbol index; negative where there is none, and S or above where the vote lies elsewhere."""
    shares: Float[Array, "U M"] | None
    """Weight of each vote as evidence; None where all are 1."""

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""

        def block(_: None, part: tuple[Array, Array | None]) -> tuple[None, Array]:
            codes, shares = part
            if weights.shape[1] <= DENSE_CLASSES:
                one_hot = jax.nn.one_hot(codes, weights.shape[1], dtype=weights.dtype)
                if shares is not None:
                    one_hot = one_hot * shares[:, :, None]
                return None, one_hot.reshape(codes.shape[0], -1) @ weights.reshape(-1, weights.shape[2])

            def add(source: Array, total: Array) -> Array:
                symbols = codes[:, source].astype(jnp.int32)
                values = weights[source, symbols.clip(0, weights.shape[1] - 1)]
                share = ((symbols >= 0) & (symbols < weights.shape[1])).astype(weights.dtype)
                share = share if shares is None else share * shares[:, source]
                return total + values * share[:, None]

            start = jnp.zeros((codes.shape[0], weights.shape[2]), weights.dtype)
            return None, jax.lax.fori_loop(0, codes.shape[1], add, start)

        _, rows = jax.lax.scan(block, None, self.blocks())
        return rows.reshape(-1, weights.shape[2])

    def counts(self, values: Float[Array, "U C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""
        codes, _ = self.blocks()

        def block(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            codes, values = part
            if n_symbols <= DENSE_CLASSES:
                one_hot = jax.nn.one_hot(codes, n_symbols, dtype=values.dtype).reshape(codes.shape[0], -1)
                return total + one_hot.T @ values, None

            def add(source: Array, total: Array) -> Array:
                symbols = codes[:, source].astype(jnp.int32)
                spoken = (symbols >= 0) & (symbols < n_symbols)
                places = jnp.where(spoken, source * n_symbols + symbols, n_sources * n_symbols)
                return total.at[places].add(values, mode="drop")

            return jax.lax.fori_loop(0, codes.shape[1], add, total), None

        start = jnp.zeros((n_sources * n_symbols, values.shape[1]), values.dtype)
        total, _ = jax.lax.scan(block, start, (codes, values.reshape(*codes.shape[:2], values.shape[1])))
        return total.reshape(n_sources, n_symbols, values.shape[1])

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.evidence(jax.vmap(jnp.diag)(weights))

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return jax.vmap(jnp.diag)(self.counts(values, n_sources, values.shape[1]))

    def share_totals(
        self,
        weight: Float[Array, " U"],
        n_sources: int,  # noqa: ARG002
        n_symbols: int,
    ) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        spoken = (self.codes >= 0) & (self.codes < n_symbols)
        spoken = spoken.astype(weight.dtype)
        return weight @ (spoken if self.shares is None else spoken * self.shares)

    def blocks(self) -> tuple[Array, Array | None]:
        """Codes and shares, [blocks, rows of a block, M]."""
        size = min(self.codes.shape[0], block_size(BLOCK_ROWS))
        shape = (-1, size, self.codes.shape[1])
        return self.codes.reshape(shape), None if self.shares is None else self.shares.reshape(shape)


@partial(jax.tree_util.register_dataclass, data_fields=["rows", "symbols", "shares"], meta_fields=["n_rows"])
@dataclass(frozen=True)
class SparseLayout:
    """Votes given only, in segments of a few votes of one row: a cost per vote, not per cell."""

    rows: Int[Array, " G"]
    """Row of each segment, ascending; a padded segment points behind the last row."""
    symbols: Int[Array, "G L"]
    """source * S + symbol; a slot without a vote points behind the last symbol."""
    shares: Float[Array, "G L"] | None
    """Weight of each vote as evidence; None where all are 1."""
    n_rows: int
    """U, padded."""

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""
        n_columns = weights.shape[2]
        table = jnp.concatenate([weights.reshape(-1, n_columns), jnp.zeros((1, n_columns), weights.dtype)])

        def block(total: Array, part: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            rows, symbols, shares = part
            values = jnp.zeros((rows.shape[0], n_columns), weights.dtype)
            for slot in range(symbols.shape[1]):  # unrolled: the compiler fuses gathers and sums
                gathered = table[symbols[:, slot]]
                values += gathered if shares is None else gathered * shares[:, slot, None]
            return total.at[rows].add(values, mode="drop", indices_are_sorted=True), None

        start = jnp.zeros((self.n_rows, n_columns), weights.dtype)
        return jax.lax.scan(block, start, self._blocks())[0]

    def counts(self, values: Float[Array, "U C"], n_sources: int, n_symbols: int) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""

        def block(total: Array, part: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            rows, symbols, _ = part
            of_row = values.at[rows].get(mode="fill", fill_value=0)
            for slot in range(symbols.shape[1]):
                total = total.at[symbols[:, slot]].add(of_row, mode="drop")
            return total, None

        start = jnp.zeros((n_sources * n_symbols, values.shape[1]), values.dtype)
        return jax.lax.scan(block, start, self._blocks())[0].reshape(n_sources, n_symbols, values.shape[1])

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        n_classes = weights.shape[1]
        values = weights.reshape(-1).at[self.symbols].get(mode="fill", fill_value=0)
        values = values if self.shares is None else values * self.shares
        start = jnp.zeros((self.n_rows, n_classes), weights.dtype)
        return start.at[self.rows[:, None], self.symbols % n_classes].add(values, mode="drop")

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        n_classes = values.shape[1]
        right = values.at[self.rows[:, None], self.symbols % n_classes].get(mode="fill", fill_value=0)
        start = jnp.zeros(n_sources * n_classes, values.dtype)
        return start.at[self.symbols].add(right, mode="drop").reshape(n_sources, n_classes)

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        weights = jnp.broadcast_to(weight.at[self.rows].get(mode="fill", fill_value=0)[:, None], self.symbols.shape)
        values = weights if self.shares is None else weights * self.shares
        start = jnp.zeros(n_sources * n_symbols, weight.dtype)
        return start.at[self.symbols].add(values, mode="drop").reshape(n_sources, n_symbols).sum(1)

    def _blocks(self) -> tuple[Array, Array, Array | None]:
        size = min(self.rows.shape[0], block_size(BLOCK_SEGMENTS))
        shape = (-1, size, self.symbols.shape[1])
        shares = None if self.shares is None else self.shares.reshape(shape)
        return self.rows.reshape(-1, size), self.symbols.reshape(shape), shares


def block_size(on_cpu: int) -> int:
    """Rows or segments to work on together."""
    return on_cpu if jax.default_backend() == "cpu" else ACCELERATOR_BLOCKS * on_cpu


def bucket(size: int) -> int:
    """The power of two that a size is padded to, so that sizes alike share one compilation."""
    return max(SMALLEST_BUCKET, 1 << max(size - 1, 0).bit_length())


def is_dense(votes: Votes) -> bool:
    """Whether votes are better laid out dense."""
    cells = max(votes.n_items * votes.n_sources, 1)
    return votes.n_classes <= DENSE_CLASSES and (not votes.is_sparse or votes.n_votes / cells >= DENSE_FILL)


def lay_out(
    votes: Votes, copies: sp.csr_array[np.float64] | None = None, n_rows: int | None = None
) -> DenseLayout | SparseLayout:
    """Votes on the device, padded to a bucket of rows (dense) or of rows and segments (sparse).

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other: their votes share one vote's weight; None for whole votes.
        n_rows: rows to pad to; None for a bucket.
    """
    n_rows = n_rows or bucket(votes.n_items)
    copies = None if copies is None or copies.nnz == 0 else copies
    if is_dense(votes):
        codes = jnp.asarray(padded(votes.to_codes(), n_rows))
        return DenseLayout(
            codes, None if copies is None else shares_of(codes, jnp.asarray(copies.toarray(), jnp.float32))
        )
    n_symbols = votes.n_classes + len(votes.symbols.sets)
    rows, sources, labels = votes.triples()
    shares = vote_shares(votes, copies) if copies is not None else None
    if not votes.is_plain:
        here = labels < n_symbols
        rows, sources, labels = rows[here], sources[here], labels[here]
        shares = None if shares is None else shares[here]
    length = np.bincount(rows, minlength=votes.n_items)
    segments = -(-length // SLOTS)
    first_vote, first_segment = np.cumsum(length) - length, np.cumsum(segments) - segments
    position = np.arange(len(rows)) - first_vote[rows]
    segment, slot = first_segment[rows] + position // SLOTS, position % SLOTS
    n_segments = bucket(int(segments.sum()))
    of_segment = np.full(n_segments, n_rows, np.int32)
    of_segment[: int(segments.sum())] = np.repeat(np.arange(votes.n_items, dtype=np.int32), segments)
    symbols = np.full((n_segments, SLOTS), votes.n_sources * n_symbols, np.int32)
    symbols[segment, slot] = sources * n_symbols + labels
    of_slot = None
    if shares is not None:
        of_slot = np.zeros((n_segments, SLOTS), np.float32)
        of_slot[segment, slot] = shares
    return SparseLayout(
        jnp.asarray(of_segment), jnp.asarray(symbols), None if of_slot is None else jnp.asarray(of_slot), n_rows
    )


def lay_out_soft(votes: Votes, copies: sp.csr_array[np.float64] | None = None) -> SoftVotes | None:
    """Votes that are probability vectors, on the device; None where there are none.

    Args:
        votes: U rows.
        copies: as in `lay_out`.
    """
    first = votes.n_classes + len(votes.symbols.sets)
    if not len(votes.symbols.soft):
        return None
    rows, sources, labels = votes.triples()
    shares = vote_shares(votes, copies) if copies is not None and copies.nnz else None
    soft = np.flatnonzero(labels >= first)
    size = bucket(len(soft))

    def filled(values: NDArray[Any], fill: float | int = 0) -> Array:
        padded = np.full((size, *values.shape[1:]), fill, values.dtype)
        padded[: len(values)] = values
        return jnp.asarray(padded)

    p = filled(votes.symbols.soft[labels[soft] - first].astype(np.float32), 1 / votes.n_classes)
    ones = np.ones(len(soft), np.float32)
    return SoftVotes(
        filled(rows[soft].astype(np.int32), bucket(votes.n_items)),
        filled(sources[soft].astype(np.int32)),
        p,
        information(p),
        filled(ones if shares is None else shares[soft]),
    )


def padded(codes: NDArray[np.signedinteger[Any]], n_rows: int) -> NDArray[np.signedinteger[Any]]:
    """[n_rows, M] codes with rows of abstains below."""
    if len(codes) == n_rows:
        return codes
    filled = np.empty((n_rows, codes.shape[1]), codes.dtype)
    filled[: len(codes)] = codes
    filled[len(codes) :] = -1
    return filled


@jax.jit
def shares_of(codes: Int[Array, "U M"], copies: Float[Array, "M M"]) -> Float[Array, "U M"]:
    """Weight of each cell's vote: one over the number of copies that cast it too, itself included."""

    def block(_: None, codes: Array) -> tuple[None, Array]:
        same = (codes[:, :, None] == codes[:, None, :]).astype(copies.dtype)
        return None, 1 / (1 + jnp.einsum("umn,mn->um", same, copies))

    size = min(codes.shape[0], bucket(MOST_PAIRS // codes.shape[1] ** 2) // SMALLEST_BUCKET)
    blocks = codes.reshape(-1, size, codes.shape[1])
    return jax.lax.scan(block, None, blocks)[1].reshape(codes.shape)
