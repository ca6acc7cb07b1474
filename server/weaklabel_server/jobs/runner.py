"""The life of an operation: it waits for its turn, runs in a thread, reports its progress, and can be cancelled.

What was acknowledged is in the store, so that a restart of the server runs again what was not done.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError, prompts_not_configured, unexpected
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.store import models, operations
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation, Progress, PromptProgress, PromptSettings
from weaklabel_server.store.requests import Repeatable, once

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

Response = TypeVar("Response", bound=Message)

MAX_STARTS = 3
"""An operation during which the server died so often is not begun again: it may well be what kills the server."""

log = logging.getLogger(__name__)


class _InterruptedError(Exception):
    """The server stops: the operation stays as it is and is run again at the next start."""


class _Work:
    """An operation that this server has taken on. Its fields change on the event loop only, except the progress."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.progress = operations.queued(operation.settings)
        self.claimed = False
        self.cancelled = threading.Event()


class _Lane:
    """Where operations of one kind take turns, the oldest first: so many at a time."""

    def __init__(self, limit: int, name: str) -> None:
        self.places = asyncio.Semaphore(limit)
        self.threads = ThreadPoolExecutor(limit, thread_name_prefix=name)


class OperationRunner:
    """Runs fits and runs of prompts, each kind the oldest first, and so many of each at a time.

    Of a project one run of prompts at a time: they share its budget.
    """

    def __init__(
        self,
        database: Database,
        fitter: Fitter,
        prompts: "Prompts | None" = None,
        *,
        max_fits: int,
        max_prompt_runs: int = 1,
    ) -> None:
        self._database = database
        self._fitter = fitter
        self._prompts = prompts
        self._fits = _Lane(max_fits, "fit")
        self._prompt_runs = _Lane(max_prompt_runs, "prompts")
        self._project_locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._works: dict[str, _Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        # Set, and replaced by a new one, whenever any operation progresses.
        self._progressed = asyncio.Event()

    async def start(self) -> None:
        """Takes on what was not done when the server ended."""
        for operation in await self._database.run_read(operations.list_unfinished):
            self.submit(operation)

    def submit(self, operation: Operation) -> None:
        """Takes on an operation that is in the store, if that was not done before."""
        if operation.operation_id in self._works:
            return
        work = _Work(operation)
        self._works[operation.operation_id] = work
        task = asyncio.create_task(self._take_turn(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._announce()

    async def create(
        self,
        request: Repeatable,
        answer: type[Response],
        create: Callable[[Connection], Operation],
        respond: Callable[[Operation], Response],
    ) -> Response:
        """Creates an operation once for a request id, takes it on, and returns the response.

        Args:
            request: The request.
            answer: The class of its response.
            create: Adds the operation to the queue of the store.
            respond: Makes the response.
        """
        created: list[Operation] = []

        def create_in_store(tx: Connection) -> Response:
            operation = create(tx)
            created.append(operation)
            return respond(operation)

        async def create_and_submit() -> Response:
            response = await self._database.run_write(once, request, answer, create_in_store)
            for operation in created:
                self.submit(operation)
            return response

        # A caller that hangs up must not leave an operation in the store that nobody runs.
        return await asyncio.shield(create_and_submit())

    async def get(self, project_id: str, operation_id: str) -> Operation:
        """An operation as it stands.

        Raises:
            ServiceError: OPERATION_NOT_FOUND.
        """
        return self.as_it_stands(await self._database.run_read(operations.get, project_id, operation_id))

    async def watch(self, project_id: str, operation_id: str) -> AsyncIterator[Operation]:
        """An operation as it stands, then whenever it has progressed, and for the last time when it is done.

        Raises:
            ServiceError: OPERATION_NOT_FOUND; SHUTTING_DOWN when the server stops before it is done.
        """
        while True:
            # Taken before the store is read, so that no progress is missed.
            progressed = self._progressed
            operation = await self.get(project_id, operation_id)
            yield operation
            if operation.done:
                return
            work = self._works.get(operation_id)
            while True:
                if self._stopping.is_set():
                    raise ServiceError(
                        Reason.SHUTTING_DOWN, "the server shuts down; the operation goes on when it is back"
                    )
                await progressed.wait()
                progressed = self._progressed
                if work is None or operation_id not in self._works or work.progress != operation.progress:
                    break

    async def cancel(self, project_id: str, operation_id: str) -> None:
        """Asks an operation to stop; one that waits in the queue ends at once.

        Raises:
            ServiceError: OPERATION_NOT_FOUND.
        """
        await self._database.run_write(operations.request_cancel, project_id, operation_id)
        work = self._works.get(operation_id)
        if work is None:
            return
        work.cancelled.set()
        if not work.claimed:
            work.claimed = True
            await self._in_thread(work, None)

    def stop_soon(self) -> None:
        """Interrupts what runs and wakes who watches. What is not done is run again at the next start."""
        self._stopping.set()
        self._announce()

    async def stop(self) -> None:
        """Waits until nothing runs any more."""
        self.stop_soon()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in (self._fits, self._prompt_runs):
            await asyncio.to_thread(lane.threads.shutdown)

    def as_it_stands(self, operation: Operation) -> Operation:
        """An operation read from the store, with the progress that it has made since."""
        work = self._works.get(operation.operation_id)
        return operation if work is None or operation.done else replace(operation, progress=work.progress)

    async def _take_turn(self, work: _Work) -> None:
        if isinstance(work.operation.settings, PromptSettings):
            async with self._project_locks[work.operation.project_key]:
                await self._take_place(work, self._prompt_runs)
        else:
            await self._take_place(work, self._fits)

    async def _take_place(self, work: _Work, lane: _Lane) -> None:
        async with lane.places:
            if not work.claimed:
                work.claimed = True
                try:
                    await self._in_thread(work, lane.threads)
                except Exception:
                    # The store refused even the note of how it ended: the operation is run again at the next start.
                    log.exception("operation %s could not be ended", work.operation.operation_id)

    async def _in_thread(self, work: _Work, threads: ThreadPoolExecutor | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(threads, self._run, work, loop)
        finally:
            self._works.pop(work.operation.operation_id, None)
            self._announce()

    def _run(self, work: _Work, loop: asyncio.AbstractEventLoop) -> None:
        """The whole of an operation, in a thread."""
        operation = work.operation

        def report(progress: Progress | PromptProgress) -> None:
            if self._stopping.is_set():
                raise _InterruptedError
            if work.cancelled.is_set() or operation.cancel_requested:
                raise _cancelled(operation)
            entered = progress.stage != work.progress.stage
            work.progress = progress
            if entered:
                with self._database.write() as tx:
                    operations.save_progress(tx, operation, progress)
            loop.call_soon_threadsafe(self._announce)

        try:
            with self._database.write() as tx:
                starts = operations.begin(tx, operation)
            if starts > MAX_STARTS:
                raise _crashes(operation)
            keep = self._perform(operation, report)
            with self._database.write() as tx:
                if not operations.succeed(tx, operation, keep, work.progress):
                    raise _cancelled(operation)
        except _InterruptedError:
            with self._database.write() as tx:
                operations.interrupt(tx, operation)
            log.info("operation %s is interrupted; it is run again at the next start", operation.operation_id)
        except ServiceError as error:
            self._fail(work, error)
        except Exception:
            self._fail(work, unexpected(log, f"running operation {operation.operation_id}"))

    def _perform(
        self, operation: Operation, report: Callable[[Progress | PromptProgress], None]
    ) -> Callable[[Connection], str | None]:
        """Does the work; returns what stores its result in a transaction, and returns the id of a model made."""
        if isinstance(operation.settings, PromptSettings):
            if self._prompts is None:
                raise prompts_not_configured()
            return self._prompts.run(operation, report)
        fitted = self._fitter.fit(operation, report)

        def keep(tx: Connection) -> str:
            models.add(tx, operation.project_key, fitted)
            return fitted.model_id

        return keep

    def _fail(self, work: _Work, error: ServiceError) -> None:
        log.info("operation %s ended with %s: %s", work.operation.operation_id, error.reason, error.message)
        with self._database.write() as tx:
            operations.fail(tx, work.operation, error.to_status().SerializeToString(), work.progress)

    def _announce(self) -> None:
        self._progressed.set()
        self._progressed = asyncio.Event()


def _cancelled(operation: Operation) -> ServiceError:
    return ServiceError(
        Reason.OPERATION_CANCELLED,
        "the operation was cancelled",
        metadata={"operation": operation.operation_id},
    )


def _crashes(operation: Operation) -> ServiceError:
    return ServiceError(
        Reason.OPERATION_CRASHES,
        f"the server ended {MAX_STARTS} times during this operation; it may need more memory than there is",
        metadata={"operation": operation.operation_id},
    )
