"""Side data: side information about items, uploaded in chunks; finished, it never changes."""

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
from weaklabel_server.store.chunks import pack_ids, unpack_ids
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Rows, Upload, UploadTables

_LEVEL = 1

_columns = schema.side_uploads.c
_chunks = schema.side_chunks.c


class SideKind(StrEnum):
    """The kinds of side data."""

    GOLD = "gold"
    PRIOR = "prior"
    GROUPS = "groups"
    FEATURES = "features"
    BAGS = "bags"
    FIELDS = "fields"
    GOLD_WEIGHT = "gold_weight"
    LABELS = "labels"


FIT_KINDS = tuple(kind for kind in SideKind if kind not in (SideKind.FIELDS, SideKind.LABELS))
"""What fits may use; fields are for prompts, labels for reports."""


@dataclass(frozen=True)
class SourceBounds:
    """The bounds that a person puts on the accuracy of a source."""

    source: str
    low: float
    high: float


@dataclass(frozen=True)
class SideSettings:
    """The side information of a fit: side data by its kind and id, and what is small enough to stand here.

    `families` has the family of sources by their names.
    """

    data: Mapping[SideKind, str] = field(default_factory=dict)
    gold_error: float = 0.0
    bounds: tuple[SourceBounds, ...] = ()
    gold_sampling: str = "auto"
    families: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON; what is missing has its default."""
        return cls(
            data={SideKind(kind): side_data_id for kind, side_data_id in values.get("data", {}).items()},
            gold_error=values.get("gold_error", 0.0),
            bounds=tuple(SourceBounds(**one) for one in values.get("bounds", ())),
            gold_sampling=values.get("gold_sampling", "auto"),
            families=values.get("families", {}),
        )


@dataclass(frozen=True, kw_only=True)
class SideData(Upload):
    """Side data as it stands; upload_id is its own id."""

    kind: SideKind
    column_count: int
    byte_count: int
    finished: bool
    create_time: int

    @property
    def is_finished(self) -> bool:
        """Whether fits may name it."""
        return self.finished


@dataclass(frozen=True)
class SideChunk:
    """Rows of side data. `content` is a serialized weaklabel.v1.SideRows that was checked."""

    row_offset: int
    rows: int
    item_ids: list[str] | None
    content: bytes


def _side_data(row: Row[Any]) -> SideData:
    return SideData(
        key=row.key,
        project_key=row.project_key,
        upload_id=row.side_data_id,
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


_tables = UploadTables(
    uploads=schema.side_uploads,
    chunks=schema.side_chunks,
    id_column="side_data_id",
    subject="kind",
    subject_field="open.kind",
    error_key="side_data",
    unfinished=_columns.finished.is_(False),
    from_row=_side_data,
)


def open_upload(
    tx: Connection, project_id: str, side_data_id: str, kind: SideKind, content_digest: bytes
) -> tuple[Project, SideData]:
    """Begins an upload, or takes up one that was broken off, or finds that it is finished.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, LABEL_SPACE_MISMATCH, UPLOAD_ID_REUSED.
    """
    projects.check_votes_for_classes(projects.get(tx, project_id))
    return _tables.open(
        tx,
        project_id,
        side_data_id,
        content_digest,
        subject=kind,
        same_content=lambda project: _same_content(tx, project, kind, content_digest),
        create_time=now_micros(),
    )


def append(tx: Connection, side: SideData, chunk: SideChunk, column_count: int, *, max_bytes: int) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED, SIDE_DATA_TOO_LARGE;
            INVALID_FIELD when the number of columns differs from that of the chunks before.
    """

    def insert_chunk(current: SideData, _: int) -> dict[str, Any]:
        if current.committed_rows and column_count != current.column_count:
            raise invalid(
                "chunk.values", f"{current.column_count} columns, as in the chunks before, got {column_count}"
            )
        byte_count = current.byte_count + len(chunk.content)
        if byte_count > max_bytes:
            raise ServiceError(
                Reason.SIDE_DATA_TOO_LARGE,
                f"more than the {max_bytes} bytes that this server allows; see WEAKLABEL_MAX_SIDE_DATA_BYTES",
            )
        tx.execute(
            insert(schema.side_chunks).values(side_upload_key=current.key, **pack_chunk(chunk)),
        )
        return {"column_count": column_count, "byte_count": byte_count}

    rows = Rows(chunk.row_offset, chunk.rows, chunk.item_ids is not None)
    naming_matters = side.kind is not SideKind.BAGS
    return _tables.append(tx, side, [rows], insert_chunk, naming_matters=naming_matters)[0]


def pack_chunk(chunk: SideChunk) -> dict[str, Any]:
    """The columns of a chunk as it is stored."""
    return {
        "row_offset": chunk.row_offset,
        "rows": chunk.rows,
        "item_ids": None if chunk.item_ids is None else pack_ids(chunk.item_ids),
        "content": zlib.compress(chunk.content, _LEVEL),
    }


def check_distinct(tx: Connection, side: SideData) -> None:
    """Refuses an item id in two rows of an upload; this takes seconds for a million, so it is no part of `finish`.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER; INVALID_FIELD when one is.
    """
    if _tables.writable(tx, side).named_items:
        _tables.item_ids(tx, side)


def finish(tx: Connection, side: SideData, total_rows: int) -> None:
    """Ends an upload, whose ids were found to be distinct: fits may name it from now on.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH; INVALID_FIELD when the upload is empty.
    """
    current = _tables.complete(tx, side, total_rows)
    _tables.change(tx, current, finished=True, writer="")
    audit.record(tx)


def get(tx: Connection, project: Project, side_data_id: str) -> SideData:
    """Side data that is finished.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND.
    """
    side = _tables.find(tx, project, side_data_id)
    if side is None or not side.is_finished:
        what = "has no side data" if side is None else "has not got all of side data"
        raise ServiceError(
            Reason.SIDE_DATA_NOT_FOUND,
            f'project "{project.project_id}" {what} "{side_data_id}"',
            metadata={"project": project.project_id, "side_data": side_data_id},
        )
    return side


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[SideData]:
    """Up to size + 1 that are finished, newest first."""
    query = select(schema.side_uploads).where(_columns.project_key == project.key, _columns.finished)
    return [_side_data(row) for row in tx.execute(newest_first(query, _columns.key, page))]


def remove(tx: Connection, project: Project, side_data_id: str) -> None:
    """Deletes side data.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, OPERATIONS_RUNNING.
    """
    side = get(tx, project, side_data_id)
    projects.check_no_operation(tx, project)
    trash.throw(tx, schema.side_uploads, _columns.key == side.key)


def remove_abandoned(tx: Connection, before: int) -> int:
    """Deletes unfinished uploads that nobody has added to since a time; returns how many."""
    return _tables.remove_abandoned(tx, before)


def chunks(tx: Connection, side: SideData) -> Iterator[SideChunk]:
    """The rows of side data, in their order."""
    query = (
        select(schema.side_chunks)
        .where(_chunks.side_upload_key == side.key)
        .order_by(_chunks.row_offset)
        .execution_options(yield_per=4)
    )
    for row in tx.execute(query):
        yield _side_chunk(row)


def chunk_at(tx: Connection, side: SideData, row_offset: int) -> SideChunk:
    """The chunk that begins with a row."""
    query = select(schema.side_chunks).where(_chunks.side_upload_key == side.key, _chunks.row_offset == row_offset)
    return _side_chunk(tx.execute(query).one())


def _side_chunk(row: Row[Any]) -> SideChunk:
    item_ids = None if row.item_ids is None else unpack_ids(row.item_ids)
    return SideChunk(row.row_offset, row.rows, item_ids, zlib.decompress(row.content))


def _same_content(tx: Connection, project: Project, kind: SideKind, digest: bytes) -> SideData | None:
    """Side data of this content, finished if there is one."""
    query = (
        select(schema.side_uploads)
        .where(_columns.project_key == project.key, _columns.kind == kind, _columns.content_digest == digest)
        .order_by(_columns.finished.desc(), _columns.key.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    return None if row is None else _side_data(row)
