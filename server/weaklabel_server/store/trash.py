"""What is deleted: gone at once for everybody, and from the disk bit by bit, so that no other change waits for long.

To throw something away is to give it to a hidden project, which is small work whatever its size. `empty` deletes what
hidden projects hold, in transactions of some milliseconds each.
"""

import uuid
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, and_, delete, insert, or_, select, update
from sqlalchemy.sql.selectable import ScalarSelect

from weaklabel_server.clock import now_micros
from weaklabel_server.store import schema
from weaklabel_server.store.access import quotas
from weaklabel_server.store.database import Database

_projects = schema.projects.c

# How hidden projects begin; no other may be called so.
_THROWN, _STAGED = "~", "+"

# What it takes long to delete, the parts before the whole, and how many rows of it at a time.
_PARTS: tuple[tuple[Table, Table | None, int], ...] = (
    (schema.chunks, schema.uploads, 4),
    (schema.side_chunks, schema.side_uploads, 4),
    (schema.record_chunks, schema.record_uploads, 4),
    (schema.soft_labels, schema.models, 4),
    (schema.label_chunks, schema.models, 4),
    (schema.items, None, 5_000),
    (schema.models, None, 10),
    (schema.uploads, None, 200),
    (schema.side_uploads, None, 200),
    (schema.record_uploads, None, 200),
    (schema.operations, None, 500),
    (schema.sources, None, 1_000),
    (schema.versions, None, 1_000),
)

# What the bytes of a project are in, by what it belongs to.
_WEIGHING: dict[Table, tuple[tuple[Table, Column[Any]], ...]] = {
    schema.uploads: ((schema.chunks, schema.chunks.c.upload_key),),
    schema.side_uploads: ((schema.side_chunks, schema.side_chunks.c.side_upload_key),),
    schema.record_uploads: ((schema.record_chunks, schema.record_chunks.c.record_upload_key),),
    schema.models: (
        (schema.models, schema.models.c.key),
        (schema.soft_labels, schema.soft_labels.c.model_key),
        (schema.label_chunks, schema.label_chunks.c.model_key),
    ),
}


def throw_project(tx: Connection, key: int) -> None:
    """Hides a project, whose id is free from now on."""
    statement = update(schema.projects).where(_projects.key == key)
    tx.execute(statement.values(trash=True, project_id=_hidden_id()))


def throw(tx: Connection, table: Table, which: ColumnElement[bool]) -> int:
    """Gives rows of a table that belong to projects to a hidden one; returns how many."""
    alive = select(_projects.key).where(_projects.trash.is_(False))
    which = which & table.c.project_key.in_(alive)
    thrown = tx.execute(select(table.c.key, table.c.project_key).where(which)).all()
    if not thrown:
        return 0
    for key, project_key in thrown:
        for part, owner in _WEIGHING.get(table, ()):
            quotas.count(tx, project_key, part, owner == key, sign=-1)
    return tx.execute(update(table).where(which).values(project_key=_hide(tx))).rowcount


def _hide(tx: Connection, project_id: str | None = None) -> int:
    """Makes a hidden project and returns its key."""
    values = {"project_id": project_id or _hidden_id(), "classes": [], "trash": True, "create_time": now_micros()}
    key: int = tx.execute(insert(schema.projects).values(values).returning(_projects.key)).scalar_one()
    return key


def stage(tx: Connection, replica_id: str, operation_id: str) -> int:
    """Makes a hidden project for what an operation writes bit by bit, before it is shown; returns its key."""
    return _hide(tx, _staged_id(replica_id, operation_id))


def throw_staged(tx: Connection, replica_id: str, operation_id: str = "") -> None:
    """Throws away what an operation, or all of a server that has ended, wrote and never showed."""
    project_id = _staged_id(replica_id, operation_id)
    which = _projects.project_id.startswith(project_id, autoescape=True) & _projects.trash
    for key in tx.execute(select(_projects.key).where(which)).scalars().all():
        throw_project(tx, key)


async def empty(database: Database) -> int:
    """Deletes what was thrown away, in turn with other changes; returns how many hidden projects are gone."""
    keys = await database.run_read(_hidden)
    for key in keys:
        for table, owner, rows in _PARTS:
            while await database.run_write(_delete_some, table, owner, key, rows):
                pass
        await database.run_write(_delete_project, key)
    return len(keys)


def _hidden(tx: Connection) -> list[int]:
    thrown = _projects.project_id.startswith(_THROWN)
    return list(tx.execute(select(_projects.key).where(_projects.trash, thrown)).scalars())


def _delete_some(tx: Connection, table: Table, owner: Table | None, project_key: int, rows: int) -> int:
    keys = list(table.primary_key.columns)
    query: Select[Any] = select(*keys).limit(rows)
    if owner is None:
        query = query.where(table.c.project_key == project_key)
    else:
        parents: ScalarSelect[Any] | Select[Any] = select(owner.c.key).where(owner.c.project_key == project_key)
        query = query.where(keys[0].in_(parents))
    found = tx.execute(query).all()
    if not found:
        return 0
    if table is schema.items:  # by their positions, which lie side by side
        positions = [row.position for row in found]
        which = and_(table.c.project_key == project_key, table.c.position.between(min(positions), max(positions)))
    else:
        which = or_(*(and_(*(column == value for column, value in zip(keys, row, strict=True))) for row in found))
    tx.execute(delete(table).where(which))
    return len(found)


def _delete_project(tx: Connection, key: int) -> None:
    tx.execute(delete(schema.projects).where(_projects.key == key, _projects.trash))


def _hidden_id() -> str:
    return f"{_THROWN}{uuid.uuid4().hex}"


def _staged_id(replica_id: str, operation_id: str) -> str:
    return f"{_STAGED}{replica_id}{operation_id}"
