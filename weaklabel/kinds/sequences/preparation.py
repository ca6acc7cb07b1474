"""Documents made ready for the device: distinct rows of votes, their shares, and the tokens in lanes. In numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.sequences.em import Grid, Shares
from weaklabel.kinds.sequences.lanes import Lanes, lay_out_lanes
from weaklabel.kinds.sequences.sources import Tokens, symbols_of
from weaklabel.model.numerics.padding import bucket, padded, to_device

HOLD = 0.1
"""Weight of the vote shares beside the posterior, on tokens on which functions alone vote: silence hides their errors,
and EM drifts."""
SATURATION = 3.0
"""n votes of annotators on a token count as n / (1 + (n - 1) / SATURATION) independent ones."""
LONGEST_FITTED = 4096
"""Longer documents are cut for EM: a step of a lane costs the same however few lanes there are."""


class Rows(NamedTuple):
    """The tokens of some documents, by their U distinct rows of votes."""

    symbols: NDArray[np.int32]
    """[U, M]"""
    votes: NDArray[np.signedinteger]
    """[U, M] tags; -1 where nothing is said."""
    row: NDArray[np.int64]
    """[T] the row of each token."""
    lanes: Lanes


def read_rows(
    codes: NDArray[np.signedinteger],
    lengths: NDArray[np.int64],
    annotator: NDArray[np.bool_],
    n_tags: int,
) -> Rows:
    """The rows of documents."""
    first = np.zeros(len(codes), bool)
    first[np.cumsum(lengths) - lengths] = True
    symbols = symbols_of(codes, first, annotator, n_tags)
    row = np.arange(len(codes))
    factors = np.random.default_rng(0).integers(1, 2**62, symbols.shape[1]) * 2 + 1
    keys = (symbols * factors).sum(1)
    _, kept, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if np.array_equal(symbols[kept[inverse]], symbols):  # else two rows have one key: never seen
        symbols, row = symbols[kept], inverse
    votes = np.where(symbols > 0, (symbols - 1) % n_tags, -1).astype(np.int16)
    return Rows(symbols, votes, row, lay_out_lanes(lengths))


def vote_weights(
    rows: Rows, annotator: NDArray[np.bool_], copies: NDArray[np.float64], *, saturate: bool
) -> NDArray[np.float32]:
    """[U, M] weight of each vote: copies that cast the same vote count once, and votes of annotators saturate."""
    votes = rows.votes
    rivals = np.ones(votes.shape, np.float32)  # a vote, and the copies of it
    for one, other in np.argwhere(copies > 0):
        rivals[:, one] += (copies[one, other] * ((votes[:, one] == votes[:, other]) & (votes[:, one] >= 0))).astype(
            np.float32
        )
    weight: NDArray[np.float32] = (1 / rivals).astype(np.float32)
    if saturate:
        number = (weight * (votes >= 0))[:, annotator].sum(1)
        factor = 1 / (1 + np.maximum(number - 1, 0) / SATURATION)
        weight[:, annotator] *= factor[:, None].astype(np.float32)
    return weight


def vote_shares(rows: Rows, annotator: NDArray[np.bool_], n_tags: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """[U, K] smoothed shares of the votes, and [U] rows on which no annotator votes though there are functions.

    A token that no function marks is "O" where no annotator votes.
    """
    counts = np.stack([(rows.votes == tag).sum(1) for tag in range(n_tags)], 1).astype(np.float32)
    total = counts.sum(1, keepdims=True)
    shares = (counts + 1 / n_tags) / (total + 1)
    alone: NDArray[np.bool_] = np.asarray((rows.votes[:, annotator] < 0).all(1) & bool((~annotator).any()))
    shares[alone & (total[:, 0] == 0)] = np.eye(n_tags, dtype=np.float32)[0]
    return shares, alone


def on_device(
    rows: Rows,
    annotator: NDArray[np.bool_],
    copies: NDArray[np.float64],
    gold: NDArray[np.int16],
    n_tags: int,
    *,
    saturate: bool,
) -> tuple[Grid, Tokens, Shares]:
    """What the compiled programs take, padded to sizes that repeat."""
    n_rows = bucket(len(rows.symbols))
    shares, alone = vote_shares(rows, annotator, n_tags)
    weight = vote_weights(rows, annotator, copies, saturate=saturate)
    marked = np.full(len(alone), 2, np.int32)  # there are no functions
    if not annotator.all():
        marked = np.asarray((rows.votes[:, ~annotator] > 0).any(1), np.int32)
    lanes = rows.lanes
    grid = Grid(
        to_device(np.append(rows.row, n_rows).astype(np.int32)[lanes.token]),
        to_device(np.append(gold, -1).astype(np.int32)[lanes.token]),
        to_device(lanes.starts),
        to_device(lanes.token < len(rows.row)),
    )
    tokens = Tokens(
        to_device(np.ascontiguousarray(padded(rows.symbols, n_rows).T)),
        to_device(np.ascontiguousarray(padded(weight, n_rows).T.astype(np.float32))),
        to_device(marked, n_rows, 2),
    )
    held = Shares(to_device(shares, n_rows), to_device((HOLD * alone).astype(np.float32), n_rows))
    return grid, tokens, held


def sampled(lengths: NDArray[np.int64], known: NDArray[np.bool_], most: int | None, seed: int) -> NDArray[np.int64]:
    """Documents on which EM runs, in order: those with gold, and as many drawn at random as make up `most` tokens.

    Args:
        lengths: [D]
        known: [D] documents with gold.
        most: tokens; None for all documents.
        seed: of the draw.
    """
    if most is None or lengths.sum() <= most:
        return np.arange(len(lengths))
    drawn = np.random.default_rng(seed).permutation(len(lengths))
    drawn = np.concatenate([np.flatnonzero(known), drawn[~known[drawn]]])
    enough = int(np.searchsorted(np.cumsum(lengths[drawn]), most)) + 1
    return np.sort(drawn[: max(enough, int(known.sum()))])


def tokens_of(documents: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the tokens of some documents."""
    begin, size = (np.cumsum(lengths) - lengths)[documents], lengths[documents]
    return np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))


def cut(lengths: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Lengths of the pieces of documents of at most so many tokens."""
    if not len(lengths) or lengths.max() <= most:
        return lengths
    return np.concatenate([np.append(np.full((size - 1) // most, most), (size - 1) % most + 1) for size in lengths])
