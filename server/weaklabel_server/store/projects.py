"""Projects."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select

from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_server.caller import ALL_RIGHTS, Rights
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import schema, trash
from weaklabel_server.store.access import quotas
from weaklabel_server.store.locking import for_update


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
    label_space: LabelSpace | None = None
    """None: labels are classes."""
    followed: bool = False
    """Whether each new version of the votes is fitted."""

    @property
    def takes_records(self) -> bool:
        """Whether its votes are records, rather than votes for classes."""
        return self.label_space is not None and not self.label_space.has_classes


def create(tx: Connection, project_id: str, classes: list[str], label_space: LabelSpace | None = None) -> Project:
    """Creates a project.

    Raises:
        ServiceError: PROJECT_EXISTS.
    """
    if tx.execute(select(schema.projects.c.key).filter_by(project_id=project_id)).first():
        raise ServiceError(
            Reason.PROJECT_EXISTS, f'project "{project_id}" exists already', metadata={"project": project_id}
        )
    values = {
        "project_id": project_id,
        "classes": classes,
        "create_time": now_micros(),
        "label_space": None if label_space is None else label_space.to_json(),
    }
    tx.execute(insert(schema.projects).values(values))
    project = get(tx, project_id)
    quotas.begin(tx, project.key)
    return project


def get(tx: Connection, project_id: str) -> Project:
    """One project. A transaction that writes keeps others from changing it until it ends.

    Raises:
        ServiceError: PROJECT_NOT_FOUND.
    """
    query = for_update(tx, _select().where(schema.projects.c.project_id == project_id), schema.projects)
    row = tx.execute(query).first()
    if row is None:
        raise not_found(project_id)
    return _project(row)


def check_votes_for_classes(project: Project) -> None:
    """Refuses a project whose votes are records.

    Raises:
        ServiceError: LABEL_SPACE_MISMATCH.
    """
    if project.takes_records:
        raise _mismatch(project, "its votes are records: use RecordService, and FitModel with records")


def check_records(project: Project) -> None:
    """Refuses a project whose votes are no records.

    Raises:
        ServiceError: LABEL_SPACE_MISMATCH.
    """
    if not project.takes_records:
        raise _mismatch(project, "its votes are votes for classes: use VoteService, and SideDataService for gold")


def check_class_labels(project: Project) -> None:
    """Refuses a project whose models are not label models of classes.

    Raises:
        ServiceError: LABEL_SPACE_MISMATCH.
    """
    if project.label_space is not None and project.label_space.kind != "tree":
        raise _mismatch(
            project,
            "its models have tables of labels: use RecordService.ReadLabelTable and RecordService.PredictRecords",
        )


def _mismatch(project: Project, use: str) -> ServiceError:
    kind = "classes" if project.label_space is None else project.label_space.kind
    return ServiceError(
        Reason.LABEL_SPACE_MISMATCH,
        f'project "{project.project_id}" has the label space {kind}; {use}',
        metadata={"project": project.project_id, "label_space": kind},
    )


def not_found(project_id: str) -> ServiceError:
    """There is no such project, or none that the caller may know of."""
    return ServiceError(
        Reason.PROJECT_NOT_FOUND, f'there is no project "{project_id}"', metadata={"project": project_id}
    )


def locked(tx: Connection, query: Select[Any]) -> Select[Any]:
    """A query of projects whose rows nobody else changes before the transaction ends, if it writes."""
    return for_update(tx, query, schema.projects)


def list_page(tx: Connection, page: Page[str], rights: Rights = ALL_RIGHTS) -> list[Project]:
    """Up to size + 1 projects that a caller may know of, by id."""
    query = _select().order_by(schema.projects.c.project_id).limit(page.size + 1)
    if not rights.everywhere:
        query = query.where(or_(*map(_granted, {grant.projects for grant in rights.grants})))
    if page.after is not None:
        query = query.where(schema.projects.c.project_id > page.after)
    return [_project(row) for row in tx.execute(query)]


def remove(tx: Connection, project_id: str, ended: Collection[str] = ()) -> None:
    """Deletes a project with everything in it: at once for everybody, on the disk bit by bit.

    Args:
        tx: The transaction.
        project_id: The project.
        ended: Ids of operations that have ended, although the store has no note of it yet.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, OPERATIONS_RUNNING.
    """
    project = get(tx, project_id)
    check_no_operation(tx, project, ended)
    trash.throw_project(tx, project.key)


def check_no_operation(tx: Connection, project: Project, ended: Collection[str] = ()) -> None:
    """Refuses to take away what an operation may need.

    Raises:
        ServiceError: OPERATIONS_RUNNING.
    """
    query = select(schema.operations.c.operation_id).filter_by(project_key=project.key, done=False)
    running = next((one for one in tx.execute(query).scalars() if one not in ended), None)
    if running is not None:
        raise ServiceError(
            Reason.OPERATIONS_RUNNING,
            f'operation "{running}" of project "{project.project_id}" is not done; cancel it or wait for it',
            metadata={"project": project.project_id, "operation": running},
        )


def _granted(pattern: str) -> ColumnElement[bool]:
    prefix, star, _ = pattern.partition("*")
    project_id = schema.projects.c.project_id
    return project_id.startswith(prefix, autoescape=True) if star else project_id == prefix


def _select() -> Select[Any]:
    source_count = (
        select(func.count())
        .where(schema.sources.c.project_key == schema.projects.c.key, schema.sources.c.deleted_version == 0)
        .scalar_subquery()
        .label("source_count")
    )
    return select(schema.projects, source_count).where(schema.projects.c.trash.is_(False))


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
        label_space=None if row.label_space is None else LabelSpace.from_json(row.label_space),
        followed=row.follow is not None,
    )
