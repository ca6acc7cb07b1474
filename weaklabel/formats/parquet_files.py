"""Parquet files, opened and read a batch of rows at a time. What the cells mean is for others to say.

Needs pyarrow: `pip install "weaklabel[parquet]"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from weaklabel._extras import require
from weaklabel.errors import InvalidVotesError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = (require(name, extra="parquet", needed_for="Parquet files") for name in ("pyarrow", "pyarrow.parquet"))

BATCH_ROWS = 2**17
UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""Columns of an index without a name, as pandas writes them."""


class ParquetSource:
    """One open file; a context manager.

    Attributes:
        name: of the file, for messages.
        schema: names and types of the columns.
        n_rows: N.
    """

    def __init__(self, file: Path | bytes, name: str) -> None:
        """Opens a file, or the bytes of one.

        Raises:
            InvalidVotesError: if it cannot be read.
        """
        self.name = name
        with self._naming():
            self._file = pq.ParquetFile(pa.BufferReader(file) if isinstance(file, bytes) else file)
        self.schema: pa.Schema = self._file.schema_arrow
        self.n_rows: int = self._file.metadata.num_rows

    def __enter__(self) -> ParquetSource:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def batches(self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows, so many at a time at most; all columns where none are named.

        Raises:
            InvalidVotesError: if the file is damaged.
        """
        batches = self._file.iter_batches(rows, columns=columns)
        while True:
            with self._naming():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Errors of reading, with the file."""
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise InvalidVotesError(
                f"{self.name} cannot be read: {' '.join(str(error).split())}", field="path"
            ) from error


def index_columns(schema: pa.Schema) -> list[str]:
    """Columns that hold the index of a pandas table, by what pandas has written beside it, or by their name."""
    told = [name for name in schema.names if UNNAMED_INDEX.fullmatch(name)]
    with suppress(KeyError, TypeError, ValueError):  # written by others
        told += json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
    return [name for name in schema.names if name in told]


def plain(column: pa.Array, where: str) -> pa.Array:
    """A column as values: dictionaries decoded, texts of any kind as strings, bytes as the texts that they are.

    Raises:
        InvalidVotesError: for bytes that are not UTF-8.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.dictionary_decode(), where)
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        try:
            return column.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid as error:
            raise InvalidVotesError(f"{where} holds bytes that are not UTF-8", field="path") from error
    return column
