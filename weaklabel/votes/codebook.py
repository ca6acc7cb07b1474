"""Reading what a caller gives as candidate sets, "not k" and soft votes, into codes and their codebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.symbols import SUM_TOLERANCE, TOLERANCE, Complement, ImpreciseVote, SoftVote, Symbols, translation
from weaklabel.votes.validation import ABSTAIN, Codes, Place, label_dtype


def least_classes(vote: ImpreciseVote) -> int:
    """The smallest K that a vote object can be over."""
    if isinstance(vote, SoftVote):
        return len(vote.probabilities)
    return max(vote.classes[-1] + 1, len(vote.classes) + isinstance(vote, Complement))


def misfit(vote: ImpreciseVote, n_classes: int) -> str:
    """Why a vote object cannot be over K classes; empty where it can."""
    if isinstance(vote, SoftVote):
        given = len(vote.probabilities)
        return "" if given == n_classes else f"{vote} has {given} probabilities; there are {n_classes} classes"
    if vote.classes[-1] >= n_classes:
        return f"{vote} names class {vote.classes[-1]}, outside 0..{n_classes - 1}"
    return f"{vote} leaves none of the {n_classes} classes" if least_classes(vote) > n_classes else ""


class Codebook:
    """The vote objects that a caller gives, beside the votes or among them, numbered from K on as they come.

    Args:
        n_classes: K.
        symbols: what the codes K, K + 1, ... of the caller stand for.
    """

    def __init__(self, n_classes: int, symbols: Symbols | Iterable[ImpreciseVote] | None = None) -> None:
        self._n_classes = n_classes
        self._given = symbols if isinstance(symbols, Symbols) else Symbols.empty(n_classes)
        self._listed = [] if symbols is None or isinstance(symbols, Symbols) else list(symbols)
        self._found: dict[ImpreciseVote, tuple[int, tuple[int, ...]]] = {}
        for at, vote in enumerate(self._listed):
            if not isinstance(vote, ImpreciseVote):
                raise InvalidVotesError(
                    f"symbols: entry {at} is {vote!r}, and not made by one_of, not_ or soft", field="symbols"
                )
        if self._given.n_classes != n_classes:
            raise InvalidVotesError(
                f"the symbols are over {self._given.n_classes} classes, the votes over {n_classes}", field="symbols"
            )

    def number(self, value: Any, at: tuple[int, ...]) -> int | None:
        """The number of a vote object found at a place; None for anything else."""
        if not isinstance(value, ImpreciseVote):
            return None
        return self._found.setdefault(value, (self._n_classes + len(self), at))[0]

    def __len__(self) -> int:
        return len(self._given) + len(self._listed) + len(self._found)

    def translate(self, numbers: Codes, place: Place) -> tuple[Codes, Symbols]:
        """Numbers as codes, and the codebook of these.

        Raises:
            InvalidVotesError: for a vote object that does not fit K classes; it names the place.
        """
        if not self._listed and not self._found:
            return numbers, self._given
        placed = [(vote, f"symbols: entry {at}") for at, vote in enumerate(self._listed)]
        placed += [(vote, place(at)) for vote, (_, at) in self._found.items()]
        symbols, codes = _pack(placed, self._n_classes)
        merged, (of_given, of_placed) = Symbols.merge([self._given, symbols])
        table = translation(self._n_classes, np.concatenate([of_given[self._n_classes : -2], of_placed[codes]]))
        return table[numbers], merged


def _pack(placed: Sequence[tuple[ImpreciseVote, str]], n_classes: int) -> tuple[Symbols, NDArray[np.int64]]:
    """Vote objects, each with its place, as a codebook and a code each."""
    for vote, place in placed:
        if reason := misfit(vote, n_classes):
            raise InvalidVotesError(f"{place}: {reason}", field="votes")
    is_soft = np.array([isinstance(vote, SoftVote) for vote, _ in placed], bool)
    rows = [vote.probabilities for vote, _ in placed if isinstance(vote, SoftVote)]
    sets = np.zeros((len(placed) - len(rows), n_classes), bool)
    masks = iter(sets)
    for vote, _ in placed:
        if not isinstance(vote, SoftVote):
            mask = next(masks)
            mask[list(vote.classes)] = True
            if isinstance(vote, Complement):
                np.logical_not(mask, out=mask)
    symbols, packed = Symbols.of(sets, np.array(rows, np.float64).reshape(-1, n_classes))
    codes = np.empty(len(placed), np.int64)
    codes[~is_soft], codes[is_soft] = np.split(packed, [len(sets)])
    return symbols, codes


# -------------------------------------------------------------- tensors of votes


def soft_cells(tensor: NDArray[Any], place: Place) -> tuple[Symbols, Codes]:
    """Probabilities [N, M, K] as a codebook and codes [N, M]; rows of NaN or of zeros abstain."""
    rows = tensor.astype(np.float64).reshape(-1, tensor.shape[2])
    total = rows.sum(1)
    silent = np.isnan(rows).all(1) | (rows == 0).all(1)
    right = silent | ((rows >= 0).all(1) & (np.abs(total - 1) <= SUM_TOLERANCE))
    _refuse_first(~right, tensor, place, "expected probabilities of at least 0 that sum to 1")
    voted = ~silent
    total[np.abs(total - 1) <= TOLERANCE] = 1
    symbols, packed = Symbols.of(np.empty((0, rows.shape[1]), bool), rows[voted] / total[voted, None])
    codes = np.full(len(rows), ABSTAIN, label_dtype(symbols.n_classes + len(symbols)))
    codes[voted] = packed
    return symbols, codes.reshape(tensor.shape[:2])


def candidate_cells(tensor: NDArray[Any], place: Place) -> tuple[Symbols, Codes]:
    """Candidate sets [N, M, K], 1 for their classes, as a codebook and codes [N, M]."""
    rows = tensor.reshape(-1, tensor.shape[2])
    sets = rows == 1
    right = (sets | (rows == 0)).all(1) & sets.any(1)
    _refuse_first(~right, tensor, place, "expected 0 and 1, with a 1 at least (all 1 abstains)")
    symbols, packed = Symbols.of(sets, np.empty((0, rows.shape[1]), np.float32))
    codes = packed.astype(label_dtype(symbols.n_classes + len(symbols)))
    return symbols, codes.reshape(tensor.shape[:2])


def _refuse_first(wrong: NDArray[np.bool_], tensor: NDArray[Any], place: Place, expected: str) -> None:
    if wrong.any():
        at = divmod(int(np.argmax(wrong)), tensor.shape[1])
        raise InvalidVotesError(f"{place(at)}: {expected}, got {tensor[at].tolist()}", field="votes")
