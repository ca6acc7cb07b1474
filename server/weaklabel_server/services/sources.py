"""weaklabel.v1.SourceService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

from sqlalchemy import Connection

from weaklabel_protocol.v1 import sources_pb2, sources_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.grpc_types import Context
from weaklabel_server.messages.checks import check_request_id
from weaklabel_server.messages.resources import source_message
from weaklabel_server.store import projects, sources
from weaklabel_server.store.database import Database
from weaklabel_server.store.requests import once


class SourceService(sources_pb2_grpc.SourceServiceServicer):
    """Sources of votes."""

    def __init__(self, database: Database, *, max_message_bytes: int) -> None:
        self._database = database
        self._max_message_bytes = max_message_bytes

    async def GetSource(self, request: sources_pb2.GetSourceRequest, context: Context) -> sources_pb2.GetSourceResponse:
        project_id, display_name = names.parse_source(request.name, field="name")

        def get(tx: Connection) -> sources_pb2.Source:
            project = projects.get(tx, project_id)
            return source_message(project, sources.get(tx, project, display_name))

        return sources_pb2.GetSourceResponse(source=await self._database.run_read(get))

    async def ListSources(
        self, request: sources_pb2.ListSourcesRequest, context: Context
    ) -> sources_pb2.ListSourcesResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/sources", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> sources_pb2.ListSourcesResponse:
            project = projects.get(tx, project_id)
            listed, token = pages.fill(
                page,
                lambda part: sources.list_page(tx, project, part),
                key=lambda source: source.key,
                message=lambda source: source_message(project, source),
                max_bytes=self._max_message_bytes,
            )
            return sources_pb2.ListSourcesResponse(sources=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def DeleteSource(
        self, request: sources_pb2.DeleteSourceRequest, context: Context
    ) -> sources_pb2.DeleteSourceResponse:
        check_request_id(request)
        project_id, display_name = names.parse_source(request.name, field="name")

        def delete(tx: Connection) -> sources_pb2.DeleteSourceResponse:
            version = sources.remove(tx, projects.get(tx, project_id), display_name)
            return sources_pb2.DeleteSourceResponse(votes_version=version)

        return await self._database.run_write(once, request, sources_pb2.DeleteSourceResponse, delete)
