"""Side data: what is known of items beside the votes. Uploaded in chunks, each durable at once; then never changed."""

import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Row, delete, insert, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.pages import Page
from weaklabel_server.store import projects, schema
from weaklabel_server.store.chunks import pack_ids, unpack_ids
from weaklabel_server.store.projects import Project

_LEVEL = 1

_uploads = schema.side_uploads.c
_chunks = schema.side_chunks.c


class SideKind(StrEnum):
    """What side data says."""

    GOLD = "gold"
    PRIOR = "prior"
    GROUPS = "groups"
    FEATURES = "features"
    BAGS = "bags"
    FIELDS = "fields"


FIT_KINDS = tuple(kind for kind in SideKind if kind is not SideKind.FIELDS)
"""What fits may be told; fields are for prompts."""


@dataclass(frozen=True)
class SourceBounds:
    """What a person knows of the accuracy of a source."""

    source: str
    low: float
    high: float


@dataclass(frozen=True)
class SideSettings:
    """What a fit is told beside the votes: side data by its kind and id, and what is small enough to stand here."""

    data: Mapping[SideKind, str] = field(default_factory=dict)
    gold_error: float = 0.0
    bounds: tuple[SourceBounds, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON; what is missing is not told."""
        return cls(
            data={SideKind(kind): side_data_id for kind, side_data_id in values.get("data", {}).items()},
            gold_error=values.get("gold_error", 0.0),
            bounds=tuple(SourceBounds(**one) for one in values.get("bounds", ())),
        )


@dataclass(frozen=True)
class SideData:
    """Side data as it stands. `writer` names the stream that may add to it until it is finished."""

    key: int
    side_data_id: str
    kind: SideKind
    content_digest: bytes
    writer: str
    named_items: bool | None
    committed_rows: int
    column_count: int
    byte_count: int
    finished: bool
    create_time: int


@dataclass(frozen=True)
class SideChunk:
    """Rows of side data. `content` is a serialized weaklabel.v1.SideRows that was checked."""

    row_offset: int
    rows: int
    item_ids: list[str] | None
    content: bytes


def open_upload(
    tx: Connection, project_id: str, side_data_id: str, kind: SideKind, content_digest: bytes
) -> tuple[Project, SideData]:
    """Begins an upload, or takes up one that was broken off, or finds that it is finished.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, UPLOAD_ID_REUSED.
    """
    project = projects.get(tx, project_id)
    known = _find(tx, project, side_data_id)
    if known is not None and (known.kind != kind or known.content_digest != content_digest):
        field = "open.kind" if known.kind != kind else "open.content_digest"
        raise invalid(
            field, f"upload {side_data_id} was begun with another value of this field", reason=Reason.UPLOAD_ID_REUSED
        )
    if known is None and content_digest:
        known = _same_content(tx, project, kind, content_digest)
    if known is None:
        now = now_micros()
        tx.execute(
            insert(schema.side_uploads).values(
                project_key=project.key,
                side_data_id=side_data_id,
                kind=kind,
                content_digest=content_digest,
                writer="",
                create_time=now,
                update_time=now,
            )
        )
        known = _find(tx, project, side_data_id)
        assert known is not None
    if not known.finished:
        _change(tx, known, writer=uuid.uuid4().hex)
    return project, _get(tx, known.key)


def append(tx: Connection, side: SideData, chunk: SideChunk, column_count: int, *, max_bytes: int) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED, SIDE_DATA_TOO_LARGE;
            INVALID_FIELD when the number of columns is another one than before.
    """
    current = _writable(tx, side)
    committed = current.committed_rows
    if chunk.row_offset + chunk.rows <= committed:
        return committed
    if chunk.row_offset != committed:
        description = f"the next chunk begins with row {committed}, not {chunk.row_offset}"
        raise ServiceError(
            Reason.ROW_OFFSET_MISMATCH,
            description,
            metadata={"committed_rows": str(committed)},
            violations=[FieldViolation("chunk.row_offset", description)],
        )
    named = chunk.item_ids is not None
    if current.kind is not SideKind.BAGS:
        _check_naming(tx, current, named=named)
    if committed and column_count != current.column_count:
        raise invalid("chunk.values", f"{current.column_count} columns, as in the chunks before, got {column_count}")
    byte_count = current.byte_count + len(chunk.content)
    if byte_count > max_bytes:
        raise ServiceError(
            Reason.SIDE_DATA_TOO_LARGE,
            f"more than the {max_bytes} bytes that this server allows; see WEAKLABEL_MAX_SIDE_DATA_BYTES",
        )
    tx.execute(
        insert(schema.side_chunks).values(
            side_upload_key=current.key,
            row_offset=chunk.row_offset,
            rows=chunk.rows,
            item_ids=None if chunk.item_ids is None else pack_ids(chunk.item_ids),
            content=zlib.compress(chunk.content, _LEVEL),
        )
    )
    committed += chunk.rows
    _change(
        tx,
        current,
        committed_rows=committed,
        named_items=named,
        column_count=column_count,
        byte_count=byte_count,
    )
    return committed


def finish(tx: Connection, side: SideData, total_rows: int) -> None:
    """Ends an upload: fits may name it from now on.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH, ITEM_NAMING_MIXED; INVALID_FIELD when an
            item id stands twice in the upload, or the upload is empty.
    """
    current = _writable(tx, side)
    if total_rows != current.committed_rows:
        description = f"{current.committed_rows} rows are committed, not {total_rows}"
        raise ServiceError(
            Reason.ROW_COUNT_MISMATCH,
            description,
            metadata={"committed_rows": str(current.committed_rows)},
            violations=[FieldViolation("finish.total_rows", description)],
        )
    if total_rows == 0:
        raise invalid("finish.total_rows", "an upload has at least one row")
    if current.named_items:
        _check_distinct(tx, current)
    _change(tx, current, finished=True, writer="")


def get(tx: Connection, project: Project, side_data_id: str) -> SideData:
    """Side data that is finished.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND.
    """
    found = _find(tx, project, side_data_id)
    if found is None or not found.finished:
        what = "has no side data" if found is None else "has not got all of side data"
        raise ServiceError(
            Reason.SIDE_DATA_NOT_FOUND,
            f'project "{project.project_id}" {what} "{side_data_id}"',
            metadata={"project": project.project_id, "side_data": side_data_id},
        )
    return found


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[SideData]:
    """Up to size + 1 that are finished, newest first."""
    query = (
        select(schema.side_uploads)
        .where(_uploads.project_key == project.key, _uploads.finished)
        .order_by(_uploads.key.desc())
        .limit(page.size + 1)
    )
    if page.after is not None:
        query = query.where(_uploads.key < page.after)
    return [_side_data(row) for row in tx.execute(query)]


def remove(tx: Connection, project: Project, side_data_id: str) -> None:
    """Deletes side data.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, OPERATIONS_RUNNING.
    """
    side = get(tx, project, side_data_id)
    projects.check_no_operation(tx, project)
    tx.execute(delete(schema.side_uploads).where(_uploads.key == side.key))


def remove_abandoned(tx: Connection, before: int) -> None:
    """Deletes unfinished uploads that nobody has added to since a time."""
    tx.execute(delete(schema.side_uploads).where(_uploads.finished.is_(False), _uploads.update_time < before))


def chunks(tx: Connection, side: SideData) -> Iterator[SideChunk]:
    """The rows of side data, in their order."""
    query = (
        select(schema.side_chunks)
        .where(_chunks.side_upload_key == side.key)
        .order_by(_chunks.row_offset)
        .execution_options(yield_per=4)
    )
    for row in tx.execute(query):
        item_ids = None if row.item_ids is None else unpack_ids(row.item_ids)
        yield SideChunk(row.row_offset, row.rows, item_ids, zlib.decompress(row.content))


def _same_content(tx: Connection, project: Project, kind: SideKind, digest: bytes) -> SideData | None:
    """Side data of this content, finished if there is one."""
    query = (
        select(schema.side_uploads)
        .where(_uploads.project_key == project.key, _uploads.kind == kind, _uploads.content_digest == digest)
        .order_by(_uploads.finished.desc(), _uploads.key.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    return None if row is None else _side_data(row)


def _check_distinct(tx: Connection, side: SideData) -> None:
    query = select(_chunks.row_offset, _chunks.item_ids).where(_chunks.side_upload_key == side.key)
    seen: dict[str, int] = {}
    for row in tx.execute(query.order_by(_chunks.row_offset)):
        for at, one in enumerate(unpack_ids(row.item_ids), row.row_offset):
            if seen.setdefault(one, at) != at:
                raise invalid("chunk.item_ids", f'item "{one}" is in rows {seen[one]} and {at} of the upload')


def _check_naming(tx: Connection, side: SideData, *, named: bool) -> None:
    decided = side.named_items if side.named_items is not None else _project_of(tx, side).named_items
    if decided in (None, named):
        return
    description = (
        "this project names its items: every row needs an id"
        if decided
        else "this project numbers its items by position: chunks must not hold item ids"
    )
    raise ServiceError(
        Reason.ITEM_NAMING_MIXED, description, violations=[FieldViolation("chunk.item_ids", description)]
    )


def _writable(tx: Connection, side: SideData) -> SideData:
    current = _get(tx, side.key)
    if current.writer != side.writer:
        raise ServiceError(
            Reason.UPLOAD_TAKEN_OVER,
            f"another stream has opened upload {side.side_data_id} since",
            metadata={"side_data": side.side_data_id},
        )
    return current


def _change(tx: Connection, side: SideData, **values: Any) -> None:
    tx.execute(update(schema.side_uploads).where(_uploads.key == side.key).values(update_time=now_micros(), **values))


def _get(tx: Connection, key: int) -> SideData:
    row = tx.execute(select(schema.side_uploads).where(_uploads.key == key)).first()
    if row is None:
        raise ServiceError(Reason.UPLOAD_NOT_FOUND, "the upload is gone: its project was deleted")
    return _side_data(row)


def _find(tx: Connection, project: Project, side_data_id: str) -> SideData | None:
    query = select(schema.side_uploads).filter_by(project_key=project.key, side_data_id=side_data_id)
    row = tx.execute(query).first()
    return None if row is None else _side_data(row)


def _project_of(tx: Connection, side: SideData) -> Project:
    query = (
        select(schema.projects.c.project_id)
        .join(schema.side_uploads, _uploads.project_key == schema.projects.c.key)
        .where(_uploads.key == side.key)
    )
    return projects.get(tx, tx.execute(query).scalar_one())


def _side_data(row: Row[Any]) -> SideData:
    return SideData(
        key=row.key,
        side_data_id=row.side_data_id,
        kind=SideKind(row.kind),
        content_digest=row.content_digest,
        writer=row.writer,
        named_items=row.named_items,
        committed_rows=row.committed_rows,
        column_count=row.column_count,
        byte_count=row.byte_count,
        finished=row.finished,
        create_time=row.create_time,
    )
