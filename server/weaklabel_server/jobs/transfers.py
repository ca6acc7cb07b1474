"""Projects that go out and come in as folders: so many at a time, and each import once, whoever waits for it.

pyarrow, which they need, is loaded with the first of them.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from weaklabel._extras import require
from weaklabel.errors import MissingExtraError
from weaklabel_protocol.v1 import releases_pb2
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.messages.resources import project_message
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.dialects.faults import PASSING
from weaklabel_server.store.projects import Project
from weaklabel_server.store.requests import key_of, once

if TYPE_CHECKING:
    from weaklabel_protocol.project_folders import Manifest
    from weaklabel_server.jobs.portable.spool import Incoming

_PLACES = 4


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """The limits of a server, as for uploads."""

    max_cells: int
    max_side_data_bytes: int
    max_model_bytes: int
    max_class_bytes: int


class Transfers:
    """Exports and imports of one server."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        limits: ImportLimits,
        *,
        data_dir: Path,
        max_import_bytes: int,
        replica_id: str,
    ) -> None:
        from weaklabel_server.jobs.portable.spool import Spool

        self._database = database
        self._quotas = quotas
        self._limits = limits
        self._replica_id = replica_id
        self._spool = Spool(data_dir, max_import_bytes)
        self._places = _PLACES
        self._running: dict[str, asyncio.Task[releases_pb2.ImportProjectResponse]] = {}
        self._stopping = threading.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place among the exports, or the imports that come in.

        Raises:
            ServiceError: TOO_MANY_TRANSFERS when there is none; PARQUET_NOT_INSTALLED.
        """
        await asyncio.to_thread(require_parquet)
        if not self._places:
            raise ServiceError(
                Reason.TOO_MANY_TRANSFERS,
                f"{_PLACES} projects are being exported or imported already; try again in some seconds",
                retry_seconds=2.0,
            )
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def open(self, request: releases_pb2.ImportProjectOpen, manifest: "Manifest") -> "Incoming":
        """The folder of an import, as far as it has come.

        Raises:
            ServiceError: IMPORT_TOO_LARGE.
        """
        return await asyncio.to_thread(self._spool.open, key_of(request.request_id), manifest)

    async def finish(
        self, request: releases_pb2.ImportProjectOpen, incoming: "Incoming", project_id: str
    ) -> releases_pb2.ImportProjectResponse:
        """Makes the project of a folder. It goes on where the caller hangs up, and who comes again waits for it.

        Raises:
            ServiceError: ROW_COUNT_MISMATCH, IMPORT_UNSUITABLE, PROJECT_EXISTS, ...
        """
        running = self._running.get(incoming.key)
        if running is None:
            running = asyncio.create_task(asyncio.to_thread(self._import, request, incoming, project_id))
            self._running[incoming.key] = running
            running.add_done_callback(lambda _: self._running.pop(incoming.key, None))
        return await asyncio.shield(running)

    async def close(self) -> None:
        """Ends what runs."""
        self._stopping.set()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _import(
        self, request: releases_pb2.ImportProjectOpen, incoming: "Incoming", project_id: str
    ) -> releases_pb2.ImportProjectResponse:
        from weaklabel_server.jobs.portable.importing import Importer

        importer = Importer(self._database, self._quotas, self._limits, replica_id=self._replica_id, check=self._check)

        def end(tx: Connection, show: Callable[[Connection], Project]) -> releases_pb2.ImportProjectResponse:
            def effect(tx: Connection) -> releases_pb2.ImportProjectResponse:
                return releases_pb2.ImportProjectResponse(
                    committed_bytes=incoming.manifest.total_bytes, finished=True, project=project_message(show(tx))
                )

            return once(tx, request, releases_pb2.ImportProjectResponse, effect)

        keep = False
        try:
            incoming.end()
            import_id = f"i{hashlib.sha256(incoming.key.encode()).hexdigest()[:16]}"
            return importer.run(incoming.folder, incoming.manifest, project_id, import_id, end)
        except ServiceError as error:
            keep = error.reason in (*PASSING, Reason.SHUTTING_DOWN, Reason.ROW_COUNT_MISMATCH)
            raise
        finally:
            if not keep:
                self._spool.remove(incoming.key)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise ServiceError(Reason.SHUTTING_DOWN, "the server stops; the import goes on when it is back")


def require_parquet() -> None:
    """Loads pyarrow.

    Raises:
        ServiceError: PARQUET_NOT_INSTALLED.
    """
    try:
        require("pyarrow.parquet", extra="parquet", needed_for="exports and imports of projects")
    except MissingExtraError as error:
        raise ServiceError(Reason.PARQUET_NOT_INSTALLED, f"on the server: {error}") from error
