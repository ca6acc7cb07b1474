"""Fits and runs of prompts on the server, for asyncio."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import Callable
from contextlib import aclosing

from weaklabel_client._aio.connection import Connection
from weaklabel_client._exceptions import DeadlineExceeded
from weaklabel_client._progress import shown
from weaklabel_client._protocol import calls
from weaklabel_client._protocol.operations import FitState, OperationState, PromptState, Result, Step
from weaklabel_client._protocol.watch_job import WatchJob
from weaklabel_client._results.prompts import PromptProgress, PromptRun
from weaklabel_client._results.types import FitProgress, Model


class _Operation(OperationState[Step, Result]):
    """An operation, for asyncio."""

    _connection: Connection

    async def done(self) -> bool:
        """Asks whether it is over: done, failed or cancelled."""
        if not self._message.done:
            self._message = await self._connection.perform(calls.get_operation(self.name))
        return self._message.done

    async def cancel(self) -> None:
        """Asks it to stop. It then ends with Cancelled, unless it was done before."""
        await self._connection.perform(calls.cancel_operation(self.name))

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over, for so many seconds at most; returns whether it is."""
        try:
            await self._watch(timeout, lambda _: None)
        except DeadlineExceeded:
            return False
        return True

    async def result(self, timeout: float | None = None, progress: bool | Callable[[Step], None] = False) -> Result:
        """Waits until it is over, and returns its result: the model of a fit, the run of prompts."""
        with shown(progress, self._title) as report:
            await self._watch(timeout, report)
        result: Result = await self._connection.perform(self._end())
        return result

    async def _watch(self, timeout: float | None, report: Callable[[Step], None]) -> None:
        if self._message.done:
            return
        async with aclosing(self._connection.converse(WatchJob(self.name), (), timeout)) as messages:
            async for message in messages:
                self._message = message
                report(self.progress)


class FitOperation(FitState, _Operation[FitProgress, Model]):
    """A fit that runs on the server. It goes on whether or not anyone waits for it."""


class PromptOperation(PromptState, _Operation[PromptProgress, PromptRun]):
    """A run of prompts on the server. It goes on whether or not anyone waits for it, and after a restart."""
