"""The parts of a server, put together from its settings."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from weaklabel_server.access.authenticator import Authenticator
from weaklabel_server.app.opening import open_prompts
from weaklabel_server.config import ServerConfig
from weaklabel_server.interceptors.calls import CallInterceptor
from weaklabel_server.interceptors.limits import Admission, CallLimits
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.fit import FitLimits, Fitter
from weaklabel_server.jobs.kinds.predict import RecordPredictor
from weaklabel_server.jobs.operations.runner import OperationRunner
from weaklabel_server.jobs.operations.schedule import Schedule
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.jobs.transfers import ImportLimits, Transfers
from weaklabel_server.jobs.workers.pool import WorkerPool, WorkerSettings
from weaklabel_server.store.access.quotas import Limits, Quotas
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.telemetry.observers import Observers

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

log = logging.getLogger(__name__)

_PREDICTED_CELLS = 4 * 1024 * 1024
"""Numbers that a prediction of records holds: their labels go into one message."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the services work with."""

    database: Database
    quotas: Quotas
    authenticator: Authenticator
    admission: Admission
    calls: CallInterceptor
    workers: WorkerPool
    fitter: Fitter
    predictor: Predictor
    record_predictor: RecordPredictor
    analyst: Analyst
    prompts: "Prompts | None"
    runner: OperationRunner
    transfers: Transfers


async def open_parts(config: ServerConfig, database: Database, observers: Observers, stack: AsyncExitStack) -> Parts:
    """Opens the parts of a server over its store.

    Args:
        config: The settings.
        database: The store.
        observers: Who is told of calls and operations.
        stack: Closes the parts, the last one first.

    Raises:
        StartError: One cannot be opened.
    """
    workers = WorkerPool(_worker_settings(config))
    stack.push_async_callback(asyncio.to_thread, workers.close)
    fitter = Fitter(database, workers, _fit_limits(config))
    predictor = Predictor(
        database,
        prediction_threads=config.prediction_threads,
        cached_models=config.cached_models,
        max_label_cells=config.max_label_cells,
    )
    stack.push_async_callback(asyncio.to_thread, predictor.close)
    authenticator = await _open_access(config, database)
    prompts = await asyncio.to_thread(open_prompts, config, database, authenticator)
    runner = OperationRunner(
        database,
        fitter,
        prompts,
        max_fits=config.max_fits,
        schedule=Schedule(
            places=config.max_fits, per_project=config.max_project_fits, memory=config.max_fit_memory_bytes
        ),
        max_prompt_runs=config.max_prompt_runs,
        lease_seconds=config.lease_seconds,
        observers=observers,
    )
    analyst = Analyst(
        database, predictor, fitter, max_label_cells=config.max_label_cells, max_votes=config.max_analysis_votes
    )
    stack.push_async_callback(asyncio.to_thread, analyst.close)
    quotas = Quotas(_project_limits(config))
    transfers = Transfers(
        database,
        quotas,
        _import_limits(config),
        data_dir=config.data_dir,
        max_import_bytes=config.max_import_bytes,
        replica_id=runner.replica_id,
    )
    stack.push_async_callback(transfers.close)
    admission = Admission(_call_limits(config))
    return Parts(
        database=database,
        quotas=quotas,
        authenticator=authenticator,
        admission=admission,
        calls=CallInterceptor(admission, observers),
        workers=workers,
        fitter=fitter,
        predictor=predictor,
        record_predictor=RecordPredictor(
            database, cached_models=config.cached_models, max_cells=min(config.max_label_cells, _PREDICTED_CELLS)
        ),
        analyst=analyst,
        prompts=prompts,
        runner=runner,
        transfers=transfers,
    )


async def _open_access(config: ServerConfig, database: Database) -> Authenticator:
    authenticator = Authenticator(
        database,
        require=config.tokens_required,
        refresh_seconds=config.token_refresh_seconds,
        calls_per_second=config.calls_per_second,
        bytes_per_second=config.bytes_per_second,
    )
    await authenticator.refresh()
    if authenticator.is_required and not authenticator.has_tokens:
        log.warning("calls need a token, and there is none yet: weaklabel admin tokens create")
    return authenticator


def _worker_settings(config: ServerConfig) -> WorkerSettings:
    url = make_url(config.database_url or sqlite_url(config.data_dir.resolve()))
    return WorkerSettings(
        database=url.render_as_string(hide_password=False),
        folder=config.data_dir,
        max_seconds=config.max_fit_seconds,
        log_level=config.log_level,
        log_format=config.log_format,
    )


def _fit_limits(config: ServerConfig) -> FitLimits:
    return FitLimits(
        label_cells=config.max_label_cells,
        memory_bytes=config.max_fit_memory_bytes,
        queued=config.max_queued_fits,
        project_queued=config.max_queued_project_fits,
    )


def _project_limits(config: ServerConfig) -> Limits:
    return Limits(
        max_rows=config.max_project_rows,
        max_sources=config.max_project_sources,
        max_classes=config.max_project_classes,
        max_bytes=config.max_project_bytes,
    )


def _import_limits(config: ServerConfig) -> ImportLimits:
    return ImportLimits(
        max_cells=config.max_votes_cells,
        max_side_data_bytes=config.max_side_data_bytes,
        max_model_bytes=config.max_model_bytes,
        max_class_bytes=config.max_message_bytes // 4,
    )


def _call_limits(config: ServerConfig) -> CallLimits:
    return CallLimits(
        max_calls=config.max_concurrent_rpcs,
        max_streams=config.max_streams,
        max_watches=config.max_watches,
        peer_share=config.peer_share,
        silent_seconds=config.silent_seconds,
        idle_seconds=config.stream_idle_seconds,
        max_message_bytes=config.max_message_bytes,
    )
