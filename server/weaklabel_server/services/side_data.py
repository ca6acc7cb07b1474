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
from weaklabel_server.interceptors import Context
from weaklabel_server.services.checks import check_digest, check_names, check_request_id, check_uuid
from weaklabel_server.services.messages import SIDE_KINDS, side_data_message
from weaklabel_server.services.side_rows import kinds_of, read_side_rows
from weaklabel_server.services.tensors import MAX_ROWS
from weaklabel_server.store import projects, side_data
from weaklabel_server.store.database import Database
from weaklabel_server.store.projects import Project
from weaklabel_server.store.requests import once
from weaklabel_server.store.side_data import SideChunk, SideData, SideKind


@dataclass(frozen=True)
class _Opened:
    """The upload of one stream."""

    project: Project
    side: SideData

    def response(self, committed_rows: int, *, finished: bool) -> side_data_pb2.UploadSideDataResponse:
        return side_data_pb2.UploadSideDataResponse(
            name=names.format_side_data(self.project.project_id, self.side.side_data_id),
            committed_rows=committed_rows,
            finished=finished,
        )


class SideDataService(side_data_pb2_grpc.SideDataServiceServicer):
    """Side data."""

    def __init__(self, database: Database, *, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes

    async def UploadSideData(
        self, request_iterator: AsyncIterator[side_data_pb2.UploadSideDataRequest], context: Context
    ) -> AsyncIterator[side_data_pb2.UploadSideDataResponse]:
        opened: _Opened | None = None
        async for request in request_iterator:
            kind = request.WhichOneof("message")
            if opened is None:
                if kind != "open":
                    raise invalid("open", "the first message of an upload opens it")
                opened = await self._open(request.open)
                yield opened.response(opened.side.committed_rows, finished=opened.side.finished)
            elif kind == "open":
                raise invalid("open", "this stream has opened an upload already")
            elif kind is None:
                raise invalid("message", "one of open, chunk and finish must be set")
            elif opened.side.finished:
                # A client that did not wait for the answer to its opening need not learn that it was in vain.
                yield opened.response(opened.side.committed_rows, finished=True)
            elif kind == "chunk":
                chunk, column_count = await asyncio.to_thread(_check, request.chunk, opened)
                committed = await self._database.run_write(
                    side_data.append, opened.side, chunk, column_count, max_bytes=self._max_bytes
                )
                yield opened.response(committed, finished=False)
            else:
                total_rows = request.finish.total_rows
                await self._database.run_write(side_data.finish, opened.side, total_rows)
                yield opened.response(total_rows, finished=True)
                return

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
            rows, token = pages.cut(page, side_data.list_page(tx, project, page), lambda side: side.key)
            return side_data_pb2.ListSideDataResponse(
                side_data=[side_data_message(project, side) for side in rows], next_page_token=token
            )

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


def _check(chunk: side_data_pb2.UploadSideDataChunk, opened: _Opened) -> tuple[SideChunk, int]:
    """The chunk, and its number of columns."""
    if not 1 <= chunk.rows <= MAX_ROWS:
        raise invalid("chunk.rows", f"1 to {MAX_ROWS} rows, got {chunk.rows}")
    kind = opened.side.kind
    if set(kinds_of(chunk.values)) != {kind}:
        raise invalid("chunk.values", f"the field of {kind}, and no other")
    item_ids = list(chunk.item_ids) or None
    if item_ids is not None:
        if kind is SideKind.BAGS:
            raise invalid("chunk.item_ids", "the rows of bags are no items; their items stand in chunk.values.bags")
        if len(item_ids) != chunk.rows:
            raise invalid("chunk.item_ids", f"one id for each of the {chunk.rows} rows, got {len(item_ids)}")
        check_names(item_ids, field="chunk.item_ids", what="ids", limit=MAX_ROWS)
    read = read_side_rows(chunk.values, field="chunk.values", rows=chunk.rows, n_classes=len(opened.project.classes))
    if read.bags is not None and len(chunk.values.bags.sizes.data) != 4 * chunk.rows:
        raise invalid("chunk.values.bags.sizes.rows", f"{chunk.rows} rows, got {chunk.values.bags.sizes.rows}")
    content = chunk.values.SerializeToString()
    return SideChunk(chunk.row_offset, chunk.rows, item_ids, content), read.column_count
