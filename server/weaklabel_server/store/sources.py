"""Sources: who voted, and from which version of the votes to which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import following, schema
from weaklabel_server.store.projects import Project

T = TypeVar("T")

# Databases limit the number of parameters of a statement; the least of the limits is 999.
_PARAMETERS = 900

MAX_SOURCES_BYTES = 1_200_000
"""Of all sources of a project as a model describes them."""
_SOURCE_BYTES = 48

_columns = schema.sources.c


@dataclass(frozen=True)
class Source:
    """A source that lives."""

    key: int
    display_name: str
    last_version: int
    create_time: int


def get(tx: Connection, project: Project, display_name: str) -> Source:
    """One living source.

    Raises:
        ServiceError: SOURCE_NOT_FOUND.
    """
    by_display_name = by_name(tx, project, [display_name])
    if not by_display_name:
        raise ServiceError(
            Reason.SOURCE_NOT_FOUND,
            f'project "{project.project_id}" has no source "{display_name}"',
            metadata={"project": project.project_id, "source": display_name},
        )
    return by_display_name[display_name]


def by_name(tx: Connection, project: Project, display_names: Sequence[str]) -> dict[str, Source]:
    """Those of the named sources that live."""
    living = {}
    for names in batches(display_names):
        query = select(schema.sources).where(
            _columns.project_key == project.key, _columns.deleted_version == 0, _columns.display_name.in_(names)
        )
        living.update({row.display_name: _source(row) for row in tx.execute(query)})
    return living


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[Source]:
    """Up to size + 1 living sources, in the order in which they first voted."""
    query = (
        select(schema.sources)
        .where(_columns.project_key == project.key, _columns.deleted_version == 0)
        .where(_columns.key > (page.after or 0))
        .order_by(_columns.key)
        .limit(page.size + 1)
    )
    return [_source(row) for row in tx.execute(query)]


def at_version(tx: Connection, project_key: int, version: int) -> list[Source]:
    """The sources that lived at a version of the votes, in the order in which they first voted."""
    query = (
        select(schema.sources)
        .where(_columns.project_key == project_key, _columns.first_version <= version)
        .where((_columns.deleted_version == 0) | (_columns.deleted_version > version))
        .order_by(_columns.key)
    )
    return [_source(row) for row in tx.execute(query)]


def touch(tx: Connection, project: Project, display_names: Sequence[str], version: int) -> list[int]:
    """Marks sources as part of a new version, makes those that are missing, and returns their keys in order."""
    known = by_name(tx, project, display_names)
    now = now_micros()
    for keys in batches([source.key for source in known.values()]):
        tx.execute(update(schema.sources).where(_columns.key.in_(keys)).values(last_version=version))
    missing = [
        {
            "project_key": project.key,
            "display_name": name,
            "first_version": version,
            "last_version": version,
            "create_time": now,
        }
        for name in display_names
        if name not in known
    ]
    if missing:
        # What returns something is sent many rows at a time; else a database elsewhere is asked for each row.
        tx.execute(insert(schema.sources).returning(_columns.key), missing).all()
        _check_size(tx, project, version)
    now_known = by_name(tx, project, display_names)
    return [now_known[name].key for name in display_names]


def _check_size(tx: Connection, project: Project, version: int) -> None:
    """Refuses more names of sources than fit into the messages that list them all.

    Raises:
        ServiceError: PROJECT_TOO_LARGE.
    """
    living = at_version(tx, project.key, version)
    size = sum(len(source.display_name.encode()) + _SOURCE_BYTES for source in living)
    if size > MAX_SOURCES_BYTES:
        raise ServiceError(
            Reason.PROJECT_TOO_LARGE,
            f"{len(living)} sources whose names, with {_SOURCE_BYTES} bytes more for each, are {size} bytes: at most "
            f"{MAX_SOURCES_BYTES} bytes, so that a model fits into a message",
        )


def remove(tx: Connection, project: Project, display_name: str) -> int:
    """Deletes a source from the votes, which makes a new version of them; returns it.

    Raises:
        ServiceError: SOURCE_NOT_FOUND.
    """
    source = get(tx, project, display_name)
    version = add_version(tx, project, project.item_count)
    tx.execute(update(schema.sources).where(_columns.key == source.key).values(deleted_version=version))
    return version


def add_version(tx: Connection, project: Project, item_count: int) -> int:
    """Adds the next version to the log of the votes and returns it."""
    version = project.votes_version + 1
    tx.execute(
        insert(schema.versions).values(
            project_key=project.key, version=version, item_count=item_count, create_time=now_micros()
        )
    )
    tx.execute(
        update(schema.projects)
        .where(schema.projects.c.key == project.key)
        .values(votes_version=version, item_count=item_count)
    )
    following.note_version(tx, project, version)
    return version


def batches(values: Sequence[T]) -> Iterator[list[T]]:
    """The values in lists short enough for the parameters of one statement."""
    rest = iter(values)
    while batch := list(islice(rest, _PARAMETERS)):
        yield batch


def _source(row: Row[Any]) -> Source:
    return Source(row.key, row.display_name, row.last_version, row.create_time)
