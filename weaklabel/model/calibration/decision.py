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
    if scores.shape[1] > FEW_CLASSES:
        return np.asarray(scores.argmax(axis=1), np.int32)
    return _first_of_few(scores, 0.0)[0]


def _highest(scores: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """[N] the first class within a tie of the highest score, and the rows where there is another."""
    if scores.shape[1] > FEW_CLASSES or len(scores) <= FEW_ROWS:
        best = scores >= scores.max(axis=1, keepdims=True, initial=-np.inf) - TIE
        return np.asarray(best.argmax(axis=1), np.int32), np.flatnonzero(best.sum(axis=1) > 1)
    labels, n_best = _first_of_few(scores, TIE)
    return labels, np.flatnonzero(n_best > 1)


def _first_of_few(scores: NDArray[np.floating[Any]], tie: float) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """[N] the first class that is within `tie` of the highest score, and [N] how many are.

    Class by class, without branches or masks: reducing over a short axis costs many times as much.
    """
    by_class = np.ascontiguousarray(scores.T)
    reaches = (by_class >= by_class.max(axis=0) - by_class.dtype.type(tie)).view(np.uint8)
    before = np.zeros(len(scores), np.uint8)  # classes before the first that reaches it
    none_yet = np.ones(len(scores), np.uint8)
    for reached in reaches[:-1]:
        none_yet &= reached ^ 1
        before += none_yet
    return before.astype(np.int32), reaches.sum(axis=0, dtype=np.uint8)
