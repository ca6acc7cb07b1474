"""The writing side of votes: an upload takes chunks, each durable at once, and becomes visible as a whole."""

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.store import items, projects, schema, sources
from weaklabel_server.store.chunks import PackedChunk, pack_positions, unpack_ids
from weaklabel_server.store.projects import Project

_uploads = schema.uploads.c
_chunks = schema.chunks.c


@dataclass(frozen=True)
class Upload:
    """An upload as it stands. `writer` names the stream that may add to it; version is 0 until it is finished."""

    key: int
    upload_id: str
    source_names: tuple[str, ...]
    content_digest: bytes
    writer: str
    named_items: bool | None
    committed_rows: int
    version: int


def open_upload(
    tx: Connection, project_id: str, upload_id: str, source_names: tuple[str, ...], content_digest: bytes
) -> tuple[Project, Upload]:
    """Begins an upload, or takes up one that was broken off, or finds that it is finished.

    Whoever opens an unfinished upload becomes its writer: a client that lost its connection must not be kept out by
    what is left of that connection on the server.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, UPLOAD_ID_REUSED.
    """
    project = projects.get(tx, project_id)
    known = _find(tx, project, upload_id)
    if known is not None and (known.source_names != source_names or known.content_digest != content_digest):
        field = "open.sources" if known.source_names != source_names else "open.content_digest"
        raise invalid(
            field, f"upload {upload_id} was begun with another value of this field", reason=Reason.UPLOAD_ID_REUSED
        )
    if known is None and content_digest:
        known = _same_content(tx, project, source_names, content_digest)
    if known is None:
        tx.execute(
            insert(schema.uploads).values(
                project_key=project.key,
                upload_id=upload_id,
                source_names=list(source_names),
                content_digest=content_digest,
                writer="",
                update_time=now_micros(),
            )
        )
        known = _find(tx, project, upload_id)
        assert known is not None
    if not known.version:
        tx.execute(
            update(schema.uploads)
            .where(_uploads.key == known.key)
            .values(writer=uuid.uuid4().hex, update_time=now_micros())
        )
    return project, _get(tx, known.key)


def append(tx: Connection, upload: Upload, row_offset: int, chunk: PackedChunk) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED.
    """
    current = _writable(tx, upload)
    committed = current.committed_rows
    if row_offset + chunk.rows <= committed:
        return committed
    if row_offset != committed:
        description = f"the next chunk begins with row {committed}, not {row_offset}"
        raise ServiceError(
            Reason.ROW_OFFSET_MISMATCH,
            description,
            metadata={"committed_rows": str(committed)},
            violations=[FieldViolation("chunk.row_offset", description)],
        )
    named = chunk.item_ids is not None
    _check_naming(tx, current, named=named)
    tx.execute(
        insert(schema.chunks).values(
            upload_key=current.key,
            row_offset=row_offset,
            rows=chunk.rows,
            vote_count=chunk.vote_count,
            sparse=chunk.sparse,
            dtype=chunk.dtype,
            item_ids=chunk.item_ids,
            first_position=None if named else row_offset,
            last_position=None if named else row_offset + chunk.rows - 1,
            votes=chunk.votes,
            candidate_sets=chunk.candidate_sets,
            soft_votes=chunk.soft_votes,
        )
    )
    committed += chunk.rows
    tx.execute(
        update(schema.uploads)
        .where(_uploads.key == current.key)
        .values(committed_rows=committed, named_items=named, update_time=now_micros())
    )
    return committed


def finish(tx: Connection, upload: Upload, total_rows: int, *, max_cells: int) -> int:
    """Makes the votes of an upload visible, as a new version, which it returns.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH, ITEM_NAMING_MIXED, PROJECT_TOO_LARGE;
            INVALID_FIELD when an item id stands twice in the upload, or the upload is empty.
    """
    current = _writable(tx, upload)
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
    named = bool(current.named_items)
    _check_naming(tx, current, named=named)
    project = _project_of(tx, current)
    item_count = _place_items(tx, project, current) if named else max(project.item_count, total_rows)
    version = sources.add_version(tx, project, item_count)
    source_keys = sources.touch(tx, project, current.source_names, version)
    tx.execute(update(schema.projects).where(schema.projects.c.key == project.key).values(named_items=named))
    tx.execute(
        update(schema.uploads)
        .where(_uploads.key == current.key)
        .values(version=version, source_keys=source_keys, writer="", update_time=now_micros())
    )
    after = _project_of(tx, current)
    if after.item_count * after.source_count > max_cells:
        raise ServiceError(
            Reason.PROJECT_TOO_LARGE,
            f"{after.item_count} items x {after.source_count} sources are more than the {max_cells} cells that this "
            "server allows a project; see WEAKLABEL_MAX_VOTES_CELLS",
        )
    return version


def remove_abandoned(tx: Connection, before: int) -> None:
    """Deletes unfinished uploads that nobody has added to since a time."""
    tx.execute(delete(schema.uploads).where(_uploads.version == 0, _uploads.update_time < before))


def _same_content(tx: Connection, project: Project, names: tuple[str, ...], digest: bytes) -> Upload | None:
    """The upload that makes one with this content needless: the newest to touch any of its sources, or a broken one."""
    query = select(schema.uploads).where(_uploads.project_key == project.key, _uploads.content_digest == digest)
    living = sources.by_name(tx, project, names)
    if len(living) == len(names):
        # Each version is one upload, so the newest that any of them took part in is the one to look at.
        newest = max(source.last_version for source in living.values())
        row = tx.execute(query.where(_uploads.version == newest)).first()
        if row is not None and tuple(row.source_names) == names:
            return _upload(row)
    for row in tx.execute(query.where(_uploads.version == 0).order_by(_uploads.key.desc())):
        if tuple(row.source_names) == names:
            return _upload(row)
    return None


def _place_items(tx: Connection, project: Project, upload: Upload) -> int:
    """Gives the rows of an upload their positions; returns the number of items of the project with it."""
    query = select(_chunks.row_offset, _chunks.item_ids).where(_chunks.upload_key == upload.key)
    ids_by_chunk = {
        row.row_offset: unpack_ids(row.item_ids) for row in tx.execute(query.order_by(_chunks.row_offset)).all()
    }
    all_ids = [one for ids in ids_by_chunk.values() for one in ids]
    _check_distinct(all_ids)
    position_of = items.add_missing(tx, project, all_ids)
    for row_offset, ids in ids_by_chunk.items():
        positions = np.fromiter((position_of[one] for one in ids), np.int64, len(ids))
        first, last = int(positions.min()), int(positions.max())
        in_order = np.array_equal(positions, np.arange(first, first + len(ids)))
        tx.execute(
            update(schema.chunks)
            .where(_chunks.upload_key == upload.key, _chunks.row_offset == row_offset)
            .values(
                first_position=first,
                last_position=last,
                positions=None if in_order else pack_positions(positions),
                item_ids=None,
            )
        )
    return max(project.item_count, 1 + max(position_of.values()))


def _check_distinct(item_ids: list[str]) -> None:
    if len(set(item_ids)) == len(item_ids):
        return
    seen: dict[str, int] = {}
    for row, one in enumerate(item_ids):
        if one in seen:
            raise invalid("chunk.item_ids", f'item "{one}" is in rows {seen[one]} and {row} of the upload')
        seen[one] = row


def _check_naming(tx: Connection, upload: Upload, *, named: bool) -> None:
    decided = upload.named_items if upload.named_items is not None else _project_of(tx, upload).named_items
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


def _writable(tx: Connection, upload: Upload) -> Upload:
    current = _get(tx, upload.key)
    if current.writer != upload.writer:
        raise ServiceError(
            Reason.UPLOAD_TAKEN_OVER,
            f"another stream has opened upload {upload.upload_id} since",
            metadata={"upload_id": upload.upload_id},
        )
    return current


def _get(tx: Connection, key: int) -> Upload:
    row = tx.execute(select(schema.uploads).where(_uploads.key == key)).first()
    if row is None:
        raise ServiceError(Reason.UPLOAD_NOT_FOUND, "the upload is gone: its project was deleted")
    return _upload(row)


def _find(tx: Connection, project: Project, upload_id: str) -> Upload | None:
    row = tx.execute(select(schema.uploads).filter_by(project_key=project.key, upload_id=upload_id)).first()
    return None if row is None else _upload(row)


def _project_of(tx: Connection, upload: Upload) -> Project:
    query = (
        select(schema.projects.c.project_id)
        .join(schema.uploads, _uploads.project_key == schema.projects.c.key)
        .where(_uploads.key == upload.key)
    )
    return projects.get(tx, tx.execute(query).scalar_one())


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        key=row.key,
        upload_id=row.upload_id,
        source_names=tuple(row.source_names),
        content_digest=row.content_digest,
        writer=row.writer,
        named_items=row.named_items,
        committed_rows=row.committed_rows,
        version=row.version,
    )
