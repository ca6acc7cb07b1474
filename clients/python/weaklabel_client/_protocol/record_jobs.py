"""Uploads and downloads of records, and downloads of labels as tables."""

from collections.abc import Iterator
from typing import Any

from weaklabel_client._inputs.records import RecordBlock, RecordChunk, read_records
from weaklabel_client._protocol.read_jobs import ReadJob
from weaklabel_client._protocol.resource_names import model_name, record_set_name
from weaklabel_client._protocol.rpcs import READ_LABEL_TABLE, READ_RECORDS, UPLOAD_RECORDS
from weaklabel_client._protocol.upload_jobs import ChunkedUploadJob
from weaklabel_client._results.column_table import ColumnTable
from weaklabel_protocol import column_tables
from weaklabel_protocol.columns import Table
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.v1 import records_pb2

ROLES = {"votes": records_pb2.RECORD_ROLE_VOTES, "gold": records_pb2.RECORD_ROLE_GOLD}


class RecordUploadJob(ChunkedUploadJob[records_pb2.UploadRecordsRequest, records_pb2.UploadRecordsResponse]):
    """Uploads records."""

    rpc = UPLOAD_RECORDS

    def __init__(self, project: str, role: str, block: RecordBlock, kind: str, upload_id: str | None) -> None:
        super().__init__(project, upload_id=upload_id, content_digest=block.digest(kind, role), total_rows=block.n_rows)
        self._role = ROLES[role]
        self.name = ""

    def _opening(self) -> records_pb2.UploadRecordsRequest:
        opening = records_pb2.UploadRecordsOpen(
            parent=self._parent, record_set_id=self.upload_id, role=self._role, content_digest=self._content_digest
        )
        return records_pb2.UploadRecordsRequest(open=opening)

    def _carrying(self, chunk: RecordChunk) -> records_pb2.UploadRecordsRequest:
        return records_pb2.UploadRecordsRequest(chunk=chunk.message())

    def _finish(self, total_rows: int) -> records_pb2.UploadRecordsRequest:
        return records_pb2.UploadRecordsRequest(finish=records_pb2.UploadRecordsFinish(total_rows=total_rows))

    def _note(self, response: records_pb2.UploadRecordsResponse) -> None:
        self.name = response.name
        self.upload_id = response.name.rpartition("/")[2]


def upload_records(
    project: str, records: Any, space: LabelSpace | None, role: str, upload_id: str | None
) -> tuple[RecordUploadJob, list[RecordBlock]]:
    """Returns the job that uploads records, and the input to feed it with.

    Raises:
        ValueError: The role is none, or records cannot be read.
    """
    if role not in ROLES:
        raise ValueError(f"role: one of {', '.join(ROLES)} is expected, got {role!r}")
    block = RecordBlock(read_records(records, space, "gold" if role == "gold" else "votes"))
    kind = "" if space is None else space.kind
    return RecordUploadJob(project, role, block, kind, upload_id), [block]


class ReadRecordsJob(ReadJob[records_pb2.ReadRecordsRequest, records_pb2.ReadRecordsResponse, Table]):
    """Reads a record set."""

    rpc = READ_RECORDS

    def __init__(self, project: str, record_set: str) -> None:
        super().__init__(0, None)
        self._name = record_set_name(project, record_set)

    def _request(self, row_offset: int, row_limit: int) -> records_pb2.ReadRecordsRequest:
        return records_pb2.ReadRecordsRequest(name=self._name, row_offset=row_offset, row_limit=row_limit)

    def received(self, response: records_pb2.ReadRecordsResponse) -> Iterator[Table]:
        table = column_tables.from_message(response.table)
        known = self._advance(response.row_offset, table.n_rows)
        if known < table.n_rows:
            yield table.part(known, table.n_rows)


class ReadLabelTableJob(ReadJob[records_pb2.ReadLabelTableRequest, records_pb2.ReadLabelTableResponse, Table]):
    """Reads a table of the labels of a model."""

    rpc = READ_LABEL_TABLE

    def __init__(self, project: str, model: str | None, table: str | None) -> None:
        super().__init__(0, None)
        self._model = model_name(project, model)
        self._table = table or ""

    def _request(self, row_offset: int, row_limit: int) -> records_pb2.ReadLabelTableRequest:
        return records_pb2.ReadLabelTableRequest(
            model=self._model, table=self._table, row_offset=row_offset, row_limit=row_limit
        )

    def received(self, response: records_pb2.ReadLabelTableResponse) -> Iterator[Table]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        table = column_tables.from_message(response.table)
        known = self._advance(response.row_offset, table.n_rows)
        if known == 0 or known < table.n_rows:
            yield table.part(known, table.n_rows)


def joined(tables: list[Table]) -> ColumnTable:
    """Parts of a table as one."""
    return ColumnTable.of(Table.joined(tables))
