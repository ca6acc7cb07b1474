"""Votes that say less than one class, or say it with a probability: candidate sets, "not k", soft votes.

Shape letters: K classes, C candidate sets, P soft votes, S = K + C + P symbols.

A function or a person gives a vote object: `one_of(0, 2)`, `not_(1)`, `soft([0.2, 0.8])`. A matrix of votes keeps a
code a cell, and a codebook, `Symbols`, of what the codes from K on stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.validation import ABSTAIN, ERROR, Codes, label_dtype
from weaklabel_protocol.vote_objects import (
    CERTAIN,
    SUM_TOLERANCE,
    TOLERANCE,
    CandidateSet,
    Complement,
    ImpreciseVote,
    SoftVote,
    not_,
    one_of,
    soft,
    vote_of,
)

__all__ = [
    "SUM_TOLERANCE",
    "TOLERANCE",
    "CandidateSet",
    "Complement",
    "ImpreciseVote",
    "SoftVote",
    "Symbols",
    "not_",
    "one_of",
    "soft",
    "translation",
]


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """The codebook of a matrix of votes: what its codes from K on stand for. Never changed after it is made.

    Codes 0..K-1 are the classes, K..K+C-1 the candidate sets, K+C..K+C+P-1 the soft votes. No two entries mean the
    same, and none means a single class or nothing. Made by `Symbols.of`, `Symbols.empty` and `Symbols.merge`.

    Attributes:
        sets: bool [C, K], the classes of each candidate set; 2 to K - 1 of them.
        soft: float32 [P, K], the probabilities of each soft vote.
    """

    sets: NDArray[np.bool_]
    soft: NDArray[np.float32]

    def __post_init__(self) -> None:
        for array in (self.sets, self.soft):
            array.flags.writeable = False

    @classmethod
    @lru_cache(maxsize=64)  # every matrix of plain votes has one
    def empty(cls, n_classes: int) -> Self:
        """The codebook of plain votes."""
        return cls(np.empty((0, n_classes), bool), np.empty((0, n_classes), np.float32))

    @classmethod
    def of(cls, sets: NDArray[np.bool_], soft: NDArray[np.floating[Any]]) -> tuple[Self, NDArray[np.int64]]:
        """A codebook in which no two entries mean the same, and the code of each set and each row of probabilities.

        Args:
            sets: [C', K], at least one class each.
            soft: [P', K] rows that sum to 1.

        Returns:
            The codebook, and [C' + P'] codes: of the sets, then of the rows.
        """
        n_classes = sets.shape[1]
        of_sets, of_soft = np.empty(len(sets), np.int64), np.empty(len(soft), np.int64)

        size = sets.sum(1)
        of_sets[size == 1] = sets[size == 1].argmax(1)
        of_sets[size == n_classes] = ABSTAIN
        wide = (size > 1) & (size < n_classes)
        first, number = _distinct(np.packbits(sets[wide], axis=1))
        kept_sets = sets[wide][first]
        of_sets[wide] = n_classes + number

        rows = np.asarray(soft, np.float32) + np.float32(0)  # -0 is 0
        sharp = rows.max(1, initial=0) >= np.float32(CERTAIN)
        of_soft[sharp] = rows[sharp].argmax(1)
        flat = np.abs(rows - np.float32(1 / n_classes)).max(1, initial=0) <= TOLERANCE
        of_soft[flat] = ABSTAIN
        mixed = ~(sharp | flat)
        first, number = _distinct(rows[mixed])
        kept_soft = rows[mixed][first]
        of_soft[mixed] = n_classes + len(kept_sets) + number
        return cls(kept_sets, kept_soft), np.concatenate([of_sets, of_soft])

    @classmethod
    def merge(cls, books: Sequence[Symbols]) -> tuple[Self, list[Codes]]:
        """One codebook for several over the same classes, and for each the table that translates its codes.

        A table has an entry a code, and two at its end for ERROR and ABSTAIN, so that `table[codes]` takes any code.
        """
        n_classes = books[0].n_classes
        merged, codes = cls.of(np.concatenate([b.sets for b in books]), np.concatenate([b.soft for b in books]))
        sets, softs = np.split(codes, [sum(len(b.sets) for b in books)])
        of_sets = np.split(sets, np.cumsum([len(b.sets) for b in books])[:-1])
        of_soft = np.split(softs, np.cumsum([len(b.soft) for b in books])[:-1])
        return merged, [translation(n_classes, np.concatenate(parts)) for parts in zip(of_sets, of_soft, strict=True)]

    def only(self, codes: Codes) -> tuple[Self, Codes]:
        """The codebook without the entries that no code uses, and the codes in it."""
        if not len(self):
            return self, codes
        used = np.zeros(len(self), bool)
        used[codes[codes >= self.n_classes] - self.n_classes] = True
        kept = type(self)(self.sets[used[: len(self.sets)]], self.soft[used[len(self.sets) :]])
        return kept, translation(self.n_classes, self.n_classes + np.cumsum(used) - 1)[codes]

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.sets.shape[1])

    def __len__(self) -> int:
        """C + P."""
        return len(self.sets) + len(self.soft)

    def distributions(self) -> NDArray[np.float32]:
        """[S, K] what each code says: one class; equal shares of a candidate set; the probabilities of a soft vote."""
        sets = self.sets / self.sets.sum(1, keepdims=True, dtype=np.float32)
        return np.concatenate([np.eye(self.n_classes, dtype=np.float32), sets.astype(np.float32), self.soft])

    def supports(self) -> NDArray[np.bool_]:
        """[S, K] the classes that each code speaks for; of a soft vote the most probable class, or classes."""
        likely = self.soft >= self.soft.max(1, keepdims=True, initial=0) - TOLERANCE
        return np.concatenate([np.eye(self.n_classes, dtype=bool), self.sets, likely])

    def vote(self, code: int) -> int | CandidateSet | SoftVote:
        """What a code stands for: the class index, ABSTAIN or ERROR itself, or a vote object."""
        return vote_of(code, self.sets, self.soft)

    def candidates(self, code: int) -> CandidateSet:
        """The candidate set that a code in K..K+C-1 stands for."""
        return CandidateSet(tuple(np.flatnonzero(self.sets[code - self.n_classes]).tolist()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbols):
            return NotImplemented
        return np.array_equal(self.sets, other.sets) and np.array_equal(self.soft, other.soft)

    __hash__ = None  # type: ignore[assignment]  # compared by value, and big

    def __repr__(self) -> str:
        return f"Symbols({self.n_classes} classes, {len(self.sets):,} candidate sets, {len(self.soft):,} soft votes)"


def translation(n_classes: int, codes: NDArray[np.int64]) -> Codes:
    """The table that gives each entry of a list its code, and leaves classes, ERROR and ABSTAIN as they are."""
    dtype = label_dtype(max(int(codes.max(initial=0)) + 1, n_classes))
    return np.concatenate([np.arange(n_classes), codes, [ERROR, ABSTAIN]]).astype(dtype)


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each distinct row first appears, in that order, and the number of each row among them."""
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, number = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[number]
