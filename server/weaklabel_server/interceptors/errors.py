"""The end of a call: an exception becomes a gRPC status with rich details, and the access log gets its line."""

import asyncio
import logging
from typing import Any

import grpc

from weaklabel_server.errors import ServiceError, unexpected
from weaklabel_server.grpc_types import Context
from weaklabel_server.interceptors.access_log import AccessEntry

log = logging.getLogger(__name__)


class CallEnd:
    """Ends a call: turns an exception into a status, and logs the call."""

    def __init__(self, method: str, context: Context) -> None:
        self._method = method
        self._context = context
        self._entry = AccessEntry(method, context)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> bool:
        if error is None:
            # A stream whose client hung up may end in good order, as if the client had sent everything.
            self._entry.write("CANCELLED" if self._context.cancelled() else "OK")
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._entry.write("CANCELLED")
        elif isinstance(error, grpc.aio.AbortError):
            self._entry.write(_code_name(self._context.code()))
        elif isinstance(error, ServiceError):
            self._entry.write(error.code.name, error.reason)
            await _abort(self._context, error)
        elif isinstance(error, Exception):
            internal = unexpected(log, f"answering {self._method}")
            self._entry.write(internal.code.name, internal.metadata["error_id"])
            await _abort(self._context, internal)
        return False


async def _abort(context: Context, error: ServiceError) -> None:
    details = ("grpc-status-details-bin", error.to_status().SerializeToString())
    await context.abort(error.code, error.message, (details,))


def _code_name(code: Any) -> str:
    return code.name if isinstance(code, grpc.StatusCode) else str(code)
