"""What both twins know about a fit that runs on the server."""

from weaklabel_client import _calls
from weaklabel_client._exceptions import from_status
from weaklabel_client._gen import operations_pb2
from weaklabel_client._types import FitProgress, Model


class OperationState:
    """The last that was heard of an operation."""

    def __init__(self, message: operations_pb2.Operation) -> None:
        self._message = message

    def __repr__(self) -> str:
        return f"<FitOperation {self.name}: {self.progress}>"

    @property
    def name(self) -> str:
        """The name to pick it up with again: "projects/ID/operations/ID"."""
        return self._message.name

    @property
    def progress(self) -> FitProgress:
        """How far it was when last heard of: by done, wait or result."""
        return FitProgress.from_message(self._message.progress)

    def _model_call(self) -> _calls.Call[Model]:
        """The call that fetches the model, once done.

        Raises:
            ClientError: The fit failed, or was cancelled.
        """
        if self._message.HasField("error"):
            raise from_status(self._message.error)
        return _calls.get_model_of(self._message)
