"""Hard labels: from scores to one class per item."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import ABSTAIN
from weaklabel.votes.counting import FEW_CLASSES

TieBreakPolicy = Literal["abstain", "random", "true-random"]

TIE = 1e-6
"""Scores closer than this are equal: about what float32 keeps of a probability."""
FEW_ROWS = 64
"""Fewer are reduced at once: each of the steps of a loop over classes costs as much as all of them."""


def decide(scores: NDArray[np.floating[Any]], policy: TieBreakPolicy, seed: int) -> NDArray[np.int32]:
    """[N] the hard label of each item: the class with the highest score.

    Args:
        scores: [N, K].
        policy: what to answer where several classes share the highest score: "abstain" (-1), "random" (one of them, the
            same at each call with the same seed), "true-random" (one of them).
        seed: of "random".

    Raises:
        InvalidArgumentError: for an unknown policy.
    """
    if policy not in get_args(TieBreakPolicy):
        choices = ", ".join(map(repr, get_args(TieBreakPolicy)))
        raise InvalidArgumentError(
            f"tie_break_policy must be one of {choices}, got {policy!r}", field="tie_break_policy"
        )
    labels, tied = _highest(scores)
    if policy == "abstain":
        labels[tied] = ABSTAIN
    elif len(tied):
        best = scores[tied] >= scores[tied].max(axis=1, keepdims=True) - TIE
        labels[tied] = np.where(best, generator_of(policy, seed).random(best.shape), -1).argmax(axis=1)
    return labels


def generator_of(policy: TieBreakPolicy, seed: int) -> np.random.Generator:
    """What picks one of several that are alike: anew at each call under "true-random", otherwise by the seed."""
    return np.random.default_rng(None if policy == "true-random" else seed)


def first_highest(scores: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """[N] the first class with the highest score [N, K]."""
    n_classes = scores.shape[1]
    if n_classes > FEW_CLASSES:
        return np.asarray(scores.argmax(axis=1), np.int32)
    labels, highest = np.zeros(len(scores), np.int32), scores[:, 0].copy()
    for k in range(1, n_classes):  # column by column: reducing over a short axis costs many times as much
        column = np.ascontiguousarray(scores[:, k])
        np.copyto(labels, k, where=column > highest)
        np.maximum(highest, column, out=highest)
    return labels


def _highest(scores: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """[N] the first class within a tie of the highest score, and the rows where there is another."""
    n_classes = scores.shape[1]
    if n_classes > FEW_CLASSES or len(scores) <= FEW_ROWS:
        best = scores >= scores.max(axis=1, keepdims=True, initial=-np.inf) - TIE
        return np.asarray(best.argmax(axis=1), np.int32), np.flatnonzero(best.sum(axis=1) > 1)
    # Column by column: reducing over a short axis costs many times as much.
    columns = [np.ascontiguousarray(scores[:, k]) for k in range(n_classes)]
    limit = columns[0].copy()
    for column in columns[1:]:
        np.maximum(limit, column, out=limit)
    limit -= TIE
    labels, n_best = np.zeros(len(scores), np.int32), np.zeros(len(scores), np.int8)
    for k in reversed(range(n_classes)):
        reaches = columns[k] >= limit
        np.copyto(labels, k, where=reaches)
        n_best += reaches
    return labels, np.flatnonzero(n_best > 1)
