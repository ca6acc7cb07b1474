"""weaklabel.v1.ModelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio

from sqlalchemy import Connection

from weaklabel_protocol.v1 import models_pb2, models_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.engine import Engine
from weaklabel_server.errors import invalid
from weaklabel_server.interceptors import Context
from weaklabel_server.operations import OperationRunner
from weaklabel_server.services.checks import MAX_SOURCES, check_names, check_request_id
from weaklabel_server.services.messages import model_message, operation_message
from weaklabel_server.store import models, operations, projects, side_data, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import FitSettings, Operation
from weaklabel_server.store.requests import once
from weaklabel_server.store.side_data import FIT_KINDS, SideKind, SideSettings, SourceBounds

MAX_ITERATIONS = 100_000


class ModelService(models_pb2_grpc.ModelServiceServicer):
    """Label models."""

    def __init__(self, database: Database, engine: Engine, runner: OperationRunner) -> None:
        self._database = database
        self._engine = engine
        self._runner = runner

    async def FitModel(self, request: models_pb2.FitModelRequest, context: Context) -> models_pb2.FitModelResponse:
        check_request_id(request)
        project_id = names.parse_project(request.parent, field="parent")
        if request.options.max_iterations > MAX_ITERATIONS:
            raise invalid("options.max_iterations", f"at most {MAX_ITERATIONS}, got {request.options.max_iterations}")
        side = _read_side(request.side, project_id)
        settings = FitSettings(request.options.seed, request.options.max_iterations, side)
        created: list[Operation] = []

        def create(tx: Connection) -> models_pb2.FitModelResponse:
            view = votes.view(tx, project_id, request.votes_version)
            votes.check_not_empty(view)
            self._engine.check_size(view.item_count, len(view.project.classes))
            _check_side(tx, view, side)
            operation = operations.create(tx, view.project, view.version, settings)
            created.append(operation)
            return models_pb2.FitModelResponse(operation=operation_message(operation))

        async def create_and_submit() -> models_pb2.FitModelResponse:
            response = await self._database.run_write(once, request, models_pb2.FitModelResponse, create)
            for operation in created:
                self._runner.submit(operation)
            return response

        # A caller that hangs up must not leave an operation in the store that nobody runs.
        return await asyncio.shield(create_and_submit())

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Context) -> models_pb2.GetModelResponse:
        project_id, model_id = names.parse_model(request.name, field="name")

        def get(tx: Connection) -> models_pb2.Model:
            project = projects.get(tx, project_id)
            return model_message(project, models.get(tx, project, model_id))

        return models_pb2.GetModelResponse(model=await self._database.run_read(get))

    async def ListModels(
        self, request: models_pb2.ListModelsRequest, context: Context
    ) -> models_pb2.ListModelsResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/models", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> models_pb2.ListModelsResponse:
            project = projects.get(tx, project_id)
            rows, token = pages.cut(page, models.list_page(tx, project, page), lambda model: model.key)
            return models_pb2.ListModelsResponse(
                models=[model_message(project, model) for model in rows], next_page_token=token
            )

        return await self._database.run_read(list_page)

    async def DeleteModel(
        self, request: models_pb2.DeleteModelRequest, context: Context
    ) -> models_pb2.DeleteModelResponse:
        check_request_id(request)
        project_id, model_id = names.parse_model(request.name, field="name")
        if model_id == names.LATEST:
            raise invalid("name", f'a model is deleted by its own id, not as "{names.LATEST}"')

        def delete(tx: Connection) -> models_pb2.DeleteModelResponse:
            models.remove(tx, projects.get(tx, project_id), model_id)
            return models_pb2.DeleteModelResponse()

        return await self._database.run_write(once, request, models_pb2.DeleteModelResponse, delete)


def _read_side(message: models_pb2.SideInformation, project_id: str) -> SideSettings:
    """What a fit is told beside the votes, as far as it can be checked without the store."""
    data: dict[SideKind, str] = {}
    for kind in FIT_KINDS:
        name = getattr(message, kind)
        if name:
            parent, data[kind] = names.parse_side_data(name, field=f"side.{kind}")
            if parent != project_id:
                raise invalid(f"side.{kind}", f'side data of "{names.format_project(project_id)}", got "{name}"')
    if not 0 <= message.gold_error < 1:
        raise invalid("side.gold_error", f"0 to below 1, got {message.gold_error}")
    if message.gold_error and not message.gold:
        raise invalid("side.gold_error", "there is no gold that it could be the error of")
    for at, bound in enumerate(message.bounds):
        if not 0 <= bound.accuracy_low <= bound.accuracy_high <= 1:
            raise invalid(
                f"side.bounds[{at}]", f"0 <= low <= high <= 1, got {bound.accuracy_low} and {bound.accuracy_high}"
            )
    check_names([bound.source for bound in message.bounds], field="side.bounds", what="sources", limit=MAX_SOURCES)
    bounds = tuple(SourceBounds(one.source, one.accuracy_low, one.accuracy_high) for one in message.bounds)
    return SideSettings(data, message.gold_error, bounds)


def _check_side(tx: Connection, view: votes.View, side: SideSettings) -> None:
    """Refuses side data that is not there or of another kind, and bounds of sources that are not."""
    for kind, side_data_id in side.data.items():
        found = side_data.get(tx, view.project, side_data_id)
        if found.kind is not kind:
            raise invalid(f"side.{kind}", f"side data of kind {kind}, this is of kind {found.kind}")
    for at, bound in enumerate(side.bounds):
        if bound.source not in view.source_names:
            raise invalid(f"side.bounds[{at}].source", f'there is no source "{bound.source}"')
