"""Parquet files of a project: written as bytes, row group by row group, and read so, within bounds.

What a file says of itself is not believed where it would cost memory: numbers of rows and of values, and sizes, are
limited before a group is read, and texts lie in it as they are, not as numbers into a dictionary that unfolds.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weaklabel._extras import require
from weaklabel_protocol.project_folders import ProjectFolderError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = (require(name, extra="parquet", needed_for="Parquet files") for name in ("pyarrow", "pyarrow.parquet"))

GROUP_ROWS = 65_536
"""Rows of a group."""
GROUP_CELLS = 4 * 1024 * 1024
"""Rows times columns of a group of votes or soft labels."""
_MOST_VALUES = 64 * 1024 * 1024
_MOST_GROUP_BYTES = 512 * 1024 * 1024


class _Sink(io.RawIOBase):
    """Where a file is written to; what has come is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # pyarrow gives bytes or a memoryview
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """The bytes since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def parquet_bytes(schema: pa.Schema, groups: Iterator[pa.Table], numbers: Sequence[str] = ()) -> Iterator[bytes]:
    """A file in pieces, of one row group a table; `numbers` are columns of few different numbers.

    The same tables give the same bytes.
    """
    sink = _Sink()
    options = {"compression": "zstd", "use_dictionary": list(numbers) or False, "write_statistics": False}
    with pq.ParquetWriter(sink, schema, **options) as writer:
        for table in groups:
            writer.write_table(table, row_group_size=max(1, len(table)))
            yield sink.take()
    yield sink.take()


def read_groups(path: Path, name: str, schema: pa.Schema | None = None, *, numbers: bool = False) -> Iterator[pa.Table]:
    """The row groups of a file.

    Args:
        path: of the file.
        name: of the file, for messages.
        schema: names and types of the columns, which are to be these.
        numbers: whether it may be large: votes or soft labels.

    Raises:
        ProjectFolderError: It cannot be read, or is not such a file.
    """
    try:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            if schema is not None:
                check_schema(file.schema_arrow, schema, name)
            for number in range(file.metadata.num_row_groups):
                _check_group(file.metadata.row_group(number), f"{name}, row group {number}", numbers=numbers)
                yield file.read_row_group(number, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, ProjectFolderError):
            raise
        raise ProjectFolderError(f"{name} cannot be read: {' '.join(str(error).split())[:200]}") from error


def schema_of(path: Path, name: str) -> pa.Schema:
    """Names and types of the columns of a file.

    Raises:
        ProjectFolderError: It cannot be read.
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ProjectFolderError(f"{name} cannot be read: {' '.join(str(error).split())[:200]}") from error


def check_schema(found: pa.Schema, wanted: pa.Schema, name: str) -> None:
    """Refuses columns of other names or types.

    Raises:
        ProjectFolderError: They are others; the message names the first.
    """
    for at in range(max(len(found), len(wanted))):
        this = found.field(at) if at < len(found) else None
        due = wanted.field(at) if at < len(wanted) else None
        if this is None or due is None or (this.name, this.type) != (due.name, due.type):
            told = "no more" if this is None else f"{this.name!r:.100} of {this.type}"
            expected = "no more" if due is None else f"{due.name!r:.100} of {due.type}"
            raise ProjectFolderError(f"{name}: column {at} is {told}, where {expected} is expected")


def _check_group(group: pa.RowGroupMetaData, where: str, *, numbers: bool) -> None:
    rows, columns = group.num_rows, group.num_columns
    if rows > GROUP_ROWS:
        raise ProjectFolderError(f"{where} has {rows} rows, at most {GROUP_ROWS} are read at a time")
    if numbers and rows > 1 and rows * columns > 2 * GROUP_CELLS:
        raise ProjectFolderError(f"{where} has {rows} x {columns} cells, at most {2 * GROUP_CELLS} are read at a time")
    values = size = 0
    for at in range(columns):
        column = group.column(at)
        values += column.num_values
        size += column.total_uncompressed_size
        coded = any("DICTIONARY" in encoding for encoding in column.encodings)
        if coded and column.physical_type == "BYTE_ARRAY":
            raise ProjectFolderError(f"{where}, column {column.path_in_schema!r:.100}: texts are to be PLAIN")
    if values > _MOST_VALUES or size > _MOST_GROUP_BYTES:
        raise ProjectFolderError(f"{where} has {values} values in {size} bytes, more than are read at a time")
