"""Old versions of votes: what they alone hold is removed; what later versions still show stays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, select

from weaklabel_server.store import schema, trash
from weaklabel_server.store.chunks import unpack_positions

_versions = schema.versions.c
_uploads = schema.uploads.c
_chunks = schema.chunks.c
_operations = schema.operations.c


@dataclass(frozen=True)
class Forgetting:
    """What goes with the versions before `oldest` of a project: keys of uploads that no later version shows."""

    project_key: int
    oldest: int
    upload_keys: tuple[int, ...]


def with_more_than(tx: Connection, keep: int) -> list[int]:
    """The keys of projects that have more versions than so many."""
    seen = select(schema.projects.c.key).where(schema.projects.c.trash.is_(False))
    query = select(_versions.project_key).where(_versions.project_key.in_(seen)).group_by(_versions.project_key)
    return list(tx.execute(query.having(func.count() > keep)).scalars())


def plan(tx: Connection, project_key: int, keep: int, before: int) -> Forgetting:
    """What may go where the newest `keep` versions stay, and those made after a time, and those that fits read."""
    of_project = _versions.project_key == project_key
    newest = list(
        tx.execute(select(_versions.version).where(of_project).order_by(_versions.version.desc()).limit(keep)).scalars()
    )
    young = tx.execute(select(func.min(_versions.version)).where(of_project, _versions.create_time >= before)).scalar()
    read = _oldest_read(tx, project_key)
    oldest = min([*newest, *(one for one in (young, read) if one is not None)], default=0)
    return Forgetting(project_key, oldest, _hidden_uploads(tx, project_key, oldest))


def forget(tx: Connection, planned: Forgetting) -> int:
    """Removes versions and their uploads, unless a fit has begun to read one; returns the number of versions."""
    read = _oldest_read(tx, planned.project_key)
    if read is not None and read < planned.oldest:
        return 0
    which = (_versions.project_key == planned.project_key) & (_versions.version < planned.oldest)
    count = tx.execute(select(func.count()).where(which)).scalar_one()
    tx.execute(delete(schema.versions).where(which))
    for start in range(0, len(planned.upload_keys), 500):
        trash.throw(tx, schema.uploads, _uploads.key.in_(planned.upload_keys[start : start + 500]))
    return count


def _oldest_read(tx: Connection, project_key: int) -> int | None:
    """The oldest version that an operation reads that is not done."""
    which = (_operations.project_key == project_key) & _operations.done.is_(False) & (_operations.votes_version > 0)
    oldest: int | None = tx.execute(select(func.min(_operations.votes_version)).where(which)).scalar()
    return oldest


def _hidden_uploads(tx: Connection, project_key: int, oldest: int) -> tuple[int, ...]:
    """The uploads up to a version of which each vote is of a deleted source, or was given anew up to that version."""
    sources = schema.sources.c
    gone = sources.deleted_version.between(1, oldest)
    deleted = set(tx.execute(select(sources.key).where(sources.project_key == project_key, gone)).scalars())
    query = select(_uploads.key, _uploads.source_keys).where(
        _uploads.project_key == project_key, _uploads.version.between(1, oldest)
    )
    items = tx.execute(
        select(_versions.item_count).where(_versions.project_key == project_key, _versions.version == oldest)
    ).scalar()
    uploads = [(row.key, set(row.source_keys) - deleted) for row in tx.execute(query.order_by(_uploads.version.desc()))]
    found: list[int] = []
    kept: list[tuple[int, set[int]]] = []
    for key, living in uploads:  # the newest first
        covered = np.zeros(items or 0, bool)
        for later, its in kept:
            if living <= its:
                _mark(tx, later, covered)
        if not living or (len(kept) and _covers(tx, key, covered)):
            found.append(key)
        else:
            kept.append((key, living))
    return tuple(found)


def _mark(tx: Connection, upload_key: int, covered: NDArray[np.bool_]) -> None:
    for positions in _positions(tx, upload_key):
        covered[positions] = True


def _covers(tx: Connection, upload_key: int, covered: NDArray[np.bool_]) -> bool:
    return all(bool(covered[positions].all()) for positions in _positions(tx, upload_key))


def _positions(tx: Connection, upload_key: int) -> list[NDArray[np.int64]]:
    query = select(_chunks.first_position, _chunks.last_position, _chunks.positions)
    return [
        np.arange(row.first_position, row.last_position + 1)
        if row.positions is None
        else unpack_positions(row.positions)
        for row in tx.execute(query.where(_chunks.upload_key == upload_key))
    ]
