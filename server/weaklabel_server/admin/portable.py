"""Projects as folders, straight out of the store and into it, while a server serves it or not."""

import hashlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from weaklabel_protocol.project_folders import FolderWriter, ProjectFolderError, read_manifest
from weaklabel_server.admin.noting import noted
from weaklabel_server.admin.opening import AdminError, opened
from weaklabel_server.config import ServerConfig
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.transfers import ImportLimits, require_parquet
from weaklabel_server.messages.checks import check_project_id
from weaklabel_server.store import projects, replicas
from weaklabel_server.store.access import audit
from weaklabel_server.store.access.quotas import Limits, Quotas
from weaklabel_server.store.projects import Project

_BEAT_SECONDS = 0.5


def export(
    config: ServerConfig,
    project_id: str,
    folder: Path,
    *,
    votes_version: int = 0,
    max_models: int | None = None,
) -> None:
    """Writes a project to a folder, with no card: the server makes that.

    Raises:
        AdminError: There is no such project, the folder is not empty, pyarrow is not installed, ...
    """
    try:
        require_parquet()
        from weaklabel_server.jobs.portable.export import export as files
        from weaklabel_server.jobs.portable.export import take_snapshot

        with opened(config.data_dir) as database, FolderWriter(folder) as writer:
            with database.read() as tx:
                snapshot = take_snapshot(tx, project_id, votes_version, max_models)
            for piece in files(database, snapshot, None):
                if piece.is_end:
                    writer.end_file(piece.file, piece.size_bytes, piece.sha256)
                else:
                    writer.write(piece.file, piece.data)
            writer.finish(snapshot.description())
    except (ServiceError, ProjectFolderError, OSError) as error:
        raise AdminError(str(error)) from None


def import_folder(config: ServerConfig, folder: Path, project_id: str) -> Project:
    """Makes a project of a folder.

    Raises:
        AdminError: The folder is no whole project, or says what cannot be; there is a project of this id; ...
    """
    try:
        require_parquet()
        from weaklabel_server.jobs.portable.importing import Importer

        check_project_id(project_id, field="project")
        manifest, _ = read_manifest(folder)
        with noted("admin import", f"projects/{project_id}"), opened(config.data_dir) as database:
            # As a server would: what is hidden belongs to one that lives, and is cleared away when it does no more.
            replica_id, last = uuid.uuid4().hex, float("-inf")

            def beat() -> None:
                nonlocal last
                if time.monotonic() - last > _BEAT_SECONDS:
                    database.transact(replicas.beat, replica_id)
                    last = time.monotonic()

            beat()
            importer = Importer(database, _quotas(config), _limits(config), replica_id=replica_id, check=beat)

            def end(tx: Connection, show: Callable[[Connection], Project]) -> Project:
                project = show(tx)
                audit.record(tx)
                return projects.get(tx, project.project_id)

            try:
                import_id = f"i{hashlib.sha256(project_id.encode()).hexdigest()[:16]}"
                return importer.run(folder, manifest, project_id, import_id, end)
            finally:
                database.transact(replicas.forget, [replica_id])
    except ServiceError as error:
        faults = "; ".join(one.description for one in error.violations[:3])
        raise AdminError(faults or error.message) from None
    except (ProjectFolderError, OSError) as error:
        raise AdminError(str(error)) from None


def _quotas(config: ServerConfig) -> Quotas:
    return Quotas(
        Limits(
            max_rows=config.max_project_rows,
            max_sources=config.max_project_sources,
            max_classes=config.max_project_classes,
            max_bytes=config.max_project_bytes,
        )
    )


def _limits(config: ServerConfig) -> ImportLimits:
    return ImportLimits(
        max_cells=config.max_votes_cells,
        max_side_data_bytes=config.max_side_data_bytes,
        max_model_bytes=config.max_model_bytes,
        max_class_bytes=config.max_message_bytes // 4,
    )
