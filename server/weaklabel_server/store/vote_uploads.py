"""Uploads of votes: a finished one is a new version of the votes of its project."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, insert, select, update

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import items, schema, sources
from weaklabel_server.store.chunks import PackedChunk, pack_positions
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Upload, UploadTables

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
        upload_id=row.upload_id,
        source_names=tuple(row.source_names),
        content_digest=row.content_digest,
        writer=row.writer,
        named_items=row.named_items,
        committed_rows=row.committed_rows,
        version=row.version,
    )


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
        ServiceError: PROJECT_NOT_FOUND, UPLOAD_ID_REUSED.
    """
    return _tables.open(
        tx,
        project_id,
        upload_id,
        content_digest,
        subject=source_names,
        same_content=lambda project: _same_content(tx, project, source_names, content_digest),
    )


def append(tx: Connection, upload: VoteUpload, row_offset: int, chunk: PackedChunk) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED.
    """
    named = chunk.item_ids is not None

    def insert_chunk(current: VoteUpload) -> dict[str, Any]:
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
        return {}

    return _tables.append(tx, upload, row_offset=row_offset, rows=chunk.rows, named=named, insert_chunk=insert_chunk)


def finish(tx: Connection, upload: VoteUpload, total_rows: int, *, max_cells: int) -> int:
    """Makes the votes of an upload visible, as a new version, which it returns.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH, ITEM_NAMING_MIXED, PROJECT_TOO_LARGE;
            INVALID_FIELD when an item id is in two rows of the upload, or the upload is empty.
    """
    current = _tables.complete(tx, upload, total_rows)
    named = bool(current.named_items)
    _tables.check_naming(tx, current, named=named)
    project = _tables.project_of(tx, current)
    item_count = _place_items(tx, project, current) if named else max(project.item_count, total_rows)
    version = sources.add_version(tx, project, item_count)
    source_keys = sources.touch(tx, project, current.source_names, version)
    tx.execute(update(schema.projects).where(schema.projects.c.key == project.key).values(named_items=named))
    _tables.change(tx, current, version=version, source_keys=source_keys, writer="")
    after = _tables.project_of(tx, current)
    if after.item_count * after.source_count > max_cells:
        raise ServiceError(
            Reason.PROJECT_TOO_LARGE,
            f"{after.item_count} items x {after.source_count} sources are more than the {max_cells} cells that this "
            "server allows a project; see WEAKLABEL_MAX_VOTES_CELLS",
        )
    return version


def remove_abandoned(tx: Connection, before: int) -> None:
    """Deletes unfinished uploads that nobody has added to since a time."""
    _tables.remove_abandoned(tx, before)


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


def _place_items(tx: Connection, project: Project, upload: VoteUpload) -> int:
    """Gives the rows of an upload their positions; returns the number of items of the project with it."""
    ids_by_chunk = _tables.item_ids(tx, upload)
    position_of = items.add_missing(tx, project, [one for ids in ids_by_chunk.values() for one in ids])
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
