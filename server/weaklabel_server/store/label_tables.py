"""The labels of models as tables, in chunks of rows: of projects with a label space."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import schema

CHUNK_ROWS = 65_536
CHUNK_BYTES = 3 * 1024 * 1024
"""Of a chunk before it is compressed, unless it is one row."""

_chunks = schema.label_chunks.c


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """What there is of a table: its name, its number of rows, the names of its columns."""

    name: str
    rows: int
    columns: list[str]


@dataclass(frozen=True)
class PackedTable:
    """A table as it is stored."""

    of: LabelTable
    chunk_rows: Sequence[int]
    chunks: Sequence[bytes | memoryview]

    def values(self, model_key: int) -> Iterator[dict[str, Any]]:
        """The rows of the database."""
        start = 0
        for rows, content in zip(self.chunk_rows, self.chunks, strict=True):
            yield {
                "model_key": model_key,
                "table_name": self.of.name,
                "row_offset": start,
                "rows": rows,
                "content": bytes(content),
            }
            start += rows


class Rows(NamedTuple):
    """Rows of a table. `content` is a serialized weaklabel.v1.ColumnTable."""

    row_offset: int
    content: bytes


def add_chunk(tx: Connection, values: dict[str, Any]) -> None:
    """Stores a chunk of a table."""
    tx.execute(insert(schema.label_chunks).values(values))


def rows_from(tx: Connection, model_key: int, table: LabelTable, row: int) -> Rows:
    """The rows of the stored chunk that holds a row.

    Raises:
        ServiceError: MODEL_NOT_FOUND when it was deleted since.
    """
    query = select(_chunks.row_offset, _chunks.content).where(
        _chunks.model_key == model_key, _chunks.table_name == table.name, _chunks.row_offset <= row
    )
    found = tx.execute(query.order_by(_chunks.row_offset.desc()).limit(1)).first()
    if found is None:
        raise ServiceError(Reason.MODEL_NOT_FOUND, "the model was deleted")
    return Rows(found.row_offset, zlib.decompress(found.content))
