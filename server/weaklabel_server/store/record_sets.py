"""Record sets: votes and gold as tables, uploaded in chunks; finished, they never change."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Row, insert, select

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.pages import Page
from weaklabel_server.store import projects, schema, trash
from weaklabel_server.store.access import audit
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Rows, Upload, UploadTables

_LEVEL = 1

_columns = schema.record_uploads.c
_chunks = schema.record_chunks.c


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
class RecordSet(Upload):
    """Records as they stand; upload_id is their own id."""

    role: RecordRole
    columns: tuple[str, ...]
    byte_count: int
    finished: bool
    create_time: int

    @property
    def is_finished(self) -> bool:
        """Whether fits may name them."""
        return self.finished


@dataclass(frozen=True)
class RecordChunk:
    """Rows of records. `content` is a serialized weaklabel.v1.ColumnTable that was checked."""

    row_offset: int
    rows: int
    columns: tuple[str, ...]
    content: bytes


def _record_set(row: Row[Any]) -> RecordSet:
    return RecordSet(
        key=row.key,
        project_key=row.project_key,
        upload_id=row.record_set_id,
        role=RecordRole(row.role),
        columns=tuple(row.columns),
        content_digest=row.content_digest,
        writer=row.writer,
        named_items=row.named_items,
        committed_rows=row.committed_rows,
        byte_count=row.byte_count,
        finished=row.finished,
        create_time=row.create_time,
    )


_tables = UploadTables(
    uploads=schema.record_uploads,
    chunks=schema.record_chunks,
    id_column="record_set_id",
    subject="role",
    subject_field="open.role",
    error_key="record_set",
    unfinished=_columns.finished.is_(False),
    from_row=_record_set,
)


def open_upload(
    tx: Connection, project_id: str, record_set_id: str, role: RecordRole, content_digest: bytes
) -> tuple[Project, RecordSet]:
    """Begins an upload, or takes up one that was broken off, or finds that it is finished.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, LABEL_SPACE_MISMATCH, UPLOAD_ID_REUSED.
    """
    projects.check_records(projects.get(tx, project_id))
    return _tables.open(
        tx,
        project_id,
        record_set_id,
        content_digest,
        subject=role,
        same_content=lambda project: _same_content(tx, project, role, content_digest),
        create_time=now_micros(),
    )


def append(tx: Connection, records: RecordSet, chunk: RecordChunk, *, max_bytes: int) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, RECORDS_TOO_LARGE; INVALID_FIELD when
            the columns are not those of the chunks before.
    """

    def insert_chunk(current: RecordSet, _: int) -> dict[str, Any]:
        if current.committed_rows and chunk.columns != current.columns:
            raise invalid(
                "chunk.table.columns",
                f"{', '.join(current.columns)}, as in the chunks before; got {', '.join(chunk.columns)}",
            )
        byte_count = current.byte_count + len(chunk.content)
        if byte_count > max_bytes:
            raise ServiceError(
                Reason.RECORDS_TOO_LARGE,
                f"more than the {max_bytes} bytes that this server allows; see WEAKLABEL_MAX_SIDE_DATA_BYTES",
            )
        tx.execute(insert(schema.record_chunks).values(record_upload_key=current.key, **pack_chunk(chunk)))
        return {"columns": list(chunk.columns), "byte_count": byte_count}

    rows = Rows(chunk.row_offset, chunk.rows, named=False)
    return _tables.append(tx, records, [rows], insert_chunk, naming_matters=False)[0]


def pack_chunk(chunk: RecordChunk) -> dict[str, Any]:
    """The columns of a chunk as it is stored."""
    return {
        "row_offset": chunk.row_offset,
        "rows": chunk.rows,
        "content": zlib.compress(chunk.content, _LEVEL),
    }


def finish(tx: Connection, records: RecordSet, total_rows: int) -> None:
    """Ends an upload: fits may name it from now on.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH; INVALID_FIELD when the upload is empty.
    """
    current = _tables.complete(tx, records, total_rows)
    _tables.change(tx, current, finished=True, writer="")
    audit.record(tx)


def get(tx: Connection, project: Project, record_set_id: str) -> RecordSet:
    """Records whose upload is finished.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND.
    """
    records = _tables.find(tx, project, record_set_id)
    if records is None or not records.is_finished:
        what = "has no record set" if records is None else "has not got all of record set"
        raise ServiceError(
            Reason.RECORD_SET_NOT_FOUND,
            f'project "{project.project_id}" {what} "{record_set_id}"',
            metadata={"project": project.project_id, "record_set": record_set_id},
        )
    return records


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[RecordSet]:
    """Up to size + 1 that are finished, newest first."""
    query = select(schema.record_uploads).where(_columns.project_key == project.key, _columns.finished)
    return [_record_set(row) for row in tx.execute(newest_first(query, _columns.key, page))]


def remove(tx: Connection, project: Project, record_set_id: str) -> None:
    """Deletes records.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND, OPERATIONS_RUNNING.
    """
    records = get(tx, project, record_set_id)
    projects.check_no_operation(tx, project)
    trash.throw(tx, schema.record_uploads, _columns.key == records.key)


def remove_abandoned(tx: Connection, before: int) -> int:
    """Deletes unfinished uploads that nobody has added to since a time; returns how many."""
    return _tables.remove_abandoned(tx, before)


def chunks(tx: Connection, records: RecordSet) -> Iterator[RecordChunk]:
    """The rows of records, in their order."""
    query = (
        select(schema.record_chunks)
        .where(_chunks.record_upload_key == records.key)
        .order_by(_chunks.row_offset)
        .execution_options(yield_per=4)
    )
    for row in tx.execute(query):
        yield _record_chunk(row, records)


def _record_chunk(row: Row[Any], records: RecordSet) -> RecordChunk:
    return RecordChunk(row.row_offset, row.rows, records.columns, zlib.decompress(row.content))


def chunk_of(tx: Connection, records: RecordSet, row: int) -> RecordChunk:
    """The chunk that holds a row.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND when they were deleted since.
    """
    query = select(schema.record_chunks).where(_chunks.record_upload_key == records.key, _chunks.row_offset <= row)
    found = tx.execute(query.order_by(_chunks.row_offset.desc()).limit(1)).first()
    if found is None:
        raise ServiceError(Reason.RECORD_SET_NOT_FOUND, "the record set was deleted")
    return _record_chunk(found, records)


def _same_content(tx: Connection, project: Project, role: RecordRole, digest: bytes) -> RecordSet | None:
    """Records of this content, finished if there are any."""
    query = (
        select(schema.record_uploads)
        .where(_columns.project_key == project.key, _columns.role == role, _columns.content_digest == digest)
        .order_by(_columns.finished.desc(), _columns.key.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    return None if row is None else _record_set(row)
