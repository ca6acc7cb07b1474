"""Votes that say less than one class, or say it with a probability: candidate sets, "not k", soft votes. No I/O.

K classes, C candidate sets, P soft votes. Inside the client a code of -3 - j stands for entry j of a list of such
votes, because how many classes a project has is not always known where votes are read.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt

from weaklabel_protocol.tensors import from_tensor, sets_from_tensor, sets_to_tensor, smallest_dtype, to_tensor
from weaklabel_protocol.v1 import symbols_pb2

FIRST = -3
SUM_TOLERANCE = 1e-3

IntArray = npt.NDArray[np.integer[Any]]


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
    """A probability a class. Made by `soft`."""

    probabilities: tuple[float, ...]

    def __repr__(self) -> str:
        return f"soft([{', '.join(f'{p:.6g}' for p in self.probabilities)}])"


def one_of(*classes: SupportsIndex) -> CandidateSet:
    """A vote for a candidate set: the class is one of these.

    Raises:
        ValueError: There are none, one stands twice, or one is no class index.
    """
    return CandidateSet(_classes(classes, "one_of"))


def not_(*classes: SupportsIndex) -> Complement:
    """A complementary vote: the class is none of these.

    Raises:
        ValueError: There are none, one stands twice, or one is no class index.
    """
    return Complement(_classes(classes, "not_"))


def soft(probabilities: Iterable[SupportsFloat]) -> SoftVote:
    """A vote with a probability a class.

    Args:
        probabilities: K numbers, at least 0, that sum to 1 within 1e-3.

    Raises:
        ValueError: They are anything else.
    """
    values = tuple(map(float, probabilities))
    if len(values) < 2 or not all(math.isfinite(p) and p >= 0 for p in values):
        raise ValueError(f"soft: a number of at least 0 for each class is expected, got {list(values)}")
    if abs(math.fsum(values) - 1) > SUM_TOLERANCE:
        raise ValueError(f"soft: the probabilities sum to {math.fsum(values):.6g}, not to 1")
    return SoftVote(values)


@dataclass(frozen=True, eq=False)
class Codebook:
    """What codes from K on stand for.

    Attributes:
        candidate_sets: bool [C, K]: code K + c stands for the classes of row c.
        soft_votes: float32 [P, K]: code K + C + p stands for the probabilities of row p.
    """

    candidate_sets: npt.NDArray[np.bool_]
    soft_votes: npt.NDArray[np.float32]

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.candidate_sets.shape[1])

    def __len__(self) -> int:
        return len(self.candidate_sets) + len(self.soft_votes)

    def vote(self, code: int) -> int | CandidateSet | SoftVote:
        """What a code stands for: a class index, -1 or -2 itself, or a vote object."""
        index = int(code) - self.n_classes
        if index < 0:
            return int(code)
        if index < len(self.candidate_sets):
            return CandidateSet(tuple(np.flatnonzero(self.candidate_sets[index]).tolist()))
        return SoftVote(tuple(self.soft_votes[index - len(self.candidate_sets)].tolist()))

    def to_message(self, codes: IntArray) -> tuple[IntArray, symbols_pb2.Codebook | None]:
        """Codes with -3 - j for entry j as labels of the contract, with the message of the entries that they use."""
        used = np.unique(FIRST - codes[codes <= FIRST])
        if not len(used):
            return codes.astype(smallest_dtype(codes), copy=False), None
        split = np.searchsorted(used, len(self.candidate_sets))
        labels = codes.astype(np.int32)
        labels[codes <= FIRST] = self.n_classes + np.searchsorted(used, FIRST - codes[codes <= FIRST])
        sets, rows = self.candidate_sets[used[:split]], self.soft_votes[used[split:] - len(self.candidate_sets)]
        message = symbols_pb2.Codebook(
            class_count=self.n_classes,
            candidate_sets=sets_to_tensor(sets) if len(sets) else None,
            soft_votes=to_tensor(rows, np.float32) if len(rows) else None,
        )
        return labels.astype(smallest_dtype(labels), copy=False), message

    @classmethod
    def from_message(cls, message: symbols_pb2.Codebook) -> "Codebook":
        """Reads the contract's message."""
        n_classes = message.class_count
        sets, rows = np.empty((0, n_classes), bool), np.empty((0, n_classes), np.float32)
        if message.HasField("candidate_sets"):
            sets = sets_from_tensor(message.candidate_sets, n_classes)
        if message.HasField("soft_votes"):
            rows = from_tensor(message.soft_votes).copy()
        return cls(sets, rows)

    @property
    def entry_bytes(self) -> int:
        """The most bytes that an entry takes in a message."""
        return 4 * self.n_classes if len(self.soft_votes) else -(-self.n_classes // 8)


class VoteList:
    """Vote objects as they are found among numbers, before the number of classes is known."""

    def __init__(self) -> None:
        self._index: dict[Any, int] = {}

    def code(self, vote: Any) -> int:
        """The code of a vote object."""
        return FIRST - self._index.setdefault(vote, len(self._index))

    def __len__(self) -> int:
        return len(self._index)

    def digest_bytes(self) -> bytes:
        """All that the votes say."""
        return "\0".join(map(repr, ((type(vote).__name__, _content(vote)) for vote in self._index))).encode()

    def resolved(self, codes: IntArray, n_classes: int) -> tuple[IntArray, Codebook]:
        """The codes, and what they stand for, over K classes.

        Raises:
            ValueError: A vote does not fit them.
        """
        sets: list[npt.NDArray[np.bool_]] = []
        rows: list[tuple[float, ...]] = []
        for vote in self._index:
            if hasattr(vote, "probabilities"):
                rows.append(_fitting(vote, len(vote.probabilities) == n_classes, n_classes).probabilities)
                continue
            chosen = np.zeros(n_classes, bool)
            chosen[list(_fitting(vote, vote.classes[-1] < n_classes, n_classes).classes)] = True
            chosen = ~chosen if type(vote).__name__ == Complement.__name__ else chosen
            _fitting(vote, bool(chosen.any()), n_classes)
            sets.append(chosen)
        ranks = iter(range(len(sets))), iter(range(len(sets), len(self._index)))
        place = np.array([next(ranks[hasattr(vote, "probabilities")]) for vote in self._index], np.int64)
        moved = codes.astype(np.int32)
        found = codes <= FIRST
        moved[found] = FIRST - place[FIRST - codes[found]]
        book = Codebook(np.array(sets, bool).reshape(-1, n_classes), np.array(rows, np.float32).reshape(-1, n_classes))
        return moved, book


def is_vote_object(value: Any) -> bool:
    """Whether a value is a vote object, of this package or of weaklabel, known by its name without an import."""
    return type(value).__name__ in _FIELDS and hasattr(value, _FIELDS[type(value).__name__])


def joined(parts: Sequence[tuple[IntArray, Codebook | None]]) -> tuple[IntArray, Codebook | None]:
    """Labels with a codebook each as labels with one."""
    books = [book for _, book in parts if book is not None]
    if not books:
        return np.concatenate([labels for labels, _ in parts]), None
    n_classes = books[0].n_classes
    sets = np.unique(np.concatenate([book.candidate_sets for book in books]), axis=0)
    rows, place = np.unique(np.concatenate([book.soft_votes for book in books]), axis=0, return_inverse=True)
    known = {row.tobytes(): n_classes + at for at, row in enumerate(sets)}
    translated, first = [], 0
    for labels, book in parts:
        if book is not None:
            of_sets = [known[row.tobytes()] for row in book.candidate_sets]
            of_rows = n_classes + len(sets) + place[first : first + len(book.soft_votes)]
            first += len(book.soft_votes)
            table = np.concatenate([np.arange(n_classes), of_sets, of_rows, [-2, -1]]).astype(np.int32)
            labels = table[labels]  # negative codes count from the end
        translated.append(labels)
    whole = np.concatenate(translated)
    return whole.astype(smallest_dtype(whole), copy=False), Codebook(sets, rows)


_FIELDS = {"CandidateSet": "classes", "Complement": "classes", "SoftVote": "probabilities"}


def _content(vote: Any) -> tuple[float, ...]:
    content: tuple[float, ...] = getattr(vote, _FIELDS[type(vote).__name__])
    return content


def _fitting(vote: Any, fits: bool, n_classes: int) -> Any:
    if not fits:
        raise ValueError(f"votes: {vote!r} is no vote on {n_classes} classes")
    return vote


def _classes(classes: Sequence[SupportsIndex], what: str) -> tuple[int, ...]:
    try:
        indices = [operator.index(value) for value in classes if not isinstance(value, bool)]
    except TypeError:
        indices = []
    kept = tuple(sorted(set(indices)))
    if not kept or kept[0] < 0 or len(kept) < len(classes):
        raise ValueError(f"{what}: distinct class indices are expected, as in {what}(0, 2), got {list(classes)}")
    return kept
