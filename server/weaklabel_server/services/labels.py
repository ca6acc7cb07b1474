"""weaklabel.v1.LabelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.votes import ABSTAIN
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import labels_pb2, labels_pb2_grpc, side_data_pb2, tensor_pb2
from weaklabel_server import names
from weaklabel_server.engine import Engine, LoadedModel
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.interceptors import Context
from weaklabel_server.services.checks import MAX_SOURCES, check_names
from weaklabel_server.services.messages import model_name
from weaklabel_server.services.side_rows import read_side_rows
from weaklabel_server.services.spans import rows_per_message, spans
from weaklabel_server.services.tensors import read_codebook, read_codes
from weaklabel_server.services.votes import row_range
from weaklabel_server.store import items, models, projects
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project


@dataclass(frozen=True)
class _Predictor:
    """A model, and which of its sources the columns of the votes are."""

    model: LoadedModel
    sources: tuple[str, ...]
    columns: NDArray[np.int64]  # of the model, one for each of `sources`

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of an answer."""
        return 4 * (self.model.n_classes + 1)

    def align(self, given: Codes) -> Codes:
        """Votes in the order of the model's sources. Sources not given abstain, and so do those that failed."""
        codes = np.full((len(given), len(self.model.column_of)), ABSTAIN, given.dtype)
        codes[:, self.columns] = np.maximum(given, ABSTAIN, dtype=given.dtype)
        return codes


class LabelService(labels_pb2_grpc.LabelServiceServicer):
    """Soft labels."""

    def __init__(self, database: Database, engine: Engine, *, max_message_bytes: int) -> None:
        self._database = database
        self._engine = engine
        self._max_message_bytes = max_message_bytes

    async def ReadSoftLabels(
        self, request: labels_pb2.ReadSoftLabelsRequest, context: Context
    ) -> AsyncIterator[labels_pb2.ReadSoftLabelsResponse]:
        project, model = await self._database.run_read(_find, request.model)
        start, stop = row_range(request.row_offset, request.row_limit, model.item_count)
        row_bytes = 4 * (len(project.classes) + 1)

        def read(tx: Connection, row: int) -> tuple[NDArray[np.float32], NDArray[np.int32], list[str]]:
            """Rows from `row` to the end of the stored chunk or of what is asked for."""
            # Behind the last row there is no chunk: none of the last one's rows is what is left.
            first, probabilities, labels = models.soft_labels(tx, model, min(row, model.item_count - 1))
            part = slice(row - first, stop - first)
            probabilities, labels = probabilities[part], labels[part]
            return probabilities, labels, items.ids(tx, project, row, row + len(labels))

        row = start
        while True:
            # A request for no rows is answered too, with the name of the model.
            probabilities, labels, item_ids = await self._database.run_read(read, row)
            pieces = list(spans(len(labels), row_bytes, item_ids, self._max_message_bytes))
            for low, high in pieces or [(0, 0)]:
                yield labels_pb2.ReadSoftLabelsResponse(
                    model=model_name(project, model) if row + low == start else "",
                    row_offset=row + low,
                    item_ids=item_ids[low:high],
                    probabilities=to_tensor(probabilities[low:high]),
                    labels=_column(labels[low:high]),
                )
            row += len(labels)
            if row >= stop:
                return

    async def Predict(self, request: labels_pb2.PredictRequest, context: Context) -> labels_pb2.PredictResponse:
        def predict() -> labels_pb2.PredictResponse:
            predictor = self._predictor(request.model, request.sources)
            probabilities, labels = self._predict(predictor, request)
            return labels_pb2.PredictResponse(model=predictor.model.name, probabilities=probabilities, labels=labels)

        return await self._engine.run(predict)

    async def PredictStream(
        self, request_iterator: AsyncIterator[labels_pb2.PredictStreamRequest], context: Context
    ) -> AsyncIterator[labels_pb2.PredictStreamResponse]:
        predictor: _Predictor | None = None
        asked: tuple[str, tuple[str, ...]] = ("", ())
        async for request in request_iterator:
            name = ""
            if predictor is None:
                predictor = await self._engine.run(self._predictor, request.model, request.sources)
                asked = request.model, tuple(request.sources)
                name = predictor.model.name
            else:
                _check_same(request, *asked)
            probabilities, labels = await self._engine.run(self._predict, predictor, request)
            yield labels_pb2.PredictStreamResponse(model=name, probabilities=probabilities, labels=labels)

    def _predictor(self, name: str, sources: Sequence[str]) -> _Predictor:
        model = self._engine.load(*names.parse_model(name, field="model"))
        check_names(sources, field="sources", what="sources", limit=MAX_SOURCES)
        unknown = [
            FieldViolation(f"sources[{index}]", f'the model does not know a source "{source}"')
            for index, source in enumerate(sources)
            if source not in model.column_of
        ]
        if unknown:
            raise ServiceError(
                Reason.MODEL_SOURCES_UNKNOWN,
                "; ".join(f"{fault.field}: {fault.description}" for fault in unknown),
                metadata={"model": model.name},
                violations=unknown,
            )
        given = tuple(sources or model.column_of)
        return _Predictor(model, given, np.array([model.column_of[source] for source in given], np.int64))

    def _predict(
        self, predictor: _Predictor, request: labels_pb2.PredictRequest | labels_pb2.PredictStreamRequest
    ) -> tuple[tensor_pb2.Tensor, tensor_pb2.Tensor]:
        field, rows = _row_count(request)
        most = rows_per_message(predictor.row_bytes, self._max_message_bytes)
        if not 1 <= rows <= most:
            raise invalid(field, f"1 to {most} rows, so that the answer fits into a message, got {rows}")
        n_classes = predictor.model.n_classes
        codebook = read_codebook(request.codebook, field="codebook", n_classes=n_classes)
        if request.HasField("votes"):
            given = read_codes(request.votes, field="votes", sources=predictor.sources, codebook=codebook)
        else:
            given = np.full((rows, len(predictor.sources)), ABSTAIN, np.int8)
        known = _known(request.side, rows, n_classes) if request.HasField("side") else {}
        probabilities, labels = self._engine.label(predictor.model, predictor.align(given), codebook.symbols, **known)
        return to_tensor(probabilities), _column(labels)


def _find(tx: Connection, name: str) -> tuple[Project, Model]:
    project_id, model_id = names.parse_model(name, field="model")
    project = projects.get(tx, project_id)
    return project, models.get(tx, project, model_id)


def _row_count(request: labels_pb2.PredictRequest | labels_pb2.PredictStreamRequest) -> tuple[str, int]:
    """How many rows a request has, and which field says so."""
    if request.HasField("votes"):
        return "votes.rows", request.votes.rows
    if request.side.HasField("sparse_features"):
        return "side.sparse_features.lengths.rows", request.side.sparse_features.lengths.rows
    if request.side.HasField("features"):
        return "side.features.rows", request.side.features.rows
    raise invalid("votes", "votes, or features of items without votes, are needed")


def _known(message: side_data_pb2.SideRows, rows: int, n_classes: int) -> dict[str, Any]:
    """What is known of the rows of a request, by the names of the arguments of LabelModel.label."""
    read = read_side_rows(message, field="side", rows=rows, n_classes=n_classes)
    if read.gold is not None:
        raise invalid("side.gold", "known labels are for fits")
    if read.fields is not None:
        raise invalid("side.fields", "texts are for prompts")
    if read.bags is not None and (read.bags.item.dtype.kind == "U" or int(read.bags.item.max()) >= rows):
        raise invalid("side.bags.items.data", f"rows of this request, 0..{rows - 1}, are expected")
    return {name: value for name, value in vars(read).items() if value is not None}


def _check_same(request: labels_pb2.PredictStreamRequest, model: str, sources: tuple[str, ...]) -> None:
    if request.model not in ("", model):
        raise invalid("model", f'the model of a stream is that of its first message, "{model}"')
    if tuple(request.sources) not in ((), sources):
        raise invalid("sources", "the sources of a stream are those of its first message")


def _column(labels: NDArray[np.int32]) -> tensor_pb2.Tensor:
    return to_tensor(labels.reshape(-1, 1), np.int32)
