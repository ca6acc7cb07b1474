"""weaklabel.v1.ModelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

from sqlalchemy import Connection

from weaklabel_protocol.v1 import models_pb2, models_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.runner import OperationRunner
from weaklabel_server.messages.checks import check_request_id
from weaklabel_server.messages.models import model_message, read_fit_settings
from weaklabel_server.messages.operations import operation_message
from weaklabel_server.store import models, projects
from weaklabel_server.store.database import Database
from weaklabel_server.store.requests import once


class ModelService(models_pb2_grpc.ModelServiceServicer):
    """Label models."""

    def __init__(self, database: Database, fitter: Fitter, runner: OperationRunner) -> None:
        self._database = database
        self._fitter = fitter
        self._runner = runner

    async def FitModel(self, request: models_pb2.FitModelRequest, context: Context) -> models_pb2.FitModelResponse:
        check_request_id(request)
        project_id = names.parse_project(request.parent, field="parent")
        settings = read_fit_settings(request, project_id)
        return await self._runner.create(
            request,
            models_pb2.FitModelResponse,
            lambda tx: self._fitter.create(tx, project_id, request.votes_version, settings),
            lambda operation: models_pb2.FitModelResponse(operation=operation_message(operation)),
        )

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
