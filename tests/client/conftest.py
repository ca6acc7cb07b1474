"""Both clients behind one interface, and a proxy that loses connections."""

import asyncio
import inspect
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import weaklabel_client
import weaklabel_client.aio


class AsAsyncio:
    """An object of the waiting client, with the interface of its asyncio counterpart: each call runs in a thread."""

    def __init__(self, waiting: Any, counterpart: type) -> None:
        self._waiting = waiting
        self._counterpart = counterpart

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._waiting, name)
        if inspect.iscoroutinefunction(inspect.getattr_static(self._counterpart, name)):

            async def call(*args: Any, **kwargs: Any) -> Any:
                return _wrapped(await asyncio.to_thread(method, *args, **kwargs))

            return call
        if callable(method):
            return lambda *args, **kwargs: self._iterate(method(*args, **kwargs))
        return _wrapped(method)

    async def _iterate(self, iterator: Iterator[Any]) -> AsyncIterator[Any]:
        end = object()
        while (element := await asyncio.to_thread(next, iterator, end)) is not end:
            yield _wrapped(element)


def _wrapped(result: Any) -> Any:
    for name in ("FitOperation", "PromptOperation", "Prompts"):
        if isinstance(result, getattr(weaklabel_client, name)):
            return AsAsyncio(result, getattr(weaklabel_client.aio, name))
    return result


@pytest.fixture(params=["waiting", "asyncio"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Makes clients of either kind, to be used alike; closes them."""
    opened: list[Any] = []

    def make(target: str, **options: Any) -> Any:
        if request.param == "waiting":
            opened.append(AsAsyncio(weaklabel_client.Client(target, **options), weaklabel_client.aio.Client))
        else:
            opened.append(weaklabel_client.aio.Client(target, **options))
        return opened[-1]

    yield make
    for client in opened:
        await client.close()


@pytest.fixture
async def client(connect: Callable[..., Any], shared_server: Any) -> Any:
    """A client of either kind of the shared server."""
    return connect(shared_server.address)


@pytest.fixture
def project() -> str:
    """A project id that no other test uses."""
    return f"p-{uuid.uuid4().hex}"


class Proxy:
    """A TCP proxy that can cut its connections after so many bytes from the client, or withhold the ends of streams."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.n_connections = 0
        self.bytes_up = 0
        self.refusing = False
        self.withholding_ends = False  # the HTTP/2 frame that ends a response does not come through
        self._cuts: list[int] = []
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_after(self, *counts: int) -> None:
        """Cuts all connections whenever another so many bytes have gone up; once for each count."""
        self._cuts = list(counts)
        self.bytes_up = 0

    def cut(self) -> None:
        """Cuts all connections now."""
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def close(self) -> None:
        self.refusing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.n_connections += 1
            with self._lock:
                self._open += [client, server]
            for pump, source, sink in ((self._pump_up, client, server), (self._pump_down, server, client)):
                self._threads.append(threading.Thread(target=pump, args=(source, sink), daemon=True))
                self._threads[-1].start()

    def _pump_up(self, source: socket.socket, sink: socket.socket) -> None:
        with source, suppress(OSError):
            while data := source.recv(16_384):
                sink.sendall(data)
                self.bytes_up += len(data)
                if self._cuts and self.bytes_up >= self._cuts[0]:
                    self._cuts.pop(0)
                    self.bytes_up = 0
                    self.cut()
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _pump_down(self, source: socket.socket, sink: socket.socket) -> None:
        with source, source.makefile("rb") as frames, suppress(OSError):
            # A frame of HTTP/2: length (3 bytes), type, flags, stream (4 bytes), payload.
            while len(head := frames.read(9)) == 9:
                payload = frames.read(int.from_bytes(head[:3]))
                ends_stream = head[3] == 1 and head[4] & 1
                if not (ends_stream and self.withholding_ends):
                    sink.sendall(head + payload)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def make_proxy() -> Iterator[Callable[[str], Proxy]]:
    """Puts proxies in front of servers."""
    proxies: list[Proxy] = []

    def make(target: str) -> Proxy:
        proxies.append(Proxy(target))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
