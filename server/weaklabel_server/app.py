"""The composition root: everything that the server consists of is put together here, started, and drained.

The server takes calls, and prints where it listens, in about a second. Health reports the rest: the label model's
libraries take seconds to load, so LabelService, and the server as a whole (the empty name), are SERVING only when they
are loaded and the newest models are warm. A call that comes before that is answered, but waits for it.
"""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from alembic.util import CommandError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weaklabel import compile_cache
from weaklabel.errors import InvalidArgumentError, MissingExtraError
from weaklabel_protocol.v1 import (
    labels_pb2,
    labels_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    projects_pb2,
    projects_pb2_grpc,
    prompts_pb2,
    prompts_pb2_grpc,
    side_data_pb2,
    side_data_pb2_grpc,
    sources_pb2,
    sources_pb2_grpc,
    votes_pb2,
    votes_pb2_grpc,
)
from weaklabel_server import address
from weaklabel_server.clock import MICROS_PER_DAY, now_micros
from weaklabel_server.config import ServerConfig
from weaklabel_server.interceptors.calls import CallInterceptor
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.jobs.runner import OperationRunner
from weaklabel_server.prompt_settings import PromptFile, PromptSettingsError
from weaklabel_server.services.labels import LabelService
from weaklabel_server.services.models import ModelService
from weaklabel_server.services.operations import OperationService
from weaklabel_server.services.projects import ProjectService
from weaklabel_server.services.prompts import PromptService
from weaklabel_server.services.side_data import SideDataService
from weaklabel_server.services.sources import SourceService
from weaklabel_server.services.votes import VoteService
from weaklabel_server.store import requests, side_data, vote_uploads
from weaklabel_server.store.database import Database, sqlite_url

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

LOCK_FILE = "weaklabel.lock"

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (projects_pb2, "ProjectService"),
        (sources_pb2, "SourceService"),
        (votes_pb2, "VoteService"),
        (side_data_pb2, "SideDataService"),
        (models_pb2, "ModelService"),
        (prompts_pb2, "PromptService"),
        (operations_pb2, "OperationService"),
        (labels_pb2, "LabelService"),
    )
)

_WARMED_SERVICES = ("", labels_pb2.DESCRIPTOR.services_by_name["LabelService"].full_name)

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start; the message says why and what to do."""


class App:
    """One server. Start it once, stop it once."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._health = health.aio.HealthServicer()
        self._stack = AsyncExitStack()
        self.port = 0

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
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._config.drain_seconds)
        await self._stack.aclose()

    async def _start(self) -> None:
        """Puts the parts together; what is pushed on the stack is closed in reverse order."""
        config = self._config
        if (fault := address.fault(config.listen)) is not None:
            raise StartError(f"cannot listen on {config.listen}: {fault}")
        if not (config.is_loopback or config.insecure):
            raise StartError(
                f"{config.listen} can be reached from other machines, and there is no authentication: "
                "listen on 127.0.0.1, or allow it with --insecure"
            )
        lock = lock_data_dir(config.data_dir)
        self._stack.callback(os.close, lock)
        if config.compile_cache != "off":
            compile_cache.use(config.compile_cache or config.data_dir / "compiled")
        database = await asyncio.to_thread(_open_database, config)
        self._stack.push_async_callback(asyncio.to_thread, database.close)
        self._in_background(self._clean(database))
        fitter = Fitter(database, max_label_cells=config.max_label_cells)
        predictor = Predictor(
            database,
            prediction_threads=config.prediction_threads,
            cached_models=config.cached_models,
            max_label_cells=config.max_label_cells,
        )
        self._stack.push_async_callback(asyncio.to_thread, predictor.close)
        prompts = await asyncio.to_thread(_open_prompts, config, database)
        runner = OperationRunner(
            database, fitter, prompts, max_fits=config.max_fits, max_prompt_runs=config.max_prompt_runs
        )
        server = self._build(database, fitter, predictor, prompts, runner)
        self._stack.push_async_callback(runner.stop)
        self._stack.push_async_callback(server.stop, config.grace_seconds)
        self._stack.callback(runner.stop_soon)
        try:
            self.port = server.add_insecure_port(config.listen)
        except RuntimeError:
            raise StartError(f"cannot listen on {config.listen}: {address.fault_of_port(config.listen)}") from None
        for service in ("", *SERVICES):
            await self._set_serving(service, serving=service not in _WARMED_SERVICES)
        await server.start()
        await runner.start()
        self._in_background(self._warm_up(predictor))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts work that is cancelled when its turn on the stack comes."""
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self._stack.push_async_callback(end)

    async def _warm_up(self, predictor: Predictor) -> None:
        try:
            await predictor.run(predictor.warm_up)
        except Exception:
            log.exception("predictions are not possible")
            return
        for service in _WARMED_SERVICES:
            await self._set_serving(service, serving=True)

    async def _set_serving(self, service: str, *, serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        await self._health.set(service, answer.SERVING if serving else answer.NOT_SERVING)

    async def _clean(self, database: Database) -> None:
        """Removes abandoned uploads and old answers, now and then, for as long as the server runs."""
        while True:
            before = now_micros() - int(self._config.keep_days * MICROS_PER_DAY)
            try:
                await database.run_write(vote_uploads.remove_abandoned, before)
                await database.run_write(side_data.remove_abandoned, before)
                await database.run_write(requests.remove_old, before)
            except SQLAlchemyError:
                log.exception("abandoned uploads and old answers could not be removed; the next attempt is later")
            await asyncio.sleep(self._config.clean_seconds)

    def _build(
        self,
        database: Database,
        fitter: Fitter,
        predictor: Predictor,
        prompts: "Prompts | None",
        runner: OperationRunner,
    ) -> grpc.aio.Server:
        config = self._config
        server = grpc.aio.server(
            interceptors=[
                CallInterceptor(max_streams=config.max_streams, idle_seconds=config.stream_idle_seconds),
            ],
            maximum_concurrent_rpcs=config.max_concurrent_rpcs,
            options=[
                ("grpc.max_receive_message_length", config.max_message_bytes),
                ("grpc.max_send_message_length", config.max_message_bytes),
                # Otherwise a second server shares the port in silence, and each gets some of the calls.
                ("grpc.so_reuseport", 0),
                # Clients may ping every 20 s, with no call in flight too; dead connections are found within a minute.
                ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 20_000),
            ],
        )
        limit = config.max_message_bytes
        projects_pb2_grpc.add_ProjectServiceServicer_to_server(ProjectService(database), server)
        sources_pb2_grpc.add_SourceServiceServicer_to_server(SourceService(database), server)
        votes_pb2_grpc.add_VoteServiceServicer_to_server(
            VoteService(database, max_cells=config.max_votes_cells, max_message_bytes=limit), server
        )
        side_data_pb2_grpc.add_SideDataServiceServicer_to_server(
            SideDataService(database, max_bytes=config.max_side_data_bytes), server
        )
        models_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(database, fitter, runner), server)
        prompt_service = PromptService(database, prompts, runner)
        self._stack.push_async_callback(asyncio.to_thread, prompt_service.close)
        prompts_pb2_grpc.add_PromptServiceServicer_to_server(prompt_service, server)
        operations_pb2_grpc.add_OperationServiceServicer_to_server(OperationService(database, runner), server)
        labels_pb2_grpc.add_LabelServiceServicer_to_server(
            LabelService(database, predictor, max_message_bytes=limit), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        return server


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


def lock_data_dir(data_dir: Path) -> int:
    """Makes the folder and keeps other servers out of it, until the file descriptor returned is closed.

    Raises:
        StartError: It cannot be written, or another server has it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"cannot write to the data directory {data_dir}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StartError(f"another server has the data directory {data_dir}") from None
    return descriptor


def _open_database(config: ServerConfig) -> Database:
    try:
        return Database(config.database_url or sqlite_url(config.data_dir))
    except (SQLAlchemyError, CommandError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        where = "the database of WEAKLABEL_DATABASE_URL" if config.database_url else str(config.data_dir)
        raise StartError(f"cannot open {where}: {reason}") from None


def _open_prompts(config: ServerConfig, database: Database) -> "Prompts | None":
    if config.prompts_file is None:
        return None
    from weaklabel.prompts.engine import require_packages
    from weaklabel_server.jobs.prompts import Prompts

    try:
        require_packages()
    except MissingExtraError as error:
        raise StartError(
            f'WEAKLABEL_PROMPTS_FILE: runs of prompts need {error.name}: pip install "weaklabel[server,prompts]"'
        ) from None
    try:
        settings = PromptFile.read(config.prompts_file)
        return Prompts(
            database,
            settings,
            config.data_dir,
            max_cells=config.max_votes_cells,
            max_runs=config.max_prompt_runs,
            max_calls=config.max_prompt_calls,
        )
    except PromptSettingsError as error:
        raise StartError(f"WEAKLABEL_PROMPTS_FILE: {error}") from None
    except InvalidArgumentError as error:
        raise StartError(f"WEAKLABEL_PROMPTS_FILE: {config.prompts_file}: {error}") from None
