"""Who is told of calls and operations: those that count them, and those that trace them."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol

OperationKind = Literal["fit", "prompt_run"]
Metadata = Iterable[tuple[str, Any]]


class CallResult(NamedTuple):
    """How a call ended. Sizes are those of the messages."""

    code: str
    """The name of the status code of gRPC, as "OK"."""
    reason: str
    """ErrorInfo.reason; empty where it was no refusal of the server."""
    seconds: float
    bytes_in: int
    bytes_out: int


EndCall = Callable[[CallResult], None]
EndOperation = Callable[[str], None]


class Observer(Protocol):
    """Is told when something begins, and gives what is to be called when it ends, in the same task."""

    def call_begins(self, method: str, request_id: str, metadata: Metadata) -> EndCall:
        """A call of a method, as "/weaklabel.v1.ModelService/FitModel"."""
        ...

    def operation_begins(self, kind: OperationKind, operation_id: str) -> EndOperation:
        """An operation leaves the queue. Its end is told as "succeeded", "interrupted", "taken_over" or a reason."""
        ...


class Observers:
    """Any number of them, as one."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def call_begins(self, method: str, request_id: str, metadata: Metadata) -> EndCall:
        """See Observer."""
        ends = [one.call_begins(method, request_id, metadata) for one in self._observers]

        def end(result: CallResult) -> None:
            for one in reversed(ends):
                one(result)

        return end

    def operation_begins(self, kind: OperationKind, operation_id: str) -> EndOperation:
        """See Observer."""
        ends = [one.operation_begins(kind, operation_id) for one in self._observers]

        def end(outcome: str) -> None:
            for one in reversed(ends):
                one(outcome)

        return end
