"""What happens around every call: limits of streams, malformed messages, errors as rich statuses, the access log."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from weaklabel_server.errors import Reason, ServiceError, unexpected

access_log = logging.getLogger("weaklabel_server.access")
log = logging.getLogger(__name__)

_REQUEST_ID = "x-request-id"
_MAX_REQUEST_ID = 128
# The one call that is no stream and may last as long as one.
_WAIT = "/weaklabel.v1.OperationService/WaitOperation"

# These classes take parameters in their stubs only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of every service.

    Messages are parsed here and not by gRPC, which answers bytes that are no message with UNKNOWN and a traceback.
    """

    def __init__(self, *, max_streams: int, idle_seconds: float) -> None:
        self._streams = _Streams(max_streams)
        self._idle_seconds = idle_seconds

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wraps the handler of a method."""
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return handler
        call = _Call(handler, handler_call_details.method, self._streams, self._idle_seconds)
        kind = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        behavior = call.stream if handler.response_streaming else call.unary
        return kind(behavior, request_deserializer=None, response_serializer=handler.response_serializer)


class _Streams:
    """Places for calls that last. Used on the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place for the length of the block.

        Raises:
            ServiceError: TOO_MANY_STREAMS when all are taken.
        """
        if self._taken == self._limit:
            raise ServiceError(
                Reason.TOO_MANY_STREAMS,
                f"{self._limit} streams are open, and this server allows no more; see WEAKLABEL_MAX_STREAMS",
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class _Call:
    """One call of a method."""

    def __init__(self, handler: Handler, method: str, streams: _Streams, idle_seconds: float) -> None:
        # One of its four behaviors is set; their stubs speak of the synchronous server.
        self._handler: Any = handler
        self._method = method
        self._streams = streams
        self._idle_seconds = idle_seconds

    async def unary(self, request: Any, context: Context) -> Any:
        behavior = self._handler.stream_unary if self._handler.request_streaming else self._handler.unary_unary
        lasts = self._handler.request_streaming or self._method == _WAIT
        async with _Ended(self._method, context):
            with self._streams.place() if lasts else nullcontext():
                return await behavior(self._parsed(request), context)

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        behavior = self._handler.stream_stream if self._handler.request_streaming else self._handler.unary_stream
        async with _Ended(self._method, context):
            with self._streams.place():
                answers = behavior(self._parsed(request), context)
                if inspect.isawaitable(answers):  # it writes to the context itself, as grpc_health does
                    await answers
                    return
                async for answer in answers:
                    yield answer

    def _parsed(self, request: Any) -> Any:
        return self._parse_each(request) if self._handler.request_streaming else self._parse(request)

    async def _parse_each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        coming = aiter(requests)
        while True:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    request = await anext(coming)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ServiceError(
                    Reason.STREAM_IDLE,
                    f"the client sent nothing for {self._idle_seconds:g} s; open the stream again",
                ) from None
            yield self._parse(request)

    def _parse(self, data: bytes) -> Any:
        try:
            return self._handler.request_deserializer(data)
        except DecodeError:
            raise ServiceError(
                Reason.MALFORMED_MESSAGE, f"a message of {len(data)} bytes is not a request of {self._method}"
            ) from None


class _Ended:
    """Ends a call: turns an exception into a status, and logs the call."""

    def __init__(self, method: str, context: Context) -> None:
        self._method = method
        self._context = context
        # Read now: once the client has hung up, gRPC core has freed the call, and asking for its peer crashes.
        self._peer = context.peer()
        self._request_id = _request_id(context)
        self._start = time.perf_counter()

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> bool:
        if error is None:
            # A stream whose client hung up may end in good order, as if it had had no more to say.
            self._log("CANCELLED" if self._context.cancelled() else "OK")
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._log("CANCELLED")
        elif isinstance(error, grpc.aio.AbortError):
            self._log(_code_name(self._context.code()))
        elif isinstance(error, ServiceError):
            self._log(error.code.name, error.reason)
            await _abort(self._context, error)
        elif isinstance(error, Exception):
            internal = unexpected(log, f"answering {self._method}")
            self._log(internal.code.name, internal.metadata["error_id"])
            await _abort(self._context, internal)
        return False

    def _log(self, code: str, reason: str = "") -> None:
        access_log.info(
            "call",
            extra={
                "method": self._method,
                "code": code,
                "reason": reason,
                "milliseconds": round(1000 * (time.perf_counter() - self._start), 2),
                "peer": self._peer,
                "request_id": self._request_id,
            },
        )


async def _abort(context: Context, error: ServiceError) -> None:
    details = ("grpc-status-details-bin", error.to_status().SerializeToString())
    await context.abort(error.code, error.message, (details,))


def _code_name(code: Any) -> str:
    return code.name if isinstance(code, grpc.StatusCode) else str(code)


def _request_id(context: Context) -> str:
    """The caller's x-request-id, for finding its calls in the log, or a fresh one."""
    for key, value in context.invocation_metadata() or ():
        if key == _REQUEST_ID:
            return str(value)[:_MAX_REQUEST_ID]
    return uuid.uuid4().hex[:16]
