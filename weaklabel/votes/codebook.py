"""Reading what a caller gives as candidate sets, "not k" and soft votes, into codes and their codebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.symbols import Symbols, translation
from weaklabel.votes.validation import ABSTAIN, Codes, Place, label_dtype
from weaklabel_protocol.vote_objects import TOLERANCE, ImpreciseVote, entries, least_classes, misfit, probability_rows

__all__ = ["Codebook", "candidate_cells", "least_classes", "misfit", "soft_cells"]


class Codebook:
    """The vote objects that a caller gives, beside the votes or among them, numbered from K on as they come.

    Args:
        n_classes: K.
        symbols: what the codes K, K + 1, ... of the caller stand for.
    """

    def __init__(self, n_classes: int, symbols: Symbols | Iterable[ImpreciseVote] | None = None) -> None:
        self._n_classes = n_classes
        self._base = symbols if isinstance(symbols, Symbols) else Symbols.empty(n_classes)
        self._listed = [] if symbols is None or isinstance(symbols, Symbols) else list(symbols)
        self._seen: dict[ImpreciseVote, tuple[int, tuple[int, ...]]] = {}
        for at, vote in enumerate(self._listed):
            if not isinstance(vote, ImpreciseVote):
                raise InvalidVotesError(
                    f"symbols: entry {at} is {vote!r}, and not made by one_of, not_ or soft", field="symbols"
                )
        if self._base.n_classes != n_classes:
            raise InvalidVotesError(
                f"the symbols are over {self._base.n_classes} classes, the votes over {n_classes}", field="symbols"
            )

    def number(self, value: Any, at: tuple[int, ...]) -> int | None:
        """The number of a vote object that stands at a place; None for anything else."""
        if not isinstance(value, ImpreciseVote):
            return None
        return self._seen.setdefault(value, (self._n_classes + len(self), at))[0]

    def __len__(self) -> int:
        return len(self._base) + len(self._listed) + len(self._seen)

    def translate(self, numbers: Codes, place: Place) -> tuple[Codes, Symbols]:
        """Numbers as codes, and the codebook of these.

        Raises:
            InvalidVotesError: for a vote object that does not fit K classes; it names the place.
        """
        if not self._listed and not self._seen:
            return numbers, self._base
        placed = [(vote, f"symbols: entry {at}") for at, vote in enumerate(self._listed)]
        placed += [(vote, place(at)) for vote, (_, at) in self._seen.items()]
        symbols, codes = _pack(placed, self._n_classes)
        merged, (of_base, of_placed) = Symbols.merge([self._base, symbols])
        table = translation(self._n_classes, np.concatenate([of_base[self._n_classes : -2], of_placed[codes]]))
        return table[numbers], merged


def _pack(placed: Sequence[tuple[ImpreciseVote, str]], n_classes: int) -> tuple[Symbols, NDArray[np.int64]]:
    """Vote objects, each with its place, as a codebook and a code each."""
    for vote, place in placed:
        if reason := misfit(vote, n_classes):
            raise InvalidVotesError(f"{place}: {reason}", field="votes")
    sets, soft, index = entries((vote for vote, _ in placed), n_classes)
    symbols, codes = Symbols.of(sets, soft)
    return symbols, codes[index]


# -------------------------------------------------------------- tensors of votes


def soft_cells(tensor: NDArray[Any], place: Place) -> tuple[Symbols, Codes]:
    """Probabilities [N, M, K] as a codebook and codes [N, M]; rows of NaN or of zeros abstain."""
    rows, silent, wrong = probability_rows(tensor)
    _refuse_first(wrong, tensor, place, "expected probabilities of at least 0 that sum to 1")
    voted, total = ~silent, rows.sum(1)
    total[np.abs(total - 1) <= TOLERANCE] = 1
    symbols, packed = Symbols.of(np.empty((0, rows.shape[1]), bool), rows[voted] / total[voted, None])
    codes = np.full(len(rows), ABSTAIN, label_dtype(symbols.n_classes + len(symbols)))
    codes[voted] = packed
    return symbols, codes.reshape(tensor.shape[:2])


def candidate_cells(tensor: NDArray[Any], place: Place) -> tuple[Symbols, Codes]:
    """Candidate sets [N, M, K], 1 for their classes, as a codebook and codes [N, M]."""
    rows = tensor.reshape(-1, tensor.shape[2])
    sets = rows == 1
    if rows.dtype.kind == "f":
        sets[np.isnan(rows).all(1)] = True  # what is missing abstains, as the set of all classes does
    right = (sets | (rows == 0)).all(1) & sets.any(1)
    _refuse_first(~right, tensor, place, "expected 0 and 1, with a 1 at least (all 1 abstains)")
    symbols, packed = Symbols.of(sets, np.empty((0, rows.shape[1]), np.float32))
    codes = packed.astype(label_dtype(symbols.n_classes + len(symbols)))
    return symbols, codes.reshape(tensor.shape[:2])


def _refuse_first(wrong: NDArray[np.bool_], tensor: NDArray[Any], place: Place, expected: str) -> None:
    if wrong.any():
        at = divmod(int(np.argmax(wrong)), tensor.shape[1])
        raise InvalidVotesError(f"{place(at)}: {expected}, got {tensor[at].tolist()}", field="votes")
