"""weaklabel.v1.ProjectService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

from collections.abc import Callable, Collection

from sqlalchemy import Connection

from weaklabel_protocol.v1 import projects_pb2, projects_pb2_grpc
from weaklabel_server import caller, names, pages
from weaklabel_server.grpc_types import Context
from weaklabel_server.messages.checks import check_new_project, check_request_id
from weaklabel_server.messages.label_spaces import check_label_space
from weaklabel_server.messages.resources import project_message
from weaklabel_server.store import projects
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.requests import once


class ProjectService(projects_pb2_grpc.ProjectServiceServicer):
    """Projects."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        ended_ids: Callable[[], Collection[str]],
        *,
        max_message_bytes: int,
    ) -> None:
        """ended_ids: Operations that have ended although the store has no note of it yet."""
        self._database = database
        self._quotas = quotas
        self._ended_ids = ended_ids
        self._max_message_bytes = max_message_bytes

    async def CreateProject(
        self, request: projects_pb2.CreateProjectRequest, context: Context
    ) -> projects_pb2.CreateProjectResponse:
        check_request_id(request)
        space = check_label_space(request, max_bytes=self._max_message_bytes // 4)
        check_new_project(
            request.project_id,
            request.classes,
            field="project_id",
            max_bytes=self._max_message_bytes // 4,
            has_classes=space is None or space.has_classes,
        )

        def create(tx: Connection) -> projects_pb2.CreateProjectResponse:
            project = projects.create(tx, request.project_id, list(request.classes), space)
            self._quotas.check(tx, project.key)
            return projects_pb2.CreateProjectResponse(project=project_message(project))

        return await self._database.run_write(once, request, projects_pb2.CreateProjectResponse, create)

    async def GetProject(
        self, request: projects_pb2.GetProjectRequest, context: Context
    ) -> projects_pb2.GetProjectResponse:
        project_id = names.parse_project(request.name, field="name")
        project = await self._database.run_read(projects.get, project_id)
        return projects_pb2.GetProjectResponse(project=project_message(project))

    async def ListProjects(
        self, request: projects_pb2.ListProjectsRequest, context: Context
    ) -> projects_pb2.ListProjectsResponse:
        page = pages.parse("projects", request.page_size, request.page_token, str)
        current = caller.current()
        rights = caller.ALL_RIGHTS if current is None else current.rights

        def list_page(tx: Connection) -> projects_pb2.ListProjectsResponse:
            listed, token = pages.fill(
                page,
                lambda part: projects.list_page(tx, part, rights),
                key=lambda project: project.project_id,
                message=project_message,
                max_bytes=self._max_message_bytes,
            )
            return projects_pb2.ListProjectsResponse(projects=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def DeleteProject(
        self, request: projects_pb2.DeleteProjectRequest, context: Context
    ) -> projects_pb2.DeleteProjectResponse:
        check_request_id(request)
        project_id = names.parse_project(request.name, field="name")

        def delete(tx: Connection) -> projects_pb2.DeleteProjectResponse:
            projects.remove(tx, project_id, self._ended_ids())
            return projects_pb2.DeleteProjectResponse()

        return await self._database.run_write(once, request, projects_pb2.DeleteProjectResponse, delete)
