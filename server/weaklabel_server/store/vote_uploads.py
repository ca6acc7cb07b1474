"""Uploads of votes: a finished one is a new version of the votes of its project."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import placing, projects, schema, sources, trash
from weaklabel_server.store.access import audit
from weaklabel_server.store.chunks import PackedChunk
from weaklabel_server.store.database import Database
from weaklabel_server.store.placing import Placed, PlacingLostError, Plan
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Rows, Upload, UploadTables

_columns = schema.uploads.c
_chunks = schema.chunks.c


@dataclass(frozen=True, kw_only=True)
class VoteUpload(Upload):
    """An upload of votes as it stands; version is 0 until it is finished."""

    source_names: tuple[str, ...]
    version: int

    @property
    def is_finished(self) -> bool:
        """Whether its votes are a version."""
        return self.version > 0


def _upload(row: Row[Any]) -> VoteUpload:
    return VoteUpload(
        key=row.key,
        project_key=row.project_key,
        upload_id=row.upload_id,
        source_names=tuple(row.source_names),
        content_digest=row.content_digest,
        writer=row.writer,
        named_items=row.named_items,
        committed_rows=row.committed_rows,
        version=row.version,
    )


_INSERT = insert(schema.chunks)
_tables = UploadTables(
    uploads=schema.uploads,
    chunks=schema.chunks,
    id_column="upload_id",
    subject="source_names",
    subject_field="open.sources",
    error_key="upload_id",
    unfinished=_columns.version == 0,
    from_row=_upload,
)


def open_upload(
    tx: Connection, project_id: str, upload_id: str, source_names: tuple[str, ...], content_digest: bytes
) -> tuple[Project, VoteUpload]:
    """Begins an upload, or takes up one that was broken off, or finds that it is finished.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, LABEL_SPACE_MISMATCH, UPLOAD_ID_REUSED.
    """
    projects.check_votes_for_classes(projects.get(tx, project_id))
    return _tables.open(
        tx,
        project_id,
        upload_id,
        content_digest,
        subject=source_names,
        same_content=lambda project: _same_content(tx, project, source_names, content_digest),
    )


def append(tx: Connection, upload: VoteUpload, row_offset: int, *chunks: PackedChunk) -> list[int]:
    """Adds chunks that follow each other, all or none, and returns the number of rows committed with each.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED.
    """
    offsets = list(accumulate((chunk.rows for chunk in chunks[:-1]), initial=row_offset))
    rows = [Rows(at, one.rows, one.item_ids is not None) for at, one in zip(offsets, chunks, strict=True)]

    def insert_chunks(current: VoteUpload, first: int) -> dict[str, Any]:
        new = zip(rows[first:], chunks[first:], strict=True)
        tx.execute(_INSERT, [_chunk_row(current, at, chunk) for at, chunk in new])
        return {}

    return _tables.append(tx, upload, rows, insert_chunks)


def _chunk_row(upload: VoteUpload, at: Rows, chunk: PackedChunk) -> dict[str, Any]:
    return {
        **asdict(chunk),
        "upload_key": upload.key,
        "row_offset": at.row_offset,
        "first_position": None if at.named else at.row_offset,
        "last_position": None if at.named else at.row_offset + at.rows - 1,
    }


def finish(tx: Connection, upload: VoteUpload, total_rows: int, *, max_cells: int, placed: Placed | None = None) -> int:
    """Makes the votes of an upload visible, as a new version, which it returns.

    Args:
        tx: The transaction.
        upload: The upload, all rows of which are committed.
        total_rows: How many.
        max_cells: The most items x sources of a project.
        placed: What was placed ahead; without it, new items get their positions in this transaction.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH, ITEM_NAMING_MIXED, PROJECT_TOO_LARGE;
            INVALID_FIELD when an item id is in two rows of the upload, or the upload is empty.
        PlacingLostError: What was placed ahead does not hold any more.
    """
    current, project = _complete(tx, upload, total_rows)
    if not current.named_items:
        item_count = max(project.item_count, total_rows)
    elif placed is not None:
        item_count = placing.accept(tx, project, placed)
    else:
        plan = placing.make_plan(tx, project, _tables.item_ids(tx, current))
        item_count = placing.place_now(tx, plan, current.key)
        tx.execute(update(schema.chunks).where(_chunks.upload_key == current.key).values(item_ids=None))
    version = sources.add_version(tx, project, item_count)
    source_keys = sources.touch(tx, project, current.source_names, version)
    named = bool(current.named_items)
    tx.execute(update(schema.projects).where(schema.projects.c.key == project.key).values(named_items=named))
    _tables.change(tx, current, version=version, source_keys=source_keys, writer="")
    after = _tables.project_of(tx, current)
    if after.item_count * after.source_count > max_cells:
        raise ServiceError(
            Reason.PROJECT_TOO_LARGE,
            f"{after.item_count} items x {after.source_count} sources are more than the {max_cells} cells that this "
            "server allows a project; see WEAKLABEL_MAX_VOTES_CELLS",
        )
    audit.record(tx)
    return version


async def finish_in_turn(
    database: Database,
    upload: VoteUpload,
    total_rows: int,
    *,
    max_cells: int,
    check: Callable[[Connection], None] = lambda _: None,
) -> int:
    """As `finish`, but of many new items in short transactions, so that other changes do not wait for long.

    `check` may refuse what has become of the project, in the transaction that ends the upload.
    """

    def end(tx: Connection, placed: Placed | None) -> int:
        version = finish(tx, upload, total_rows, max_cells=max_cells, placed=placed)
        check(tx)
        return version

    while True:
        try:
            placed = await place_in_turn(database, upload, total_rows)
            version = await database.run_write(end, placed)
        except PlacingLostError:
            continue
        if placed is not None:
            await placing.forget_ids(database, upload.key)
        return version


async def place_in_turn(database: Database, upload: VoteUpload, total_rows: int) -> Placed | None:
    """Places the new items of an upload ahead of its finish, in short transactions; None where they are few.

    Raises:
        ServiceError: As finish.
        PlacingLostError: Begin again.
    """

    def plan(tx: Connection) -> Plan | None:
        current, project = _complete(tx, upload, total_rows)
        if not current.named_items or total_rows <= placing.SMALL:
            return None
        return placing.make_plan(tx, project, _tables.item_ids(tx, current))

    planned = await database.run_read(plan)
    return None if planned is None else await placing.place(database, planned, upload.key)


def throw_unfinished(tx: Connection, upload: VoteUpload) -> None:
    """Throws an upload away that is not finished, and will not be."""
    trash.throw(tx, schema.uploads, (_columns.key == upload.key) & (_columns.version == 0))


def _complete(tx: Connection, upload: VoteUpload, total_rows: int) -> tuple[VoteUpload, Project]:
    """An upload with all its rows, and its project, which it suits."""
    current = _tables.complete(tx, upload, total_rows)
    _tables.check_naming(tx, current, named=bool(current.named_items))
    return current, _tables.project_of(tx, current)


def remove_abandoned(tx: Connection, before: int) -> int:
    """Deletes unfinished uploads that nobody has added to since a time; returns how many."""
    return _tables.remove_abandoned(tx, before)


def _same_content(tx: Connection, project: Project, names: tuple[str, ...], digest: bytes) -> VoteUpload | None:
    """The upload that makes one with this content needless: the newest to touch any of its sources, or a broken one."""
    query = select(schema.uploads).where(_columns.project_key == project.key, _columns.content_digest == digest)
    living = sources.by_name(tx, project, names)
    if len(living) == len(names):
        # Each version is one upload, so the newest that any of them took part in is the one to look at.
        newest = max(source.last_version for source in living.values())
        row = tx.execute(query.where(_columns.version == newest)).first()
        if row is not None and tuple(row.source_names) == names:
            return _upload(row)
    for row in tx.execute(query.where(_columns.version == 0).order_by(_columns.key.desc())):
        if tuple(row.source_names) == names:
            return _upload(row)
    return None
