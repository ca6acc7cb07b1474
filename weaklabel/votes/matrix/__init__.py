"""Votes: what sources say about items.

Shape letters used everywhere: N items, M sources, K classes, S vote symbols, U unique vote rows.

A vote is a class index 0..K-1. Two codes below zero carry no evidence: ABSTAIN, and ERROR, which says that the source
failed on the item and is counted apart. Codes from K on point into the matrix's codebook of candidate sets and soft
votes (`weaklabel.votes.symbols`), which is empty for plain votes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes.constructors import Cells, one_after_another, side_by_side
from weaklabel.votes.files import read_parts, write_parts
from weaklabel.votes.frames import long_frame, wide_frame
from weaklabel.votes.matrix.making import Making
from weaklabel.votes.matrix.reading import Reading
from weaklabel.votes.matrix.selection import Selection
from weaklabel.votes.preview import preview
from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import ABSTAIN, ERROR, Codes, label_dtype

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ABSTAIN", "ERROR", "Cells", "Codes", "Votes", "as_votes", "check_votes", "label_dtype"]


class Votes(Making, Reading, Selection):
    """The votes of M sources on N items over K classes, dense or sparse. Never changed after it is made.

    Make one by `from_dense`, `from_codes`, `from_triples`, `from_pandas`, `from_soft` or `from_candidates`;
    `weaklabel.apply` makes one out of labeling functions.
    Attributes cannot be set, and the arrays that it keeps are handed out read-only.

    Attributes:
        n_items: N.
        n_classes: K.
        source_names: M distinct names.
        item_ids: N distinct ids as an array of str, or None where items go by position.
        symbols: what the codes from K on stand for; empty for plain votes.
        classes: K names, or None where classes go by index.
    """

    __slots__ = ()

    @classmethod
    def concatenate_sources(cls, parts: Sequence[Votes]) -> Self:
        """The votes of all parts, which are on the same items, their sources side by side; sparse where a part is.

        Raises:
            InvalidVotesError: for no parts; for parts that differ in items or classes; for a source name that repeats.
        """
        return cls._make(*side_by_side([check_votes(part, "parts")._parts() for part in parts]))

    @classmethod
    def concatenate_items(cls, parts: Sequence[Votes]) -> Self:
        """The votes of all parts, which are of the same sources, their items one after another; sparse where a part is.

        Raises:
            InvalidVotesError: for no parts; for parts that differ in sources or classes; for an item id that repeats,
                or is there in some parts only.
        """
        return cls._make(*one_after_another([check_votes(part, "parts")._parts() for part in parts]))

    def to_pandas(self, classes: Sequence[str] | None = None, *, long: bool = False) -> pd.DataFrame:
        """The votes as a DataFrame: names of classes as categories, or class indices where they have no names.

        Args:
            classes: K names; those of the votes where not given.
            long: a row a vote, with the columns item, source and label; otherwise a row an item and a column a source,
                with the ids as the index. Abstains and errors are missing; candidate sets and soft votes are objects.

        Raises:
            MissingExtraError: if pandas is not installed.
            InvalidArgumentError: if there are not K names.
        """
        names = self.classes if classes is None else tuple(map(str, classes))
        if names is not None and len(names) != self.n_classes:
            raise InvalidArgumentError(f"{self.n_classes} classes, {len(names)} names are given", field="classes")
        frame: pd.DataFrame = (long_frame if long else wide_frame)(self._parts()._replace(classes=names))
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the votes, names, ids and codebook included, to a file of that name; conventionally `*.npz`."""
        write_parts(path, self._parts())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The votes that `save` has written; no code of the file is run.

        Raises:
            InvalidVotesError: if the file holds no votes, is of another version, or is damaged.
            OSError: if it cannot be read.
        """
        return cls._make(*read_parts(path))

    def __len__(self) -> int:
        return self.n_items

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.to_dense(), dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Votes):
            return NotImplemented
        same_ids = (self.item_ids is None) == (other.item_ids is None) and (
            self.item_ids is None or other.item_ids is None or np.array_equal(self.item_ids, other.item_ids)
        )
        return (
            self.shape == other.shape
            and self.n_classes == other.n_classes
            and self.source_names == other.source_names
            and same_ids
            and self._says_the_same(other)
        )

    def _says_the_same(self, other: Votes) -> bool:
        """Whether every cell means the same, whatever codes the two codebooks give it."""
        (rows, columns, codes), (rows_2, columns_2, codes_2) = self._parts().cells, other._parts().cells
        if not (self.is_plain and other.is_plain):
            _, (table, table_2) = Symbols.merge([self.symbols, other.symbols])
            codes, codes_2 = table[codes], table_2[codes_2]
        return all(map(np.array_equal, (rows, columns, codes), (rows_2, columns_2, codes_2)))

    __hash__ = None  # type: ignore[assignment]  # compared by value, and big

    def __repr__(self) -> str:
        cells = max(self.n_items * self.n_sources, 1)
        failed = int(self.errors.sum())
        return (
            f"Votes({self.n_items:,} items x {self.n_sources:,} sources, {self.n_classes} classes, "
            f"{self.n_votes:,} votes, density {self.n_votes / cells:.3f}"
            + ("" if self.is_plain else f", {len(self.symbols.sets):,} sets, {len(self.symbols.soft):,} soft votes")
            + (f", {failed:,} errors" if failed else "")
            + ")"
        )

    def _repr_html_(self) -> str:
        return preview(self)


def as_votes(votes: Votes | Cells, n_classes: int, classes: Sequence[str] | None = None) -> Votes:
    """Votes as they are, or made of an integer array [N, M].

    Args:
        votes: as people give them.
        n_classes: K.
        classes: K names, of a model; "0", "1", ... are none.

    Raises:
        InvalidVotesError: if the number of classes or their names differ, or the array cannot be read as votes.
    """
    if isinstance(votes, Votes):
        if votes.n_classes != n_classes:
            raise InvalidVotesError(
                f"the votes are over {votes.n_classes} classes, the model over {n_classes}: make the votes with its "
                f"number, apply(..., n_classes={n_classes}) or Votes.from_dense(..., n_classes={n_classes}), or the "
                f"model with theirs, n_classes={votes.n_classes}",
                field="votes",
            )
        names = None if classes is None or list(classes) == list(map(str, range(n_classes))) else tuple(classes)
        if names is not None and votes.classes not in (None, names):
            raise InvalidVotesError(
                f"the classes of the votes are {', '.join((votes.classes or ())[:10])}, those of the model "
                f"{', '.join(names[:10])}: give both the same, in the same order",
                field="votes",
            )
        return votes
    return Votes.from_dense(votes, n_classes)


def check_votes(votes: Any, field: str = "votes") -> Votes:
    """Votes as they are.

    Raises:
        InvalidVotesError: for an array, or anything else; it says what to write.
    """
    if not isinstance(votes, Votes):
        raise InvalidVotesError(
            f"{field}: Votes are expected, got a {type(votes).__name__}: make them of an array by "
            "Votes.from_dense(array, n_classes=...)",
            field=field,
        )
    return votes
