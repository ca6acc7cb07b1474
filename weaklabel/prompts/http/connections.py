"""Connections to one endpoint for the openai package's client: HTTP/1.1 by httpcore2, kept open, one call on each.

httpx2's own pool looks at all of its connections at every call, and pauses and resumes the network around every read.
With many calls in flight that was about half of a run's CPU time. Here an idle connection is the last of a list, and
what arrives is taken as it comes. Replies are read whole, up to a limit.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

_KEPT_IDLE = 5.0  # seconds; common servers close what is idle for longer, some in the moment of the next call
_MOST_UNREAD = 1 << 18  # bytes; no more is taken from the network than is read
_MOST_UNSENT = 1 << 16
_SECOND_ADDRESS = 0.25  # seconds after which a host's next address is tried as well (RFC 8305)
_FAILURES = httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, httpcore2.ProxyError


class TooLongError(Exception):
    """A body longer than is read."""


class Connections(httpx2.AsyncBaseTransport):
    """Connections to one endpoint, as many as there are calls at once. They use the proxy that the environment names.

    A call that is cancelled closes its connection.

    Args:
        url: the endpoint.
        most_bytes: a longer reply is not read to its end.
    """

    def __init__(self, url: str, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        # It makes connections, to the endpoint or to a proxy, and keeps none of them.
        self._maker = httpcore2.AsyncConnectionPool(
            ssl_context=_tls(), proxy=_proxy(url), keepalive_expiry=_KEPT_IDLE, network_backend=_Network()
        )
        self._idle: list[httpcore2.AsyncConnectionInterface] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and read its reply.

        Raises:
            TooLongError: if the reply is too long, or packed, so that it may be of any length.
            httpx2.TransportError: if it cannot be sent, or the reply is not whole.
        """
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore2.Request(
            request.method, url, headers=request.headers.raw, content=_body(request), extensions=request.extensions
        )
        connection = await self._free() or self._maker.create_connection(url.origin)
        try:
            reply = await connection.handle_async_request(asked)
            content = await self._read(reply)
        except _FAILURES as error:
            raise _named(error) from error
        if connection.is_idle():
            self._idle.append(connection)
        return httpx2.Response(reply.status, headers=reply.headers, content=content, extensions=reply.extensions)

    async def _free(self) -> httpcore2.AsyncConnectionInterface | None:
        """The connection used last, if the endpoint has not closed it since; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _read(self, reply: httpcore2.Response) -> bytes:
        content = bytearray()
        try:
            if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in reply.headers):
                raise TooLongError  # it was asked not to; unpacked, a small body may be of any size
            async with aclosing(reply.aiter_stream()) as parts:
                async for part in parts:
                    content += part
                    if len(content) > self._most_bytes:
                        raise TooLongError
        finally:
            await reply.aclose()
        return bytes(content)

    async def aclose(self) -> None:
        """Close the connections."""
        while self._idle:
            await self._idle.pop().aclose()


class _Network(httpcore2.AsyncNetworkBackend):
    """The network of asyncio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # of httpcore2's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        del local_address, socket_options  # the system's
        loop = asyncio.get_running_loop()
        delay = None if _is_address(host) else _SECOND_ADDRESS
        with _connecting():
            async with asyncio.timeout(timeout):
                _, stream = await loop.create_connection(_Stream, host, port, happy_eyeballs_delay=delay)
        return stream


class _Stream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """The bytes of one connection. One reader and one writer at a time."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._unsent = bytearray()
        self._paused = self._lost = False
        self._error: Exception | None = None  # with which it was lost
        self._arrived: asyncio.Future[None] | None = None  # a reader waits for it
        self._drained: asyncio.Future[None] | None = None  # while the network takes no more

    # ------------------------------------------------------- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _MOST_UNREAD:
            self._paused = True
            self._transport.pause_reading()
        _tell(self._arrived)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost, self._error = True, exc
        _tell(self._arrived)
        _tell(self._drained)

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _tell(self._drained)
        self._drained = None

    # ----------------------------------------------------- what httpcore2 calls

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What has arrived; waits until something has. Nothing where the connection has ended."""
        await self._send(timeout)
        while not self._received and not self._lost:
            self._arrived = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._arrived
            except TimeoutError:
                raise httpcore2.ReadTimeout(f"nothing for {timeout} s") from None
        if not self._received and self._error is not None:
            raise httpcore2.ReadError(str(self._error)) from self._error
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send bytes; the last of them go with the next read, so that head and body of a request are one packet."""
        if self._lost:
            raise httpcore2.WriteError("the connection has ended")
        self._unsent += buffer
        if len(self._unsent) > _MOST_UNSENT:
            await self._send(timeout)

    async def _send(self, timeout: float | None) -> None:  # noqa: ASYNC109
        if self._unsent and not self._lost:
            self._transport.write(bytes(self._unsent))
            self._unsent.clear()
        if self._drained is not None and not self._lost:
            try:
                async with asyncio.timeout(timeout):
                    await self._drained
            except TimeoutError:
                raise httpcore2.WriteTimeout(f"nothing could be sent for {timeout} s") from None

    async def aclose(self) -> None:
        """Close the connection."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """The connection, encrypted from here on."""
        loop = asyncio.get_running_loop()
        with _connecting():
            async with asyncio.timeout(timeout):
                transport = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        assert transport is not None
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` of an idle connection: whether the endpoint has closed it, or sent what nobody asked for."""
        if info == "is_readable":
            return self._lost or bool(self._received)
        return self._transport.get_extra_info(info)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # an OSError too
        raise httpcore2.ConnectTimeout(str(error)) from error
    except OSError as error:  # those of ssl are
        raise httpcore2.ConnectError(str(error)) from error


def _tell(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _body(request: httpx2.Request) -> httpx2.AsyncByteStream:
    assert isinstance(request.stream, httpx2.AsyncByteStream)
    return request.stream


def _named(error: Exception) -> httpx2.TransportError:
    """The error by httpx2's class of the same name, which the openai package knows."""
    named: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
    return named(str(error))


@functools.cache
def _tls() -> ssl.SSLContext:
    """One context for all clients: to read the certificates takes longer than many a call."""
    return httpx2.create_ssl_context()


def _proxy(url: str) -> httpcore2.Proxy | None:
    """The proxy that the environment names for a URL: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""
    parts, named = urlsplit(url), urllib.request.getproxies()
    given = named.get(parts.scheme) or named.get("all")
    if not given or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = httpx2.Proxy(given if "://" in given else f"http://{given}")
    return httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth)
