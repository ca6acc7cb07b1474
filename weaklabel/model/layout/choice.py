"""Votes as a linear operator: the only two things that EM does with them.

Write the votes as a matrix X of shape [U, M*S]: one row for each distinct vote row, one column for each (source,
symbol), 1 where the source showed it. EM multiplies by X (evidence, E-step) and by its transpose (expected counts,
M-step), and never asks how the votes lie in memory.

Shapes: U rows (padded), M sources, S symbols (the K classes, then the candidate sets), K classes. C: any number of
columns.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import ReferenceType, ref

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.model.layout.dense import DENSE_CLASSES, DenseLayout
from weaklabel.model.layout.packed import PackedLayout, n_words, pack
from weaklabel.model.layout.slots import arrange, in_slots
from weaklabel.model.layout.sparse import SparseBlock, SparseLayout
from weaklabel.model.sources.duplicates import vote_shares
from weaklabel.model.sources.imprecise import SoftVotes, information
from weaklabel.votes import Votes

SMALLEST_BUCKET = 256
MOST_PAIRS = 2**24
"""Rows x M x M that are looked at together for copies, times the smallest bucket."""
MOST_PACKED_SYMBOLS = 64
DENSE_FILL = 0.2
"""Below, most of a one-hot product is zeros."""
MOST_SLOTS = 2**31
"""Of sparse votes: their places are 32-bit numbers."""
WORD_COST = 1.5
"""Of a vote given, in words of a row: above, votes are rather packed."""


class Layout(Protocol):
    """How votes lie in memory."""

    @property
    def n_rows(self) -> int:
        """U, padded."""
        ...

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


AnyLayout = DenseLayout | PackedLayout | SparseLayout | SparseBlock


def bucket(size: int) -> int:
    """The power of two that a size is padded to, so that sizes alike share one compilation."""
    return max(SMALLEST_BUCKET, 1 << max(size - 1, 0).bit_length())


def packs(n_symbols: int, copies: object | None) -> bool:
    """Whether a matrix of symbols is packed: on a CPU, where each vote counts wholly."""
    return copies is None and n_symbols <= MOST_PACKED_SYMBOLS and jax.default_backend() == "cpu"


def is_dense(votes: Votes, copies: sp.csr_array[np.float64] | None = None) -> bool:
    """Whether every cell of the matrix is laid out, not votes given only."""
    n_symbols, n_items = votes.n_classes + len(votes.symbols.sets), max(votes.n_items, 1)
    if packs(n_symbols, copies if copies is not None and copies.nnz else None):
        words = n_words(max(votes.n_sources, 1), n_symbols)
        return words <= 2 or words <= WORD_COST * votes.n_votes / n_items
    fill = votes.n_votes / max(n_items * votes.n_sources, 1)
    return votes.n_classes <= DENSE_CLASSES and (not votes.is_sparse or fill >= DENSE_FILL)


@partial(jax.jit, static_argnames="n_symbols")
def lay_out_codes(
    codes: Int[Array, "U M"], copies: Float[Array, "M M"] | None, n_symbols: int
) -> DenseLayout | PackedLayout:
    """Every cell of a matrix of symbols. A program of its own: in another, packing would be done at each look-up.

    Args:
        codes: symbol index; negative where there is none, and `n_symbols` or above where the vote lies elsewhere.
        copies: how surely sources copy each other; None for whole votes.
        n_symbols: S.
    """
    if packs(n_symbols, copies):
        return pack(codes, n_symbols)
    return DenseLayout(codes, None if copies is None else shares_of(codes, copies))


class Room(NamedTuple):
    """What votes are padded to, where it is more than they need: parts of one whole share a program."""

    n_rows: int
    n_slots: int
    """Of all rows, where votes are sparse."""


def lay_out(votes: Votes, copies: sp.csr_array[np.float64] | None = None, room: Room | None = None) -> AnyLayout:
    """Votes on the device, padded to a bucket of rows, and of slots where they are sparse.

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other: their votes share one vote's weight; None for whole votes.
        room: padding; None for the buckets that the votes need.
    """
    is_part = room is not None
    room = room or Room(bucket(votes.n_items), 0)
    n_rows = room.n_rows
    copies = None if copies is None or copies.nnz == 0 else copies
    n_symbols = votes.n_classes + len(votes.symbols.sets)
    if is_dense(votes, copies):
        of_sources = None if copies is None else jnp.asarray(copies.toarray(), jnp.float32)
        found: AnyLayout = lay_out_codes(padded(votes.to_codes(), n_rows), of_sources, n_symbols=n_symbols)
        return found
    if copies is None and not is_part:
        return _LAST.of(votes, room)
    return _lay_out_sparse(votes, copies, room)


class _Last:
    """The sparse layout of the votes that were laid out last: they are often fitted, then predicted.

    Votes never change. The layout is forgotten with them.
    """

    def __init__(self) -> None:
        self._kept: tuple[ReferenceType[Votes], SparseLayout] | None = None  # replaced as a whole: threads need no lock

    def of(self, votes: Votes, room: Room) -> SparseLayout:
        """The layout of votes that count wholly."""
        kept = self._kept
        if kept is not None and kept[0]() is votes and kept[1].n_rows == room.n_rows:
            return kept[1]
        found = _lay_out_sparse(votes, None, room)
        self._kept = (ref(votes, self._forget), found)
        return found

    def _forget(self, gone: ReferenceType[Votes]) -> None:
        kept = self._kept
        if kept is not None and kept[0] is gone:
            self._kept = None


_LAST = _Last()


def _lay_out_sparse(votes: Votes, copies: sp.csr_array[np.float64] | None, room: Room) -> SparseLayout:
    n_symbols = votes.n_classes + len(votes.symbols.sets)
    rows, sources, labels = votes.triples()
    shares = vote_shares(votes, copies) if copies is not None else None
    if not votes.is_plain:
        here = labels < n_symbols
        rows, sources, labels = rows[here], sources[here], labels[here]
        shares = None if shares is None else shares[here]
    arrangement = arrange(np.bincount(rows, minlength=votes.n_items), room.n_rows, votes.n_classes)
    if arrangement.size >= MOST_SLOTS:
        raise InvalidVotesError(
            f"{len(rows):,} sparse votes take {arrangement.size:,} slots, of {MOST_SLOTS:,} that can be numbered; fit "
            "part of the items, or give votes of few sources as a matrix or as VoteChunks",
            field="votes",
        )
    symbols = sources.astype(np.uint32) * np.uint32(n_symbols) + labels.astype(np.uint32)

    def placed(values: NDArray[Any], nothing: int) -> Array:
        size = max(bucket(max(arrangement.size, arrangement.block_rows)), room.n_slots)
        on_device: Array = jax.device_put(in_slots(arrangement, values, nothing, size))
        return on_device

    return SparseLayout(
        placed(symbols, votes.n_sources * n_symbols),
        None if shares is None else placed(shares, 0),
        jax.device_put(arrangement.starts),
        jax.device_put(arrangement.n_slots),
        None if arrangement.n_narrow is None else jax.device_put(arrangement.n_narrow),
        jax.device_put(np.int32(-(-votes.n_items // arrangement.block_rows))),
        jax.device_put(arrangement.rows),
        jax.device_put(arrangement.places),
        arrangement.block_rows,
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
