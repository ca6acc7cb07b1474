"""The table of errors."""

import logging

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from weaklabel_server.errors import CODES, FieldViolation, Reason, ServiceError, unexpected


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)
    assert all(reason.value == reason.name for reason in Reason)


def test_a_status_is_googles_to_the_byte() -> None:
    error = ServiceError(
        Reason.INVALID_FIELD, "wrong", metadata={"a": "b"}, violations=[FieldViolation("x.y", "is wrong")]
    )
    status = status_pb2.Status.FromString(error.to_status().SerializeToString())
    expected = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="wrong")
    expected.details.add().Pack(
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="weaklabel", metadata={"a": "b"})
    )
    fault = error_details_pb2.BadRequest.FieldViolation(field="x.y", description="is wrong")
    expected.details.add().Pack(error_details_pb2.BadRequest(field_violations=[fault]))
    assert status == expected


def test_what_is_unexpected_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("the password is 1234")
    except RuntimeError:
        error = unexpected(logging.getLogger("test"), "testing")
    assert error.code == grpc.StatusCode.INTERNAL
    assert "1234" not in str(error.to_status())
    assert error.metadata["error_id"] in error.message
    assert error.metadata["error_id"] in caplog.text
    assert "the password is 1234" in caplog.text


def test_memory_that_ran_out_is_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise MemoryError
    except MemoryError:
        error = unexpected(logging.getLogger("test"), "testing")
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OUT_OF_MEMORY)
    assert error.metadata["error_id"] in caplog.text
    assert error.retry_seconds is None


def test_limits_that_others_have_reached_say_when_to_come_again() -> None:
    status = status_pb2.Status.FromString(ServiceError(Reason.TOO_MANY_CALLS, "full").to_status().SerializeToString())
    retry = error_details_pb2.RetryInfo()
    assert status.details[-1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() == pytest.approx(0.2)
