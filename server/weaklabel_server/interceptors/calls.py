"""The interceptor of every method: it parses messages, limits streams, turns exceptions into statuses, and logs."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.grpc_types import Context, Handler
from weaklabel_server.interceptors.errors import CallEnd
from weaklabel_server.interceptors.limits import StreamLimit, until_idle

# The one call that is not a stream and may last as long as one.
_WAIT = "/weaklabel.v1.OperationService/WaitOperation"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of every service.

    Messages are parsed here and not by gRPC, which answers bytes that are not a message with UNKNOWN and a traceback.
    """

    def __init__(self, *, max_streams: int, idle_seconds: float) -> None:
        self._streams = StreamLimit(max_streams)
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


class _Call:
    """One call of a method."""

    def __init__(self, handler: Handler, method: str, streams: StreamLimit, idle_seconds: float) -> None:
        # One of its four behaviors is set; their stubs describe the synchronous server.
        self._handler: Any = handler
        self._method = method
        self._streams = streams
        self._idle_seconds = idle_seconds

    async def unary(self, request: Any, context: Context) -> Any:
        behavior = self._handler.stream_unary if self._handler.request_streaming else self._handler.unary_unary
        lasts = self._handler.request_streaming or self._method == _WAIT
        async with CallEnd(self._method, context):
            with self._streams.place() if lasts else nullcontext():
                return await behavior(self._parsed(request), context)

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        behavior = self._handler.stream_stream if self._handler.request_streaming else self._handler.unary_stream
        async with CallEnd(self._method, context):
            with self._streams.place():
                responses = behavior(self._parsed(request), context)
                if inspect.isawaitable(responses):  # it writes to the context itself, as grpc_health does
                    await responses
                    return
                async for response in responses:
                    yield response

    def _parsed(self, request: Any) -> Any:
        return self._parse_each(request) if self._handler.request_streaming else self._parse(request)

    async def _parse_each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for data in until_idle(requests, self._idle_seconds):
            yield self._parse(data)

    def _parse(self, data: bytes) -> Any:
        try:
            return self._handler.request_deserializer(data)
        except DecodeError:
            raise ServiceError(
                Reason.MALFORMED_MESSAGE, f"a message of {len(data)} bytes is not a request of {self._method}"
            ) from None
