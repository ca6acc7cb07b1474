"""The progress of an operation."""

from collections.abc import Iterator

from weaklabel_client._protocol.job import Job
from weaklabel_client._protocol.rpcs import WATCH_OPERATION
from weaklabel_protocol.v1 import operations_pb2


class WatchJob(
    Job[operations_pb2.WatchOperationRequest, operations_pb2.WatchOperationResponse, operations_pb2.Operation]
):
    """Follows an operation until it is over."""

    rpc = WATCH_OPERATION

    def __init__(self, name: str) -> None:
        self._name = name

    def connected(self) -> None:
        self.sent_all = False

    def requests(self) -> Iterator[operations_pb2.WatchOperationRequest]:
        if not self.sent_all:
            self.sent_all = True
            yield operations_pb2.WatchOperationRequest(name=self._name)

    def received(self, response: operations_pb2.WatchOperationResponse) -> Iterator[operations_pb2.Operation]:
        self._done = response.operation.done
        yield response.operation
