"""Documents laid out for a scan: side by side in lanes, one after another within a lane, each of them whole.

A scan over a lane costs a step a token, so that lanes are as many and as short as the longest document lets them be.
Sizes are powers of two: few programs are compiled. On the host, in numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.numerics.padding import bucket

SHORTEST = 32
"""Steps of a lane, at least."""
ROOM = 4
"""Steps of a lane over the longest document's, where tokens are many: whole documents then leave little of it empty."""
MANY = 2**16
"""Tokens from which on lanes get that room."""


class Lanes(NamedTuple):
    """L steps of B lanes."""

    token: NDArray[np.int32]
    """[L, B] number of the token; the number of tokens where a lane is empty."""
    starts: NDArray[np.bool_]
    """[L, B] whether a document starts here; True where a lane is empty."""


def lay_out_lanes(lengths: NDArray[np.int64]) -> Lanes:
    """The lanes of documents that follow each other.

    Args:
        lengths: [D] tokens of each document, at least 1.
    """
    ends = np.cumsum(lengths)
    total, longest = int(ends[-1]), int(lengths.max())
    steps = bucket(longest * (ROOM if total >= MANY * ROOM * longest / SHORTEST else 1), SHORTEST)
    begins = [0]  # tokens at which a lane begins
    while begins[-1] < total:
        last = int(np.searchsorted(ends, begins[-1] + steps, side="right")) - 1
        begins.append(int(ends[last]))
    begin, size = np.asarray(begins[:-1]), np.diff(begins)
    token = np.full((steps, bucket(len(size), 1)), total, np.int32)
    inside = np.arange(steps)[:, None] < size
    token[:, : len(size)] = np.where(inside, begin + np.arange(steps)[:, None], total)
    first = np.zeros(total + 1, bool)
    first[ends - lengths] = True
    first[total] = True
    return Lanes(token, first[token])


def place_of_tokens(lanes: Lanes, n_tokens: int) -> NDArray[np.int64]:
    """[T] where each token is in the lanes, counted step by step."""
    token = lanes.token.ravel()
    place = np.empty(n_tokens + 1, np.int64)
    place[token] = np.arange(len(token))
    return place[:-1]
