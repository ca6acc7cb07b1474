"""The network of asyncio for httpcore2: the bytes of one connection, taken as they come."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2

_MOST_UNREAD = 1 << 18  # bytes; no more is taken from the network than is read
_MOST_UNSENT = 1 << 16
_SECOND_ADDRESS = 0.25  # seconds after which a host's next address is tried as well (RFC 8305)


class Network(httpcore2.AsyncNetworkBackend):
    """The network of asyncio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # of httpcore2's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to a host."""
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
        _wake(self._arrived)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost, self._error = True, exc
        _wake(self._arrived)
        _wake(self._drained)

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _wake(self._drained)
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


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
