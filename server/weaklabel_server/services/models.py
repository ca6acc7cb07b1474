"""weaklabel.v1.ModelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import contextlib
import hashlib
from collections.abc import AsyncIterator

from sqlalchemy import Connection

from weaklabel_protocol.v1 import models_pb2, models_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.model_files import UploadBudget, UploadedFile, read_model_file
from weaklabel_server.jobs.operations.runner import OperationRunner
from weaklabel_server.messages.checks import check_request_id
from weaklabel_server.messages.models import model_message, model_name, read_fit_settings
from weaklabel_server.messages.operations import operation_message
from weaklabel_server.store import following, models, projects
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation
from weaklabel_server.store.requests import once

_PIECE_BYTES = 1024 * 1024


class ModelService(models_pb2_grpc.ModelServiceServicer):
    """Label models."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        fitter: Fitter,
        runner: OperationRunner,
        analyst: Analyst,
        *,
        max_model_bytes: int,
        max_label_cells: int,
        max_message_bytes: int,
    ) -> None:
        self._database = database
        self._quotas = quotas
        self._max_message_bytes = max_message_bytes
        self._fitter = fitter
        self._runner = runner
        self._analyst = analyst
        self._uploads = UploadBudget(max_model_bytes)
        self._max_label_cells = max_label_cells
        self._piece_bytes = min(_PIECE_BYTES, max_message_bytes // 2)

    async def FitModel(self, request: models_pb2.FitModelRequest, context: Context) -> models_pb2.FitModelResponse:
        check_request_id(request)
        project_id = names.parse_project(request.parent, field="parent")
        settings = read_fit_settings(request, project_id)

        def create(tx: Connection) -> Operation:
            self._quotas.check(tx, projects.get(tx, project_id).key, more=True)
            return self._fitter.create(tx, project_id, request.votes_version, settings)

        return await self._runner.create(
            request,
            models_pb2.FitModelResponse,
            create,
            lambda operation: models_pb2.FitModelResponse(operation=operation_message(operation)),
        )

    async def StopFollowing(
        self, request: models_pb2.StopFollowingRequest, context: Context
    ) -> models_pb2.StopFollowingResponse:
        check_request_id(request)
        project_id = names.parse_project(request.parent, field="parent")

        def stop(tx: Connection) -> models_pb2.StopFollowingResponse:
            following.stop(tx, projects.get(tx, project_id))
            return models_pb2.StopFollowingResponse()

        return await self._database.run_write(once, request, models_pb2.StopFollowingResponse, stop)

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
            listed, token = pages.fill(
                page,
                lambda part: models.list_page(tx, project, part),
                key=lambda model: model.key,
                message=lambda model: model_message(project, model),
                max_bytes=self._max_message_bytes,
            )
            return models_pb2.ListModelsResponse(models=listed, next_page_token=token)

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

    async def DownloadModel(
        self, request: models_pb2.DownloadModelRequest, context: Context
    ) -> AsyncIterator[models_pb2.DownloadModelResponse]:
        project_id, model_id = names.parse_model(request.name, field="name")

        def read(tx: Connection) -> tuple[str, bytes]:
            project = projects.get(tx, project_id)
            model = models.get(tx, project, model_id)
            return model_name(project, model), models.content(tx, model)

        async with self._analyst.place():
            name, data = await self._database.run_read(read)
            for start in range(0, len(data), self._piece_bytes):
                yield models_pb2.DownloadModelResponse(
                    name="" if start else name,
                    total_bytes=0 if start else len(data),
                    data=data[start : start + self._piece_bytes],
                )

    async def UploadModel(
        self, request_iterator: AsyncIterator[models_pb2.UploadModelRequest], context: Context
    ) -> models_pb2.UploadModelResponse:
        opened: models_pb2.UploadModelOpen | None = None
        with contextlib.closing(UploadedFile(self._uploads)) as file:
            async for request in request_iterator:
                if opened is None:
                    opened = _opening(request)
                elif request.WhichOneof("message") == "data":
                    file.add(request.data)
                else:
                    raise invalid("message", "data follows open")
            if opened is None:
                raise invalid("open", "a stream begins with open")
            data = file.whole(opened.content_digest)
            async with self._analyst.place():
                return await self._take(opened, data)

    async def _take(self, opened: models_pb2.UploadModelOpen, data: bytes) -> models_pb2.UploadModelResponse:
        """Reads the file of a model, and stores it."""
        project_id = names.parse_project(opened.parent, field="open.parent")
        fitted = await self._analyst.run(
            read_model_file,
            self._database,
            data,
            project_id=project_id,
            votes_version=opened.votes_version if opened.HasField("votes_version") else None,
            max_bytes=self._uploads.max_bytes,
            max_label_cells=self._max_label_cells,
        )

        def add(tx: Connection) -> models_pb2.UploadModelResponse:
            project = projects.get(tx, project_id)
            models.add(tx, project.key, fitted)
            self._quotas.check(tx, project.key)
            return models_pb2.UploadModelResponse(
                model=model_message(project, models.get(tx, project, fitted.model_id))
            )

        return await self._database.run_write(once, opened, models_pb2.UploadModelResponse, add)


def _opening(request: models_pb2.UploadModelRequest) -> models_pb2.UploadModelOpen:
    """The first message of an upload, checked."""
    if request.WhichOneof("message") != "open":
        raise invalid("open", "a stream begins with open")
    check_request_id(request.open)
    names.parse_project(request.open.parent, field="open.parent")
    if len(request.open.content_digest) != hashlib.sha256().digest_size:
        raise invalid("open.content_digest", "the 32 bytes of a SHA-256")
    return request.open
