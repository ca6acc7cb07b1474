"""Votes: the special codes, and vote objects that say less than one class, or say it with a probability.

Shape letters: K classes, V vote objects, C candidate sets, P soft votes.

A function or a person gives a vote object: `one_of(0, 2)`, `not_(1)`, `soft([0.2, 0.8])`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.errors import InvalidVotesError

ABSTAIN = -1
"""The source says nothing about the item."""
ERROR = -2
"""The source failed on the item."""

SUM_TOLERANCE = 1e-3
"""Probabilities that sum to one within this are accepted, and made to sum to one."""
TOLERANCE = 1e-6
"""A soft vote this near to uniform is an abstain. Probabilities whose sum is this near to one stay as they are, so that
reading what was written as float32 changes nothing."""
CERTAIN = 0.9995
"""A soft vote with such a probability for one class is the plain vote for it: nobody means so little doubt, and labels
do not depend on how 1 was rounded."""


# ---------------------------------------------------------------- vote objects


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """The class is one of these. Made by `one_of`."""

    classes: tuple[int, ...]

    def __repr__(self) -> str:
        return f"one_of({', '.join(map(str, self.classes))})"


@dataclass(frozen=True, slots=True)
class Complement:
    """The class is none of these. Made by `not_`."""

    classes: tuple[int, ...]

    def __repr__(self) -> str:
        return f"not_({', '.join(map(str, self.classes))})"


@dataclass(frozen=True, slots=True)
class SoftVote:
    """One probability per class. Made by `soft`."""

    probabilities: tuple[float, ...]

    def __repr__(self) -> str:
        return f"soft([{', '.join(f'{p:.6g}' for p in self.probabilities)}])"


ImpreciseVote = CandidateSet | Complement | SoftVote


def one_of(*classes: SupportsIndex) -> CandidateSet:
    """A vote for a candidate set: the class is one of these.

    Of one class it is the plain vote for it, of all classes an abstain.

    Raises:
        InvalidVotesError: for no classes, classes that repeat, and anything that is not a class index.
    """
    return CandidateSet(_classes(classes, "one_of"))


def not_(*classes: SupportsIndex) -> Complement:
    """A complementary vote: the class is none of these.

    Raises:
        InvalidVotesError: for no classes, classes that repeat, and anything that is not a class index.
    """
    return Complement(_classes(classes, "not_"))


def soft(probabilities: Iterable[SupportsFloat]) -> SoftVote:
    """A vote with one probability per class, as of a classifier or from a language model's log-probabilities.

    Of probability 0.9995 or more for one class it is the plain vote for it, with equal probabilities an abstain.

    Args:
        probabilities: K numbers, at least 0, that sum to 1 within 1e-3; they are then made to sum to 1.

    Raises:
        InvalidVotesError: for anything else.
    """
    try:
        values = tuple(map(float, probabilities))
    except (TypeError, ValueError):
        raise InvalidVotesError(f"soft expects a list of probabilities, got {probabilities!r}", field="votes") from None
    if len(values) < 2:
        raise InvalidVotesError(f"soft expects a probability for each class, got {len(values)}", field="votes")
    if not all(math.isfinite(p) and p >= 0 for p in values):
        raise InvalidVotesError(f"soft expects numbers of at least 0, got {list(values)}", field="votes")
    total = math.fsum(values) if max(values, default=0.0) < 1e300 else math.inf  # fsum raises where sums overflow
    if abs(total - 1) > SUM_TOLERANCE:
        raise InvalidVotesError(f"soft expects probabilities that sum to 1, got a sum of {total:.6g}", field="votes")
    return SoftVote(values if abs(total - 1) <= TOLERANCE else tuple(p / total for p in values))


def _classes(classes: Sequence[SupportsIndex], what: str) -> tuple[int, ...]:
    expected = f"distinct class indices are expected, as in {what}(0, 2)"
    if not classes:
        raise InvalidVotesError(f"{what} expects at least one class; {expected}", field="votes")
    indices = []
    for value in classes:
        try:
            index = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            index = None
        if index is None or index < 0:
            raise InvalidVotesError(
                f"{what} expects distinct class indices, as in {what}(0, 2), got {value!r}", field="votes"
            )
        indices.append(index)
    kept = tuple(sorted(set(indices)))
    if len(kept) < len(indices):
        raise InvalidVotesError(f"{what} names a class twice: {indices}; {expected}", field="votes")
    return kept


# --------------------------------------------------- vote objects over K classes


def least_classes(vote: ImpreciseVote) -> int:
    """The smallest K that a vote object can be over."""
    if isinstance(vote, SoftVote):
        return len(vote.probabilities)
    return max(vote.classes[-1] + 1, len(vote.classes) + isinstance(vote, Complement))


def misfit(vote: ImpreciseVote, n_classes: int) -> str:
    """Why a vote object cannot be over K classes; empty where it can."""
    if isinstance(vote, SoftVote):
        length = len(vote.probabilities)
        return "" if length == n_classes else f"{vote} has {length} probabilities; there are {n_classes} classes"
    if vote.classes[-1] >= n_classes:
        return f"{vote} names class {vote.classes[-1]}, outside 0..{n_classes - 1}"
    return f"{vote} leaves none of the {n_classes} classes" if least_classes(vote) > n_classes else ""


class Entries(NamedTuple):
    """Vote objects as arrays."""

    sets: NDArray[np.bool_]
    """[C, K] classes of the candidate sets; a complement is the set of the other classes."""
    soft: NDArray[np.float64]
    """[P, K] probabilities of the soft votes."""
    place: NDArray[np.int64]
    """[V] index of each vote object among the candidate sets, followed by the soft votes."""


def entries(votes: Iterable[ImpreciseVote], n_classes: int) -> Entries:
    """Vote objects, none of which is a misfit over K classes, as arrays."""
    listed = list(votes)
    is_soft = np.array([isinstance(vote, SoftVote) for vote in listed], bool)
    rows = [vote.probabilities for vote in listed if isinstance(vote, SoftVote)]
    sets = np.zeros((len(listed) - len(rows), n_classes), bool)
    masks = iter(sets)
    for vote in listed:
        if not isinstance(vote, SoftVote):
            mask = next(masks)
            mask[list(vote.classes)] = True
            if isinstance(vote, Complement):
                np.logical_not(mask, out=mask)
    place = np.empty(len(listed), np.int64)
    place[~is_soft] = np.arange(len(sets))
    place[is_soft] = len(sets) + np.arange(len(rows))
    return Entries(sets, np.array(rows, np.float64).reshape(-1, n_classes), place)


def vote_of(code: int, sets: NDArray[np.bool_], soft: NDArray[np.float32]) -> int | CandidateSet | SoftVote:
    """The vote that a code stands for: a class index, ABSTAIN or ERROR itself, or a vote object.

    Args:
        code: A class 0..K-1; from K on the candidate sets, followed by the soft votes.
        sets: [C, K] classes of the candidate sets.
        soft: [P, K] probabilities of the soft votes.
    """
    index = code - sets.shape[1]
    if index < 0:
        return code
    if index < len(sets):
        return CandidateSet(tuple(np.flatnonzero(sets[index]).tolist()))
    return SoftVote(tuple(soft[index - len(sets)].tolist()))


class ProbabilityRows(NamedTuple):
    """A tensor of soft votes, cell by cell."""

    rows: NDArray[np.float64]
    """[N * M, K]"""
    silent: NDArray[np.bool_]
    """[N * M] where the source abstains: all NaN, or all zero."""
    wrong: NDArray[np.bool_]
    """[N * M] where it neither abstains nor gives probabilities that sum to 1."""


def probability_rows(tensor: NDArray[Any]) -> ProbabilityRows:
    """Soft votes [N, M, K] as rows; whether each abstains, and whether it is wrong."""
    rows = tensor.astype(np.float64).reshape(-1, tensor.shape[2])
    silent = np.isnan(rows).all(1) | (rows == 0).all(1)
    right = (rows >= 0).all(1) & (np.abs(rows.sum(1) - 1) <= SUM_TOLERANCE)
    return ProbabilityRows(rows, silent, ~(silent | right))
