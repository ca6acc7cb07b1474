"""An operation that this server has taken on."""

import threading

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import operations
from weaklabel_server.store.operations import Operation, PromptSettings
from weaklabel_server.telemetry.observers import OperationKind


class Work:
    """An operation that this server has taken on. Its fields change on the event loop only, except the progress."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.progress = operations.queued(operation.settings)
        self.claimed = False
        # Whether this server is its owner in the store, and whether it was and is no more.
        self.owned = False
        self.taken_over = threading.Event()
        self.cancelled = threading.Event()
        # How it ended here, as observers are told.
        self.outcome = "interrupted"

    @property
    def kind(self) -> OperationKind:
        """What observers call its kind."""
        return "prompt_run" if isinstance(self.operation.settings, PromptSettings) else "fit"


def cancelled(operation_id: str) -> ServiceError:
    """The error of an operation that somebody cancelled."""
    return ServiceError(Reason.OPERATION_CANCELLED, "the operation was cancelled", metadata={"operation": operation_id})
