"""Votes: what sources say about items.

Shape letters used everywhere: N items, M sources, K classes, S vote symbols, U unique vote rows.

A vote is a class index 0..K-1. Two codes below zero carry no evidence: ABSTAIN, and ERROR, which says that the source
failed on the item and is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError

ABSTAIN = -1
ERROR = -2

Codes = NDArray[np.signedinteger[Any]]


class Votes:
    """The votes of M sources on N items over K classes, dense or sparse. Never changed after it is made.

    Make one by `from_dense`, `from_triples` or `from_codes`; `weaklabel.apply` makes one out of labeling functions.

    Attributes:
        n_classes: K.
        source_names: M distinct names.
        item_ids: N distinct ids as an array of str, or None where items go by position.
    """

    __slots__ = ("_columns", "_matrix", "_rows", "_values", "item_ids", "n_classes", "n_items", "source_names")

    n_items: int
    n_classes: int
    source_names: tuple[str, ...]
    item_ids: NDArray[np.str_] | None
    _matrix: Codes | None  # [N, M] where dense
    _rows: NDArray[np.int32]  # [V] each where sparse, sorted by row, then column
    _columns: NDArray[np.int32]
    _values: Codes

    def __init__(self) -> None:
        raise TypeError("make votes by Votes.from_dense, Votes.from_triples or weaklabel.apply")

    @classmethod
    def _make(
        cls,
        n_items: int,
        n_classes: int,
        source_names: tuple[str, ...],
        item_ids: NDArray[np.str_] | None,
        layout: Codes | tuple[NDArray[np.int32], NDArray[np.int32], Codes],
    ) -> Self:
        self = object.__new__(cls)
        self.n_items, self.n_classes = n_items, n_classes
        self.source_names, self.item_ids = source_names, item_ids
        if isinstance(layout, tuple):
            self._matrix = None
            self._rows, self._columns, self._values = layout
        else:
            self._matrix = layout
        return self

    # ------------------------------------------------------------------ making

    @classmethod
    def from_dense(
        cls,
        array: ArrayLike,
        n_classes: int,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Votes as a matrix.

        Args:
            array: [N, M] whole numbers: class indices 0..K-1, or -1 for an abstain. Kept without a copy where it is
                already of the smallest signed integer type that holds K.
            n_classes: K, at least 2.
            sources: M distinct names; "source_0", "source_1", ... where not given.
            items: N distinct ids, kept as str; items go by position where not given.

        Raises:
            InvalidVotesError: for ragged input, NaN, fractions, labels out of range, names that repeat or are too few;
                it names the first place.
        """
        return cls._from_matrix(array, n_classes, sources, items, lowest=ABSTAIN)

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        n_classes: int,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """As `from_dense`, for a matrix that may also hold ERROR (-2) where a source failed on an item."""
        return cls._from_matrix(codes, n_classes, sources, items, lowest=ERROR)

    @classmethod
    def _from_matrix(
        cls,
        array: ArrayLike,
        n_classes: int,
        sources: Iterable[str] | None,
        items: Iterable[Hashable] | None,
        lowest: int,
    ) -> Self:
        n_classes = _check_classes(n_classes)
        matrix = _as_matrix(array)
        names = _source_names(sources, matrix.shape[1])
        ids = _item_ids(items, matrix.shape[0])
        codes = _compact(matrix, n_classes, lowest, lambda at: f"row {at[0]}, column {at[1]} ({names[at[1]]!r})")
        return cls._make(matrix.shape[0], n_classes, names, ids, codes)

    @classmethod
    def from_triples(
        cls,
        items: ArrayLike,
        sources: ArrayLike,
        labels: ArrayLike,
        *,
        n_classes: int,
        n_items: int | None = None,
        n_sources: int | None = None,
        source_names: Iterable[str] | None = None,
        item_ids: Iterable[Hashable] | None = None,
        repeated: Literal["last", "error"] = "last",
    ) -> Self:
        """Votes as one triple (item, source, label) a vote: for many sources that are silent on most items.

        Args:
            items: [V] item indices 0..N-1, or ids of any other kind (str), which are then numbered by appearance.
            sources: [V] source indices 0..M-1, or names, likewise.
            labels: [V] class indices 0..K-1; -1 abstains, which is the same as leaving the triple out.
            n_classes: K, at least 2.
            n_items: N; one more than the largest index where not given.
            n_sources: M; likewise.
            source_names: M distinct names, where sources are indices.
            item_ids: N distinct ids, where items are indices.
            repeated: what to do where a source votes on an item twice: "last" keeps the later vote, "error" refuses.

        Raises:
            InvalidVotesError: for arrays of unequal length, indices or labels out of range, NaN, and, if asked for,
                repeated pairs; it names the first place.
        """
        n_classes = _check_classes(n_classes)
        rows, n_items, ids = _numbered(items, "items", n_items, item_ids)
        columns, n_sources, found_names = _numbered(sources, "sources", n_sources, source_names)
        names = _source_names(found_names, n_sources)
        values = _whole(np.asarray(labels), "labels")
        if not len(rows) == len(columns) == len(values):
            raise InvalidVotesError(
                f"items, sources and labels must have one length, got {len(rows)}, {len(columns)} and {len(values)}"
            )
        codes = _compact(values, n_classes, ABSTAIN, lambda at: f"triple {at[0]}")
        order = np.lexsort((columns, rows))  # stable: of a repeated pair the later vote comes last
        rows, columns, codes = rows[order], columns[order], codes[order]
        last = np.ones(len(rows), bool)
        last[:-1] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        if repeated == "error" and not last.all():
            at = int(np.argmin(last))
            raise InvalidVotesError(f"source {names[columns[at]]!r} votes more than once on item {rows[at]}")
        keep = last & (codes != ABSTAIN)
        return cls._make(n_items, n_classes, names, _item_ids(ids, n_items), (rows[keep], columns[keep], codes[keep]))

    # ----------------------------------------------------------------- reading

    @property
    def n_sources(self) -> int:
        """M."""
        return len(self.source_names)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        return self.n_items, self.n_sources

    @property
    def is_sparse(self) -> bool:
        """Whether the votes are kept as triples."""
        return self._matrix is None

    @property
    def n_votes(self) -> int:
        """Number of votes, abstains and errors left out."""
        return int(np.count_nonzero((self._values if self._matrix is None else self._matrix) >= 0))

    @property
    def coverage(self) -> NDArray[np.float64]:
        """[M] share of the items on which each source voted."""
        return self._per_source(lambda codes: codes >= 0) / max(self.n_items, 1)

    @property
    def errors(self) -> NDArray[np.int64]:
        """[M] number of items on which each source failed."""
        return self._per_source(lambda codes: codes == ERROR)

    def _per_source(self, choose: Callable[[Codes], NDArray[np.bool_]]) -> NDArray[np.int64]:
        if self._matrix is None:
            return np.bincount(self._columns[choose(self._values)], minlength=self.n_sources).astype(np.int64)
        return np.asarray(np.count_nonzero(choose(self._matrix), axis=0), np.int64)

    def to_codes(self) -> Codes:
        """[N, M] in the smallest signed integer type: class index, ABSTAIN or ERROR."""
        if self._matrix is not None:
            return self._matrix
        codes = np.full(self.shape, ABSTAIN, self._values.dtype)
        codes[self._rows, self._columns] = self._values
        return codes

    def to_dense(self) -> Codes:
        """[N, M] in the smallest signed integer type: class index, or ABSTAIN where there is no vote."""
        codes = self.to_codes()
        return np.maximum(codes, ABSTAIN, dtype=codes.dtype) if self.errors.any() else codes

    def triples(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """(items, sources, labels), [V] each, votes only, sorted by item, then source."""
        if self._matrix is None:
            voted = self._values >= 0
            return self._rows[voted], self._columns[voted], self._values[voted].astype(np.int32)
        rows, columns = np.nonzero(self._matrix >= 0)
        return rows.astype(np.int32), columns.astype(np.int32), self._matrix[rows, columns].astype(np.int32)

    def counts(self) -> NDArray[np.int64]:
        """[N, K] number of votes for each class on each item."""
        rows, _, labels = self.triples()
        flat = np.bincount(rows.astype(np.int64) * self.n_classes + labels, minlength=self.n_items * self.n_classes)
        return flat.reshape(self.n_items, self.n_classes).astype(np.int64)

    def select_items(self, index: ArrayLike) -> Self:
        """The votes on some items, in the order given: positions, a mask or a slice's indices."""
        positions = np.arange(self.n_items)[np.asarray(index)]
        ids = None if self.item_ids is None else self.item_ids[positions]
        if self._matrix is not None:
            return self._make(len(positions), self.n_classes, self.source_names, ids, self._matrix[positions])
        starts = np.searchsorted(self._rows, positions)
        lengths = np.searchsorted(self._rows, positions, side="right") - starts
        rows = np.repeat(np.arange(len(positions), dtype=np.int32), lengths)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts, lengths) + offset
        layout = (rows, self._columns[picked], self._values[picked])
        return self._make(len(positions), self.n_classes, self.source_names, ids, layout)

    def select_sources(self, names: Sequence[str]) -> Self:
        """The votes of some sources, in the order given.

        Raises:
            InvalidVotesError: for a name that is unknown or given twice.
        """
        index = {name: column for column, name in enumerate(self.source_names)}
        unknown = [name for name in names if name not in index]
        if unknown:
            raise InvalidVotesError(f"unknown source {unknown[0]!r}", field="sources")
        chosen = np.array([index[name] for name in names], np.int32)
        kept = _source_names(names, len(chosen))
        if self._matrix is not None:
            return self._make(self.n_items, self.n_classes, kept, self.item_ids, self._matrix[:, chosen])
        renumber = np.full(self.n_sources, -1, np.int32)
        renumber[chosen] = np.arange(len(chosen), dtype=np.int32)
        columns = renumber[self._columns]
        order = np.lexsort((columns, self._rows))
        order = order[columns[order] >= 0]
        layout = (self._rows[order], columns[order], self._values[order])
        return self._make(self.n_items, self.n_classes, kept, self.item_ids, layout)

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
            and np.array_equal(self.errors, other.errors)
            and all(np.array_equal(a, b) for a, b in zip(self.triples(), other.triples(), strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # compared by value, and big

    def __repr__(self) -> str:
        cells = max(self.n_items * self.n_sources, 1)
        failed = int(self.errors.sum())
        return (
            f"Votes({self.n_items:,} items x {self.n_sources:,} sources, {self.n_classes} classes, "
            f"{self.n_votes:,} votes, density {self.n_votes / cells:.3f}"
            + (f", {failed:,} errors" if failed else "")
            + ")"
        )


def as_votes(votes: Votes | ArrayLike, n_classes: int) -> Votes:
    """Votes as they are, or made of an integer array [N, M].

    Raises:
        InvalidVotesError: if the number of classes differs, or the array cannot be read as votes.
    """
    if isinstance(votes, Votes):
        if votes.n_classes != n_classes:
            raise InvalidVotesError(f"the votes are over {votes.n_classes} classes, the model over {n_classes}")
        return votes
    return Votes.from_dense(votes, n_classes)


def as_gold(gold: ArrayLike, votes: Votes) -> NDArray[np.int32]:
    """Known labels [N], -1 where unknown, checked against the votes.

    Raises:
        InvalidArgumentError: if they are of another length, or hold anything but classes and -1; it names the item.
    """
    labels = np.asarray(gold)
    if labels.shape != (votes.n_items,):
        raise InvalidArgumentError(
            f"gold must hold a class for each of the {votes.n_items} items, -1 where unknown; got shape {labels.shape}",
            field="gold",
        )
    if labels.dtype.kind not in "iu" and labels.size:
        raise InvalidArgumentError(f"gold must be class indices, got dtype {labels.dtype}", field="gold")
    wrong = (labels < ABSTAIN) | (labels >= votes.n_classes)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            f"gold of item {at} is {labels[at]}, outside 0..{votes.n_classes - 1}, and not -1 for unknown", field="gold"
        )
    return labels.astype(np.int32)


def label_dtype(n_classes: int) -> type[np.signedinteger[Any]]:
    """The smallest signed integer type that holds the class indices 0..K-1."""
    return np.int8 if n_classes <= 2**7 else np.int16 if n_classes <= 2**15 else np.int32


# -------------------------------------------------------------------- checking


def _check_classes(n_classes: int) -> int:
    if isinstance(n_classes, bool) or not isinstance(n_classes, (int, np.integer)):
        raise InvalidVotesError(f"n_classes must be a whole number, got {n_classes!r}", field="n_classes")
    if n_classes < 2:
        raise InvalidVotesError(f"n_classes must be at least 2, got {n_classes}", field="n_classes")
    return int(n_classes)


def _as_matrix(array: ArrayLike) -> NDArray[Any]:
    if isinstance(array, Votes):
        raise InvalidVotesError("these are Votes already", field="votes")
    try:
        matrix = np.asarray(array)
    except ValueError:
        rows: Any = array
        lengths = [len(row) if hasattr(row, "__len__") else 0 for row in rows]
        odd = next(row for row, length in enumerate(lengths) if length != lengths[0])
        raise InvalidVotesError(
            f"ragged votes: row 0 has {lengths[0]} votes, row {odd} has {lengths[odd]}", field="votes"
        ) from None
    if matrix.ndim != 2:
        raise InvalidVotesError(f"votes must be a matrix [items, sources], got shape {matrix.shape}", field="votes")
    return _whole(matrix, "votes")


def _whole(array: NDArray[Any], what: str) -> NDArray[Any]:
    """The array as whole numbers; refuses NaN, fractions and anything that is not a number."""
    if array.dtype.kind in "biu":
        return array
    if array.size == 0:
        return array.astype(np.int32)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise InvalidVotesError(f"{what} must be whole numbers; found {_first_odd(array)}", field=what) from None
    if array.dtype.kind != "f":
        raise InvalidVotesError(f"{what} must be whole numbers, got dtype {array.dtype}", field=what)
    wrong = ~np.isfinite(array) | (array != np.floor(array))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidVotesError(f"{what} must be whole numbers; {_place(at)} is {array[at]}", field=what)
    return array.astype(np.int64)


def _place(at: tuple[int, ...]) -> str:
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"entry {at[0]}"


def _first_odd(array: NDArray[Any]) -> str:
    for at, value in np.ndenumerate(array):
        if not isinstance(value, (int, float, np.number)):
            return f"{value!r} at {_place(at)}"
    return "something else"


def _compact(array: NDArray[Any], n_classes: int, lowest: int, where: Callable[[tuple[int, ...]], str]) -> Codes:
    """The array in the smallest type; refuses labels outside lowest..K-1 and says where."""
    if array.size and (int(array.min()) < lowest or int(array.max()) >= n_classes):
        at = tuple(int(i) for i in np.argwhere((array < lowest) | (array >= n_classes))[0])
        raise InvalidVotesError(
            f"{where(at)}: label {array[at]} is outside 0..{n_classes - 1}, and not {ABSTAIN} for an abstain",
            field="labels",
        )
    compact: Codes = array.astype(label_dtype(n_classes), copy=False)
    return compact


def _source_names(names: Iterable[str] | None, n_sources: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"source_{column}" for column in range(n_sources))
    kept = tuple(str(name) for name in names)
    if len(kept) != n_sources:
        raise InvalidVotesError(f"{n_sources} sources vote, {len(kept)} names are given", field="sources")
    seen: dict[str, int] = {}
    for column, name in enumerate(kept):
        if name in seen:
            raise InvalidVotesError(
                f"source name {name!r} appears twice, in columns {seen[name]} and {column}", field="sources"
            )
        if not name:
            raise InvalidVotesError(f"the name of source {column} is empty", field="sources")
        seen[name] = column
    return kept


def _item_ids(ids: Iterable[Hashable] | None, n_items: int) -> NDArray[np.str_] | None:
    if ids is None:
        return None
    kept = np.asarray([str(one) for one in ids], dtype=np.str_)
    if len(kept) != n_items:
        raise InvalidVotesError(f"there are {n_items} items, {len(kept)} ids are given", field="items")
    if len(np.unique(kept)) != n_items:
        seen: dict[str, int] = {}
        for row, one in enumerate(kept.tolist()):
            if one in seen:
                raise InvalidVotesError(f"item id {one!r} appears twice, in rows {seen[one]} and {row}", field="items")
            seen[one] = row
    return kept


def _numbered(
    values: ArrayLike, what: str, count: int | None, names: Iterable[Hashable] | None
) -> tuple[NDArray[np.int32], int, list[str] | None]:
    """Indices, their number, and their names: given, or found where the values are names themselves."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidVotesError(f"{what} must have one dimension, got shape {array.shape}", field=what)
    if array.dtype.kind in "biuf" or array.size == 0:
        index = _whole(array, what)
        top = int(index.max(initial=-1)) + 1
        given = None if names is None else [str(name) for name in names]
        count = count if count is not None else len(given) if given is not None else top
        if index.size and (int(index.min()) < 0 or top > count):
            at = int(np.argmax((index < 0) | (index >= count)))
            raise InvalidVotesError(f"{what}: entry {at} is {index[at]}, outside 0..{count - 1}", field=what)
        return index.astype(np.int32), count, given
    if names is not None:
        raise InvalidVotesError(f"{what} hold names already; give no names beside them", field=what)
    number: dict[str, int] = {}
    index = np.fromiter((number.setdefault(str(v), len(number)) for v in array.tolist()), np.int32, len(array))
    if count is not None and count != len(number):
        raise InvalidVotesError(f"{what} hold {len(number)} distinct names, not {count}", field=what)
    return index, len(number), list(number)
