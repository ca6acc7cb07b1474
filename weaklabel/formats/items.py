"""Files of items, each with the cells that functions and prompts look at: CSV, TSV, JSON lines, Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from weaklabel.errors import InvalidVotesError
from weaklabel.formats import text
from weaklabel.formats.tables import (
    cell_text,
    check_columns,
    format_of,
    known_format,
    name_of,
    read_bytes,
)
from weaklabel.votes.frames import ID_NAMES

Line = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class ItemTable:
    """N items of C cells.

    Attributes:
        name: of the file, for messages.
        columns: C names.
        rows: [N] cells: texts as they stand in CSV and TSV, where a blank one is ""; values of their types elsewhere.
        lines: [N] line of a text file at which an item begins, from 1; its row, from 0, elsewhere.
        unit: "line" or "row", what `lines` counts.
        index: columns that hold the index of a pandas table.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    lines: list[int]
    unit: str
    index: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """An item in words."""
        return f"{self.name}, {self.unit} {self.lines[row]}"

    def texts(self, column: str) -> list[str | None]:
        """[N] cells of a column as texts; None where there is nothing.

        Raises:
            InvalidVotesError: if there is no such column.
        """
        if column not in self.columns:
            known = ", ".join(map(repr, self.columns[:10])) + (", ..." if len(self.columns) > 10 else "")
            raise InvalidVotesError(f"{self.name} has no column {column!r}; it has {known}", field="path")
        at = self.columns.index(column)
        return [cell_text(row[at]) for row in self.rows]

    def ids(self, column: str | None) -> tuple[str | None, list[str] | None]:
        """The column of ids, found by its name where it is not told, and N ids; None and None where there is none.

        Raises:
            InvalidVotesError: for ids that are missing or repeat, with the place.
        """
        if column is None:
            found = (
                self.index
                if len(self.index) == 1
                else [one for one in self.columns if not one or one.lower() in ID_NAMES]
            )
            if not found:
                return None, None
            column = found[0]
        kept, seen = [], dict[str, int]()
        for row, value in enumerate(self.texts(column)):
            if value is None:
                raise InvalidVotesError(f"{self.place(row)}, column {column!r} is empty", field="items")
            if (first := seen.setdefault(value, row)) != row:
                raise InvalidVotesError(
                    f"{self.place(row)}, column {column!r}: the id {value!r} is that of {self.unit} "
                    f"{self.lines[first]} as well",
                    field="items",
                )
            kept.append(value)
        return column, kept


def read_items(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002
    delimiter: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ItemTable:
    """The items of a file, or of stdin ("-").

    Args:
        path: of the file.
        format: "csv", "tsv", "jsonl" or "parquet"; by the file's name and first bytes where not given.
        delimiter: of CSV; found where not given.
        progress: called with a sentence on what is being done.

    Raises:
        InvalidVotesError: if it cannot be read, with the place; or holds no item.
        InvalidArgumentError: for an unknown format.
        MissingExtraError: for Parquet without pyarrow.
    """
    name, data, tell = name_of(path), read_bytes(path), progress or (lambda _: None)
    kind, index = known_format(data, name, format or format_of(path)), list[str]()
    if kind == "npz":
        raise InvalidVotesError(f"{name} is an archive of arrays, not a table of items", field="path")
    if kind == "parquet":
        columns, index, lines = _of_parquet(data, name)
    elif kind == "jsonl":
        columns, lines = _of_json_lines(data, name)
    else:
        columns, rows = text.csv_rows(data, name, "\t" if kind == "tsv" and delimiter is None else delimiter)
        lines = ((line, tuple(cells)) for line, cells in rows)
    kept, places = list[tuple[Any, ...]](), list[int]()
    for number, (line, cells) in enumerate(lines, 1):
        kept.append(cells)
        places.append(line)
        if not number % text.STEP:
            tell(f"read {number:,} items of {name}")
    if not kept:
        raise InvalidVotesError(f"{name} has names of columns, and no rows", field="path")
    unit = "row" if kind == "parquet" else "line"
    return ItemTable(name=name, columns=tuple(columns), rows=kept, lines=places, unit=unit, index=tuple(index))


def _of_json_lines(data: bytes, name: str) -> tuple[list[str], Iterator[Line]]:
    """What a line lacks is None."""
    objects = list(text.json_objects(data, name))
    keys = list(dict.fromkeys(key for _, one in objects for key in one))
    return check_columns(keys, name), ((line, tuple(map(one.get, keys))) for line, one in objects)


def _of_parquet(data: bytes, name: str) -> tuple[list[str], list[str], Iterator[Line]]:
    from weaklabel._extras import require

    require("pyarrow.parquet", extra="parquet", needed_for="Parquet files")
    from weaklabel.formats.parquet_files import ParquetSource, index_columns

    source = ParquetSource(data, name)
    columns = check_columns(source.schema.names, name)

    def rows() -> Iterator[Line]:
        done = 0
        with source:
            for batch in source.batches():
                cells = [column.to_pylist() for column in batch.columns]
                yield from enumerate(zip(*cells, strict=True), done)
                done += len(batch)

    return columns, index_columns(source.schema), rows()
