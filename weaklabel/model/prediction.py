"""Soft labels of any number of items. A matrix goes a chunk at a time: memory holds the result and little else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel.model.calibration.tempering import of_plain_votes, read_out, read_votes
from weaklabel.model.em.initialization import pad, set_symbols
from weaklabel.model.em.rows import beside, describe
from weaklabel.model.em.subsample import CHUNK_ROWS
from weaklabel.model.layout.choice import Room, bucket, is_dense, lay_out, lay_out_codes, lay_out_soft, packs, padded
from weaklabel.model.numerics.devices import at_once, over_rows
from weaklabel.model.records import ReadOut
from weaklabel.model.side import Known
from weaklabel.votes import Votes
from weaklabel.votes.symbols import Symbols

SPARE = 1.25
"""Slots of a part, in those that it would have if all parts were alike."""
SPARSE_CELLS = 2**21
"""Rows x K that are read at once where votes are sparse: no result is made that is large, but the one returned."""


class Predicted(NamedTuple):
    """Of N items."""

    soft: NDArray[np.float32]
    """[N, K] soft labels."""
    scores: NDArray[np.float32]
    """[N, K] scores whose largest is called; [0, K] where they were not asked for."""


def predict(
    votes: Votes,
    copies: sp.csr_array[np.float64],
    how: ReadOut,
    anchor_mass: float,
    known: Known | None = None,
    *,
    with_calls: bool,
) -> Predicted:
    """Reads the votes.

    Args:
        votes: N items, of the sources of the model in its order, with the model's codebook of candidate sets.
        copies: [M, M] how surely sources copy each other.
        how: the read-out.
        anchor_mass: pseudo-votes in the rows' vote shares.
        known: side information.
        with_calls: whether scores are wanted.
    """
    how = of_plain_votes(how) if votes.is_plain else how
    if known is not None or not votes.is_plain:
        return _predict_by_item(votes, copies, how, anchor_mass, known or Known())
    of_copies = copies if copies.nnz else None
    n_sources, read = votes.n_sources, partial(read_votes, n_sources=votes.n_sources, with_calls=with_calls)
    # Of several chunks the last is padded like the others: one program for all.
    by_votes = not is_dense(votes, copies) and (votes.is_sparse or not packs(votes.n_classes, of_copies))
    most_rows = bucket(SPARSE_CELLS // votes.n_classes) if by_votes else CHUNK_ROWS
    n_rows = min(bucket(votes.n_items), most_rows)
    room = None
    if n_rows < votes.n_items and by_votes:
        room = Room(n_rows, bucket(int(SPARE * n_rows * votes.n_votes / votes.n_items)))
    of_sources = jnp.asarray(copies.toarray(), jnp.float32) if copies.nnz and not by_votes else None

    def read_rows(start: int) -> tuple[Array, Array | None]:
        rows = slice(start, start + n_rows)
        if not by_votes:
            layout = lay_out_codes(padded(votes.to_codes()[rows], n_rows), of_sources, n_symbols=votes.n_classes)
            return _on_devices(n_sources, with_calls)(layout, how, anchor_mass)
        part = votes if n_rows >= votes.n_items else votes.select_items(np.arange(votes.n_items)[rows])
        found: tuple[Array, Array | None] = read(lay_out(part, copies, room), how, anchor_mass)
        return found

    return _in_chunks(votes, n_rows, read_rows, with_calls=with_calls)


def _in_chunks(
    votes: Votes, n_rows: int, read_rows: Callable[[int], tuple[Array, Array | None]], *, with_calls: bool
) -> Predicted:
    """Reads chunks of rows, from each start on, on all cores."""
    soft = np.empty((votes.n_items, votes.n_classes), np.float32)
    scores = np.empty((votes.n_items if with_calls else 0, votes.n_classes), np.float32)

    def fill(start: int) -> None:
        rows = slice(start, start + n_rows)
        found, called = read_rows(start)
        soft[rows] = np.asarray(found)[: votes.n_items - start]
        if called is not None:
            scores[rows] = np.asarray(called)[: votes.n_items - start]

    for _ in at_once(fill, range(0, votes.n_items, n_rows)):
        pass
    return Predicted(soft, scores)


@cache
def _on_devices(n_sources: int, with_calls: bool) -> Callable[..., tuple[Array, Array | None]]:
    """`read_votes`, rows spread over the devices."""
    return over_rows(partial(read_votes, n_sources=n_sources, with_calls=with_calls))


def _predict_by_item(
    votes: Votes, copies: sp.csr_array[np.float64], how: ReadOut, anchor_mass: float, known: Known
) -> Predicted:
    """Reads votes for several classes, and side information: all items at once, since bags tie them together."""
    n_rows, n_items = bucket(votes.n_items), votes.n_items
    sets, items = None if votes.is_plain else set_symbols(votes), pad(np.ones(n_items, np.float32), n_rows)
    size = {"n_sources": votes.n_sources, "n_classes": votes.n_classes, "anchor_mass": anchor_mass}
    rows = describe(lay_out(votes, copies), items, **size, sets=sets, soft=lay_out_soft(votes, copies))
    rows = beside(rows, items, known.on_device(n_rows), 0.0)
    soft, scores = read_out(rows, how, anchor_mass, with_calls=True)
    assert scores is not None
    # Cut on the host: on the device, each number of items would be a program to compile.
    return Predicted(np.array(np.asarray(soft)[:n_items]), np.array(np.asarray(scores)[:n_items]))


def with_codebook(votes: Votes, sets: NDArray[np.bool_]) -> Votes:
    """The votes in the codebook of a model: candidate sets that the model has not seen become probability vectors.

    Args:
        votes: N items.
        sets: [C, K] candidate sets of the model.
    """
    symbols, n_classes = votes.symbols, votes.n_classes
    if votes.is_plain or np.array_equal(symbols.sets, sets):
        return votes
    place = {tuple(members): n_classes + at for at, members in enumerate(sets.tolist())}
    unknown = [at for at, members in enumerate(symbols.sets.tolist()) if tuple(members) not in place]
    new = symbols.sets[unknown] / symbols.sets[unknown].sum(1, keepdims=True)
    soft = np.concatenate([symbols.soft, new.astype(np.float32)])
    first = n_classes + len(sets)
    meaning = np.arange(n_classes + len(symbols))
    for at, members in enumerate(symbols.sets.tolist()):
        known = place.get(tuple(members))
        meaning[n_classes + at] = first + len(symbols.soft) + unknown.index(at) if known is None else known
    meaning[n_classes + len(symbols.sets) :] = first + np.arange(len(symbols.soft))
    rows, sources, labels = votes.triples()
    return Votes.from_triples(
        rows,
        sources,
        meaning[labels],
        n_classes=n_classes,
        n_items=votes.n_items,
        n_sources=votes.n_sources,
        source_names=votes.source_names,
        item_ids=votes.item_ids,
        symbols=Symbols(sets, soft),
    )
