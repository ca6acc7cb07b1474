"""The gRPC server: its options, and the services that answer on it."""

import asyncio
from contextlib import AsyncExitStack

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from weaklabel_protocol.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
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
    records_pb2,
    records_pb2_grpc,
    releases_pb2,
    releases_pb2_grpc,
    side_data_pb2,
    side_data_pb2_grpc,
    sources_pb2,
    sources_pb2_grpc,
    votes_pb2,
    votes_pb2_grpc,
)
from weaklabel_server.access.interceptor import AccessInterceptor
from weaklabel_server.app.parts import Parts
from weaklabel_server.config import ServerConfig
from weaklabel_server.services.analysis import AnalysisService
from weaklabel_server.services.labels import LabelService
from weaklabel_server.services.models import ModelService
from weaklabel_server.services.operations import OperationService
from weaklabel_server.services.projects import ProjectService
from weaklabel_server.services.prompts import PromptService
from weaklabel_server.services.records import RecordService
from weaklabel_server.services.releases import ReleaseService
from weaklabel_server.services.side_data import SideDataService
from weaklabel_server.services.sources import SourceService
from weaklabel_server.services.votes import VoteService

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (projects_pb2, "ProjectService"),
        (sources_pb2, "SourceService"),
        (votes_pb2, "VoteService"),
        (side_data_pb2, "SideDataService"),
        (records_pb2, "RecordService"),
        (models_pb2, "ModelService"),
        (prompts_pb2, "PromptService"),
        (operations_pb2, "OperationService"),
        (labels_pb2, "LabelService"),
        (analysis_pb2, "AnalysisService"),
        (releases_pb2, "ReleaseService"),
    )
)
"""The names of the services of weaklabel.v1."""

_RAW_CALLS = 16_384
_RAW_MESSAGE = 4
"""Times the largest message, what gRPC takes in: up to there the interceptor refuses, and says why; gRPC cannot."""


def grpc_server(
    config: ServerConfig, parts: Parts, servicer: health.aio.HealthServicer, stack: AsyncExitStack
) -> grpc.aio.Server:
    """A server with all services, which is not started.

    Args:
        config: The settings.
        parts: What the services work with.
        servicer: Answers calls for health.
        stack: Closes what the services hold.
    """
    server = grpc.aio.server(
        interceptors=[parts.calls, AccessInterceptor(parts.database, parts.authenticator)],
        # The interceptor's limits are far below. gRPC refuses without a reason, and counts calls of all kinds.
        maximum_concurrent_rpcs=_RAW_CALLS,
        options=[
            ("grpc.max_receive_message_length", _RAW_MESSAGE * config.max_message_bytes),
            ("grpc.max_send_message_length", config.max_message_bytes),
            # Of one connection; the client keeps what is more until others have ended.
            ("grpc.max_concurrent_streams", _RAW_CALLS // 8),
            # Otherwise a second server shares the port in silence, and each gets some of the calls.
            ("grpc.so_reuseport", 0),
            # Clients may ping every 20 s, with no call in flight too; dead connections are found within a minute.
            ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ],
    )
    _add_data(server, config, parts)
    _add_models(server, config, parts)
    _add_jobs(server, config, parts, stack)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if config.offers_reflection:
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return server


def _add_data(server: grpc.aio.Server, config: ServerConfig, parts: Parts) -> None:
    """Projects, and what is uploaded to them."""
    limit, database, quotas = config.max_message_bytes, parts.database, parts.quotas
    projects_pb2_grpc.add_ProjectServiceServicer_to_server(
        ProjectService(database, quotas, parts.runner.ended_ids, max_message_bytes=limit), server
    )
    sources_pb2_grpc.add_SourceServiceServicer_to_server(SourceService(database, max_message_bytes=limit), server)
    votes_pb2_grpc.add_VoteServiceServicer_to_server(
        VoteService(
            database,
            quotas,
            open_streams=parts.calls.open_streams,
            max_cells=config.max_votes_cells,
            max_message_bytes=limit,
        ),
        server,
    )
    side_data_pb2_grpc.add_SideDataServiceServicer_to_server(
        SideDataService(database, quotas, max_bytes=config.max_side_data_bytes, max_message_bytes=limit), server
    )
    record_service = RecordService(
        database,
        quotas,
        parts.predictor,
        parts.record_predictor,
        parts.analyst,
        max_bytes=config.max_side_data_bytes,
        max_message_bytes=limit,
    )
    records_pb2_grpc.add_RecordServiceServicer_to_server(record_service, server)


def _add_models(server: grpc.aio.Server, config: ServerConfig, parts: Parts) -> None:
    """Models, their labels, and reports on them."""
    limit, database, analyst = config.max_message_bytes, parts.database, parts.analyst
    model_service = ModelService(
        database,
        parts.quotas,
        parts.fitter,
        parts.runner,
        analyst,
        max_model_bytes=config.max_model_bytes,
        max_label_cells=config.max_label_cells,
        max_message_bytes=limit,
    )
    models_pb2_grpc.add_ModelServiceServicer_to_server(model_service, server)
    labels_pb2_grpc.add_LabelServiceServicer_to_server(
        LabelService(
            database,
            parts.predictor,
            analyst,
            is_alone=parts.calls.is_alone,
            open_streams=parts.calls.open_streams,
            max_message_bytes=limit,
        ),
        server,
    )
    analysis_pb2_grpc.add_AnalysisServiceServicer_to_server(
        AnalysisService(analyst, parts.predictor, max_message_bytes=limit), server
    )


def _add_jobs(server: grpc.aio.Server, config: ServerConfig, parts: Parts, stack: AsyncExitStack) -> None:
    """Operations, runs of prompts, exports and imports."""
    limit, database = config.max_message_bytes, parts.database
    prompt_service = PromptService(database, parts.quotas, parts.prompts, parts.runner, max_message_bytes=limit)
    stack.push_async_callback(asyncio.to_thread, prompt_service.close)
    prompts_pb2_grpc.add_PromptServiceServicer_to_server(prompt_service, server)
    operations_pb2_grpc.add_OperationServiceServicer_to_server(
        OperationService(database, parts.runner, max_message_bytes=limit), server
    )
    releases_pb2_grpc.add_ReleaseServiceServicer_to_server(
        ReleaseService(database, parts.analyst, parts.transfers, max_message_bytes=limit), server
    )
