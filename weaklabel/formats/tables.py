"""Tables of cells as files hold them, each cell known with its place: CSV, TSV, JSON lines, Parquet.

Shape letters: N rows, C columns.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes.frames import ID_NAMES

FORMATS = ("csv", "tsv", "jsonl", "parquet", "npz")
STDIN = "-"
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "csv"}
_SUFFIXES |= {".parquet": "parquet", ".pq": "parquet", ".npz": "npz"}
_UNREAD = {
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
    b"\xd0\xcf\x11\xe0": "it is a workbook of a spreadsheet program: save it as CSV",
}


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells by number, and what each number stands for: a label that stands in a million cells is kept once.

    Attributes:
        name: of the file, for messages.
        columns: C distinct names.
        codes: [N, C] index into `values` of each cell.
        values: the different cells: texts without the blanks around them, or None where a cell is missing.
        lines: [N] where each row begins: its line in a text file, counted from 1; its row, from 0, elsewhere.
        unit: "line" or "row", what `lines` counts.
        index: columns that hold the index of a pandas table.
    """

    name: str
    columns: tuple[str, ...]
    codes: NDArray[np.int32]
    values: tuple[str | None, ...]
    lines: NDArray[np.int64]
    unit: str
    index: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    def column(self, name: str) -> NDArray[np.int32]:
        """[N] codes of a column.

        Raises:
            InvalidVotesError: if there is none of this name.
        """
        if name not in self.columns:
            known = ", ".join(map(repr, self.columns[:10])) + (", ..." if len(self.columns) > 10 else "")
            raise InvalidVotesError(f"{self.name} has no column {name!r}; it has {known}", field="path")
        return self.codes[:, self.columns.index(name)]

    def block(self, names: Sequence[str]) -> NDArray[np.int32]:
        """[N, C] codes of columns that are there, in this order."""
        at = {name: number for number, name in enumerate(self.columns)}
        for name in names:
            if name not in at:
                self.column(name)
        return self.codes[:, [at[name] for name in names]]

    def place(self, row: int, column: str | None = None) -> str:
        """File, row and column in words."""
        where = f"{self.name}, {self.unit} {self.lines[row]}"
        return where if column is None else f"{where}, column {column!r}"

    def texts(self, name: str) -> list[str | None]:
        """[N] cells of a column."""
        return [self.values[code] for code in self.column(name).tolist()]


class Builder:
    """Gathers rows into a CellTable."""

    def __init__(self, name: str, unit: str) -> None:
        """Takes the name of the file and what its rows are counted by."""
        self.name, self._unit = name, unit
        self._numbers = _Numbers()
        self._cells, self._lines = array("i"), array("q")

    def add(self, line: int, cells: Iterable[Any]) -> None:
        """A row: as many cells in each."""
        self._cells.extend(map(self._numbers.__getitem__, cells))
        self._lines.append(line)

    def number(self, value: Any) -> int:
        """What stands for a cell."""
        return self._numbers[value]

    def table(self, columns: Sequence[str]) -> CellTable:
        """The rows that were added."""
        codes = np.frombuffer(self._cells, np.int32) if self._cells else np.empty(0, np.int32)
        return self.of(columns, codes.reshape(len(self._lines), len(columns)), np.array(self._lines, np.int64))

    def of(self, columns: Sequence[str], codes: NDArray[np.int32], lines: NDArray[np.int64]) -> CellTable:
        """Rows whose cells were numbered already."""
        kept: dict[str | None, int] = {}
        table = np.array([kept.setdefault(cell_text(value), len(kept)) for value in self._numbers], np.int32)
        codes = table[codes] if codes.size else codes
        return CellTable(
            name=self.name, columns=tuple(columns), codes=codes, values=tuple(kept), lines=lines, unit=self._unit
        )


class _Numbers(dict[Any, int]):
    """The number of each value, by appearance."""

    def __missing__(self, value: Any) -> int:
        number = self[value] = len(self)
        return number


def cell_text(value: Any) -> str | None:
    """A cell as text; None where it is empty, null or NaN. A whole float is the integer that it was before other cells
    of its column were empty.
    """
    if isinstance(value, str):
        return value.strip() or None
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def table_of(
    data: bytes,
    name: str,
    format: str | None,  # noqa: A002
    *,
    delimiter: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> CellTable:
    """A file's bytes as a table of cells.

    Args:
        data: of the file. CSV and TSV have their names in the first row, JSON lines in each object.
        name: of the file.
        format: one of `FORMATS` but npz; by the first bytes where None.
        delimiter: of CSV; found where not given.
        progress: called with a sentence on what is being done.

    Raises:
        InvalidVotesError: if it cannot be read, with the place.
        InvalidArgumentError: for an unknown format.
        MissingExtraError: for Parquet without pyarrow.
    """
    from weaklabel.formats import text

    kind = known_format(data, name, format)
    tell = progress or (lambda _: None)
    if kind == "parquet":
        return _of_parquet(data, name, tell)
    if kind == "jsonl":
        return text.of_json_lines(data, name, tell)
    if kind == "npz":
        raise InvalidVotesError(f"{name} is an archive of arrays, not a table", field="path")
    return text.of_csv(data, name, "\t" if kind == "tsv" and delimiter is None else delimiter, tell)


def guess_id(table: CellTable, taken: Collection[str | None]) -> str | None:
    """The column of ids: the index of pandas, or the one that has such a name; None where there is none."""
    index = [name for name in table.index if name not in taken]
    if len(index) == 1:
        return index[0]
    return next((name for name in table.columns if (not name or name.lower() in ID_NAMES) and name not in taken), None)


def name_of(path: str | os.PathLike[str]) -> str:
    """A file's name in messages."""
    return "stdin" if os.fspath(path) == STDIN else os.fspath(path)


def format_of(path: str | os.PathLike[str]) -> str | None:
    """The format that a file's name tells, that of what is packed where it ends in .gz; None where it tells none."""
    name = Path(os.fspath(path).lower())
    return _SUFFIXES.get(name.with_suffix("").suffix if name.suffix == ".gz" else name.suffix)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file, or stdin; unpacked where it is compressed by gzip.

    Raises:
        InvalidVotesError: if it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if os.fspath(path) == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise InvalidVotesError(f"{path} cannot be read: {error.strerror or error}", field="path") from error
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidVotesError(f"{name_of(path)} is compressed by gzip, and damaged: {error}", field="path") from error


def known_format(data: bytes, name: str, told: str | None) -> str:
    """The format of a file by its first bytes, and by what is told of it where these are text."""
    if told is not None and told not in FORMATS:
        raise InvalidArgumentError(f"format must be one of {', '.join(FORMATS)}, got {told!r}", field="format")
    for start, reason in _UNREAD.items():
        if data.startswith(start):
            raise InvalidVotesError(f"{name}: {reason}", field="path")
    found = "parquet" if data.startswith(b"PAR1") else "npz" if data.startswith(b"PK\x03\x04") else None
    if found is None and told in ("parquet", "npz"):
        raise InvalidVotesError(f"{name} is no {told} file", field="path")
    if found is not None and told not in (None, found):
        raise InvalidVotesError(f"{name} is a {found} file, not {told}", field="path")
    if found is None and told is None and data.lstrip().startswith(b"["):
        raise InvalidVotesError(f"{name} is one JSON array: write an object a line (JSON lines)", field="path")
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise InvalidVotesError(f"{name} is empty", field="path")
    return found or told or ("jsonl" if data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv")


def _of_parquet(data: bytes, name: str, tell: Callable[[str], None]) -> CellTable:
    from weaklabel._extras import require

    require("pyarrow.parquet", extra="parquet", needed_for="Parquet files")
    from weaklabel.formats import parquet_files

    builder, parts, done = Builder(name, "row"), list[NDArray[np.int32]](), 0
    with parquet_files.ParquetSource(data, name) as source:
        columns, index = check_columns(source.schema.names, name), parquet_files.index_columns(source.schema)
        for batch in source.batches():
            codes = np.empty((len(batch), len(columns)), np.int32)
            for at, column in enumerate(columns):
                codes[:, at] = _numbered(batch.column(at), builder, f"{name}, rows from {done}, column {column!r}")
            parts.append(codes)
            done += len(batch)
            tell(f"read {done:,} rows of {name}")
    whole = np.concatenate(parts) if parts else np.empty((0, len(columns)), np.int32)
    return replace(builder.of(columns, whole, np.arange(len(whole))), index=tuple(index))


def _numbered(cells: Any, builder: Builder, where: str) -> NDArray[np.int32]:
    """[n] what stands for each cell of a column of Arrow."""
    import pyarrow as pa

    from weaklabel.formats import parquet_files

    values = parquet_files.plain(cells, where)
    if pa.types.is_nested(values.type) or pa.types.is_duration(values.type):
        raise InvalidVotesError(f"{where} holds {values.type}, not one value a row", field="path")
    if pa.types.is_null(values.type):
        return np.full(len(values), builder.number(None), np.int32)
    coded = values.dictionary_encode()
    numbers = [builder.number(str(v) if isinstance(v, bool) else v) for v in coded.dictionary.to_pylist()]
    numbers.append(builder.number(None))
    found: NDArray[np.int32] = np.array(numbers, np.int32)[coded.indices.fill_null(len(numbers) - 1).to_numpy()]
    return found


def check_columns(names: Iterable[str], file: str) -> list[str]:
    """Names of columns; refuses those that are empty, but for the first, and those that repeat."""
    kept, seen = [name.strip() for name in names], dict[str, int]()
    for at, name in enumerate(kept):
        if not name and at:
            raise InvalidVotesError(
                f"{file}: column {at + 1} has no name in the first row: name it, or remove it", field="path"
            )
        if (first := seen.setdefault(name, at)) != at:
            raise InvalidVotesError(
                f"{file}: columns {first + 1} and {at + 1} are both called {name!r}; the first row must hold the names "
                "of the columns",
                field="path",
            )
    return kept
