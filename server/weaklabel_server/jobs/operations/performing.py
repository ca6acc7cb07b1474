"""The work of an operation, in a thread, from its beginning in the store to its end there."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError, prompts_not_configured, unexpected
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.operations.leases import Leases
from weaklabel_server.jobs.operations.work import Work, cancelled
from weaklabel_server.store import models, operations, trash
from weaklabel_server.store.database import Database
from weaklabel_server.store.dialects.faults import PASSING
from weaklabel_server.store.operations import (
    FitSettings,
    NotOwnedError,
    Operation,
    Progress,
    PromptProgress,
    PromptSettings,
)

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

Store = Callable[[Callable[[Callable[[Connection], str | None]], bool]], bool]

MAX_STARTS = 3
"""An operation during which the server died so often is not begun again: it may well be what kills the server."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0

log = logging.getLogger(__name__)


class _InterruptedError(Exception):
    """The server stops: the operation stays as it is and is run again at the next start."""


class Performer:
    """Does the work of operations, and keeps what comes of it in the store."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        fitter: Fitter,
        prompts: "Prompts | None",
        stopping: threading.Event,
    ) -> None:
        """Begins nothing.

        Args:
            database: The store.
            leases: Which server an operation belongs to.
            fitter: Fits models.
            prompts: Runs prompts; None where the settings name no models for them.
            stopping: Set when the server stops.
        """
        self._database = database
        self._leases = leases
        self._fitter = fitter
        self._prompts = prompts
        self._stopping = stopping

    def run(self, work: Work, progressed: Callable[[], object]) -> None:
        """The whole of an operation; once more where the store was out of reach meanwhile. Blocks.

        Args:
            work: The operation.
            progressed: Called in this thread whenever its progress has changed.
        """
        pause, operation_id = _FIRST_PAUSE, work.operation.operation_id
        while True:
            try:
                return self._run_once(work, progressed)
            except NotOwnedError:
                work.outcome = "taken_over"
                log.info("operation %s is done, or another replica's", operation_id)
                return None
            except ServiceError as error:
                log.warning("operation %s is begun again in %.1f s: %s", operation_id, pause, error)
            except Exception:
                log.exception("operation %s is begun again in %.1f s", operation_id, pause)
            if self._stopping.wait(pause):
                return None
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _run_once(self, work: Work, progressed: Callable[[], object]) -> None:
        operation = work.operation

        def report(progress: Progress | PromptProgress) -> None:
            # With the progress as it stands, it is only asked whether to go on.
            self._check(work)
            if progress == work.progress:
                return
            entered = progress.stage != work.progress.stage
            work.progress = progress
            if entered:
                self._save_progress(operation, progress)
            progressed()

        starts = self._leases.begin(operation)
        if starts is None:
            raise NotOwnedError
        work.owned = True
        try:
            if starts > MAX_STARTS:
                raise _crashes(operation)
            if isinstance(operation.settings, FitSettings) and operation.settings.follow:
                with self._database.read() as tx:  # there may be newer votes since it began to wait
                    operation = operations.get(tx, operation.project_id, operation.operation_id)
            store = self._perform(operation, report)
            if not store(lambda keep: self._leases.succeed(operation, keep, work.progress)):
                self._database.transact(trash.throw_staged, self._leases.replica_id, operation.operation_id)
                raise cancelled(operation.operation_id)
            work.outcome = "succeeded"
        except _InterruptedError:
            self._leases.release(operation)
            log.info("operation %s is interrupted; it is run again at the next start", operation.operation_id)
        except NotOwnedError:
            raise
        except ServiceError as error:
            if error.reason in PASSING:
                raise
            self._fail(work, error)
        except Exception:
            self._fail(work, unexpected(log, f"running operation {operation.operation_id}"))

    def _check(self, work: Work) -> None:
        """Ends the work on an operation by an exception, where it is not to go on."""
        if self._stopping.is_set():
            raise _InterruptedError
        if work.taken_over.is_set():
            raise NotOwnedError
        if work.cancelled.is_set() or work.operation.cancel_requested:
            raise cancelled(work.operation.operation_id)

    def _save_progress(self, operation: Operation, progress: Progress | PromptProgress) -> None:
        """Notes how far an operation is; it goes on where the store refuses that."""
        try:
            self._database.transact(operations.save_progress, operation, progress)
        except ServiceError as error:
            log.warning("the progress of operation %s is not noted: %s", operation.operation_id, error)

    def _perform(self, operation: Operation, report: Callable[[Progress | PromptProgress], None]) -> Store:
        """Does the work; returns what stores its result, and ends the operation by the function that it is given.

        That is given a function of a transaction, which returns the id of a model made.
        """
        if isinstance(operation.settings, PromptSettings):
            if self._prompts is None:
                raise prompts_not_configured()
            return self._prompts.run(operation, report)
        fitted = self._fitter.fit(operation, report)

        key = models.stage(self._database, fitted, self._leases.replica_id, operation.operation_id)

        def keep(tx: Connection) -> str:
            models.show(tx, key, operation.project_key)
            return fitted.model_id

        return lambda succeed: succeed(keep)

    def _fail(self, work: Work, error: ServiceError) -> None:
        log.info("operation %s ended with %s: %s", work.operation.operation_id, error.reason, error.message)
        self._leases.fail(work.operation, error, work.progress)
        work.outcome = error.reason


def _crashes(operation: Operation) -> ServiceError:
    return ServiceError(
        Reason.OPERATION_CRASHES,
        f"the server ended {MAX_STARTS} times during this operation; it may need more memory than there is",
        metadata={"operation": operation.operation_id},
    )
