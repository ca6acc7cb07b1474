"""weaklabel.v1.RecordService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from weaklabel_protocol.column_tables import cuts, to_message
from weaklabel_protocol.columns import Table
from weaklabel_protocol.v1 import analysis_pb2, records_pb2, records_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.ahead import in_groups
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.analysis.lasting import Gone
from weaklabel_server.jobs.kinds.kind import Tables
from weaklabel_server.jobs.kinds.predict import RecordPredictor, no_tables
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.messages.checks import check_digest, check_names, check_request_id, check_uuid
from weaklabel_server.messages.fit_options import read_records
from weaklabel_server.messages.models import model_name
from weaklabel_server.messages.records import ROLES, read_chunk, record_set_message, stored_table
from weaklabel_server.messages.rows import MAX_ROWS, STREAM_BYTES, row_range
from weaklabel_server.messages.uploads import in_order
from weaklabel_server.store import label_tables, models, projects, record_sets
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.label_tables import LabelTable
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordChunk, RecordSet
from weaklabel_server.store.requests import once

_MOST_METRICS = 20
_AHEAD = 2
"""Requests of one stream of predictions that are held at a time."""


@dataclass(frozen=True)
class _Opened:
    """The upload of one stream."""

    project: Project
    records: RecordSet

    def response(self, committed_rows: int, *, finished: bool) -> records_pb2.UploadRecordsResponse:
        return records_pb2.UploadRecordsResponse(
            name=names.format_record_set(self.project.project_id, self.records.upload_id),
            committed_rows=committed_rows,
            finished=finished,
        )


class RecordService(records_pb2_grpc.RecordServiceServicer):
    """Records, and labels as tables."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        predictor: Predictor,
        records: RecordPredictor,
        analyst: Analyst,
        *,
        max_bytes: int,
        max_message_bytes: int,
    ) -> None:
        self._database = database
        self._quotas = quotas
        self._predictor = predictor
        self._records = records
        self._analyst = analyst
        self._max_bytes = max_bytes
        self._max_message_bytes = max_message_bytes

    # ------------------------------------------------------------- record sets

    async def UploadRecords(
        self, request_iterator: AsyncIterator[records_pb2.UploadRecordsRequest], context: Context
    ) -> AsyncIterator[records_pb2.UploadRecordsResponse]:
        opened: _Opened | None = None
        async for request in in_order(request_iterator):
            if opened is None:
                opened = await self._open(request.open)
                yield opened.response(opened.records.committed_rows, finished=opened.records.is_finished)
            elif opened.records.is_finished:
                # A client that did not wait for the answer to its opening need not learn that it was in vain.
                yield opened.response(opened.records.committed_rows, finished=True)
            elif request.HasField("chunk"):
                space = opened.project.label_space
                assert space is not None
                chunk = await asyncio.to_thread(read_chunk, request.chunk, space=space, role=opened.records.role)
                committed = await self._database.run_write(self._append, opened, chunk)
                yield opened.response(committed, finished=False)
            else:
                total_rows = request.finish.total_rows
                await self._database.run_write(record_sets.finish, opened.records, total_rows)
                yield opened.response(total_rows, finished=True)
                return

    def _append(self, tx: Connection, opened: _Opened, chunk: RecordChunk) -> int:
        committed = record_sets.append(tx, opened.records, chunk, max_bytes=self._max_bytes)
        self._quotas.check(tx, opened.project.key)
        return committed

    async def _open(self, request: records_pb2.UploadRecordsOpen) -> _Opened:
        project_id = names.parse_project(request.parent, field="open.parent")
        check_uuid(request.record_set_id, field="open.record_set_id")
        check_digest(request.content_digest, field="open.content_digest")
        if request.role not in ROLES:
            raise invalid("open.role", f"RECORD_ROLE_VOTES or RECORD_ROLE_GOLD, got {request.role}")
        project, records = await self._database.run_write(
            record_sets.open_upload,
            project_id,
            request.record_set_id.lower(),
            ROLES[request.role],
            request.content_digest,
        )
        return _Opened(project, records)

    async def GetRecordSet(
        self, request: records_pb2.GetRecordSetRequest, context: Context
    ) -> records_pb2.GetRecordSetResponse:
        project_id, record_set_id = names.parse_record_set(request.name, field="name")

        def get(tx: Connection) -> records_pb2.RecordSet:
            project = projects.get(tx, project_id)
            return record_set_message(project, record_sets.get(tx, project, record_set_id))

        return records_pb2.GetRecordSetResponse(record_set=await self._database.run_read(get))

    async def ListRecordSets(
        self, request: records_pb2.ListRecordSetsRequest, context: Context
    ) -> records_pb2.ListRecordSetsResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/recordSets", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> records_pb2.ListRecordSetsResponse:
            project = projects.get(tx, project_id)
            listed, token = pages.fill(
                page,
                lambda part: record_sets.list_page(tx, project, part),
                key=lambda records: records.key,
                message=lambda records: record_set_message(project, records),
                max_bytes=self._max_message_bytes,
            )
            return records_pb2.ListRecordSetsResponse(record_sets=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def DeleteRecordSet(
        self, request: records_pb2.DeleteRecordSetRequest, context: Context
    ) -> records_pb2.DeleteRecordSetResponse:
        check_request_id(request)
        project_id, record_set_id = names.parse_record_set(request.name, field="name")

        def delete(tx: Connection) -> records_pb2.DeleteRecordSetResponse:
            record_sets.remove(tx, projects.get(tx, project_id), record_set_id)
            return records_pb2.DeleteRecordSetResponse()

        return await self._database.run_write(once, request, records_pb2.DeleteRecordSetResponse, delete)

    async def ReadRecords(
        self, request: records_pb2.ReadRecordsRequest, context: Context
    ) -> AsyncIterator[records_pb2.ReadRecordsResponse]:
        project_id, record_set_id = names.parse_record_set(request.name, field="name")

        def find(tx: Connection) -> RecordSet:
            return record_sets.get(tx, projects.get(tx, project_id), record_set_id)

        def read(tx: Connection, row: int) -> tuple[int, Table]:
            chunk = record_sets.chunk_of(tx, records, row)
            return chunk.row_offset, stored_table(chunk.content)

        records = await self._database.run_read(find)
        row, stop = row_range(request.row_offset, request.row_limit, records.committed_rows)
        while row < stop:
            first, table = await self._database.run_stream_read(read, row)
            part = table.part(row - first, stop - first)
            for low, high in cuts(part, self._max_message_bytes, MAX_ROWS):
                message = await asyncio.to_thread(to_message, part.part(low, high))
                yield records_pb2.ReadRecordsResponse(row_offset=row + low, table=message)
            row += part.n_rows

    # ------------------------------------------------------------------ labels

    async def ReadLabelTable(
        self, request: records_pb2.ReadLabelTableRequest, context: Context
    ) -> AsyncIterator[records_pb2.ReadLabelTableResponse]:
        project_id, model_id = names.parse_model(request.model, field="model")

        def find(tx: Connection) -> tuple[Project, Model, LabelTable]:
            project = projects.get(tx, project_id)
            model = models.get(tx, project, model_id)
            return project, model, _table(project, model, request.table)

        def read(tx: Connection, row: int) -> tuple[int, Table]:
            rows = label_tables.rows_from(tx, model.key, table, row)
            return rows.row_offset, stored_table(rows.content)

        project, model, table = await self._database.run_read(find)
        start, stop = row_range(request.row_offset, request.row_limit, table.rows)
        name, row = model_name(project, model), start
        if start == stop:  # with the columns all the same
            _, rows = await self._database.run_read(read, max(0, min(start, table.rows - 1)))
            yield records_pb2.ReadLabelTableResponse(model=name, row_offset=start, table=to_message(rows.part(0, 0)))
        while row < stop:
            first, rows = await self._database.run_stream_read(read, row)
            part = rows.part(row - first, stop - first)
            for low, high in cuts(part, self._max_message_bytes, MAX_ROWS):
                yield records_pb2.ReadLabelTableResponse(
                    model=name if row + low == start else "",
                    row_offset=row + low,
                    table=await asyncio.to_thread(to_message, part.part(low, high)),
                )
            row += part.n_rows

    async def PredictRecords(
        self, request: records_pb2.PredictRecordsRequest, context: Context
    ) -> records_pb2.PredictRecordsResponse:
        def predict() -> records_pb2.PredictRecordsResponse:
            opened = self._records.open(request.model)
            tables = self._records.label(opened, request.records)
            size = sum(table.row_bytes() * table.n_rows for table in tables.values())
            if size <= self._max_message_bytes:
                made = [records_pb2.LabelTable(name=one, table=to_message(table)) for one, table in tables.items()]
                response = records_pb2.PredictRecordsResponse(model=opened.name, tables=made)
                size = response.ByteSize()
                if size <= self._max_message_bytes:
                    return response
            raise _too_large(size, self._max_message_bytes)

        return await self._predictor.run(predict)

    async def PredictRecordsStream(
        self, request_iterator: AsyncIterator[records_pb2.PredictRecordsStreamRequest], context: Context
    ) -> AsyncIterator[records_pb2.PredictRecordsStreamResponse]:
        messages = aiter(request_iterator)
        opening = await anext(messages, None)
        if opening is None:
            return
        opened = await self._predictor.run(self._records.open, opening.model)
        given, begun = opening.model, [opening]
        del opening  # not held for the length of the stream

        async def requests() -> AsyncIterator[records_pb2.PredictRecordsStreamRequest]:
            yield begun.pop()
            async for request in messages:
                if request.model not in ("", given):
                    raise invalid("model", f'that of the first message, "{given}", or none')
                yield request

        async def predict(request: records_pb2.PredictRecordsStreamRequest) -> Tables:
            return await self._predictor.run(self._records.label, opened, request.records)

        name, limit = opened.name, min(STREAM_BYTES, self._max_message_bytes)
        async for group in in_groups(requests(), predict, _AHEAD):
            for tables in group:
                parts = iter(_parts(tables, limit))
                part = await asyncio.to_thread(next, parts, None)
                while part is not None:
                    following = await asyncio.to_thread(next, parts, None)
                    response = records_pb2.PredictRecordsStreamResponse(
                        model=name, tables=part, ends_answer=following is None
                    )
                    if response.ByteSize() > self._max_message_bytes:
                        raise _too_large(response.ByteSize(), self._max_message_bytes)
                    yield response
                    name, part = "", following

    async def InspectModel(
        self, request: records_pb2.InspectModelRequest, context: Context
    ) -> records_pb2.InspectModelResponse:
        def inspect() -> records_pb2.InspectModelResponse:
            opened = self._records.open(request.model)
            told = self._records.inspect(opened)
            response = records_pb2.InspectModelResponse(
                model=opened.name,
                findings=[analysis_pb2.Finding(kind=kind, message=message) for kind, message in told.findings],
                figures=[records_pb2.ModelFigure(name=one, value=value) for one, value in told.figures.items()],
                tables=[
                    records_pb2.LabelTable(name=one, table=to_message(table)) for one, table in told.tables.items()
                ],
                left_out=told.left_out,
            )
            if response.ByteSize() > self._max_message_bytes:
                raise ServiceError(
                    Reason.RESULT_TOO_LARGE,
                    f"what there is to tell takes {response.ByteSize()} bytes, and a message holds "
                    f"{self._max_message_bytes}: ask for the file of the model",
                )
            return response

        return await self._predictor.run(inspect)

    async def ScoreRecords(
        self, request: records_pb2.ScoreRecordsRequest, context: Context
    ) -> records_pb2.ScoreRecordsResponse:
        project_id, _ = names.parse_model(request.model, field="model")
        records = read_records(request.records, project_id)
        check_names(request.metrics, field="metrics", what="metrics", limit=_MOST_METRICS)

        def score(gone: Gone) -> records_pb2.ScoreRecordsResponse:
            lasting = self._analyst.lasting
            name, scores = lasting.record_scores(request.model, gone, records=records, metrics=request.metrics)
            figures = [records_pb2.ModelFigure(name=metric, value=value) for metric, value in scores.items()]
            return records_pb2.ScoreRecordsResponse(model=name, scores=figures)

        async with self._analyst.lasting_place(project_id) as project:
            return await self._analyst.run_lasting(project, score)


def _too_large(size: int, most: int) -> ServiceError:
    return ServiceError(
        Reason.RESULT_TOO_LARGE, f"the labels take {size} bytes, and a message holds {most}: send fewer records"
    )


def _parts(tables: Tables, limit: int) -> Iterator[list[records_pb2.LabelTable]]:
    """Tables in parts that fit into messages; a table of no rows is there, too."""
    held: list[records_pb2.LabelTable] = []
    size = 0
    for name, table in tables.items():
        for low, high in list(cuts(table, limit, MAX_ROWS)) or [(0, 0)]:
            made = records_pb2.LabelTable(name=name, table=to_message(table.part(low, high)))
            if held and size + made.ByteSize() > limit:
                yield held
                held, size = [], 0
            held.append(made)
            size += made.ByteSize()
    yield held


def _table(project: Project, model: Model, name: str) -> LabelTable:
    """A table of a model; its first where no name is given.

    Raises:
        ServiceError: LABEL_SPACE_MISMATCH, LABEL_TABLE_NOT_FOUND.
    """
    kind = model.summary.kind
    if kind is None:
        raise no_tables(project)
    if kind.tables and not name:
        return kind.tables[0]
    for table in kind.tables:
        if table.name == name:
            return table
    known = ", ".join(table.name for table in kind.tables)
    raise ServiceError(
        Reason.LABEL_TABLE_NOT_FOUND,
        f'the model has no table "{name}"; it has {known}'
        if known
        else "the model was fitted elsewhere and has labeled nothing: PredictRecords labels records",
        metadata={"model": model.model_id, "table": name},
    )
