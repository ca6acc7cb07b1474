"""weaklabel.v1.LabelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

from collections.abc import AsyncIterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import labels_pb2, labels_pb2_grpc, tensor_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.next_to_label import next_to_label
from weaklabel_server.jobs.predict import Predictor, SourceColumns
from weaklabel_server.messages.checks import MAX_SOURCES, check_names, side_data_id
from weaklabel_server.messages.labels import AnyPredictRequest, label_column, read_predict_rows
from weaklabel_server.messages.models import model_name
from weaklabel_server.messages.rows import row_range, rows_per_message, spans
from weaklabel_server.store import items, models, projects
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project

_DRAWN_BYTES = 18
"""Of an item that is drawn, at most: its position and its weight."""


class LabelService(labels_pb2_grpc.LabelServiceServicer):
    """Soft labels."""

    def __init__(self, database: Database, predictor: Predictor, *, max_message_bytes: int) -> None:
        self._database = database
        self._predictor = predictor
        self._max_message_bytes = max_message_bytes

    async def ReadSoftLabels(
        self, request: labels_pb2.ReadSoftLabelsRequest, context: Context
    ) -> AsyncIterator[labels_pb2.ReadSoftLabelsResponse]:
        project, model = await self._database.run_read(_find, request.model)
        start, stop = row_range(request.row_offset, request.row_limit, model.item_count)
        row_bytes = _row_bytes(len(project.classes))

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
                    labels=label_column(labels[low:high]),
                )
            row += len(labels)
            if row >= stop:
                return

    async def Predict(self, request: labels_pb2.PredictRequest, context: Context) -> labels_pb2.PredictResponse:
        def predict() -> labels_pb2.PredictResponse:
            columns = self._columns(request.model, request.sources)
            probabilities, labels = self._predict(columns, request)
            return labels_pb2.PredictResponse(model=columns.model.name, probabilities=probabilities, labels=labels)

        return await self._predictor.run(predict)

    async def PredictStream(
        self, request_iterator: AsyncIterator[labels_pb2.PredictStreamRequest], context: Context
    ) -> AsyncIterator[labels_pb2.PredictStreamResponse]:
        columns: SourceColumns | None = None
        first: tuple[str, tuple[str, ...]] = ("", ())
        async for request in request_iterator:
            name = ""
            if columns is None:
                columns = await self._predictor.run(self._columns, request.model, request.sources)
                first = request.model, tuple(request.sources)
                name = columns.model.name
            else:
                _check_same(request, *first)
            probabilities, labels = await self._predictor.run(self._predict, columns, request)
            yield labels_pb2.PredictStreamResponse(model=name, probabilities=probabilities, labels=labels)

    async def NextToLabel(
        self, request: labels_pb2.NextToLabelRequest, context: Context
    ) -> labels_pb2.NextToLabelResponse:
        def draw() -> labels_pb2.NextToLabelResponse:
            project_id, model_id = names.parse_model(request.model, field="model")
            gold = side_data_id(request.gold, project_id, field="gold") if request.gold else None
            loaded = self._predictor.load(project_id, model_id)
            seed = request.seed if request.HasField("seed") else loaded.label_model.seed
            with self._database.read() as tx:
                project, model = _find(tx, loaded.name)
                drawn = next_to_label(tx, project, model, n=request.n, seed=seed, gold=gold)
            if len(list(spans(request.n, _DRAWN_BYTES, drawn.item_ids, self._max_message_bytes))) > 1:
                raise invalid("n", f"the ids of {request.n} items do not fit into a message")
            return labels_pb2.NextToLabelResponse(
                model=loaded.name,
                positions=drawn.positions.tolist(),
                item_ids=drawn.item_ids,
                weights=drawn.weights.tolist(),
            )

        return await self._predictor.run(draw)

    def _columns(self, name: str, sources: Sequence[str]) -> SourceColumns:
        model = self._predictor.load(*names.parse_model(name, field="model"))
        check_names(sources, field="sources", what="sources", limit=MAX_SOURCES)
        return SourceColumns.of(model, sources)

    def _predict(
        self, columns: SourceColumns, request: AnyPredictRequest
    ) -> tuple[tensor_pb2.Tensor, tensor_pb2.Tensor]:
        model = columns.model
        max_rows = rows_per_message(_row_bytes(model.n_classes), self._max_message_bytes)
        rows = read_predict_rows(request, sources=columns.sources, n_classes=model.n_classes, max_rows=max_rows)
        probabilities, labels = self._predictor.label(
            model, columns.align(rows.codes), rows.symbols, **rows.side_information
        )
        return to_tensor(probabilities), label_column(labels)


def _find(tx: Connection, name: str) -> tuple[Project, Model]:
    project_id, model_id = names.parse_model(name, field="model")
    project = projects.get(tx, project_id)
    return project, models.get(tx, project, model_id)


def _check_same(request: labels_pb2.PredictStreamRequest, model: str, sources: tuple[str, ...]) -> None:
    if request.model not in ("", model):
        raise invalid("model", f'the model of a stream is that of its first message, "{model}"')
    if tuple(request.sources) not in ((), sources):
        raise invalid("sources", "the sources of a stream are those of its first message")


def _row_bytes(n_classes: int) -> int:
    """Bytes of one row of a response: its probabilities and its label."""
    return 4 * (n_classes + 1)
