"""CSV, TSV and JSON lines as tables, and the place of what cannot be read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from weaklabel.errors import InvalidVotesError
from weaklabel.formats.tables import Builder, CellTable, check_columns

DELIMITERS = ",;\t|"
LOOKED_AT = 50
"""Rows in which a delimiter must give as many cells as in the first."""
STEP = 200_000
"""Rows between two notes on progress."""
_LONGEST_CELL = 2**31 - 1
"""Characters; 131,072 by default, which texts beside votes may exceed."""
_BOM = b"\xef\xbb\xbf"

Tell = Callable[[str], None]


def of_csv(data: bytes, name: str, delimiter: str | None, tell: Tell) -> CellTable:
    """CSV as a table; errors as in `csv_rows`."""
    columns, rows = csv_rows(data, name, delimiter)
    builder = Builder(name, "line")
    for number, (line, cells) in enumerate(rows, 1):
        builder.add(line, cells)
        if not number % STEP:
            tell(f"read {number:,} rows of {name}")
    return builder.table(columns)


def csv_rows(data: bytes, name: str, delimiter: str | None) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of the columns, in the first row, and the line and cells of each other row.

    Quoted cells may hold line ends; lines without anything are left out.

    Raises:
        InvalidVotesError: for rows of another length than the first, quotes that do not close, and bytes that are not
            UTF-8; it names the line.
    """
    _check_utf8(data, name, delimiter)
    chosen = delimiter or _delimiter(data, name)
    rows = _rows(data, name, chosen)
    _, header = next(rows, (1, []))
    columns = check_columns(header, name)

    def checked() -> Iterator[tuple[int, list[str]]]:
        for line, cells in rows:
            if len(cells) != len(columns):
                raise InvalidVotesError(_wrong_width(name, line, cells, columns, chosen), field="path")
            yield line, cells

    return columns, checked()


def of_json_lines(data: bytes, name: str, tell: Tell) -> CellTable:
    """JSON lines as a table: the names of the objects are those of the columns; one that a line lacks is missing there.

    Raises:
        InvalidVotesError: for a line that is no object of single values; it names the line, and the column.
    """
    columns: dict[str, int] = {}
    builder, rows, lines = Builder(name, "line"), list[dict[int, int]](), list[int]()
    for line, cells in json_objects(data, name):
        row: dict[int, int] = {}
        for key, value in cells.items():
            if isinstance(value, (dict, list)):
                kind = "an object" if isinstance(value, dict) else "a list"
                raise InvalidVotesError(f"{name}, line {line}, column {key!r} holds {kind}, not one value")
            row[columns.setdefault(key, len(columns))] = builder.number(
                str(value) if isinstance(value, bool) else value
            )
        rows.append(row)
        lines.append(line)
        if not len(rows) % STEP:
            tell(f"read {len(rows):,} lines of {name}")
    codes = np.full((len(rows), len(columns)), builder.number(None), np.int32)
    for at, row in enumerate(rows):
        codes[at, list(row)] = list(row.values())
    return builder.of(check_columns(columns, name), codes, np.array(lines, np.int64))


def json_objects(data: bytes, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line and the object of each line that holds anything.

    Raises:
        InvalidVotesError: for a line that is no object; it names the line.
    """
    _check_utf8(data, name, None)
    for line, text in enumerate(io.TextIOWrapper(io.BytesIO(data.removeprefix(_BOM)), "utf-8"), 1):
        if text.strip():
            yield line, _object(text, f"{name}, line {line}")


def _object(text: str, where: str) -> dict[str, Any]:
    """The object on a line."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands twice in one object")
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InvalidVotesError(f"{where}: this is no JSON object: {error}", field="path") from error
    if not isinstance(value, dict):
        raise InvalidVotesError(f"{where} holds {text.strip()[:40]!r}, not an object", field="path")
    return value


def _rows(data: bytes, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line at which each row begins, and its cells."""
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(io.BytesIO(data.removeprefix(_BOM)), "utf-8", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidVotesError(
            f"{name}, line {line}: {error}; quotes within a quoted cell are doubled, and the last one closes it",
            field="path",
        ) from error


def _delimiter(data: bytes, name: str) -> str:
    """The delimiter that splits all of the first rows alike."""
    widest = {delimiter: _width(data, name, delimiter) for delimiter in DELIMITERS}
    fits = [delimiter for delimiter, (width, same) in widest.items() if width > 1 and same]
    if len(fits) > 1:
        shown = " and ".join(map(repr, fits))
        raise InvalidVotesError(f"{name}: both {shown} may separate the cells: say which by --delimiter", field="path")
    # Where none does, the first row decides: the row that differs is told with its place.
    return fits[0] if fits else max(DELIMITERS, key=lambda delimiter: widest[delimiter][0])


def _width(data: bytes, name: str, delimiter: str) -> tuple[int, bool]:
    """The number of cells of the first row, and whether the next rows have as many."""
    widths = []
    try:
        for _, cells in _rows(data, name, delimiter):
            widths.append(len(cells))
            if len(widths) > LOOKED_AT:
                break
    except InvalidVotesError:
        return (widths[0] if widths else 0), False
    return (widths[0] if widths else 0), len(set(widths)) == 1


def _wrong_width(name: str, line: int, cells: list[str], columns: list[str], delimiter: str) -> str:
    place = f"{name}, line {line}, column {min(len(cells), len(columns)) + 1}"
    why = "too many" if len(cells) > len(columns) else "missing"
    return f"{place}: {why}: {len(cells)} cells, where the first row names {len(columns)} (separated by {delimiter!r})"


def _check_utf8(data: bytes, name: str, delimiter: str | None) -> None:
    if (at := data.find(b"\0")) >= 0:
        raise InvalidVotesError(
            f"{name}, line {_line_of(data, at)}: a byte 0, which no text holds: save the file as UTF-8",
            field="path",
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        start = max(data.rfind(b"\n", 0, error.start), data.rfind(b"\r", 0, error.start)) + 1
        line = _line_of(data, error.start)
        row = data[start : error.start].decode()
        first = data[: data.find(b"\n") if b"\n" in data else None]
        mark = delimiter or max(DELIMITERS, key=lambda one: first.count(one.encode()))
        raise InvalidVotesError(
            f"{name}, line {line}, column {row.count(mark) + 1}: byte {data[error.start]:#04x} is not UTF-8: save the "
            "file as UTF-8",
            field="path",
        ) from None


def _line_of(data: bytes, at: int) -> int:
    """The line of a byte, whichever way lines end."""
    return data[:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
