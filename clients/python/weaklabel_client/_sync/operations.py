"""Fits and runs of prompts on the server, for code that waits."""

from collections.abc import Callable

from weaklabel_client._exceptions import DeadlineExceeded
from weaklabel_client._progress import shown
from weaklabel_client._protocol import calls
from weaklabel_client._protocol.operations import FitState, OperationState, PromptState, Result, Step
from weaklabel_client._protocol.watch_job import WatchJob
from weaklabel_client._results.prompts import PromptProgress, PromptRun
from weaklabel_client._results.types import FitProgress, Model
from weaklabel_client._sync.connection import Connection


class _Operation(OperationState[Step, Result]):
    """An operation, for code that waits."""

    _connection: Connection

    def done(self) -> bool:
        """Asks whether it is over: done, failed or cancelled."""
        if not self._message.done:
            self._message = self._connection.perform(calls.get_operation(self.name))
        return self._message.done

    def cancel(self) -> None:
        """Asks it to stop. It then ends with Cancelled, unless it was done before."""
        self._connection.perform(calls.cancel_operation(self.name))

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over, for so many seconds at most; returns whether it is."""
        try:
            self._watch(timeout, lambda _: None)
        except DeadlineExceeded:
            return False
        return True

    def result(self, timeout: float | None = None, progress: bool | Callable[[Step], None] = False) -> Result:
        """Waits until it is over, and returns its result: the model of a fit, the run of prompts.

        Args:
            timeout: Seconds to wait at most; None for any time. The operation goes on when they are over.
            progress: True for a bar on stderr, or a function that is called at each step.

        Raises:
            DeadlineExceeded: It is not over.
            Cancelled: It was cancelled.
            ClientError: It failed.
        """
        with shown(progress, self._title) as report:
            self._watch(timeout, report)
        result: Result = self._connection.perform(self._end())
        return result

    def _watch(self, timeout: float | None, report: Callable[[Step], None]) -> None:
        if self._message.done:
            return
        for message in self._connection.converse(WatchJob(self.name), (), timeout):
            self._message = message
            report(self.progress)


class FitOperation(FitState, _Operation[FitProgress, Model]):
    """A fit that runs on the server. It goes on whether or not anyone waits for it."""


class PromptOperation(PromptState, _Operation[PromptProgress, PromptRun]):
    """A run of prompts on the server. It goes on whether or not anyone waits for it, and after a restart."""
