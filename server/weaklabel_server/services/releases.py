"""weaklabel.v1.ReleaseService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from weaklabel_protocol.project_folders import Manifest, ProjectFolderError
from weaklabel_protocol.v1 import releases_pb2, releases_pb2_grpc
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.transfers import Transfers
from weaklabel_server.messages.checks import check_project_id, check_request_id, side_data_id
from weaklabel_server.messages.uploads import in_order
from weaklabel_server.store import imports
from weaklabel_server.store.database import Database
from weaklabel_server.store.requests import answered

_PIECE_BYTES = 1024 * 1024
_NO_CARD = frozenset(
    {Reason.LABELS_TOO_LARGE, Reason.NO_VOTES, Reason.VOTES_UNSUITABLE, Reason.INVALID_FIELD, Reason.NO_SOFT_LABELS}
)
"""Of what no card can be made; an export then holds none."""


class ReleaseService(releases_pb2_grpc.ReleaseServiceServicer):
    """Cards of label sets, and projects as folders."""

    def __init__(self, database: Database, analyst: Analyst, transfers: Transfers, *, max_message_bytes: int) -> None:
        self._database = database
        self._analyst = analyst
        self._transfers = transfers
        self._piece_bytes = min(_PIECE_BYTES, max_message_bytes // 2)

    async def GetCard(self, request: releases_pb2.GetCardRequest, context: Context) -> releases_pb2.GetCardResponse:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = side_data_id(request.gold, project_id, field="gold") if request.gold else None
        words: dict[str, Any] = {
            "name": request.display_name,
            "version": request.version,
            "creators": tuple(request.creators),
            **{one: dict(getattr(request, one)) for one in ("source_versions", "source_licenses", "files")},
            **{one: getattr(request, one) or None for one in ("license", "description", "url", "citation", "date")},
        }
        for field, text in (("display_name", request.display_name), ("version", request.version)):
            if not text.strip():
                raise invalid(field, "a text that is not empty")

        def make() -> releases_pb2.GetCardResponse:
            model = self._analyst.load(request.model)
            card = self._analyst.card(model, words, gold=gold)
            return releases_pb2.GetCardResponse(model=model.name, json=card.to_json(), markdown=card.to_markdown())

        async with self._analyst.place():
            return await self._analyst.run(make)

    async def ExportProject(
        self, request: releases_pb2.ExportProjectRequest, context: Context
    ) -> AsyncIterator[releases_pb2.ExportProjectResponse]:
        project_id = names.parse_project(request.name, field="name")
        async with self._transfers.place():
            from weaklabel_server.jobs.portable.export import export, take_snapshot

            snapshot = await self._database.run_read(
                take_snapshot,
                project_id,
                request.votes_version,
                request.max_models if request.HasField("max_models") else None,
                request.snapshot,
            )
            description = json.dumps(snapshot.description()).encode()
            start = releases_pb2.ExportProjectStart(snapshot=snapshot.name, description=description)
            yield releases_pb2.ExportProjectResponse(start=start)
            loop = asyncio.get_running_loop()

            def card(model_id: str) -> tuple[str, str] | None:
                work = self._analyst.run(self._card, project_id, model_id, snapshot.view.version)
                return asyncio.run_coroutine_threadsafe(work, loop).result()

            pieces = export(self._database, snapshot, card, request.first_file)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                for at in range(0, len(piece.data), self._piece_bytes):
                    data = piece.data[at : at + self._piece_bytes]
                    part = releases_pb2.ExportProjectPiece(file=piece.file, data=data)
                    yield releases_pb2.ExportProjectResponse(piece=part)
                if piece.is_end:
                    end = releases_pb2.ExportProjectFileEnd(
                        file=piece.file, size_bytes=piece.size_bytes, sha256=piece.sha256
                    )
                    yield releases_pb2.ExportProjectResponse(file_end=end)
            yield releases_pb2.ExportProjectResponse(end=releases_pb2.ExportProjectEnd())

    def _card(self, project_id: str, model_id: str, votes_version: int) -> tuple[str, str] | None:
        """The card of the labels of a model; None where none can be made."""
        try:
            model = self._analyst.load(names.format_model(project_id, model_id))
            card = self._analyst.card(model, {"name": project_id, "version": str(votes_version)})
        except ServiceError as error:
            if error.reason not in _NO_CARD:
                raise
            return None
        return card.to_json(), card.to_markdown()

    async def ImportProject(
        self, request_iterator: AsyncIterator[releases_pb2.ImportProjectRequest], context: Context
    ) -> AsyncIterator[releases_pb2.ImportProjectResponse]:
        opened: releases_pb2.ImportProjectOpen | None = None
        incoming = None
        async with self._transfers.place():
            async for request in in_order(request_iterator):
                if opened is None or incoming is None:
                    opened = request.open
                    project_id, manifest = _opening(opened)
                    done = await self._database.run_read(answered, opened, releases_pb2.ImportProjectResponse)
                    if done is not None:
                        yield done
                        return
                    await self._database.run_read(imports.check_absent, project_id)
                    incoming = await self._transfers.open(opened, manifest)
                    yield releases_pb2.ImportProjectResponse(committed_bytes=incoming.committed_bytes)
                elif request.HasField("piece"):
                    piece = request.piece
                    committed = await asyncio.to_thread(incoming.append, piece.offset, piece.data)
                    yield releases_pb2.ImportProjectResponse(committed_bytes=committed)
                else:
                    yield await self._transfers.finish(opened, incoming, project_id)
                    return


def _opening(request: releases_pb2.ImportProjectOpen) -> tuple[str, Manifest]:
    """The project and the manifest of an import, checked."""
    project_id = names.parse_project(request.name, field="open.name")
    check_project_id(project_id, field="open.name")
    if not request.request_id:
        raise invalid("open.request_id", "a UUID4 that names this import")
    check_request_id(request)
    try:
        return project_id, Manifest.from_bytes(request.manifest)
    except ProjectFolderError as error:
        raise invalid("open.manifest", str(error), reason=Reason.IMPORT_UNSUITABLE) from error
