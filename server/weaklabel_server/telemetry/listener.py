"""Where Prometheus reads metrics: GET / or /metrics, over plain HTTP, and nothing else."""

import socket
import threading
from http.server import ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler

_MOST_READERS = 8
_SILENT_SECONDS = 5.0


class MetricsListener:
    """Listens from the beginning; start it once, close it once."""

    def __init__(self, listen: str, registry: CollectorRegistry) -> None:
        """Opens the port.

        Args:
            listen: HOST:PORT; port 0 picks a free one.
            registry: What is read.

        Raises:
            OSError: The port cannot be had.
        """
        host, _, port = listen.rpartition(":")
        handler = type(
            "Handler",
            (_QuietHandler,),
            {"registry": registry, "timeout": _SILENT_SECONDS},
        )
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        self._server = type("Server", (_Server,), {"address_family": family})(address[:2], handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._server.shutdown()
        self._server.server_close()


class _QuietHandler(MetricsHandler):
    def do_GET(self) -> None:  # noqa: N802
        """Metrics, or 404."""
        if self.path.partition("?")[0] in ("/", "/metrics"):
            super().do_GET()
        else:
            self.send_error(404)


class _Server(ThreadingHTTPServer):
    """So many connections at a time; more are closed at once."""

    daemon_threads = True
    # Those of before may be waited for by nobody.
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._places = threading.BoundedSemaphore(_MOST_READERS)
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """Binds, without looking up the name of the host, which may take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Those who read metrics may hang up."""
