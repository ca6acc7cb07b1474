"""Projects."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import schema


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project as it stands in one transaction."""

    key: int
    project_id: str
    classes: tuple[str, ...]
    named_items: bool | None
    item_count: int
    source_count: int
    votes_version: int
    create_time: int


def create(tx: Connection, project_id: str, classes: list[str]) -> Project:
    """Creates a project.

    Raises:
        ServiceError: PROJECT_EXISTS.
    """
    if tx.execute(select(schema.projects.c.key).filter_by(project_id=project_id)).first():
        raise ServiceError(
            Reason.PROJECT_EXISTS, f'project "{project_id}" exists already', metadata={"project": project_id}
        )
    tx.execute(insert(schema.projects).values(project_id=project_id, classes=classes, create_time=now_micros()))
    return get(tx, project_id)


def get(tx: Connection, project_id: str) -> Project:
    """One project.

    Raises:
        ServiceError: PROJECT_NOT_FOUND.
    """
    row = tx.execute(_select().where(schema.projects.c.project_id == project_id)).first()
    if row is None:
        raise ServiceError(
            Reason.PROJECT_NOT_FOUND, f'there is no project "{project_id}"', metadata={"project": project_id}
        )
    return _project(row)


def list_page(tx: Connection, page: Page[str]) -> list[Project]:
    """Up to size + 1 projects, by id."""
    query = _select().order_by(schema.projects.c.project_id).limit(page.size + 1)
    if page.after is not None:
        query = query.where(schema.projects.c.project_id > page.after)
    return [_project(row) for row in tx.execute(query)]


def remove(tx: Connection, project_id: str) -> None:
    """Deletes a project with everything in it.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, OPERATIONS_RUNNING.
    """
    project = get(tx, project_id)
    check_no_operation(tx, project)
    tx.execute(delete(schema.projects).where(schema.projects.c.key == project.key))


def check_no_operation(tx: Connection, project: Project) -> None:
    """Refuses to take away what an operation may need.

    Raises:
        ServiceError: OPERATIONS_RUNNING.
    """
    running = tx.execute(
        select(schema.operations.c.operation_id).filter_by(project_key=project.key, done=False).limit(1)
    ).scalar()
    if running is not None:
        raise ServiceError(
            Reason.OPERATIONS_RUNNING,
            f'operation "{running}" of project "{project.project_id}" is not done; cancel it or wait for it',
            metadata={"project": project.project_id, "operation": running},
        )


def _select() -> Select[Any]:
    source_count = (
        select(func.count())
        .where(schema.sources.c.project_key == schema.projects.c.key, schema.sources.c.deleted_version == 0)
        .scalar_subquery()
        .label("source_count")
    )
    return select(schema.projects, source_count)


def _project(row: Row[Any]) -> Project:
    return Project(
        key=row.key,
        project_id=row.project_id,
        classes=tuple(row.classes),
        named_items=row.named_items,
        item_count=row.item_count,
        source_count=row.source_count,
        votes_version=row.votes_version,
        create_time=row.create_time,
    )
