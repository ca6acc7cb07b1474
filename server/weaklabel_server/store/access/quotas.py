"""What a project may hold: items, sources, classes and bytes; and how many bytes it has."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import schema

_usages = schema.usages.c
_NAMES = ("max_rows", "max_sources", "max_classes", "max_bytes")


@dataclass(frozen=True)
class Limits:
    """The most that a project may hold."""

    max_rows: int
    max_sources: int
    max_classes: int
    max_bytes: int


class Quotas:
    """The limits of every project: those of the server, where the project has none of its own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(
        self,
        tx: Connection,
        project_key: int,
        *,
        rows: int = 0,
        sources: int = 0,
        more: bool = False,
        becomes: str = "",
    ) -> None:
        """Refuses what is beyond a limit: called in the transaction of a change, which then is not made.

        Args:
            tx: The transaction.
            project_key: The project, as it stands with the change.
            rows: Items that an upload is about to bring, at least.
            sources: Sources that it names.
            more: Whether something is to be stored that has no size yet, so that all room taken is too much.
            becomes: The id that a hidden project gets, whose limits hold.

        Raises:
            ServiceError: QUOTA_EXCEEDED.
        """
        project = tx.execute(_PROJECT, {"project_key": project_key, "becomes": becomes or None}).one()
        used = {
            "max_rows": max(project.item_count, rows),
            "max_sources": max(project.source_count, sources),
            "max_classes": len(project.classes),
            "max_bytes": (project.stored_bytes or 0) + int(more),
        }
        for name in _NAMES:
            own = getattr(project, name)
            limit = getattr(self._limits, name) if own is None else own
            if used[name] > limit:
                raise _exceeded(becomes or project.project_id, name, limit)


def set_own(tx: Connection, project_id: str, **limits: int | None) -> None:
    """Sets limits of one project, by their names in Limits; None: that of the server."""
    if tx.execute(select(schema.quotas.c.project_id).filter_by(project_id=project_id)).first() is None:
        tx.execute(insert(schema.quotas).values(project_id=project_id))
    if limits:
        tx.execute(update(schema.quotas).where(schema.quotas.c.project_id == project_id).values(**limits))


def remove_own(tx: Connection, project_id: str) -> bool:
    """Takes the limits of a project away; returns whether it had any."""
    return tx.execute(delete(schema.quotas).where(schema.quotas.c.project_id == project_id)).rowcount > 0


def list_own(tx: Connection) -> list[dict[str, Any]]:
    """The projects with limits of their own: project_id, and the limits by name."""
    return [dict(row._mapping) for row in tx.execute(select(schema.quotas).order_by(schema.quotas.c.project_id))]


def begin(tx: Connection, project_key: int) -> None:
    """Begins to count the bytes of a new project."""
    tx.execute(insert(schema.usages).values(project_key=project_key, stored_bytes=0))


def stored_bytes(tx: Connection, project_key: int) -> int:
    """How many bytes a project has."""
    return tx.execute(select(_usages.stored_bytes).where(_usages.project_key == project_key)).scalar() or 0


def count(tx: Connection, project_key: int, table: Table, *rows: ColumnElement[bool], sign: int = 1) -> None:
    """Counts the bytes of rows that were stored in a table; with sign -1, of rows that are about to be deleted."""
    add(tx, project_key, sign * int(tx.execute(size_of(table, *rows)).scalar_one()))


def size_of(table: Table, *rows: ColumnElement[bool]) -> Select[Any]:
    """A query for the bytes of rows of a table."""
    blobs = [func.coalesce(func.length(column), 0) for column in table.c if isinstance(column.type, LargeBinary)]
    return select(func.coalesce(func.sum(sum(blobs[1:], blobs[0])), 0)).where(*rows)


def add(tx: Connection, project_key: int, n_bytes: int) -> None:
    """Counts so many bytes."""
    tx.execute(_ADD, {"of_project": project_key, "n_bytes": n_bytes})


_ADD = (
    update(schema.usages)
    .where(_usages.project_key == bindparam("of_project"))
    .values(stored_bytes=_usages.stored_bytes + bindparam("n_bytes"))
)


def _project() -> Select[Any]:
    """A query for what a project, :project_key, holds and may hold by the limits of :becomes, or its own."""
    projects, sources, quotas = schema.projects, schema.sources, schema.quotas
    living = (
        select(func.count())
        .where(sources.c.project_key == projects.c.key, sources.c.deleted_version == 0)
        .scalar_subquery()
    )
    limits_of = func.coalesce(cast(bindparam("becomes"), String), projects.c.project_id)
    return (
        select(
            projects.c.project_id,
            projects.c.item_count,
            projects.c.classes,
            living.label("source_count"),
            _usages.stored_bytes,
            *(quotas.c[name] for name in _NAMES),
        )
        .outerjoin(schema.usages, _usages.project_key == projects.c.key)
        .outerjoin(quotas, quotas.c.project_id == limits_of)
        .where(projects.c.key == bindparam("project_key"))
    )


_PROJECT = _project()


def _exceeded(project_id: str, name: str, limit: int) -> ServiceError:
    quota = name.removeprefix("max_")
    return ServiceError(
        Reason.QUOTA_EXCEEDED,
        f'project "{project_id}" may hold {limit} {quota}, and this would be more; whoever runs the server can raise '
        "it: weaklabel admin quotas set",
        metadata={"quota": quota, "limit": str(limit), "project": project_id},
    )
