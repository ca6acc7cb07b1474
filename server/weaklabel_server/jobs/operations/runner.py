"""The life of an operation: it waits for its turn, runs in a thread, reports its progress, and can be cancelled.

What was acknowledged is in the store, so that a restart of the server runs again what was not done.
"""

import asyncio
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.operations.leases import Leases
from weaklabel_server.jobs.operations.performing import Performer
from weaklabel_server.jobs.operations.schedule import Schedule, WaitingFit
from weaklabel_server.jobs.operations.turns import Turns
from weaklabel_server.jobs.operations.work import Work, cancelled
from weaklabel_server.store import operations
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation, Progress, PromptProgress, PromptSettings
from weaklabel_server.store.requests import Repeatable, once
from weaklabel_server.telemetry.observers import Observers, OperationKind

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

Response = TypeVar("Response", bound=Message)

_TEND_SECONDS = 0.5
_LONGEST_PAUSE = 3.0

log = logging.getLogger(__name__)


class OperationRunner:
    """Runs fits, as their schedule says, and runs of prompts, the oldest first, and so many of each at a time.

    Of a project one run of prompts at a time: they share its budget.
    """

    def __init__(
        self,
        database: Database,
        fitter: Fitter,
        prompts: "Prompts | None" = None,
        *,
        max_fits: int,
        schedule: Schedule | None = None,
        max_prompt_runs: int = 1,
        lease_seconds: float = 15.0,
        observers: Observers | None = None,
    ) -> None:
        self._observers = observers or Observers()
        self._database = database
        self._leases = Leases(database, lease_seconds=lease_seconds)
        # How far operations are that other replicas run, by id.
        self._elsewhere: dict[str, Progress | PromptProgress] = {}
        self._tending = ThreadPoolExecutor(1, thread_name_prefix="leases")
        self._fitter = fitter
        self._fit_turns = Turns(schedule or Schedule(places=max_fits))
        self._fit_threads = ThreadPoolExecutor(max_fits, thread_name_prefix="fit")
        self._prompt_places = asyncio.Semaphore(max_prompt_runs)
        self._prompt_threads = ThreadPoolExecutor(max_prompt_runs, thread_name_prefix="prompts")
        self._project_locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._works: dict[str, Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        self._performer = Performer(database, self._leases, fitter, prompts, self._stopping)
        # Set, and replaced by a new one, whenever any operation progresses.
        self._progressed = asyncio.Event()

    async def start(self) -> None:
        """Takes on what was not done when the server ended, and goes on looking for what others leave."""
        await asyncio.get_running_loop().run_in_executor(self._tending, self._leases.start)
        for operation in await self._database.run_read(operations.list_unfinished):
            if not operation.owner:
                self.submit(operation)
        tending = asyncio.create_task(self._tend())
        self._tasks.add(tending)

    def submit(self, operation: Operation) -> None:
        """Takes on an operation that is in the store, if that was not done before."""
        if operation.operation_id in self._works:
            return
        work = Work(operation)
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
            created[:] = [operation]  # not twice, where the transaction is run again
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
        last: Operation | None = None
        while True:
            # Taken before the store is read, so that no progress is missed.
            progressed = self._progressed
            operation = await self.get(project_id, operation_id)
            if operation != last:
                yield operation
            last = operation
            if operation.done:
                return
            while True:
                if self._stopping.is_set():
                    raise ServiceError(
                        Reason.SHUTTING_DOWN, "the server shuts down; the operation goes on when it is back"
                    )
                await progressed.wait()
                progressed = self._progressed
                if self._progress_of(operation_id) != operation.progress:
                    break

    async def cancel(self, project_id: str, operation_id: str) -> None:
        """Asks an operation to stop; one that waits in the queue ends at once.

        Raises:
            ServiceError: OPERATION_NOT_FOUND.
        """
        if (await self.get(project_id, operation_id)).done:
            return
        work = self._works.get(operation_id)
        error = cancelled(operation_id)
        status = error.to_status().SerializeToString()
        try:
            await self._database.run_write(operations.request_cancel, project_id, operation_id, status)
        except ServiceError as refused:
            if work is None or refused.reason not in (Reason.STORAGE_FULL, Reason.STORE_READ_ONLY):
                raise
            log.warning("operation %s stops, although the store takes no note of it: %s", operation_id, refused)
            if not work.claimed:
                await asyncio.to_thread(self._leases.fail, work.operation, error, work.progress)
        if work is not None:
            work.cancelled.set()
            if not work.claimed:
                self._forget(work)

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
        for threads in (self._fit_threads, self._prompt_threads):
            await asyncio.to_thread(threads.shutdown)
        await asyncio.get_running_loop().run_in_executor(self._tending, self._leases.stop)
        self._tending.shutdown()

    def as_it_stands(self, operation: Operation) -> Operation:
        """An operation read from the store, with what has become of it since."""
        if operation.done:
            return operation
        ended = self._leases.ended(operation.operation_id)
        if ended is not None:
            return ended
        work = self._works.get(operation.operation_id)
        return operation if work is None else replace(operation, progress=work.progress)

    @property
    def replica_id(self) -> str:
        """What this server is called among those that share the database."""
        return self._leases.replica_id

    def ended_ids(self) -> frozenset[str]:
        """Ids of operations that have ended although the store has no note of it yet."""
        return self._leases.ended_ids()

    def count(self) -> Mapping[tuple[OperationKind, str], int]:
        """Operations taken on, by kind and "waiting" or "running". From any thread."""
        kinds: tuple[OperationKind, ...] = ("fit", "prompt_run")
        none = {(kind, state): 0 for kind in kinds for state in ("waiting", "running")}
        works = list(self._works.values())
        return none | Counter((work.kind, "running" if work.claimed else "waiting") for work in works)

    def _progress_of(self, operation_id: str) -> Progress | PromptProgress | None:
        """How far an operation is, as far as is known without the store; None where it is done, or never seen."""
        work = self._works.get(operation_id)
        return self._elsewhere.get(operation_id) if work is None else work.progress

    async def _tend(self) -> None:
        """Notes ends that the store refused, and takes on fits that follow a project.

        Where others share the database, it says that this server lives as well.
        """
        loop, wait = asyncio.get_running_loop(), _TEND_SECONDS
        while True:
            await asyncio.sleep(wait)
            try:
                noted = await loop.run_in_executor(self._tending, self._leases.note_ends)
                wait = _TEND_SECONDS if noted else min(2 * wait, _LONGEST_PAUSE)
                if self._database.shared:
                    wait = _TEND_SECONDS
                    await self._share()
                else:
                    for operation in await self._database.run_read(operations.list_unfinished):
                        if not operation.owner and self._leases.ended(operation.operation_id) is None:
                            self.submit(operation)
            except ServiceError as error:
                log.warning("operations of other replicas are not seen: %s", error)
            except Exception:
                log.exception("looking after operations")

    async def _share(self) -> None:
        """Says in the store that this server lives; takes on what is free, and sees how far others are."""
        running = [(work.operation, work.progress) for work in self._works.values() if work.owned]
        waiting = [work for work in self._works.values() if not work.claimed]
        found = await asyncio.get_running_loop().run_in_executor(self._tending, self._leases.beat, running)
        unfinished = {operation.operation_id: operation for operation in found}
        mine = self._leases.replica_id
        for work in waiting:  # done elsewhere, or begun
            operation = unfinished.get(work.operation.operation_id)
            if not work.claimed and (operation is None or operation.owner not in ("", mine)):
                self._forget(work)
        for operation in found:
            running_here = self._works.get(operation.operation_id)
            if running_here is None:
                if not operation.owner and self._leases.ended(operation.operation_id) is None:
                    self.submit(operation)
            elif running_here.owned:
                if operation.cancel_requested:
                    running_here.cancelled.set()
                if operation.owner not in ("", mine):
                    running_here.taken_over.set()
        elsewhere = {one.operation_id: one.progress for one in found if one.operation_id not in self._works}
        if elsewhere != self._elsewhere:
            self._elsewhere = elsewhere
            self._announce()

    def _forget(self, work: Work) -> None:
        """Takes an operation that waits out of the queue."""
        work.claimed = True
        self._works.pop(work.operation.operation_id, None)
        self._announce()

    async def _take_turn(self, work: Work) -> None:
        if isinstance(work.operation.settings, PromptSettings):
            async with self._project_locks[work.operation.project_key], self._prompt_places:
                await self._begin(work, self._prompt_threads)
        else:
            async with self._fit_turns.turn(await self._waiting(work.operation)):
                await self._begin(work, self._fit_threads)

    async def _waiting(self, operation: Operation) -> WaitingFit:
        """A fit as it joins the queue."""
        try:
            return await self._database.run_read(self._fitter.waiting, operation)
        except Exception:
            # It joins all the same, and ends with what is wrong when its turn has come.
            return WaitingFit(key=operation.key, project=operation.project_key)

    async def _begin(self, work: Work, threads: ThreadPoolExecutor) -> None:
        if not work.claimed:
            work.claimed = True
            await self._in_thread(work, threads)

    async def _in_thread(self, work: Work, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        end = self._observers.operation_begins(work.kind, work.operation.operation_id)
        try:
            await loop.run_in_executor(
                threads, self._performer.run, work, lambda: loop.call_soon_threadsafe(self._announce)
            )
        finally:
            end(work.outcome)
            self._works.pop(work.operation.operation_id, None)
            self._announce()

    def _announce(self) -> None:
        self._progressed.set()
        self._progressed = asyncio.Event()
