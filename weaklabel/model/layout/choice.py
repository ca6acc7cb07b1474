"""Which layout votes take, and the making of it.

Shapes: U rows (padded), M sources, S symbols (the K classes, then the candidate sets), K classes. C: any number of
columns.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import jax
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.model.layout.copy_weights import cell_weights, vote_weights
from weaklabel.model.layout.dense import DenseLayout
from weaklabel.model.layout.packed import MOST_VALUES, n_words, pack
from weaklabel.model.layout.protocol import Layout
from weaklabel.model.layout.slots import arrange, in_slots
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.default_device import on_cpu
from weaklabel.model.numerics.padding import bucket, padded, single
from weaklabel.votes import Votes
from weaklabel.votes.counting import FEW_CLASSES

MOST_PACKED_SYMBOLS = 64
DENSE_FILL = 0.2
"""Below, most of a one-hot product is zeros."""
MOST_SLOTS = 2**31
"""Of sparse votes: their places are 32-bit numbers."""
WORD_COST = 1.5
"""Of a vote given, in words of a row: above, votes are rather packed."""


def packs(n_symbols: int, copies: object | None) -> bool:
    """Whether a matrix of symbols is packed: on a CPU, where each vote counts wholly."""
    return copies is None and n_symbols <= MOST_PACKED_SYMBOLS and on_cpu()


def is_dense(votes: Votes, copies: sp.csr_array[np.float64] | None = None) -> bool:
    """Whether every cell of the matrix is laid out, not votes given only."""
    n_symbols, n_items = votes.n_classes + len(votes.symbols.sets), max(votes.n_items, 1)
    if packs(n_symbols, copies if copies is not None and copies.nnz else None):
        words = n_words(max(votes.n_sources, 1), n_symbols)
        return words <= 2 or words <= WORD_COST * votes.n_votes / n_items
    fill = votes.n_votes / max(n_items * votes.n_sources, 1)
    return votes.n_classes <= FEW_CLASSES and (not votes.is_sparse or fill >= DENSE_FILL)


@partial(compiled, static_argnames=("n_symbols", "most_values"))
def lay_out_codes(
    codes: Int[Array, "U M"], copies: Float[Array, "M M"] | None, n_symbols: int, most_values: int = MOST_VALUES
) -> Layout:
    """Every cell of a matrix of symbols. A program of its own: in another, packing would be done at each look-up.

    Args:
        codes: symbol index; negative where there is none, and `n_symbols` or above where the vote lies elsewhere.
        copies: how surely sources copy each other; None for whole votes.
        n_symbols: S.
        most_values: of a word; see `pack`.
    """
    if packs(n_symbols, copies):
        return pack(codes, n_symbols, most_values)
    return DenseLayout(codes, None if copies is None else cell_weights(codes, copies))


class Room(NamedTuple):
    """What votes are padded to, where it is more than they need: parts of one whole share a program."""

    n_rows: int
    n_slots: int
    """Of all rows, where votes are sparse."""
    block_rows: int | None = None
    """Rows of a block, where votes are sparse; None for what suits them, so that parts may differ in it."""


def lay_out(
    votes: Votes,
    copies: sp.csr_array[np.float64] | None = None,
    room: Room | None = None,
    *,
    dense: bool | None = None,
) -> Layout:
    """Votes on the device, padded to a bucket of rows, and of slots where they are sparse.

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other: their votes share one vote's weight; None for whole votes.
        room: padding; None for the buckets that the votes need.
        dense: what `is_dense` says of the whole that the votes are part of; None where they are the whole.
    """
    is_part = room is not None
    room = room or Room(bucket(votes.n_items), 0)
    n_rows = room.n_rows
    copies = None if copies is None or copies.nnz == 0 else copies
    n_symbols = votes.n_classes + len(votes.symbols.sets)
    if is_dense(votes, copies) if dense is None else dense:
        of_sources = None if copies is None else single(copies.toarray())
        matrix: Layout = lay_out_codes(padded(votes.to_codes(), n_rows, -1), of_sources, n_symbols=n_symbols)
        return matrix
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
        layout = _lay_out_sparse(votes, None, room)
        self._kept = (ref(votes, self._forget), layout)
        return layout

    def _forget(self, gone: ReferenceType[Votes]) -> None:
        kept = self._kept
        if kept is not None and kept[0] is gone:
            self._kept = None


_LAST = _Last()


def _lay_out_sparse(votes: Votes, copies: sp.csr_array[np.float64] | None, room: Room) -> SparseLayout:
    n_symbols = votes.n_classes + len(votes.symbols.sets)
    rows, sources, labels = votes.triples()
    shares = vote_weights(votes, copies)
    if not votes.is_plain:
        here = labels < n_symbols
        rows, sources, labels = rows[here], sources[here], labels[here]
        shares = None if shares is None else shares[here]
    arrangement = arrange(np.bincount(rows, minlength=votes.n_items), room.n_rows, votes.n_classes, room.block_rows)
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
        symbols=placed(symbols, votes.n_sources * n_symbols),
        shares=None if shares is None else placed(shares, 0),
        starts=jax.device_put(arrangement.starts),
        n_slots=jax.device_put(arrangement.n_slots),
        n_narrow=None if arrangement.n_narrow is None else jax.device_put(arrangement.n_narrow),
        n_blocks=jax.device_put(np.int32(-(-votes.n_items // arrangement.block_rows))),
        rows=jax.device_put(arrangement.rows),
        places=jax.device_put(arrangement.places),
        block_rows=arrangement.block_rows,
    )
