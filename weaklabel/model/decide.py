"""From probabilities to one class an item."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import ABSTAIN

TieBreakPolicy = Literal["abstain", "random", "true-random"]

TIE = 1e-6
"""Scores closer than this are equal: about what float32 keeps of a probability."""


def decide(scores: NDArray[np.floating[Any]], policy: TieBreakPolicy, seed: int) -> NDArray[np.int32]:
    """[N] the class with the highest score.

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
    best = scores >= scores.max(axis=1, keepdims=True, initial=-np.inf) - TIE
    labels = np.asarray(best.argmax(axis=1), np.int32)
    tied = np.flatnonzero(best.sum(axis=1) > 1)
    if policy == "abstain":
        labels[tied] = ABSTAIN
    elif len(tied):
        generator = np.random.default_rng(seed if policy == "random" else None)
        labels[tied] = np.where(best[tied], generator.random(best[tied].shape), -1).argmax(axis=1)
    return labels
