"""Calls whose client is gone before gRPC says so: core then refuses to send, and the log calls the call cancelled."""

import asyncio
import logging
from typing import Any

import grpc
import pytest

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.interceptors.errors import CallEnd
from weaklabel_server.telemetry.observers import Observers


class GoneContext:
    """A gRPC context after its client has hung up and before its handler is cancelled."""

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def invocation_metadata(self) -> None:
        return None

    def set_trailing_metadata(self, _: Any) -> None:
        pass

    async def abort(self, *_: Any) -> None:
        raise grpc.aio.InternalError("Failed execute_batch")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (grpc.aio.InternalError("Failed execute_batch"), "CANCELLED"),  # a message could not be written
        (ServiceError(Reason.STREAM_IDLE, "idle"), "DEADLINE_EXCEEDED"),  # nor the status of a refusal
        (RuntimeError("a fault"), "INTERNAL"),
    ],
)
def test_a_call_whose_client_is_gone_is_cancelled(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def call() -> None:
        context: Any = GoneContext()
        async with CallEnd("/weaklabel.v1.VoteService/ReadVotes", context, Observers()):
            raise error

    with caplog.at_level(logging.INFO), pytest.raises(asyncio.CancelledError):
        asyncio.run(call())
    line: Any = next(record for record in caplog.records if record.getMessage() == "call")
    assert line.code == code
    assert ("Traceback" in caplog.text) == isinstance(error, RuntimeError)  # only a fault of the server has one
