"""Votes: what sources say about items.

Shape letters used everywhere: N items, M sources, K classes, S vote symbols, U unique vote rows.

A vote is a class index 0..K-1. Two codes below zero carry no evidence: ABSTAIN, and ERROR, which says that the source
failed on the item and is counted apart. Codes from K on point into the matrix's codebook of candidate sets and soft
votes (`weaklabel.votes.symbols`), which is empty for plain votes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes.codebook import candidate_cells, soft_cells
from weaklabel.votes.constructors import (
    Cells,
    matrix_parts,
    one_after_another,
    side_by_side,
    tensor_parts,
    triple_parts,
)
from weaklabel.votes.counting import FEW_CLASSES, counts_of_matrix, counts_of_triples, n_votes
from weaklabel.votes.files import read_parts, write_parts
from weaklabel.votes.parts import Parts
from weaklabel.votes.symbols import CandidateSet, ImpreciseVote, SoftVote, Symbols
from weaklabel.votes.validation import ABSTAIN, ERROR, Codes, check_names, label_dtype, place_of, read_array

__all__ = ["ABSTAIN", "ERROR", "Cells", "Codes", "Votes", "as_votes", "check_votes", "label_dtype"]

FEW_SOUGHT = 0.1
"""Share of the items, up to which each is looked up by bisection."""


class Votes:
    """The votes of M sources on N items over K classes, dense or sparse. Never changed after it is made.

    Make one by `from_dense`, `from_codes`, `from_triples`, `from_soft` or `from_candidates`; `weaklabel.apply` makes
    one out of labeling functions.
    Attributes cannot be set, and the arrays that it keeps are handed out read-only.

    Attributes:
        n_items: N.
        n_classes: K.
        source_names: M distinct names.
        item_ids: N distinct ids as an array of str, or None where items go by position.
        symbols: what the codes from K on stand for; empty for plain votes.
    """

    __slots__ = (
        "__weakref__",
        "_columns",
        "_matrix",
        "_rows",
        "_values",
        "item_ids",
        "n_classes",
        "n_items",
        "source_names",
        "symbols",
    )

    n_items: int
    n_classes: int
    source_names: tuple[str, ...]
    item_ids: NDArray[np.str_] | None
    symbols: Symbols
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
        symbols: Symbols,
    ) -> Self:
        self = object.__new__(cls)
        kept: dict[str, object] = {"n_items": n_items, "n_classes": n_classes, "source_names": source_names}
        kept["symbols"] = symbols
        kept["item_ids"] = None if item_ids is None else _read_only(item_ids)
        if isinstance(layout, tuple):
            kept["_matrix"] = None
            kept["_rows"], kept["_columns"], kept["_values"] = layout
        else:
            kept["_matrix"] = _read_only(layout)
        for name, value in kept.items():
            object.__setattr__(self, name, value)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"votes are never changed after they are made: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return self._make, self._parts()

    def _parts(self) -> Parts:
        layout = (self._rows, self._columns, self._values) if self._matrix is None else self._matrix
        return Parts(
            n_items=self.n_items,
            n_classes=self.n_classes,
            source_names=self.source_names,
            item_ids=self.item_ids,
            layout=layout,
            symbols=self.symbols,
        )

    # ------------------------------------------------------------------ making

    @classmethod
    def from_dense(
        cls,
        array: Cells,
        n_classes: int,
        *,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Votes as a matrix. Here `sources` and `items` name its columns and rows.

        In `from_triples`, where `items` and `sources` are the triples themselves, the names are `source_names` and
        `item_ids`.

        Args:
            array: [N, M] whole numbers: class indices 0..K-1, or -1 for an abstain; what is missing (None, NaN,
                `pandas.NA`, a null of polars or pyarrow, a masked cell) abstains, too. Kept without a copy where it is
                already of the smallest signed integer type that holds K: do not change it afterwards. Vote objects
                (`one_of`, `not_`, `soft`) may stand among the numbers.
            n_classes: K, at least 2.
            symbols: what the codes K, K + 1, ... in `array` stand for: a list of vote objects, or a codebook.
            sources: M distinct names. Where not given, the column names of a table, numbers written out; and
                "source_0", "source_1", ... for arrays, and for pandas' default columns, which only count.
            items: N distinct ids, kept as str. Where not given, those of a pandas index, unless it is the default one;
                otherwise items go by position.

        Raises:
            InvalidVotesError: for ragged input, bools, fractions, labels out of range, sparse matrices, vote objects
                that do not fit K classes, names and ids that repeat, are missing or too few; it names the first place.
        """
        return cls._make(*matrix_parts(array, n_classes, symbols, sources, items, lowest=ABSTAIN))

    @classmethod
    def from_codes(
        cls,
        codes: Cells,
        n_classes: int,
        *,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """As `from_dense`, for a matrix that may also hold ERROR (-2) where a source failed on an item."""
        return cls._make(*matrix_parts(codes, n_classes, symbols, sources, items, lowest=ERROR))

    @classmethod
    def from_soft(
        cls,
        probabilities: ArrayLike,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Soft votes: one probability per class, as of classifiers or from language models' log-probabilities.

        Args:
            probabilities: [N, M, K], or [N, K] of one source: numbers of at least 0 that sum to 1 within 1e-3. A row
                that is missing throughout, or zeros, abstains.
            sources: M distinct names; "source_0", "source_1", ... where not given.
            items: N distinct ids, as in `from_dense`.

        Raises:
            InvalidVotesError: for rows that are no distributions, naming the first place, and for names and ids as in
                `from_dense`.
        """
        return cls._make(*tensor_parts(probabilities, "probabilities", sources, items, soft_cells))

    @classmethod
    def from_candidates(
        cls,
        candidates: ArrayLike,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Votes for candidate sets.

        Args:
            candidates: [N, M, K], or [N, K] of one source: True or 1 for the classes of each set. A set of all classes
                abstains, and so does a row that is missing throughout.
            sources: M distinct names; "source_0", "source_1", ... where not given.
            items: N distinct ids, as in `from_dense`.

        Raises:
            InvalidVotesError: for a set without classes and numbers but 0 and 1, naming the first place, and for names
                and ids as in `from_dense`.
        """
        return cls._make(*tensor_parts(candidates, "candidates", sources, items, candidate_cells))

    @classmethod
    def from_triples(
        cls,
        items: ArrayLike,
        sources: ArrayLike,
        labels: ArrayLike | Sequence[object],
        *,
        n_classes: int,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        n_items: int | None = None,
        n_sources: int | None = None,
        source_names: Iterable[str] | None = None,
        item_ids: Iterable[Hashable] | None = None,
        repeated: Literal["last", "error"] = "last",
    ) -> Self:
        """Votes as one triple (item, source, label) a vote: for many sources that are silent on most items.

        Here `item_ids` and `source_names` name what `items` and `sources` point to; in `from_dense`, which has no
        indices, the names themselves are called `items` and `sources`.

        Args:
            items: [V] ids. Texts are numbered by appearance, integers in ascending order. Where `n_items` or `item_ids`
                is given, integers are indices 0..N-1.
            sources: [V] names, or with `n_sources` or `source_names` indices 0..M-1, likewise.
            labels: [V] class indices 0..K-1; -1, or what is missing, abstains, which is the same as leaving the triple
                out, except that its item and source are known. Vote objects (`one_of`, `not_`, `soft`) may stand among
                them.
            n_classes: K, at least 2.
            symbols: what the codes K, K + 1, ... in `labels` stand for: a list of vote objects, or a codebook.
            n_items: N, where items are indices.
            n_sources: M, where sources are indices.
            source_names: M distinct names, where sources are indices.
            item_ids: N distinct ids, where items are indices.
            repeated: what to do where a source votes on an item twice: "last" keeps the later vote, "error" refuses.

        Raises:
            InvalidVotesError: for arrays of unequal length, indices or labels out of range, ids or labels that are
                missing or bools, vote objects that do not fit K classes, and, if asked for, repeated pairs; it names
                the first place.
            InvalidArgumentError: if repeated is neither "last" nor "error".
        """
        if repeated not in ("last", "error"):
            raise InvalidArgumentError(f'repeated must be "last" or "error", got {repeated!r}', field="repeated")
        parts = triple_parts(
            items,
            sources,
            labels,
            n_classes,
            symbols,
            n_items=n_items,
            n_sources=n_sources,
            source_names=source_names,
            item_ids=item_ids,
            refuse_repeated=repeated == "error",
        )
        return cls._make(*parts)

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
    def is_plain(self) -> bool:
        """Whether every vote is for one class: no candidate sets and no soft votes."""
        return not len(self.symbols)

    @property
    def n_votes(self) -> int:
        """Number of votes, abstains and errors left out."""
        return n_votes(self._values if self._matrix is None else self._matrix)

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
        """[N, M] in the smallest signed integer type: class index, ABSTAIN, ERROR, or a code of `symbols`.

        Read-only where kept dense.
        """
        if self._matrix is not None:
            return self._matrix
        codes = np.full(self.shape, ABSTAIN, self._values.dtype)
        codes[self._rows, self._columns] = self._values
        return codes

    def to_dense(self) -> Codes:
        """[N, M] in the smallest signed integer type: class index or code of `symbols`; ABSTAIN where there is no vote.

        Read-only where it is what is kept: dense, and no source failed.
        """
        codes = self.to_codes()
        return np.maximum(codes, ABSTAIN, dtype=codes.dtype) if self.errors.any() else codes

    def to_sparse(self) -> Self:
        """The same votes, kept as triples."""
        if self._matrix is None:
            return self
        cells = self._parts().cells
        return self._make(self.n_items, self.n_classes, self.source_names, self.item_ids, cells, self.symbols)

    def triples(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """(items, sources, labels), [V] each, votes only, sorted by item, then source; labels from K on are codes.

        Read-only.
        """
        rows, columns, codes = self._cells(lambda codes: codes >= 0)
        return _read_only(rows), _read_only(columns), _read_only(codes.astype(np.int32))

    def _cells(
        self, choose: Callable[[Codes], NDArray[np.bool_]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], Codes]:
        """(items, sources, codes) of the cells chosen by their codes, sorted by item, then source."""
        if self._matrix is None:
            chosen = choose(self._values)
            if chosen.all():
                return self._rows, self._columns, self._values
            return self._rows[chosen], self._columns[chosen], self._values[chosen]
        rows, columns = np.nonzero(choose(self._matrix))
        return rows.astype(np.int32), columns.astype(np.int32), self._matrix[rows, columns]

    def counts(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """[N, K] number of votes for each class on each item.

        Whole numbers for plain votes. Otherwise expected ones, as float64: a candidate set counts in equal shares for
        its classes, a soft vote by its probabilities.
        """
        if self.is_plain and self._matrix is not None and self.n_classes <= FEW_CLASSES:
            return counts_of_matrix(self._matrix, self.n_classes)
        rows, _, labels = self.triples()
        return counts_of_triples(rows, labels, self.n_items, self.symbols)

    def vote_at(self, item: int, source: int | str) -> int | CandidateSet | SoftVote:
        """The vote of a source, by column or name, on an item: a class index, ABSTAIN, ERROR or a vote object.

        A vote made by `not_` comes back as the candidate set of the other classes.

        Raises:
            InvalidVotesError: for a source or an item that is not there.
        """
        column = self._columns_of([source])[0] if isinstance(source, str) else source
        if not (isinstance(item, (int, np.integer)) and isinstance(column, (int, np.integer))):
            raise InvalidVotesError(f"there is no vote at item {item!r}, source {source!r}: give positions")
        if not (0 <= item < self.n_items and 0 <= column < self.n_sources):
            raise InvalidVotesError(f"there is no vote at item {item}, source {source}: shape {self.shape}")
        if self._matrix is not None:
            return self.symbols.vote(int(self._matrix[item, column]))
        start, stop = np.searchsorted(self._rows, np.array([item, item + 1], self._rows.dtype))
        at = start + np.searchsorted(self._columns[start:stop], column)
        return self.symbols.vote(int(self._values[at]) if at < stop and self._columns[at] == column else ABSTAIN)

    def select_items(self, index: ArrayLike) -> Self:
        """The votes on some items, in the order given: positions, a mask or a slice's indices.

        Raises:
            InvalidArgumentError: for what is missing among them, and for positions that are not there.
        """
        read = read_array(index, "index")
        if (at := read.first_missing) is not None:
            raise InvalidArgumentError(f"index: {place_of(at)} is missing", field="index")
        chosen = read.values if read.values.size else read.values.astype(int)
        try:
            positions = np.arange(self.n_items)[np.atleast_1d(chosen)]
        except IndexError as error:
            raise InvalidArgumentError(
                f"index must hold positions of the {self.n_items} items, or True and False for each: {error}",
                field="index",
            ) from None
        ids = None if self.item_ids is None else self.item_ids[positions]
        if self._matrix is not None:
            matrix = self._matrix[positions]
            return self._make(len(positions), self.n_classes, self.source_names, ids, matrix, self.symbols)
        starts, lengths = self._runs_of(positions)
        rows = np.repeat(np.arange(len(positions), dtype=np.int32), lengths)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts, lengths) + offset
        layout = (rows, self._columns[picked], self._values[picked])
        return self._make(len(positions), self.n_classes, self.source_names, ids, layout, self.symbols)

    def _runs_of(self, positions: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the cells of some items begin, and how many there are."""
        if len(positions) > FEW_SOUGHT * self.n_items:
            counts = np.bincount(self._rows, minlength=self.n_items)
            return (np.cumsum(counts) - counts)[positions], counts[positions]
        sought = positions.astype(self._rows.dtype)  # of another type, all rows would be converted
        starts = np.searchsorted(self._rows, sought)
        return starts, np.searchsorted(self._rows, sought, side="right") - starts

    def select_sources(self, names: Sequence[str]) -> Self:
        """The votes of some sources, in the order given.

        Raises:
            InvalidVotesError: for a name that is unknown or given twice.
        """
        chosen = np.array(self._columns_of(names), np.int32)
        kept = check_names(names, len(chosen))
        if self._matrix is not None:
            return self._make(self.n_items, self.n_classes, kept, self.item_ids, self._matrix[:, chosen], self.symbols)
        renumber = np.full(self.n_sources, -1, np.int32)
        renumber[chosen] = np.arange(len(chosen), dtype=np.int32)
        columns = renumber[self._columns]
        order = np.lexsort((columns, self._rows))
        order = order[columns[order] >= 0]
        layout = (self._rows[order], columns[order], self._values[order])
        return self._make(self.n_items, self.n_classes, kept, self.item_ids, layout, self.symbols)

    def _columns_of(self, names: Sequence[str]) -> list[int]:
        if isinstance(names, str):
            raise InvalidVotesError(f"sources must be a list of names, got the text {names!r}", field="sources")
        index = {name: column for column, name in enumerate(self.source_names)}
        unknown = [name for name in names if name not in index]
        if unknown:
            raise InvalidVotesError(f"unknown source {unknown[0]!r}", field="sources")
        return [index[name] for name in names]

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


def as_votes(votes: Votes | Cells, n_classes: int) -> Votes:
    """Votes as they are, or made of an integer array [N, M].

    Raises:
        InvalidVotesError: if the number of classes differs, or the array cannot be read as votes.
    """
    if isinstance(votes, Votes):
        if votes.n_classes != n_classes:
            raise InvalidVotesError(
                f"the votes are over {votes.n_classes} classes, the model over {n_classes}: make the votes with its "
                f"number, apply(..., n_classes={n_classes}) or Votes.from_dense(..., n_classes={n_classes}), or the "
                f"model with theirs, n_classes={votes.n_classes}",
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


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to; the array itself stays as its owner has it."""
    view = array.view()
    view.flags.writeable = False
    return view
