"""Limits of single projects."""

from pathlib import Path
from typing import Any

from weaklabel_server.admin.noting import noted
from weaklabel_server.admin.opening import AdminError, opened
from weaklabel_server.store.access import audit, quotas


def set_limits(data_dir: Path | None, project_id: str, **limits: int) -> None:
    """Sets limits of a project, by their names in store.access.quotas.Limits; the others stay as they are.

    Raises:
        AdminError: No limit is given, or the store cannot be opened.
    """
    if not limits:
        raise AdminError("no limit is given")
    with opened(data_dir) as database, noted("admin quotas set", f"projects/{project_id}"), database.write() as tx:
        quotas.set_own(tx, project_id, **limits)
        audit.record(tx)


def remove(data_dir: Path | None, project_id: str) -> None:
    """Takes the limits of a project away, so that those of the server hold.

    Raises:
        AdminError: It has none, or the store cannot be opened.
    """
    with opened(data_dir) as database, noted("admin quotas remove", f"projects/{project_id}"), database.write() as tx:
        if not quotas.remove_own(tx, project_id):
            raise AdminError(f'project "{project_id}" has no limits of its own')
        audit.record(tx)


def every(data_dir: Path | None) -> list[dict[str, Any]]:
    """The projects with limits of their own: project_id, and the limits by name.

    Raises:
        AdminError: The store cannot be opened.
    """
    with opened(data_dir) as database, database.read() as tx:
        return quotas.list_own(tx)
