import pickle
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from google.rpc import status_pb2 as google_status_pb2
from grpc_status import rpc_status

import weaklabel_client
from weaklabel_client import _exceptions
from weaklabel_protocol.v1 import status_pb2


class FailedCall(grpc.RpcError):
    """What grpc raises, with a given trailer."""

    def __init__(self, code: grpc.StatusCode, details: str, trailer: tuple[tuple[str, str | bytes], ...]) -> None:
        super().__init__()
        self._code, self._details, self._trailer = code, details, trailer

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailer


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def test_details_that_google_wrote_are_read() -> None:
    """The independent side: googleapis' own messages, packed by grpcio-status."""
    bad_request = error_details_pb2.BadRequest()
    bad_request.field_violations.add(field="chunk.votes.data", description="11 bytes, expected 12")
    info = error_details_pb2.ErrorInfo(reason="BAD_TENSOR", domain="weaklabel", metadata={"project": "spam"})
    status = google_status_pb2.Status(
        code=code_pb2.INVALID_ARGUMENT, message="bad votes", details=[_any(info), _any(bad_request)]
    )
    packed = rpc_status.to_status(status)
    error = _exceptions.from_rpc_error(FailedCall(packed.code, packed.details, tuple(packed.trailing_metadata)))
    assert isinstance(error, weaklabel_client.InvalidArgument)
    assert (error.code, error.message) == (grpc.StatusCode.INVALID_ARGUMENT, "bad votes")
    assert (error.reason, error.metadata) == ("BAD_TENSOR", {"project": "spam"})
    assert error.field_violations == (("chunk.votes.data", "11 bytes, expected 12"),)
    assert str(error) == "bad votes [BAD_TENSOR]\n  chunk.votes.data: 11 bytes, expected 12"


def test_a_violation_that_the_message_holds_is_not_shown_again() -> None:
    known = weaklabel_client.FieldViolation("classes", "at least two, got 1")
    other = weaklabel_client.FieldViolation("project_id", "empty")
    message = "classes: at least two, got 1"
    assert str(weaklabel_client.InvalidArgument(message, field_violations=[known])) == f"{message} [INVALID_ARGUMENT]"
    both = weaklabel_client.InvalidArgument(message, field_violations=[known, other])
    assert str(both) == f"{message} [INVALID_ARGUMENT]\n  project_id: empty"


@pytest.mark.parametrize("trailer", [(), (("grpc-status-details-bin", b"\xff\xff\xff"),)])
def test_without_readable_details_code_and_message_remain(trailer: tuple[tuple[str, bytes], ...]) -> None:
    error = _exceptions.from_rpc_error(FailedCall(grpc.StatusCode.NOT_FOUND, "no project", trailer))
    assert isinstance(error, weaklabel_client.NotFound)
    assert str(error) == "no project [NOT_FOUND]"


def test_every_code_has_an_exception_that_keeps_it() -> None:
    for code in grpc.StatusCode:
        error = _exceptions.from_status(status_pb2.Status(code=code.value[0], message="x"))
        assert isinstance(error, weaklabel_client.ClientError)
        assert error.code is code


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [
        (status_pb2.Status(code=14, message="Socket closed"), True),
        (status_pb2.Status(code=1, message="Received RST_STREAM with error code 8"), True),
        (status_pb2.Status(code=13, message="Internal error from Core"), True),
        (status_pb2.Status(code=10, message="another stream has opened the upload since"), True),
        (status_pb2.Status(code=13, message="a fault"), False),
        (status_pb2.Status(code=1, message="the operation was cancelled"), False),
        (status_pb2.Status(code=3, message="Received RST_STREAM"), False),
    ],
)
def test_what_a_stream_outlives(status: status_pb2.Status, goes_on: bool) -> None:
    assert _exceptions.can_go_on(_exceptions.from_status(status)) is goes_on


def test_the_tree_on_top_of_the_module_is_the_tree() -> None:
    drawn = [line for line in (_exceptions.__doc__ or "").splitlines() if line.startswith(("├", "└", "Client"))]
    names = {line.lstrip("├└─ ").split()[0] for line in drawn}
    tree = {
        name
        for name in weaklabel_client.__all__
        if isinstance(kind := getattr(weaklabel_client, name), type) and issubclass(kind, weaklabel_client.ClientError)
    }
    assert names == tree


def test_an_error_with_its_place_survives_a_process_pool() -> None:
    error = weaklabel_client.UploadInterrupted("lost", upload_id="u", committed_rows=7)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.upload_id, again.committed_rows) == (type(error), "u", 7)


def test_a_message_that_grpc_itself_refuses_is_explained(shared_server: Any) -> None:
    with weaklabel_client.Client(shared_server.address) as client:
        for megabytes in (17, 65):  # over what the server takes in, and over what the client sends
            with pytest.raises(weaklabel_client.ResourceExhausted) as caught:
                client.create_project("large", classes=[f"{at:0250}" for at in range(megabytes * 4_200)])
            assert "pass fewer rows or items at a time" in caught.value.message
            assert "WEAKLABEL_MAX_MESSAGE_BYTES" in caught.value.message
            assert "larger than max" in caught.value.message
