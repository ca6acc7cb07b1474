"""Record sets: votes and gold as tables, uploaded in chunks; finished, they never change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Row

from weaklabel_server.errors import Reason, invalid
from weaklabel_server.store import projects, schema
from weaklabel_server.store.kept_uploads import KeptTables, KeptUpload, packed


class RecordRole(StrEnum):
    """What records say."""

    VOTES = "votes"
    GOLD = "gold"


@dataclass(frozen=True)
class RecordSettings:
    """What a fit of a project with a label space is told: ids of record sets, and options by name."""

    votes: tuple[str, ...] = ()
    gold: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON; what is missing has its default."""
        return cls(tuple(values.get("votes", ())), values.get("gold", ""), values.get("options", {}))


@dataclass(frozen=True, kw_only=True)
class RecordSet(KeptUpload):
    """Records as they stand."""

    role: RecordRole
    columns: tuple[str, ...]


@dataclass(frozen=True)
class RecordChunk:
    """Rows of records. `content` is a serialized weaklabel.v1.ColumnTable that was checked."""

    row_offset: int
    rows: int
    columns: tuple[str, ...]
    content: bytes


def _record_set(row: Row[Any]) -> RecordSet:
    common = KeptUpload.of_row(row, row.record_set_id)
    return RecordSet(role=RecordRole(row.role), columns=tuple(row.columns), **common)


def _record_chunk(row: Row[Any], records: RecordSet, content: bytes) -> RecordChunk:
    return RecordChunk(row.row_offset, row.rows, records.columns, content)


_tables = KeptTables(
    uploads=schema.record_uploads,
    chunks=schema.record_chunks,
    id_column="record_set_id",
    subject="role",
    error_key="record_set",
    noun="record set",
    not_found=Reason.RECORD_SET_NOT_FOUND,
    too_large=Reason.RECORDS_TOO_LARGE,
    from_row=_record_set,
    chunk_from_row=_record_chunk,
    check_project=projects.check_records,
)

open_upload = _tables.open_upload
finish = _tables.finish
get = _tables.get
list_page = _tables.list_page
remove = _tables.remove
remove_abandoned = _tables.remove_abandoned
chunks = _tables.chunks
chunk_of = _tables.chunk_of


def append(tx: Connection, records: RecordSet, chunk: RecordChunk, *, max_bytes: int) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, RECORDS_TOO_LARGE; INVALID_FIELD when
            the columns are not those of the chunks before.
    """

    def changes(current: RecordSet) -> dict[str, Any]:
        if current.committed_rows and chunk.columns != current.columns:
            raise invalid(
                "chunk.table.columns",
                f"{', '.join(current.columns)}, as in the chunks before; got {', '.join(chunk.columns)}",
            )
        return {"columns": list(chunk.columns)}

    return _tables.append_chunk(
        tx, records, chunk, packed(chunk), changes, named=False, naming_matters=False, max_bytes=max_bytes
    )
