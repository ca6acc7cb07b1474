"""One server: it starts, serves until a signal, and drains.

It takes calls, and prints where it listens, in about a second. Health reports the rest. A call that comes before the
label model is loaded is answered, but waits for it.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc

from weaklabel import compile_cache
from weaklabel_server import address
from weaklabel_server.access.tls import Certificates
from weaklabel_server.app import upkeep
from weaklabel_server.app.opening import StartError, check_address, open_data_dir, open_database, read_certificates
from weaklabel_server.app.parts import Parts, open_parts
from weaklabel_server.app.routes import grpc_server
from weaklabel_server.app.serving_status import ServingStatus
from weaklabel_server.config import ServerConfig
from weaklabel_server.telemetry import opening
from weaklabel_server.telemetry.observers import Observer, Observers

if TYPE_CHECKING:
    from weaklabel_server.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class App:
    """One server. Start it once, stop it once."""

    def __init__(self, config: ServerConfig, observers: Iterable[Observer] = ()) -> None:
        """Starts nothing.

        Args:
            config: The settings.
            observers: Who is told of calls and operations, beside those that the settings ask for.
        """
        self._config = config
        self._observers = observers
        self._status = ServingStatus()
        self._stack = AsyncExitStack()
        self.port = 0
        self.metrics_port = 0

    async def start(self) -> None:
        """Opens the store, takes on unfinished operations and serves.

        Raises:
            StartError: It cannot; nothing is left behind.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Drains: reports NOT_SERVING, waits a little, lets calls in flight end, then closes the rest."""
        await self._status.servicer.enter_graceful_shutdown()
        await asyncio.sleep(self._config.drain_seconds)
        await self._stack.aclose()

    async def _start(self) -> None:
        """Puts the parts together; what is pushed on the stack is closed in reverse order."""
        config, stack = self._config, self._stack
        check_address(config)
        certificates = read_certificates(config)
        open_data_dir(config, stack)
        metrics, observers = self._open_telemetry()
        if config.compile_cache != "off":
            compile_cache.use(config.compile_cache or config.data_dir / "compiled")
        database = await asyncio.to_thread(open_database, config)
        stack.push_async_callback(asyncio.to_thread, database.close)
        self._in_background(upkeep.clean(database, config))
        self._in_background(upkeep.empty_trash(database))
        parts = await open_parts(config, database, observers, stack)
        server = grpc_server(config, parts, self._status.servicer, stack)
        if metrics is not None:
            self._offer(metrics, parts)
        stack.push_async_callback(parts.runner.stop)
        stack.push_async_callback(server.stop, config.grace_seconds)
        stack.callback(parts.runner.stop_soon)
        self.port = _add_port(server, config.listen, certificates)
        await self._status.report()
        self._in_background(self._status.watch_store(database))
        await server.start()
        await parts.runner.start()
        self._in_background(self._warm_up(parts))

    def _open_telemetry(self) -> tuple["Metrics | None", Observers]:
        try:
            metrics, tracing = opening.open_metrics(self._config), opening.open_tracing(self._config)
        except opening.NotInstalledError as error:
            raise StartError(str(error)) from None
        if tracing is not None:
            self._stack.push_async_callback(asyncio.to_thread, tracing.close)
        return metrics, Observers([*self._observers, *(one for one in (metrics, tracing) if one is not None)])

    def _offer(self, metrics: "Metrics", parts: Parts) -> None:
        """Lets Prometheus read metrics."""
        from weaklabel_server.telemetry.listener import MetricsListener
        from weaklabel_server.telemetry.metrics import Readings

        metrics.read_from(
            Readings(
                calls_in_flight=parts.admission.in_flight,
                operations=parts.runner.count,
                worker_restarts=lambda: parts.workers.restarts,
                predicted_rows=lambda: parts.predictor.predicted_rows,
                cached_models=lambda: parts.predictor.n_cached,
                store_faults=parts.database.faults,
                store_answers=lambda: self._status.store_answers,
                database_bytes=parts.database.size_bytes,
            )
        )
        listen = str(self._config.metrics_listen)
        try:
            listener = MetricsListener(listen, metrics.registry)
        except OSError as error:
            raise StartError(f"metrics_listen: cannot listen on {listen}: {error.strerror}") from None
        listener.start()
        self._stack.push_async_callback(asyncio.to_thread, listener.close)
        self.metrics_port = listener.port
        log.info("metrics are at http://%s:%d/metrics", listen.rpartition(":")[0], listener.port)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts work that is cancelled when its turn on the stack comes."""
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self._stack.push_async_callback(end)

    async def _warm_up(self, parts: Parts) -> None:
        if not self._config.warm_up:
            await self._status.serve_cold()
        elif await self._status.warm_up(parts.predictor):
            await asyncio.to_thread(parts.workers.warm_up)


def _add_port(server: grpc.aio.Server, listen: str, certificates: Certificates | None) -> int:
    try:
        # Who may open a Unix socket is the file system's to say.
        if certificates is None or address.is_unix(listen):
            return server.add_insecure_port(listen)
        return server.add_secure_port(listen, certificates.credentials())
    except RuntimeError:
        raise StartError(f"cannot listen on {listen}: {address.fault_of_port(listen)}") from None


async def serve(config: ServerConfig, ready: Callable[[int], None]) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
        config: The settings.
        ready: Called with the port once calls are answered.

    Raises:
        StartError: The server cannot start.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    app = App(config)
    await app.start()
    ready(app.port)
    await stopped.wait()
    log.info("draining")
    await app.stop()
    log.info("stopped")
