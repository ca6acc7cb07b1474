"""weaklabel.v1.SideDataService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Connection

from weaklabel_protocol.v1 import side_data_pb2, side_data_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.messages.checks import check_digest, check_request_id, check_uuid
from weaklabel_server.messages.side_data import SIDE_KINDS, read_chunk, side_data_message
from weaklabel_server.messages.uploads import in_order
from weaklabel_server.store import projects, side_data
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.projects import Project
from weaklabel_server.store.requests import once
from weaklabel_server.store.side_data import SideChunk, SideData


@dataclass(frozen=True)
class _Opened:
    """The upload of one stream."""

    project: Project
    side: SideData

    def response(self, committed_rows: int, *, finished: bool) -> side_data_pb2.UploadSideDataResponse:
        return side_data_pb2.UploadSideDataResponse(
            name=names.format_side_data(self.project.project_id, self.side.upload_id),
            committed_rows=committed_rows,
            finished=finished,
        )


class SideDataService(side_data_pb2_grpc.SideDataServiceServicer):
    """Side data."""

    def __init__(self, database: Database, quotas: Quotas, *, max_bytes: int, max_message_bytes: int) -> None:
        self._database = database
        self._quotas = quotas
        self._max_message_bytes = max_message_bytes
        self._max_bytes = max_bytes

    async def UploadSideData(
        self, request_iterator: AsyncIterator[side_data_pb2.UploadSideDataRequest], context: Context
    ) -> AsyncIterator[side_data_pb2.UploadSideDataResponse]:
        opened: _Opened | None = None
        async for request in in_order(request_iterator):
            if opened is None:
                opened = await self._open(request.open)
                yield opened.response(opened.side.committed_rows, finished=opened.side.is_finished)
            elif opened.side.is_finished:
                # A client that did not wait for the answer to its opening need not learn that it was in vain.
                yield opened.response(opened.side.committed_rows, finished=True)
            elif request.HasField("chunk"):
                n_classes = len(opened.project.classes)
                chunk, column_count = await asyncio.to_thread(
                    read_chunk, request.chunk, kind=opened.side.kind, n_classes=n_classes
                )
                committed = await self._database.run_write(self._append, opened, chunk, column_count)
                yield opened.response(committed, finished=False)
            else:
                total_rows = request.finish.total_rows
                await self._database.run_read(side_data.check_distinct, opened.side)
                await self._database.run_write(side_data.finish, opened.side, total_rows)
                yield opened.response(total_rows, finished=True)
                return

    def _append(self, tx: Connection, opened: _Opened, chunk: SideChunk, column_count: int) -> int:
        committed = side_data.append(tx, opened.side, chunk, column_count, max_bytes=self._max_bytes)
        self._quotas.check(tx, opened.project.key)
        return committed

    async def _open(self, request: side_data_pb2.UploadSideDataOpen) -> _Opened:
        project_id = names.parse_project(request.parent, field="open.parent")
        check_uuid(request.side_data_id, field="open.side_data_id")
        check_digest(request.content_digest, field="open.content_digest")
        if request.kind not in SIDE_KINDS:
            raise invalid("open.kind", f"one of SIDE_DATA_KIND_GOLD, ..., got {request.kind}")
        project, side = await self._database.run_write(
            side_data.open_upload,
            project_id,
            request.side_data_id.lower(),
            SIDE_KINDS[request.kind],
            request.content_digest,
        )
        return _Opened(project, side)

    async def GetSideData(
        self, request: side_data_pb2.GetSideDataRequest, context: Context
    ) -> side_data_pb2.GetSideDataResponse:
        project_id, side_data_id = names.parse_side_data(request.name, field="name")

        def get(tx: Connection) -> side_data_pb2.SideData:
            project = projects.get(tx, project_id)
            return side_data_message(project, side_data.get(tx, project, side_data_id))

        return side_data_pb2.GetSideDataResponse(side_data=await self._database.run_read(get))

    async def ListSideData(
        self, request: side_data_pb2.ListSideDataRequest, context: Context
    ) -> side_data_pb2.ListSideDataResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/sideData", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> side_data_pb2.ListSideDataResponse:
            project = projects.get(tx, project_id)
            listed, token = pages.fill(
                page,
                lambda part: side_data.list_page(tx, project, part),
                key=lambda side: side.key,
                message=lambda side: side_data_message(project, side),
                max_bytes=self._max_message_bytes,
            )
            return side_data_pb2.ListSideDataResponse(side_data=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def DeleteSideData(
        self, request: side_data_pb2.DeleteSideDataRequest, context: Context
    ) -> side_data_pb2.DeleteSideDataResponse:
        check_request_id(request)
        project_id, side_data_id = names.parse_side_data(request.name, field="name")

        def delete(tx: Connection) -> side_data_pb2.DeleteSideDataResponse:
            side_data.remove(tx, projects.get(tx, project_id), side_data_id)
            return side_data_pb2.DeleteSideDataResponse()

        return await self._database.run_write(once, request, side_data_pb2.DeleteSideDataResponse, delete)
