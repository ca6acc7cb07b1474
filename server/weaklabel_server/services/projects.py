"""weaklabel.v1.ProjectService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import re

from sqlalchemy import Connection

from weaklabel_protocol.v1 import projects_pb2, projects_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.grpc_types import Context
from weaklabel_server.messages.checks import Faults, add_name_faults, check_request_id
from weaklabel_server.messages.resources import project_message
from weaklabel_server.store import projects
from weaklabel_server.store.database import Database
from weaklabel_server.store.requests import once

MAX_CLASSES = 10_000

_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class ProjectService(projects_pb2_grpc.ProjectServiceServicer):
    """Projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def CreateProject(
        self, request: projects_pb2.CreateProjectRequest, context: Context
    ) -> projects_pb2.CreateProjectResponse:
        check_request_id(request)
        _check_new(request)

        def create(tx: Connection) -> projects_pb2.CreateProjectResponse:
            project = projects.create(tx, request.project_id, list(request.classes))
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
        listed = await self._database.run_read(projects.list_page, page)
        rows, token = pages.cut(page, listed, lambda project: project.project_id)
        return projects_pb2.ListProjectsResponse(
            projects=[project_message(project) for project in rows], next_page_token=token
        )

    async def DeleteProject(
        self, request: projects_pb2.DeleteProjectRequest, context: Context
    ) -> projects_pb2.DeleteProjectResponse:
        check_request_id(request)
        project_id = names.parse_project(request.name, field="name")

        def delete(tx: Connection) -> projects_pb2.DeleteProjectResponse:
            projects.remove(tx, project_id)
            return projects_pb2.DeleteProjectResponse()

        return await self._database.run_write(once, request, projects_pb2.DeleteProjectResponse, delete)


def _check_new(request: projects_pb2.CreateProjectRequest) -> None:
    faults = Faults()
    if not _PROJECT_ID.fullmatch(request.project_id):
        faults.add(
            "project_id",
            f'1 to 63 characters out of a-z, 0-9, "-" and "_", beginning with a letter or a digit; '
            f'got "{request.project_id}"',
        )
    if not 2 <= len(request.classes) <= MAX_CLASSES:
        faults.add("classes", f"2 to {MAX_CLASSES} classes, got {len(request.classes)}")
    add_name_faults(faults, request.classes, field="classes")
    faults.raise_if_any()
