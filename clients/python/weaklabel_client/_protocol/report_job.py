"""Downloads that are read anew from the beginning where a connection breaks: reports, and models."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Generic

from weaklabel_client._protocol.job import Job, Output
from weaklabel_client._protocol.resource_names import project_name
from weaklabel_client._protocol.rpcs import UPLOAD_MODEL, Request, Response, Rpc
from weaklabel_client._results.types import Model
from weaklabel_protocol.v1 import models_pb2

_PIECE_BYTES = 1024 * 1024


class ReportJob(Job[Request, Response, Output], Generic[Request, Response, Output]):
    """One request; its messages make one result when the last one has come."""

    def __init__(self, rpc: Rpc[Request, Response], request: Request, read: Callable[[list[Response]], Output]) -> None:
        self.rpc = rpc
        self._request = request
        self._read = read
        self._parts: list[Response] = []

    def connected(self) -> None:
        self.sent_all = False
        self._parts = []

    def requests(self) -> Iterator[Request]:
        if not self.sent_all:
            self.sent_all = True
            yield self._request

    def received(self, response: Response) -> Iterator[Output]:
        self._parts.append(response)
        return iter(())

    def ended(self) -> None:
        self._done = True

    def result(self) -> Output:
        """The result, once the job is done."""
        return self._read(self._parts)


class UploadModelJob(Job[models_pb2.UploadModelRequest, models_pb2.UploadModelResponse, Model]):
    """Sends the file of a model; from the beginning where a connection breaks, under one request id."""

    rpc = UPLOAD_MODEL

    def __init__(self, project: str, data: bytes, votes_version: int | None, request_id: str) -> None:
        self._data = data
        self._open = models_pb2.UploadModelOpen(
            parent=project_name(project),
            votes_version=votes_version,
            request_id=request_id,
            content_digest=hashlib.sha256(data).digest(),
        )

    def connected(self) -> None:
        self.sent_all = False

    def requests(self) -> Iterator[models_pb2.UploadModelRequest]:
        if not self.sent_all:
            self.sent_all = True
            yield models_pb2.UploadModelRequest(open=self._open)
            for start in range(0, len(self._data), _PIECE_BYTES):
                yield models_pb2.UploadModelRequest(data=self._data[start : start + _PIECE_BYTES])

    def received(self, response: models_pb2.UploadModelResponse) -> Iterator[Model]:
        self._done = True
        yield Model.from_message(response.model)


def model_bytes(model: object) -> bytes:
    """The file of a model: bytes, or what has to_bytes, such as the models of weaklabel.

    Raises:
        TypeError: It is neither.
    """
    data = model.to_bytes() if hasattr(model, "to_bytes") and not isinstance(model, int) else model
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"model: a model of weaklabel, such as LabelModel, or its bytes, are expected, got {type(model).__name__}"
        )
    return bytes(data)
