"""Work that runs on the server: what both twins know of it, and how each of them waits for it."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from weaklabel_client import _calls, _streams
from weaklabel_client._exceptions import DeadlineExceeded, from_status
from weaklabel_client._progress import Progress, shown
from weaklabel_client._types import FitProgress, Model
from weaklabel_protocol.v1 import operations_pb2

Step = TypeVar("Step", bound=Progress)
Result = TypeVar("Result")


class OperationState(ABC, Generic[Step, Result]):
    """The last that was heard of an operation."""

    _what = ""  # it is, in a word

    def __init__(self, client: Any, message: operations_pb2.Operation) -> None:
        self._client = client
        self._message = message

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.progress}>"

    @property
    def name(self) -> str:
        """The name to pick it up with again: "projects/ID/operations/ID"."""
        return self._message.name

    @property
    @abstractmethod
    def progress(self) -> Step:
        """How far it was when last heard of: by done, wait or result."""

    @abstractmethod
    def _result_call(self) -> _calls.Call[Result]:
        """The call that fetches the result of what went well."""

    def _end(self) -> _calls.Call[Result]:
        """The call that fetches the result, once done.

        Raises:
            ClientError: It failed, or was cancelled.
        """
        if self._message.HasField("error"):
            raise from_status(self._message.error)
        return self._result_call()


class FitState(OperationState[FitProgress, Model]):
    """A fit."""

    _what = "fit"

    @property
    def progress(self) -> FitProgress:
        """How far it was when last heard of: by done, wait or result."""
        return FitProgress.from_message(self._message.progress)

    def _result_call(self) -> _calls.Call[Model]:
        return _calls.get_model_of(self._message)


class WaitingOperation(OperationState[Step, Result]):
    """For code that waits."""

    def done(self) -> bool:
        """Asks whether it is over, in whichever way."""
        if not self._message.done:
            self._message = self._client._perform(_calls.get_operation(self.name))
        return self._message.done

    def cancel(self) -> None:
        """Asks it to stop. It then ends with Cancelled, unless it was done before."""
        self._client._perform(_calls.cancel_operation(self.name))

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over, for so many seconds at most; returns whether it is."""
        try:
            self._watch(timeout, lambda _: None)
        except DeadlineExceeded:
            return False
        return True

    def result(self, timeout: float | None = None, progress: bool | Callable[[Step], None] = False) -> Result:
        """Waits until it is over, and returns what came of it: the model of a fit, the run of prompts.

        Args:
            timeout: Seconds to wait at most; None for any time. The operation goes on when they are over.
            progress: True for a bar on stderr, or a function that is called at each step.

        Raises:
            DeadlineExceeded: It is not over.
            Cancelled: It was cancelled.
            ClientError: It failed.
        """
        with shown(progress, self._what) as report:
            self._watch(timeout, report)
        result: Result = self._client._perform(self._end())
        return result

    def _watch(self, timeout: float | None, report: Callable[[Step], None]) -> None:
        if self._message.done:
            return
        for message in self._client._converse(_streams.WatchJob(self.name), (), timeout):
            self._message = message
            report(self.progress)


class AsyncOperation(OperationState[Step, Result]):
    """For asyncio."""

    async def done(self) -> bool:
        """Asks whether it is over, in whichever way."""
        if not self._message.done:
            self._message = await self._client._perform(_calls.get_operation(self.name))
        return self._message.done

    async def cancel(self) -> None:
        """Asks it to stop. It then ends with Cancelled, unless it was done before."""
        await self._client._perform(_calls.cancel_operation(self.name))

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over, for so many seconds at most; returns whether it is."""
        try:
            await self._watch(timeout, lambda _: None)
        except DeadlineExceeded:
            return False
        return True

    async def result(self, timeout: float | None = None, progress: bool | Callable[[Step], None] = False) -> Result:
        """Waits until it is over, and returns what came of it: the model of a fit, the run of prompts."""
        with shown(progress, self._what) as report:
            await self._watch(timeout, report)
        result: Result = await self._client._perform(self._end())
        return result

    async def _watch(self, timeout: float | None, report: Callable[[Step], None]) -> None:
        if self._message.done:
            return
        async with aclosing(self._client._converse(_streams.WatchJob(self.name), (), timeout)) as messages:
            async for message in messages:
                self._message = message
                report(self.progress)
