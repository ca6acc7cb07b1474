"""Votes as a linear operator: the only two things that EM does with them.

Write the votes as a matrix X of shape [U, M*S]: one row for each distinct vote row, one column for each (source,
symbol), 1 where the source showed it. EM multiplies by X (evidence, E-step) and by its transpose (expected counts,
M-step), and never asks how the votes lie in memory.

Shapes: U rows (padded), M sources, S symbols, K classes; here S == K.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.votes import Votes

BLOCK_ROWS = 1024  # of a dense layout: its one-hot block stays in the cache
BLOCK_VOTES = 65_536  # of a sparse layout: bounds the temporary [votes, K]
SMALLEST_BUCKET = 256
DENSE_CLASSES = 16  # above, a one-hot product does K times the work of a gather
DENSE_FILL = 0.05  # below, most of a one-hot product is zeros


class Layout(Protocol):
    """How votes lie in memory."""

    def evidence(self, weights: Float[Array, "M S K"]) -> Float[Array, "U K"]:
        """X @ weights, each vote by its share: the sum of the evidence of a row's votes."""
        ...

    def counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M S K"]:
        """X^T @ responsibilities: how often each source showed each symbol in each class."""
        ...

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """`evidence` of votes that speak for their own class only: the diagonal of the full weights."""
        ...

    def own_counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """The diagonal of `counts`: how often each vote of each source is right."""
        ...


class DenseLayout(NamedTuple):
    """Few classes, most cells filled: one-hot products over blocks of rows."""

    codes: Int[Array, "U M"]
    """Symbol index, -1 where there is none."""
    shares: Float[Array, "U M"] | None
    """Weight of each vote as evidence; None where all are 1."""

    def evidence(self, weights: Float[Array, "M S K"]) -> Float[Array, "U K"]:
        """See `Layout.evidence`."""
        n_symbols, n_classes = weights.shape[1:]
        flat = weights.reshape(-1, n_classes)

        def block(_: None, part: tuple[Array, Array | None]) -> tuple[None, Array]:
            codes, shares = part
            one_hot = jax.nn.one_hot(codes, n_symbols, dtype=weights.dtype)
            if shares is not None:
                one_hot = one_hot * shares[:, :, None]
            return None, one_hot.reshape(codes.shape[0], -1) @ flat

        _, rows = jax.lax.scan(block, None, self._blocks())
        return rows.reshape(-1, n_classes)

    def counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M S K"]:
        """See `Layout.counts`."""
        n_classes = responsibilities.shape[1]
        codes, _ = self._blocks()

        def block(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            codes, weights = part
            one_hot = jax.nn.one_hot(codes, n_classes, dtype=weights.dtype).reshape(codes.shape[0], -1)
            return total + one_hot.T @ weights, None

        start = jnp.zeros((n_sources * n_classes, n_classes), responsibilities.dtype)
        total, _ = jax.lax.scan(block, start, (codes, responsibilities.reshape(*codes.shape[:2], n_classes)))
        return total.reshape(n_sources, n_classes, n_classes)

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.evidence(jax.vmap(jnp.diag)(weights))

    def own_counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return jax.vmap(jnp.diag)(self.counts(responsibilities, n_sources))

    def _blocks(self) -> tuple[Array, Array | None]:
        size = min(self.codes.shape[0], BLOCK_ROWS)
        shape = (-1, size, self.codes.shape[1])
        return self.codes.reshape(shape), None if self.shares is None else self.shares.reshape(shape)


@partial(jax.tree_util.register_dataclass, data_fields=["rows", "symbols", "shares"], meta_fields=["n_rows"])
@dataclass(frozen=True)
class SparseLayout:
    """Many sources that are silent on most items, or many classes: gather and segment sum, a cost per vote given."""

    rows: Int[Array, " V"]
    """Row of each vote, ascending; a padded vote points behind the last row."""
    symbols: Int[Array, " V"]
    """source * S + symbol."""
    shares: Float[Array, " V"] | None
    """Weight of each vote as evidence; None where all are 1."""
    n_rows: int
    """U, padded."""

    def evidence(self, weights: Float[Array, "M S K"]) -> Float[Array, "U K"]:
        """See `Layout.evidence`."""
        n_classes = weights.shape[2]
        flat = weights.reshape(-1, n_classes)

        def block(total: Array, part: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            rows, symbols, shares = part
            values = flat[symbols] if shares is None else flat[symbols] * shares[:, None]
            return total.at[rows].add(values, mode="drop", indices_are_sorted=True), None

        start = jnp.zeros((self.n_rows, n_classes), weights.dtype)
        return jax.lax.scan(block, start, self._blocks())[0]

    def counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M S K"]:
        """See `Layout.counts`."""
        n_classes = responsibilities.shape[1]

        def block(total: Array, part: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            rows, symbols, _ = part
            return total.at[symbols].add(responsibilities.at[rows].get(mode="fill", fill_value=0)), None

        start = jnp.zeros((n_sources * n_classes, n_classes), responsibilities.dtype)
        return jax.lax.scan(block, start, self._blocks())[0].reshape(n_sources, n_classes, n_classes)

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        n_classes = weights.shape[1]
        values = weights.reshape(-1)[self.symbols]
        values = values if self.shares is None else values * self.shares
        start = jnp.zeros((self.n_rows, n_classes), weights.dtype)
        return start.at[self.rows, self.symbols % n_classes].add(values, mode="drop")

    def own_counts(self, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        n_classes = responsibilities.shape[1]
        right = responsibilities.at[self.rows, self.symbols % n_classes].get(mode="fill", fill_value=0)
        start = jnp.zeros(n_sources * n_classes, responsibilities.dtype)
        return start.at[self.symbols].add(right).reshape(n_sources, n_classes)

    def _blocks(self) -> tuple[Array, Array, Array | None]:
        size = min(self.rows.shape[0], BLOCK_VOTES)
        shares = None if self.shares is None else self.shares.reshape(-1, size)
        return self.rows.reshape(-1, size), self.symbols.reshape(-1, size), shares


class MergedRows(NamedTuple):
    """Votes with identical rows merged."""

    votes: Votes
    """The U distinct rows."""
    weight: NDArray[np.float32]
    """[U] how many items have the row."""
    inverse: NDArray[np.intp] | None
    """[N] row of each item; None where rows and items are the same."""
    gold: NDArray[np.int32] | None = None
    """[U] known label of the row, -1 where unknown; None where no label is known."""

    def spread(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Values of the rows [U or more, ...] as values of the items [N, ...]."""
        return rows[: self.votes.n_items] if self.inverse is None else rows[self.inverse]


def merge_rows(votes: Votes, gold: NDArray[np.int32] | None = None) -> MergedRows:
    """Merges items with identical votes and label.

    Sparse votes of many sources are rarely identical and stay as they are.

    Args:
        votes: N items.
        gold: [N] known labels, -1 where unknown.
    """
    apart = MergedRows(votes, np.ones(votes.n_items, np.float32), None, gold)
    if votes.is_sparse or votes.n_items == 0 or votes.n_sources == 0:
        return apart
    codes = votes.to_dense()
    known = np.full((votes.n_items, 1), -1, np.int32) if gold is None else gold[:, None]
    keys = _row_keys(codes) ^ _row_keys(known)
    _, first, inverse, weight = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    representative = first[inverse]
    collided = not (np.array_equal(codes, codes[representative]) and np.array_equal(known, known[representative]))
    if len(first) == votes.n_items or collided:
        return apart
    merged_gold = None if gold is None else gold[first]
    return MergedRows(votes.select_items(first), weight.astype(np.float32), inverse, merged_gold)


def _row_keys(codes: NDArray[np.signedinteger[Any]]) -> NDArray[np.uint64]:
    """[N] a 64-bit key of each row: equal rows have equal keys."""
    generator = np.random.default_rng(0x5EED)
    factors = np.asarray(generator.integers(2**63, size=codes.shape[1], dtype=np.uint64) * 2 + 1, np.uint64)
    keys = np.zeros(codes.shape[0], np.uint64)
    for column, factor in enumerate(factors):
        keys = (keys ^ (codes[:, column].astype(np.int64).view(np.uint64) + np.uint64(3))) * factor
        keys ^= keys >> np.uint64(29)
    return keys


def bucket(size: int) -> int:
    """The power of two that a size is padded to, so that sizes alike share one compilation."""
    return max(SMALLEST_BUCKET, 1 << max(size - 1, 0).bit_length())


def is_dense(votes: Votes) -> bool:
    """Whether votes are better laid out dense."""
    cells = max(votes.n_items * votes.n_sources, 1)
    return votes.n_classes <= DENSE_CLASSES and (not votes.is_sparse or votes.n_votes / cells >= DENSE_FILL)


def lay_out(votes: Votes, shares: NDArray[np.float32] | None = None) -> DenseLayout | SparseLayout:
    """Votes on the device, padded to a bucket of rows (dense) or of rows and votes (sparse).

    Args:
        votes: U rows.
        shares: weight of each vote as evidence, in the order of `votes.triples()`; None where all are 1.
    """
    n_rows = bucket(votes.n_items)
    if is_dense(votes):
        codes = votes.to_dense()
        padded = np.full((n_rows, votes.n_sources), -1, codes.dtype)
        padded[: votes.n_items] = codes
        return DenseLayout(jnp.asarray(padded), None if shares is None else jnp.asarray(_spread(votes, shares, n_rows)))
    rows, sources, labels = votes.triples()
    n_votes = bucket(len(rows))
    layout_rows = np.full(n_votes, n_rows, np.int32)
    symbols = np.zeros(n_votes, np.int32)
    layout_rows[: len(rows)] = rows
    symbols[: len(rows)] = sources * votes.n_classes + labels
    padded_shares = None
    if shares is not None:
        padded_shares = np.zeros(n_votes, np.float32)
        padded_shares[: len(rows)] = shares
    return SparseLayout(
        jnp.asarray(layout_rows),
        jnp.asarray(symbols),
        None if padded_shares is None else jnp.asarray(padded_shares),
        n_rows,
    )


def _spread(votes: Votes, shares: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:
    rows, sources, _ = votes.triples()
    dense = np.zeros((n_rows, votes.n_sources), np.float32)
    dense[rows, sources] = shares
    return dense
