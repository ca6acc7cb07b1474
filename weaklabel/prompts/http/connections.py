"""Connections to one endpoint for the openai package's client: HTTP/1.1 by httpcore2, kept open, a call at a time.

httpx2's own pool looks at all of its connections at every call, and pauses and resumes the network around every read.
With many calls in flight that was about half of a run's CPU time. Here an idle connection is the last of a list, and
what arrives is taken as it comes. Replies are read whole, up to a limit.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
import zlib
from collections.abc import Sequence
from contextlib import aclosing
from urllib.parse import urlsplit

import httpcore2
import httpx2

from weaklabel.prompts.http.network import Network

_KEPT_IDLE = 5.0  # seconds; common servers close what is idle for longer, some in the moment of the next call
_FAILURES = httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, httpcore2.ProxyError


_ENCODING = b"content-encoding"
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


class TooLongError(Exception):
    """A body longer than is read."""


class PackedError(Exception):
    """A body packed in a way that was not asked for and is not known."""


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
            ssl_context=_tls(), proxy=_proxy(url), keepalive_expiry=_KEPT_IDLE, network_backend=Network()
        )
        self._idle: list[httpcore2.AsyncConnectionInterface] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and read its reply.

        Raises:
            TooLongError: if the reply is too long, unpacked where it is packed.
            PackedError: if it is packed in another way than gzip and deflate.
            httpx2.TransportError: if it cannot be sent, or the reply is not whole.
        """
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore2.Request(
            request.method, url, headers=request.headers.raw, content=_body(request), extensions=request.extensions
        )
        connection = await self._free() or self._maker.create_connection(url.origin)
        try:
            reply = await connection.handle_async_request(sent)
            content = await self._read(reply)
        except _FAILURES as error:
            raise _as_httpx2(error) from error
        if connection.is_idle():
            self._idle.append(connection)
        content = _unpacked(content, reply.headers, self._most_bytes)
        headers = [(name, value) for name, value in reply.headers if name.lower() != _ENCODING]
        return httpx2.Response(reply.status, headers=headers, content=content, extensions=reply.extensions)

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


def _unpacked(content: bytes, headers: Sequence[tuple[bytes, bytes]], most_bytes: int) -> bytes:
    """A body as its headers say that it is packed: by proxies, which were asked not to."""
    encodings = b",".join(value for name, value in headers if name.lower() == _ENCODING).decode("latin-1").lower()
    for encoding in reversed([one.strip() for one in encodings.split(",")]):
        if encoding not in ("", "identity"):
            content = _inflated(content, encoding, most_bytes)
    return content


def _inflated(content: bytes, encoding: str, most_bytes: int) -> bytes:
    """A body out of gzip or deflate; a small one may unpack to any size."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise PackedError(encoding)
    raw = encoding == "deflate" and content[:1] != b"\x78"  # some send deflate without zlib's frame
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS if raw else _ZLIB_OR_GZIP)
    try:
        unpacked = unpacker.decompress(content, most_bytes + 1)
    except zlib.error as error:
        raise httpx2.RemoteProtocolError(f"the reply cannot be unpacked: {error}") from None
    if len(unpacked) > most_bytes:
        raise TooLongError
    if not unpacker.eof:
        raise httpx2.RemoteProtocolError("the packed reply is not whole")
    return unpacked


def _body(request: httpx2.Request) -> httpx2.AsyncByteStream:
    assert isinstance(request.stream, httpx2.AsyncByteStream)
    return request.stream


def _as_httpx2(error: Exception) -> httpx2.TransportError:
    """The error by httpx2's class of the same name, which the openai package knows."""
    kind: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
    return kind(str(error))


@functools.cache
def _tls() -> ssl.SSLContext:
    """One context for all clients: to read the certificates takes longer than many a call."""
    return httpx2.create_ssl_context()


def _proxy(url: str) -> httpcore2.Proxy | None:
    """The proxy that the environment names for a URL: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""
    parts, proxies = urlsplit(url), urllib.request.getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all")
    if not address or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = httpx2.Proxy(address if "://" in address else f"http://{address}")
    return httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth)
