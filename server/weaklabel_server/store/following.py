"""Projects that are followed: each new version of their votes is fitted, without being asked for."""

from sqlalchemy import Connection, select, update

from weaklabel_server.store import operations, schema
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.projects import Project

_projects = schema.projects.c


def begin(tx: Connection, project: Project, settings: FitSettings) -> None:
    """Follows a project from its next version on, by fits of these settings."""
    tx.execute(update(schema.projects).where(_projects.key == project.key).values(follow=settings.to_json()))


def stop(tx: Connection, project: Project) -> None:
    """Follows a project no more."""
    tx.execute(update(schema.projects).where(_projects.key == project.key).values(follow=None))


def note_version(tx: Connection, project: Project, version: int) -> None:
    """Adds the fit of a new version to the queue, where the project is followed.

    Where such a fit waits already, it reads this version instead: many small uploads do not make a long queue.
    """
    options = tx.execute(select(_projects.follow).where(_projects.key == project.key)).scalar_one()
    if options is not None and not operations.newest_votes(tx, project, version):
        operations.create(tx, project, version, FitSettings.from_json(options))
