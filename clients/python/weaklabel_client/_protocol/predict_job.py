"""Predictions for a stream of new votes."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.choices import tie_break_policy_number, unseen_number
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._protocol.columns import Columns
from weaklabel_client._protocol.job import WINDOW, Job
from weaklabel_client._protocol.resource_names import model_name, project_name
from weaklabel_client._protocol.rpcs import PREDICT_STREAM
from weaklabel_client._results.types import SoftLabels
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import labels_pb2


class PredictJob(Job[labels_pb2.PredictStreamRequest, labels_pb2.PredictStreamResponse, SoftLabels]):
    """Soft labels of blocks of new votes: one output per block, in order."""

    rpc = PREDICT_STREAM

    def __init__(
        self,
        project: str,
        model: str | None,
        sources: Iterable[str] | None,
        tie_break_policy: str = "abstain",
        unseen: str = "error",
    ) -> None:
        self._tie_break_policy = tie_break_policy_number(tie_break_policy)
        self._unseen = unseen_number(unseen)
        self._project = project_name(project)
        self._model = model_name(project, model)
        self._columns = Columns(sources)
        self._block: PredictRows | None = None
        self._block_row = 0  # rows of the block before this one are cut
        self._n_classes: int | None = None
        self._input_ended = False
        self._in_flight: deque[tuple[labels_pb2.PredictStreamRequest, bool]] = deque()  # and whether a block ends there
        self._n_sent = 0
        self._replies: list[labels_pb2.PredictStreamResponse] = []  # of the block that is not complete
        self._reply_bytes_per_row = 0
        self._n_rows = 0

    def is_hungry(self) -> bool:
        return self._block is None and not self._input_ended and len(self._in_flight) < WINDOW

    def feed(self, block: Any) -> None:
        if block is None:
            self._input_ended = True
            self._done = not self._in_flight
            return
        self._block, self._block_row = PredictRows.read(block), 0
        if self._block.block is not None:
            self._columns.take(self._block.sources, self._block.block.n_sources)
        if self._n_classes is not None:
            self._block.resolve(self._n_classes)

    def needs_classes(self) -> str | None:
        return self._project if self._block is not None and self._block.needs_classes() else None

    def take_classes(self, n_classes: int) -> None:
        assert self._block is not None
        self._n_classes = n_classes
        self._block.resolve(n_classes)

    def connected(self) -> None:
        self._n_sent = 0
        self.sent_all = False

    def requests(self) -> Iterator[labels_pb2.PredictStreamRequest]:
        while self._n_sent < len(self._in_flight) or (self._block is not None and len(self._in_flight) < WINDOW):
            if self._n_sent == len(self._in_flight):
                self._in_flight.append(self._cut())
            request = self._in_flight[self._n_sent][0]
            if self._n_sent == 0:
                request.model = self._model
                request.unseen = self._unseen
                del request.sources[:]
                request.sources.extend(self._columns.names or ())
            self._n_sent += 1
            yield request
        self.sent_all = self._input_ended and self._block is None

    def received(self, response: labels_pb2.PredictStreamResponse) -> Iterator[SoftLabels]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        self._reply_bytes_per_row = 4 * (response.probabilities.columns + 1)
        self._replies.append(response)
        _, block_ends = self._in_flight.popleft()
        self._n_sent -= 1
        self._done = self._input_ended and self._block is None and not self._in_flight
        if block_ends:
            probabilities = np.concatenate([from_tensor(reply.probabilities) for reply in self._replies])
            labels = np.concatenate([from_tensor(reply.labels)[:, 0] for reply in self._replies])
            self._replies.clear()
            self._n_rows += len(labels)
            yield SoftLabels(
                model=self._model,
                row_offset=self._n_rows - len(labels),
                items=None,
                probabilities=probabilities,
                labels=labels,
            )

    def _cut(self) -> tuple[labels_pb2.PredictStreamRequest, bool]:
        assert self._block is not None
        start, block = self._block_row, self._block
        most = chunks.MAX_ROWS if self._reply_bytes_per_row else chunks.FEW_ROWS
        stop = min(start + most, block.n_rows)
        sizes = np.maximum(block.row_bytes(start, stop), self._reply_bytes_per_row)
        stop = start + chunks.rows_that_fit(sizes, chunks.MAX_BYTES)
        if stop - start < block.n_rows and not block.may_cut():
            raise ValueError(f"bags: {block.n_rows} items do not fit into a message, which bags must")
        request = labels_pb2.PredictStreamRequest(tie_break_policy=self._tie_break_policy)
        block.put(request, start, stop)
        self._block_row = stop
        self._block = None if stop == block.n_rows else block
        return request, self._block is None
