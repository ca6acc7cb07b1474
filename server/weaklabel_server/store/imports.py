"""A project that is written bit by bit, in short transactions, where nobody sees it, and shown when it is whole.

Its items have the order of the rows that come, so that their positions are known at once. The version of its votes has
the number that it had where it comes from; versions before are not kept.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select, update

from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.store import label_tables, projects, schema, sources, trash
from weaklabel_server.store.access import quotas
from weaklabel_server.store.chunks import PackedChunk, pack_array
from weaklabel_server.store.database import insert_rows
from weaklabel_server.store.kept_uploads import packed
from weaklabel_server.store.models import ModelSummary
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordChunk, RecordRole
from weaklabel_server.store.side_data import SideChunk, SideKind, pack_chunk

_projects = schema.projects.c
_items = schema.items.c


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A hidden project, and the upload that its votes are of; without sources there is none."""

    project: Project
    becomes: str
    """The id that it will have."""
    upload_key: int | None


def begin(
    tx: Connection,
    replica_id: str,
    import_id: str,
    becomes: str,
    *,
    classes: Sequence[str],
    label_space: LabelSpace | None,
    named_items: bool,
    item_count: int,
    votes_version: int,
    source_names: Sequence[str],
) -> Staged:
    """Makes the hidden project, with its sources. What an attempt before left is thrown away.

    Raises:
        ServiceError: PROJECT_TOO_LARGE when the names of sources are too long in all.
    """
    trash.throw_staged(tx, replica_id, import_id)
    key, now = trash.stage(tx, replica_id, import_id), now_micros()
    decided = named_items if votes_version else None
    values: dict[str, Any] = {
        "classes": list(classes),
        "named_items": decided,
        "item_count": item_count,
        "votes_version": votes_version,
    }
    if label_space is not None:
        values["label_space"] = label_space.to_json()
    tx.execute(update(schema.projects).where(_projects.key == key).values(values))
    quotas.begin(tx, key)
    project = Project(
        key=key,
        project_id="",
        classes=tuple(classes),
        named_items=decided,
        item_count=item_count,
        source_count=len(source_names),
        votes_version=votes_version,
        create_time=now,
        label_space=label_space,
    )
    upload_key = None
    if votes_version:
        version = {"project_key": key, "version": votes_version, "item_count": item_count, "create_time": now}
        tx.execute(insert(schema.versions).values(version))
    if source_names:
        upload = {
            "project_key": key,
            "upload_id": str(uuid.uuid4()),
            "source_names": list(source_names),
            "content_digest": b"",
            "writer": "",
            "named_items": named_items,
            "committed_rows": item_count,
            "version": votes_version,
            "source_keys": sources.touch(tx, project, source_names, votes_version),
            "update_time": now,
        }
        upload_key = tx.execute(insert(schema.uploads).values(upload).returning(schema.uploads.c.key)).scalar_one()
    return Staged(project=project, becomes=becomes, upload_key=upload_key)


def add_items(tx: Connection, staged: Staged, start: int, ids: Sequence[str], where: str) -> None:
    """Adds items behind the last one.

    Raises:
        ServiceError: IMPORT_UNSUITABLE when one is there already.
    """
    key, twice = staged.project.key, None
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
    for some in sources.batches(ids):
        query = select(_items.item_id).where(_items.project_key == key, _items.item_id.in_(some)).limit(1)
        twice = twice or tx.execute(query).scalar()
    if twice is not None:
        raise invalid("data", f'{where}: item "{twice}" is there twice', reason=Reason.IMPORT_UNSUITABLE)
    insert_rows(tx, schema.items, ((key, at, one) for at, one in enumerate(ids, start)))


def add_votes(tx: Connection, staged: Staged, row_offset: int, chunk: PackedChunk) -> None:
    """Adds the votes of items, which need not be there yet."""
    assert staged.upload_key is not None
    tx.execute(
        insert(schema.chunks).values(
            upload_key=staged.upload_key,
            row_offset=row_offset,
            rows=chunk.rows,
            vote_count=chunk.vote_count,
            sparse=chunk.sparse,
            dtype=chunk.dtype,
            first_position=row_offset,
            last_position=row_offset + chunk.rows - 1,
            votes=chunk.votes,
            candidate_sets=chunk.candidate_sets,
            soft_votes=chunk.soft_votes,
        )
    )
    of_chunk = schema.chunks.c.upload_key == staged.upload_key, schema.chunks.c.row_offset == row_offset
    quotas.count(tx, staged.project.key, schema.chunks, *of_chunk)


def begin_side(
    tx: Connection, staged: Staged, side_data_id: str, kind: SideKind, rows: int, columns: int, digest: bytes
) -> int:
    """Begins side data, all of whose rows are to come; returns its key."""
    now = now_micros()
    values = {
        "project_key": staged.project.key,
        "side_data_id": side_data_id,
        "kind": kind,
        "content_digest": digest,
        "writer": "",
        "committed_rows": rows,
        "column_count": columns,
        "finished": True,
        "create_time": now,
        "update_time": now,
    }
    side_uploads = schema.side_uploads
    key: int = tx.execute(insert(side_uploads).values(values).returning(side_uploads.c.key)).scalar_one()
    return key


def add_side(tx: Connection, staged: Staged, key: int, chunk: SideChunk) -> None:
    """Adds rows of side data."""
    side = schema.side_uploads.c
    tx.execute(insert(schema.side_chunks).values(side_upload_key=key, **pack_chunk(chunk)))
    grown = {"byte_count": side.byte_count + len(chunk.content), "named_items": chunk.item_ids is not None}
    tx.execute(update(schema.side_uploads).where(side.key == key).values(grown))
    chunks = schema.side_chunks.c
    of_chunk = chunks.side_upload_key == key, chunks.row_offset == chunk.row_offset
    quotas.count(tx, staged.project.key, schema.side_chunks, *of_chunk)


def begin_records(
    tx: Connection,
    staged: Staged,
    record_set_id: str,
    role: RecordRole,
    rows: int,
    columns: Sequence[str],
    digest: bytes,
) -> int:
    """Begins records, all of whose rows are to come; returns their key."""
    now = now_micros()
    values = {
        "project_key": staged.project.key,
        "record_set_id": record_set_id,
        "role": role,
        "content_digest": digest,
        "writer": "",
        "committed_rows": rows,
        "columns": list(columns),
        "finished": True,
        "create_time": now,
        "update_time": now,
    }
    uploads = schema.record_uploads
    key: int = tx.execute(insert(uploads).values(values).returning(uploads.c.key)).scalar_one()
    return key


def add_records(tx: Connection, staged: Staged, key: int, chunk: RecordChunk) -> None:
    """Adds rows of records."""
    uploads, chunks = schema.record_uploads, schema.record_chunks
    tx.execute(insert(chunks).values(record_upload_key=key, **packed(chunk)))
    grown = {"byte_count": uploads.c.byte_count + len(chunk.content)}
    tx.execute(update(uploads).where(uploads.c.key == key).values(grown))
    of_chunk = chunks.c.record_upload_key == key, chunks.c.row_offset == chunk.row_offset
    quotas.count(tx, staged.project.key, chunks, *of_chunk)


def add_table_chunk(
    tx: Connection, staged: Staged, key: int, name: str, row_offset: int, rows: int, content: bytes
) -> None:
    """Adds rows of a table of the labels of a model."""
    values = {"model_key": key, "table_name": name, "row_offset": row_offset, "rows": rows, "content": content}
    label_tables.add_chunk(tx, values)
    chunks = schema.label_chunks.c
    of_chunk = chunks.model_key == key, chunks.table_name == name, chunks.row_offset == row_offset
    quotas.count(tx, staged.project.key, schema.label_chunks, *of_chunk)


def begin_model(
    tx: Connection, staged: Staged, model_id: str, votes_version: int, items: int, summary: ModelSummary, content: bytes
) -> int:
    """Adds a model, whose soft labels are to come; returns its key."""
    values = {
        "project_key": staged.project.key,
        "model_id": model_id,
        "votes_version": votes_version,
        "item_count": items,
        "summary": asdict(summary),
        "create_time": now_micros(),
        "content": content,
    }
    models = schema.models
    key: int = tx.execute(insert(models).values(values).returning(models.c.key)).scalar_one()
    quotas.count(tx, staged.project.key, models, models.c.key == key)
    return key


def add_labels(
    tx: Connection,
    staged: Staged,
    key: int,
    row_offset: int,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int32],
) -> None:
    """Adds soft labels of a model: as many as models.chunk_rows says, or the last."""
    values: Mapping[str, Any] = {
        "model_key": key,
        "row_offset": row_offset,
        "rows": len(labels),
        "probabilities": pack_array(probabilities),
        "labels": pack_array(labels),
    }
    tx.execute(insert(schema.soft_labels).values(values))
    columns = schema.soft_labels.c
    quotas.count(tx, staged.project.key, schema.soft_labels, columns.model_key == key, columns.row_offset == row_offset)


def check_absent(tx: Connection, project_id: str) -> None:
    """Refuses an id that is taken.

    Raises:
        ServiceError: PROJECT_EXISTS.
    """
    if tx.execute(select(_projects.key).where(_projects.project_id == project_id)).first() is not None:
        raise ServiceError(
            Reason.PROJECT_EXISTS, f'project "{project_id}" exists already', metadata={"project": project_id}
        )


def show(tx: Connection, staged: Staged) -> Project:
    """Gives the project its name: from now on it is there.

    Raises:
        ServiceError: PROJECT_EXISTS; STORE_UNAVAILABLE where it was thrown away meanwhile.
    """
    project_id = staged.becomes
    check_absent(tx, project_id)
    hidden = (_projects.key == staged.project.key) & _projects.trash & _projects.project_id.startswith("+")
    values = {"project_id": project_id, "trash": False, "create_time": now_micros()}
    if not tx.execute(update(schema.projects).where(hidden).values(values)).rowcount:
        raise ServiceError(Reason.STORE_UNAVAILABLE, "another server has cleaned up: import it again")
    return projects.get(tx, project_id)
