"""Labels of records without end."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.records import read_records
from weaklabel_client._protocol.job import WINDOW, Job
from weaklabel_client._protocol.resource_names import model_name
from weaklabel_client._protocol.rpcs import PREDICT_RECORDS_STREAM
from weaklabel_client._results.column_table import ColumnTable
from weaklabel_protocol import column_tables
from weaklabel_protocol.columns import Table
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.v1 import records_pb2


class PredictRecordsJob(
    Job[records_pb2.PredictRecordsStreamRequest, records_pb2.PredictRecordsStreamResponse, dict[str, ColumnTable]]
):
    """Labels of pieces of records: one output a piece, in order."""

    rpc = PREDICT_RECORDS_STREAM

    def __init__(self, project: str, space: LabelSpace | None, model: str | None) -> None:
        self._space = space
        self._model = model_name(project, model)
        self._input_ended = False
        self._in_flight: deque[records_pb2.PredictRecordsStreamRequest] = deque()
        self._n_sent = 0
        self._parts: dict[str, list[Table]] = {}  # of the answer that is not complete

    def is_hungry(self) -> bool:
        return not self._input_ended and len(self._in_flight) < WINDOW

    def feed(self, block: Any) -> None:
        if block is None:
            self._input_ended = True
            self._done = not self._in_flight
            return
        table = read_records(block, self._space, "new")
        if table.n_rows > chunks.MAX_ROWS:
            raise ValueError(f"records: at most {chunks.MAX_ROWS} rows a piece, got {table.n_rows}")
        message = column_tables.to_message(table)
        if message.ByteSize() > chunks.MAX_BYTES:
            raise ValueError(f"records: {table.n_rows} rows take more than the {chunks.MAX_BYTES} bytes of a piece")
        self._in_flight.append(records_pb2.PredictRecordsStreamRequest(records=message))

    def connected(self) -> None:
        self._n_sent = 0
        self.sent_all = False
        self._parts.clear()

    def requests(self) -> Iterator[records_pb2.PredictRecordsStreamRequest]:
        while self._n_sent < len(self._in_flight):
            request = self._in_flight[self._n_sent]
            if self._n_sent == 0:
                request.model = self._model
            self._n_sent += 1
            yield request
        self.sent_all = self._input_ended

    def received(self, response: records_pb2.PredictRecordsStreamResponse) -> Iterator[dict[str, ColumnTable]]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        for one in response.tables:
            self._parts.setdefault(one.name, []).append(column_tables.from_message(one.table))
        if response.ends_answer:
            self._in_flight.popleft()
            self._n_sent -= 1
            self._done = self._input_ended and not self._in_flight
            tables = {name: ColumnTable.of(Table.joined(parts)) for name, parts in self._parts.items()}
            self._parts.clear()
            yield tables
