"""The end of a call: an exception becomes a gRPC status with rich details, and log and observers are told."""

import asyncio
import logging
from typing import Any, Self

import grpc

from weaklabel_server.errors import ServiceError, unexpected
from weaklabel_server.grpc_types import Context
from weaklabel_server.interceptors.access_log import REQUEST_ID, AccessEntry
from weaklabel_server.telemetry.observers import Observers

log = logging.getLogger(__name__)


class CallEnd:
    """Ends a call: turns an exception into a status, logs the call, and tells the observers."""

    def __init__(self, method: str, context: Context, observers: Observers) -> None:
        self._method = method
        self._context = context
        # Read now: once the client has hung up, gRPC core has freed the call, and asking for its peer crashes.
        self.peer = str(context.peer())
        metadata: Any = context.invocation_metadata() or ()
        self.entry = AccessEntry(method, self.peer, metadata)
        self._observed = observers.call_begins(method, self.entry.request_id, metadata)
        self._trailer = (REQUEST_ID, self.entry.request_id)
        context.set_trailing_metadata((self._trailer,))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if error is None:
            # A stream whose client hung up may end in good order, as if the client had sent everything.
            self._end("CANCELLED" if self._context.cancelled() else "OK")
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._end("CANCELLED")
        elif isinstance(error, grpc.aio.AbortError):
            self._end(_code_name(self._context.code()))
        elif isinstance(error, ServiceError):
            self._end(error.code.name, error.reason)
            await self._abort(error)
        elif isinstance(error, grpc.aio.InternalError):
            self._end("CANCELLED")
            raise _hung_up() from None
        elif isinstance(error, Exception):
            told = unexpected(log, f"answering {self._method}")
            self._end(told.code.name, told.reason, told.metadata["error_id"])
            await self._abort(told)

    def _end(self, code: str, reason: str = "", error_id: str = "") -> None:
        self._observed(self.entry.write(code, reason, error_id))

    async def _abort(self, error: ServiceError) -> None:
        details = ("grpc-status-details-bin", error.to_status().SerializeToString())
        try:
            await self._context.abort(error.code, error.message, (details, self._trailer))
        except grpc.aio.InternalError:
            raise _hung_up() from None


def _hung_up() -> asyncio.CancelledError:
    """What ends a call whose client was gone before gRPC told: core refuses to send (ExecuteBatchError)."""
    return asyncio.CancelledError("the client has hung up")


def _code_name(code: Any) -> str:
    return code.name if isinstance(code, grpc.StatusCode) else str(code)
