"""weaklabel.v1.OperationService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import Connection

from weaklabel_protocol.v1 import operations_pb2, operations_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.operations.runner import OperationRunner
from weaklabel_server.messages.operations import operation_message
from weaklabel_server.store import operations, projects
from weaklabel_server.store.database import Database

# WaitOperation answers so long before the deadline of the call, to be in time.
_MARGIN_SECONDS = 0.2


class OperationService(operations_pb2_grpc.OperationServiceServicer):
    """Work that outlasts a call."""

    def __init__(self, database: Database, runner: OperationRunner, *, max_message_bytes: int) -> None:
        self._database = database
        self._max_message_bytes = max_message_bytes
        self._runner = runner

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.GetOperationResponse:
        operation = await self._runner.get(*names.parse_operation(request.name, field="name"))
        return operations_pb2.GetOperationResponse(operation=operation_message(operation))

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/operations", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> operations_pb2.ListOperationsResponse:
            project = projects.get(tx, project_id)
            listed, token = pages.fill(
                page,
                lambda part: operations.list_page(tx, project, part),
                key=lambda operation: operation.key,
                message=lambda operation: operation_message(self._runner.as_it_stands(operation)),
                max_bytes=self._max_message_bytes,
            )
            return operations_pb2.ListOperationsResponse(operations=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.WaitOperationResponse:
        project_id, operation_id = names.parse_operation(request.name, field="name")
        limit = _time_limit(request, context)
        operation = await self._runner.get(project_id, operation_id)
        try:
            async with asyncio.timeout(limit):
                async for operation in self._runner.watch(project_id, operation_id):  # noqa: B007
                    pass
        except TimeoutError:
            pass  # the answer says that it is not done
        return operations_pb2.WaitOperationResponse(operation=operation_message(operation))

    async def WatchOperation(
        self, request: operations_pb2.WatchOperationRequest, context: Context
    ) -> AsyncIterator[operations_pb2.WatchOperationResponse]:
        async for operation in self._runner.watch(*names.parse_operation(request.name, field="name")):
            yield operations_pb2.WatchOperationResponse(operation=operation_message(operation))

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> operations_pb2.CancelOperationResponse:
        await self._runner.cancel(*names.parse_operation(request.name, field="name"))
        return operations_pb2.CancelOperationResponse()


def _time_limit(request: operations_pb2.WaitOperationRequest, context: Context) -> float | None:
    """Seconds to wait at most; None means until it is done."""
    limits = []
    if request.HasField("timeout"):
        seconds = request.timeout.seconds + request.timeout.nanos / 1e9
        if seconds < 0:
            raise invalid("timeout", f"{seconds} seconds is negative")
        limits.append(seconds)
    remaining = context.time_remaining()
    if remaining is not None:
        limits.append(max(remaining - _MARGIN_SECONDS, 0.0))
    return min(limits, default=None)
