"""The life of a fit: it waits for its turn, runs in a thread, tells how far it is, and can be cancelled.

What was acknowledged is in the store, so that a restart of the server runs again what was not done.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from weaklabel_server.engine import Engine
from weaklabel_server.errors import Reason, ServiceError, unexpected
from weaklabel_server.store import operations
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation, Progress, Stage

MAX_STARTS = 3
"""An operation that the server died in so often is not begun again: it may well be what kills the server."""

log = logging.getLogger(__name__)


class _InterruptedError(Exception):
    """The server stops: the operation stays as it is and is run again at the next start."""


class _Fit:
    """An operation that this server has taken on. Its fields change on the event loop only, but for the progress."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.progress = Progress(Stage.QUEUED)
        self.claimed = False
        self.cancelled = threading.Event()


class OperationRunner:
    """Runs operations, the oldest first, at most `max_fits` at a time."""

    def __init__(self, database: Database, engine: Engine, *, max_fits: int) -> None:
        self._database = database
        self._engine = engine
        self._max_fits = max_fits
        self._threads = ThreadPoolExecutor(max_fits, thread_name_prefix="fit")
        self._queue: asyncio.Queue[_Fit] = asyncio.Queue()
        self._fits: dict[str, _Fit] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = threading.Event()
        # Set, and replaced by a new one, whenever any operation moves on.
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Takes on what was not done when the server ended, and begins to work."""
        for operation in await self._database.run_read(operations.list_unfinished):
            self.submit(operation)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._max_fits)]

    def submit(self, operation: Operation) -> None:
        """Takes on an operation that is in the store."""
        fit = _Fit(operation)
        self._fits[operation.operation_id] = fit
        self._queue.put_nowait(fit)
        self._announce()

    async def get(self, project_id: str, operation_id: str) -> Operation:
        """An operation as it stands.

        Raises:
            ServiceError: OPERATION_NOT_FOUND.
        """
        return self.as_it_stands(await self._database.run_read(operations.get, project_id, operation_id))

    async def watch(self, project_id: str, operation_id: str) -> AsyncIterator[Operation]:
        """An operation as it stands, then whenever it has moved on, and for the last time when it is done.

        Raises:
            ServiceError: OPERATION_NOT_FOUND; SHUTTING_DOWN when the server stops before it is done.
        """
        while True:
            # Taken before the look at the store, so that no move is missed.
            moved = self._moved
            operation = await self.get(project_id, operation_id)
            yield operation
            if operation.done:
                return
            fit = self._fits.get(operation_id)
            while True:
                if self._stopping.is_set():
                    raise ServiceError(
                        Reason.SHUTTING_DOWN, "the server shuts down; the operation goes on when it is back"
                    )
                await moved.wait()
                moved = self._moved
                if fit is None or operation_id not in self._fits or fit.progress != operation.progress:
                    break

    async def cancel(self, project_id: str, operation_id: str) -> None:
        """Asks an operation to stop; one that waits in the queue ends at once.

        Raises:
            ServiceError: OPERATION_NOT_FOUND.
        """
        await self._database.run_write(operations.request_cancel, project_id, operation_id)
        fit = self._fits.get(operation_id)
        if fit is None:
            return
        fit.cancelled.set()
        if not fit.claimed:
            fit.claimed = True
            await self._in_thread(fit)

    def stop_soon(self) -> None:
        """Interrupts what runs and wakes who watches. What is not done is run again at the next start."""
        self._stopping.set()
        self._announce()

    async def stop(self) -> None:
        """Waits until nothing runs any more."""
        self.stop_soon()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    def as_it_stands(self, operation: Operation) -> Operation:
        """An operation read from the store, with the progress that it has made since."""
        fit = self._fits.get(operation.operation_id)
        return operation if fit is None or operation.done else replace(operation, progress=fit.progress)

    async def _work(self) -> None:
        while True:
            fit = await self._queue.get()
            if not fit.claimed:
                fit.claimed = True
                try:
                    await self._in_thread(fit)
                except Exception:
                    # The store refused even the note of how it ended: the operation is run again at the next start.
                    log.exception("operation %s could not be ended", fit.operation.operation_id)

    async def _in_thread(self, fit: _Fit) -> None:
        loop = asyncio.get_running_loop()
        threads = None if fit.cancelled.is_set() else self._threads
        try:
            await loop.run_in_executor(threads, self._run, fit, loop)
        finally:
            self._fits.pop(fit.operation.operation_id, None)
            self._announce()

    def _run(self, fit: _Fit, loop: asyncio.AbstractEventLoop) -> None:
        """The whole of a fit, in a thread."""
        operation = fit.operation

        def report(progress: Progress) -> None:
            if self._stopping.is_set():
                raise _InterruptedError
            if fit.cancelled.is_set() or operation.cancel_requested:
                raise _cancelled(operation)
            entered = progress.stage != fit.progress.stage
            fit.progress = progress
            if entered:
                with self._database.write() as tx:
                    operations.save_progress(tx, operation, progress)
            loop.call_soon_threadsafe(self._announce)

        try:
            with self._database.write() as tx:
                starts = operations.begin(tx, operation)
            if starts > MAX_STARTS:
                raise _crashes(operation)
            fitted = self._engine.fit(operation, report)
            with self._database.write() as tx:
                if not operations.succeed(tx, operation, fitted, fit.progress):
                    raise _cancelled(operation)
        except _InterruptedError:
            with self._database.write() as tx:
                operations.interrupt(tx, operation)
            log.info("operation %s is interrupted; it is run again at the next start", operation.operation_id)
        except ServiceError as error:
            self._fail(fit, error)
        except Exception:
            self._fail(fit, unexpected(log, f"running operation {operation.operation_id}"))

    def _fail(self, fit: _Fit, error: ServiceError) -> None:
        log.info("operation %s ended with %s: %s", fit.operation.operation_id, error.reason, error.message)
        with self._database.write() as tx:
            operations.fail(tx, fit.operation, error.to_status().SerializeToString(), fit.progress)

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def _cancelled(operation: Operation) -> ServiceError:
    return ServiceError(
        Reason.OPERATION_CANCELLED,
        "the operation was cancelled",
        metadata={"operation": operation.operation_id},
    )


def _crashes(operation: Operation) -> ServiceError:
    return ServiceError(
        Reason.OPERATION_CRASHES,
        f"the server ended {MAX_STARTS} times during this operation; its votes may need more memory than there is",
        metadata={"operation": operation.operation_id},
    )
