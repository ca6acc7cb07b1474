"""Work that runs on the server: the state of an operation, and the call that fetches its result."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Generic, TypeVar

from weaklabel_client._exceptions import from_status
from weaklabel_client._progress import Progress
from weaklabel_client._protocol import calls, prompt_calls
from weaklabel_client._results.prompts import PromptProgress, PromptRun, PromptStage
from weaklabel_client._results.types import FitProgress, FitStage, Model
from weaklabel_protocol.v1 import operations_pb2

CANCELLED = 1
"""Of the status codes of gRPC, by number: https://grpc.io/docs/guides/status-codes/."""

Step = TypeVar("Step", bound=Progress)
Result = TypeVar("Result")


class OperationState(ABC, Generic[Step, Result]):
    """An operation as of the last reply of the server."""

    _title = ""  # of its progress bar

    def __init__(self, connection: Any, message: operations_pb2.Operation) -> None:
        self._connection = connection
        self._message = message

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.progress}>"

    def _ended_badly(self) -> str | None:
        """How it ended, where it has no result: the server calls that done, too."""
        if not self._message.HasField("error"):
            return None
        return "CANCELLED" if self._message.error.code == CANCELLED else "FAILED"

    @property
    def name(self) -> str:
        """The name to pick it up with again: "projects/ID/operations/ID"."""
        return self._message.name

    @property
    @abstractmethod
    def progress(self) -> Step:
        """Progress as of the last reply to done, wait or result."""

    @abstractmethod
    def _result_call(self) -> calls.Call[Result]:
        """The call that fetches the result of an operation that succeeded."""

    def _end(self) -> calls.Call[Result]:
        """The call that fetches the result, once done.

        Raises:
            ClientError: It failed, or was cancelled.
        """
        if self._message.HasField("error"):
            raise from_status(self._message.error)
        return self._result_call()


class FitState(OperationState[FitProgress, Model]):
    """A fit."""

    _title = "fit"

    @property
    def progress(self) -> FitProgress:
        """Progress as of the last reply to done, wait or result."""
        progress = FitProgress.from_message(self._message.progress)
        ended = self._ended_badly()
        return progress if ended is None else replace(progress, stage=FitStage[ended])

    def _result_call(self) -> calls.Call[Model]:
        return calls.get_model_of(self._message)


class PromptState(OperationState[PromptProgress, PromptRun]):
    """A run of prompts."""

    _title = "prompts"

    @property
    def progress(self) -> PromptProgress:
        """Progress as of the last reply to done, wait or result."""
        progress = PromptProgress.from_message(self._message.prompts)
        ended = self._ended_badly()
        return progress if ended is None else replace(progress, stage=PromptStage[ended])

    def _result_call(self) -> calls.Call[PromptRun]:
        return prompt_calls.get_prompt_run_of(self._message)
