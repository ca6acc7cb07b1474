"""The interceptor of every method: it admits calls, parses messages, turns exceptions into statuses, and logs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.grpc_types import Context, Handler
from weaklabel_server.interceptors.errors import CallEnd
from weaklabel_server.interceptors.limits import Admission, host_of, until_idle
from weaklabel_server.telemetry.observers import Observers


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of every service.

    Messages are parsed here and not by gRPC, which answers bytes that are not a message with UNKNOWN and a traceback.
    Every method is served as a stream of requests, which on the wire is the same: gRPC waits without end for the
    message of a call that has one.
    """

    def __init__(self, admission: Admission, observers: Observers) -> None:
        self._admission = admission
        self._observers = observers
        self.is_alone = admission.is_alone
        self.open_streams = admission.open_streams

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wraps the handler of a method."""
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return handler
        call = _Call(handler, handler_call_details.method, self._admission, self._observers)
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(call.stream, None, None)
        return grpc.stream_unary_rpc_method_handler(call.unary, None, None)


class _Call:
    """One call of a method."""

    def __init__(self, handler: Handler, method: str, admission: Admission, observers: Observers) -> None:
        # One of its four behaviors is set; their stubs describe the synchronous server.
        self._handler: Any = handler
        self._method = method
        self._admission = admission
        self._limits = admission.limits
        self._observers = observers

    async def unary(self, incoming: AsyncIterator[bytes], context: Context) -> bytes:
        handler = self._handler
        async with CallEnd(self._method, context, self._observers) as end:
            host = host_of(end.peer)
            request = await self._request(incoming, host, end)
            with self._place(context, host):
                behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
                return self._serialize(await behavior(request, context), end)

    async def stream(self, incoming: AsyncIterator[bytes], context: Context) -> None:
        handler = self._handler
        async with CallEnd(self._method, context, self._observers) as end:
            host = host_of(end.peer)
            request = await self._request(incoming, host, end)
            with self._place(context, host):
                behavior = handler.stream_stream if handler.request_streaming else handler.unary_stream
                if inspect.iscoroutinefunction(behavior):  # it writes to the context itself, as grpc_health does

                    async def write(message: Any) -> None:
                        await self._write(self._serialize(message, end), context)

                    await behavior(request, _Writer(context, write))
                    return
                async for response in behavior(request, context):
                    data = self._serialize(response, end)
                    del response  # a reader may stand still for long
                    await self._write(data, context)

    def _place(self, context: Context, host: str) -> Any:
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            raise ServiceError(Reason.DEADLINE_PASSED, "the deadline had passed before the call was begun")
        return self._admission.place(self._method, host, is_stream=self._handler.response_streaming)

    async def _request(self, incoming: AsyncIterator[bytes], host: str, end: CallEnd) -> Any:
        """The request, or where there are many their iterator, once the first has come."""
        is_stream = self._handler.request_streaming
        limits = self._limits
        messages = aiter(incoming)
        seconds = limits.idle_seconds if is_stream else min(limits.silent_seconds, limits.idle_seconds)
        first = await self._admission.waiting_room.first(messages, host, seconds)
        if is_stream:
            return self._parse_each(first, messages, end)
        if first is None:
            raise ServiceError(Reason.MALFORMED_MESSAGE, f"the client ended a call of {self._method} without a message")
        return self._parse(first, end)

    async def _parse_each(
        self, first: bytes | None, messages: AsyncIterator[bytes], end: CallEnd
    ) -> AsyncIterator[Any]:
        if first is not None:
            yield self._parse(first, end)
            del first  # not held for the length of the stream
            async for data in until_idle(messages, self._limits.idle_seconds):
                yield self._parse(data, end)

    def _parse(self, data: bytes, end: CallEnd) -> Any:
        limit = self._limits.max_message_bytes
        if len(data) > limit:
            raise ServiceError(
                Reason.MESSAGE_TOO_LARGE,
                f"the message has {len(data)} bytes, and this server takes {limit} at most: send fewer rows or "
                "items at a time; whoever runs the server can raise WEAKLABEL_MAX_MESSAGE_BYTES",
                metadata={"limit": str(limit), "bytes": str(len(data))},
            )
        try:
            message = self._handler.request_deserializer(data)
        except DecodeError:
            raise ServiceError(
                Reason.MALFORMED_MESSAGE, f"a message of {len(data)} bytes is not a request of {self._method}"
            ) from None
        end.entry.received(message, len(data))
        return message

    async def _write(self, data: bytes, context: Context) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await context.write(data)
        except TimeoutError:
            seconds = self._limits.idle_seconds
            raise ServiceError(
                Reason.STREAM_IDLE, f"the client read nothing for {seconds:g} s; open the stream again"
            ) from None

    def _serialize(self, response: Any, end: CallEnd) -> bytes:
        data: bytes = self._handler.response_serializer(response)
        limit = self._limits.max_message_bytes
        if len(data) > limit:
            raise ServiceError(
                Reason.RESPONSE_TOO_LARGE,
                f"the response has {len(data)} bytes, and a message of this server at most {limit}; see "
                "WEAKLABEL_MAX_MESSAGE_BYTES",
            )
        end.entry.sent(len(data))
        return data


class _Writer:
    """A context whose messages are written by this module."""

    def __init__(self, context: Context, write: Callable[[Any], Awaitable[None]]) -> None:
        self._context = context
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
