"""weaklabel.v1.LabelService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_protocol.tensors import sets_to_tensor, to_tensor
from weaklabel_protocol.v1 import labels_pb2, labels_pb2_grpc, tensor_pb2
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.ahead import in_groups
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.batches import Batches
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.jobs.next_to_label import next_to_label
from weaklabel_server.jobs.predict import Predictor, SourceColumns
from weaklabel_server.jobs.stored_items import positions_of
from weaklabel_server.messages.checks import MAX_SOURCES, check_names, side_data_id
from weaklabel_server.messages.labels import (
    AnyPredictRequest,
    VotesRequest,
    explanation_message,
    is_small,
    label_column,
    read_predict_rows,
    read_tie_break_policy,
    read_unseen,
    read_votes,
)
from weaklabel_server.messages.models import model_name
from weaklabel_server.messages.rows import STREAM_BYTES, held_bytes, row_range, rows_per_message, spans
from weaklabel_server.store import items, models, projects
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project

log = logging.getLogger(__name__)

_DRAWN_BYTES = 18
"""Of an item that is drawn, at most: its position and its weight."""
_AHEAD = 3
"""Requests of one stream of predictions that are held at a time."""
MOST_EXPLAINED = 64
"""Items: each takes tens of milliseconds."""


class LabelService(labels_pb2_grpc.LabelServiceServicer):
    """Soft labels."""

    def __init__(
        self,
        database: Database,
        predictor: Predictor,
        analyst: Analyst,
        *,
        is_alone: Callable[[], bool],
        open_streams: Callable[[], int],
        max_message_bytes: int,
    ) -> None:
        self._database = database
        self._predictor = predictor
        self._analyst = analyst
        self._open_streams = open_streams
        self._max_message_bytes = max_message_bytes
        self._is_alone = is_alone
        # Of many calls at a time, those that come while a thread computes are answered as one.
        self._batches = Batches(self._predict_together, predictor.threads)

    async def ReadSoftLabels(
        self, request: labels_pb2.ReadSoftLabelsRequest, context: Context
    ) -> AsyncIterator[labels_pb2.ReadSoftLabelsResponse]:
        def find(tx: Connection) -> tuple[Project, Model, NDArray[np.int64] | None]:
            project, model = _find(tx, request.model)
            models.check_labeled(model)
            chosen = request.HasField("items")
            return project, model, positions_of(tx, project, model, request.items) if chosen else None

        project, model, positions = await self._database.run_read(find)
        n_rows = model.item_count if positions is None else len(positions)
        start, stop = row_range(request.row_offset, request.row_limit, n_rows)
        row_bytes = _row_bytes(len(project.classes))

        def read(tx: Connection, row: int) -> tuple[NDArray[np.float32], NDArray[np.int32], list[str]]:
            """Rows from `row` to the end of the stored chunk or of what is asked for."""
            if positions is not None:
                if row == stop:
                    return np.empty((0, len(project.classes)), np.float32), np.empty(0, np.int32), []
                chosen = positions[row : min(stop, row + rows_per_message(row_bytes, self._held_bytes()))]
                return *models.soft_labels_at(tx, model, chosen), items.ids_at(tx, project, chosen.tolist())
            # Behind the last row there is no chunk: none of the last one's rows is what is left.
            first, probabilities, labels = models.soft_labels(tx, model, min(row, model.item_count - 1))
            part = slice(row - first, stop - first)
            probabilities, labels = probabilities[part], labels[part]
            return probabilities, labels, items.ids(tx, project, row, row + len(labels))

        row = start
        while True:
            # A request for no rows is answered too, with the name of the model.
            probabilities, labels, item_ids = await self._database.run_stream_read(read, row)
            pieces = list(spans(len(labels), row_bytes, item_ids, min(STREAM_BYTES, self._held_bytes())))
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

    async def GetSoftLabels(
        self, request: labels_pb2.GetSoftLabelsRequest, context: Context
    ) -> labels_pb2.GetSoftLabelsResponse:
        def read(tx: Connection) -> labels_pb2.GetSoftLabelsResponse:
            project, model = _find(tx, request.model)
            limit = rows_per_message(_row_bytes(len(project.classes)), self._max_message_bytes)
            positions = positions_of(tx, project, model, request.items, limit=limit)
            probabilities, labels = models.soft_labels_at(tx, model, positions)
            return labels_pb2.GetSoftLabelsResponse(
                model=model_name(project, model),
                probabilities=to_tensor(probabilities),
                labels=label_column(labels),
            )

        return await self._database.run_read(read)

    async def Predict(self, request: labels_pb2.PredictRequest, context: Context) -> labels_pb2.PredictResponse:
        if not is_small(request):
            return await self._predictor.run(self._predict_one, request)
        if self._is_alone() and not self._batches.runs(request.model):
            model = self._predictor.recall_quick(request.model)
            if model is not None:  # to wake a thread, and to be woken by it, takes longer than a few rows do
                return self._predict_small(model, request)
        return await self._batches.ask(request.model, request, request.votes.rows)

    async def PredictStream(
        self, request_iterator: AsyncIterator[labels_pb2.PredictStreamRequest], context: Context
    ) -> AsyncIterator[labels_pb2.PredictStreamResponse]:
        messages = aiter(request_iterator)
        opening = await anext(messages, None)
        if opening is None:
            return
        columns = await self._predictor.run(self._columns, opening)
        first = labels_pb2.PredictStreamRequest(model=opening.model, sources=opening.sources, unseen=opening.unseen)
        begun = [opening]
        del opening  # not held for the length of the stream

        async def requests() -> AsyncIterator[labels_pb2.PredictStreamRequest]:
            yield begun.pop()
            async for request in messages:
                _check_same(request, first)
                yield request

        async def predict(request: labels_pb2.PredictStreamRequest) -> tuple[tensor_pb2.Tensor, tensor_pb2.Tensor]:
            return await self._predictor.run(self._predict, columns, request)

        name = columns.model.name
        async for group in in_groups(requests(), predict, _AHEAD):
            for probabilities, labels in group:
                yield labels_pb2.PredictStreamResponse(model=name, probabilities=probabilities, labels=labels)
                name = ""

    async def NextToLabel(
        self, request: labels_pb2.NextToLabelRequest, context: Context
    ) -> labels_pb2.NextToLabelResponse:
        def draw() -> labels_pb2.NextToLabelResponse:
            project_id, _ = names.parse_model(request.model, field="model")
            gold = side_data_id(request.gold, project_id, field="gold") if request.gold else None
            loaded = self._predictor.load(request.model)
            seed = request.seed if request.HasField("seed") else loaded.label_model.seed
            with self._database.read() as tx:
                project, model = _find(tx, loaded.name)
                models.check_labeled(model)
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

    async def Explain(self, request: labels_pb2.ExplainRequest, context: Context) -> labels_pb2.ExplainResponse:
        def explain() -> labels_pb2.ExplainResponse:
            model = self._analyst.load(request.model)
            if request.HasField("items") == request.HasField("votes"):
                raise invalid("votes", "either items of the project or votes are explained")
            if request.HasField("items"):
                find = functools.partial(positions_of, selection=request.items, limit=MOST_EXPLAINED)
                explanations = self._analyst.explain_stored(model, find)
            else:
                columns = self._columns(request)
                rows = read_votes(request, sources=columns.sources, n_classes=model.n_classes, max_rows=MOST_EXPLAINED)
                explanations = self._analyst.explain(model, columns.named_votes(*rows), columns.unseen)
            response = labels_pb2.ExplainResponse(
                model=model.name,
                classes=model.label_model.classes,
                explanations=[explanation_message(one) for one in explanations],
            )
            if response.ByteSize() > self._max_message_bytes:
                raise ServiceError(
                    Reason.RESULT_TOO_LARGE,
                    f"the explanations of {len(explanations)} items take {response.ByteSize()} bytes, which do not fit "
                    "into a message; ask for fewer items",
                )
            return response

        async with self._analyst.place():
            return await self._analyst.run(explain)

    async def PredictSet(
        self, request: labels_pb2.PredictSetRequest, context: Context
    ) -> labels_pb2.PredictSetResponse:
        def predict() -> labels_pb2.PredictSetResponse:
            columns = self._columns(request)
            model = columns.model
            rows = read_votes(
                request, sources=columns.sources, n_classes=model.n_classes, max_rows=self._max_rows(model)
            )
            sets = self._analyst.predict_set(model, columns.named_votes(*rows), request.coverage, columns.unseen)
            return labels_pb2.PredictSetResponse(model=model.name, sets=sets_to_tensor(sets))

        async with self._analyst.place():
            return await self._analyst.run(predict)

    def _held_bytes(self) -> int:
        return min(held_bytes(self._open_streams()), self._max_message_bytes)

    def _predict_together(
        self, requests: Sequence[labels_pb2.PredictRequest]
    ) -> list[labels_pb2.PredictResponse | Exception]:
        """Answers small requests for one model, as `_predict_one` would."""
        answers: list[labels_pb2.PredictResponse | Exception] = []
        if len(requests) > 1:
            try:
                model = self._load(requests[0])
                began = time.thread_time()
                parts = [self._small(model, request) for request in requests]
                labeled = self._predictor.label_together(model, parts)
                model.pace.note(time.thread_time() - began)
                return [
                    labels_pb2.PredictResponse(
                        model=model.name, probabilities=to_tensor(soft), labels=label_column(hard)
                    )
                    for soft, hard in labeled
                ]
            except Exception:  # of one of them, which must not be the others' as well
                log.debug("a batch of predictions is taken apart", exc_info=True)
        for request in requests:
            try:
                answers.append(self._predict_small(self._load(request), request))
            except Exception as error:
                answers.append(error)
        return answers

    def _small(self, model: LoadedModel, request: labels_pb2.PredictRequest) -> Codes:
        columns = self._columns_of(model, request)
        rows = read_predict_rows(
            request, sources=columns.sources, n_classes=model.n_classes, max_rows=self._max_rows(model)
        )
        return columns.codes(rows.codes, slice(0, rows.n_rows))

    def _predict_one(self, request: labels_pb2.PredictRequest) -> labels_pb2.PredictResponse:
        return self._predict_by(self._load(request), request)

    def _predict_small(self, model: LoadedModel, request: labels_pb2.PredictRequest) -> labels_pb2.PredictResponse:
        began = time.thread_time()
        response = self._predict_by(model, request)
        model.pace.note(time.thread_time() - began)
        return response

    def _predict_by(self, model: LoadedModel, request: labels_pb2.PredictRequest) -> labels_pb2.PredictResponse:
        probabilities, labels = self._predict(self._columns_of(model, request), request)
        return labels_pb2.PredictResponse(model=model.name, probabilities=probabilities, labels=labels)

    def _load(self, request: AnyPredictRequest | VotesRequest) -> LoadedModel:
        return self._predictor.load(request.model)

    def _columns(self, request: AnyPredictRequest | VotesRequest) -> SourceColumns:
        return self._columns_of(self._load(request), request)

    def _columns_of(self, model: LoadedModel, request: AnyPredictRequest | VotesRequest) -> SourceColumns:
        check_names(request.sources, field="sources", what="sources", limit=MAX_SOURCES)
        return SourceColumns.of(model, request.sources, read_unseen(request))

    def _max_rows(self, model: LoadedModel) -> int:
        return rows_per_message(_row_bytes(model.n_classes), self._max_message_bytes)

    def _predict(
        self, columns: SourceColumns, request: AnyPredictRequest
    ) -> tuple[tensor_pb2.Tensor, tensor_pb2.Tensor]:
        model = columns.model
        rows = read_predict_rows(
            request, sources=columns.sources, n_classes=model.n_classes, max_rows=self._max_rows(model)
        )
        probabilities, labels = self._predictor.label(
            columns,
            rows.codes,
            rows.n_rows,
            rows.symbols,
            read_tie_break_policy(request),
            **rows.side_information,
        )
        return to_tensor(probabilities), label_column(labels)


def _find(tx: Connection, name: str) -> tuple[Project, Model]:
    project_id, model_id = names.parse_model(name, field="model")
    project = projects.get(tx, project_id)
    projects.check_class_labels(project)
    return project, models.get(tx, project, model_id)


def _check_same(request: labels_pb2.PredictStreamRequest, first: labels_pb2.PredictStreamRequest) -> None:
    if request.model not in ("", first.model):
        raise invalid("model", f'the model of a stream is that of its first message, "{first.model}"')
    if request.sources and request.sources != first.sources:
        raise invalid("sources", "the sources of a stream are those of its first message")
    if request.unseen not in (labels_pb2.UNSEEN_SOURCES_UNSPECIFIED, first.unseen):
        raise invalid("unseen", "what is done with unseen sources is said in the first message of a stream")


def _row_bytes(n_classes: int) -> int:
    """Bytes of one row of a response: its probabilities and its label."""
    return 4 * (n_classes + 1)
