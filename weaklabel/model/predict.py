"""Soft labels of any number of items, a chunk at a time: memory holds the result and little else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.layout import is_dense, lay_out
from weaklabel.model.params import ReadOut
from weaklabel.model.readout import read_votes
from weaklabel.model.stream import CHUNK_ROWS
from weaklabel.votes import Votes


class Predicted(NamedTuple):
    """Of N items."""

    soft: NDArray[np.float32]
    """[N, K] soft labels."""
    scores: NDArray[np.float32]
    """[N, K] scores whose largest is called; [0, K] where they were not asked for."""


def predict(
    votes: Votes, copies: sp.csr_array[np.float64], how: ReadOut, anchor_mass: float, *, with_calls: bool
) -> Predicted:
    """Reads the votes.

    Args:
        votes: N items, of the sources of the model in its order.
        copies: [M, M] how surely sources copy each other.
        how: the read-out.
        anchor_mass: pseudo-votes in the rows' vote shares.
        with_calls: whether scores are wanted.
    """
    shape = (votes.n_items, votes.n_classes)
    soft = np.empty(shape, np.float32)
    scores = np.empty(shape if with_calls else (0, votes.n_classes), np.float32)
    for rows, part in _parts(votes):
        layout = lay_out(part, copies)
        found, called = read_votes(layout, how, anchor_mass, n_sources=votes.n_sources, with_calls=with_calls)
        soft[rows] = np.asarray(found)[: part.n_items]
        if called is not None:
            scores[rows] = np.asarray(called)[: part.n_items]
    return Predicted(soft, scores)


def _parts(votes: Votes) -> Iterator[tuple[slice, Votes]]:
    if votes.n_items <= CHUNK_ROWS or not is_dense(votes):
        yield slice(0, votes.n_items), votes
        return
    codes = votes.to_codes()
    for start in range(0, votes.n_items, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        yield rows, Votes.from_codes(codes[rows], votes.n_classes, sources=votes.source_names, symbols=votes.symbols)
