"""The streaming calls as state machines that outlive connections. No I/O; both twins drive these.

A driver feeds the job what the user sends, connects, sends what the job has to send, and hands it each response. When
the connection is lost it connects again: the job knows from where to go on.
"""

import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np

from weaklabel_client import _votes
from weaklabel_client._exceptions import (
    ClientError,
    DeadlineExceeded,
    InternalError,
    UploadInterrupted,
    can_go_on,
)
from weaklabel_client._gen import labels_pb2, operations_pb2, tensor_pb2, votes_pb2
from weaklabel_client._names import model_name, project_name
from weaklabel_client._rpcs import (
    PREDICT_STREAM,
    READ_SOFT_LABELS,
    READ_VOTES,
    UPLOAD_VOTES,
    WATCH_OPERATION,
    Request,
    Response,
    Rpc,
)
from weaklabel_client._tensors import from_tensor, to_tensor
from weaklabel_client._types import SoftLabels, UploadProgress, UploadResult, VoteMatrix

WINDOW = 6  # chunks that are sent ahead of the answers

Output = TypeVar("Output")


class Job(ABC, Generic[Request, Response, Output]):
    """One streaming call, over as many connections as it takes."""

    rpc: Rpc[Request, Response]
    sent_all = False
    """Whether nothing is left to send over this connection."""
    _done = False

    def is_hungry(self) -> bool:
        """Whether a block of the user's input is wanted."""
        return False

    def is_done(self) -> bool:
        """Whether every answer has arrived."""
        return self._done

    def feed(self, block: Any) -> None:
        """Takes a block of the user's input, or None after the last one."""
        raise TypeError(f"{type(self).__name__} takes no input, got {type(block).__name__}")

    @abstractmethod
    def connected(self) -> None:
        """Begins anew with what has not been answered, on a new connection."""

    @abstractmethod
    def requests(self) -> Iterator[Request]:
        """Returns what can be sent now."""

    @abstractmethod
    def received(self, response: Response) -> Iterator[Output]:
        """Takes a response, and returns what it completes."""

    def ended(self) -> None:
        """The server ended the stream without an error."""

    def gave_up(self, error: ClientError) -> ClientError:
        """Returns what to raise for an error that ends the job."""
        return error


class _Columns:
    """What the columns of a stream of blocks are: the sources given, or else what the first block says."""

    def __init__(self, sources: Iterable[str] | None) -> None:
        self.names = None if sources is None else _votes.names(sources, None, "sources")
        self._given = self.names is not None
        self._count = None if self.names is None else len(self.names)

    def take(self, own_names: tuple[str, ...] | None, count: int) -> None:
        """Takes the number of columns of a block, and their names if it brings any along.

        Raises:
            ValueError: They differ from what they are in the stream.
        """
        if self._count is None:
            self.names, self._count = own_names, count
        if count != self._count:
            raise ValueError(f"votes: there are {count} columns for {self._count} sources")
        if not self._given and own_names not in (None, self.names):
            raise ValueError("votes: all chunks must name the same sources in the same order as the first one")


class UploadJob(Job[votes_pb2.UploadVotesRequest, votes_pb2.UploadVotesResponse, UploadProgress]):
    """Uploads blocks of votes, chunk by chunk, and remembers chunks until they are on the server's disk."""

    rpc = UPLOAD_VOTES

    def __init__(
        self,
        project: str,
        *,
        sources: Iterable[str] | None,
        upload_id: str | None,
        content_digest: bytes = b"",
        total_rows: int | None = None,
    ) -> None:
        self._parent = project_name(project)
        self._columns = _Columns(sources)
        self._sources = self._columns.names
        self.upload_id = str(uuid.uuid4()) if upload_id is None else str(uuid.UUID(upload_id))
        self._content_digest = content_digest
        self._total_rows = total_rows
        self.committed_rows = 0
        self._block: _votes.Block | None = None
        self._block_row = 0  # rows of the block before this one are cut, or need not be sent
        self._cut_rows = 0  # the same, of the whole upload
        self._input_ended = False
        self._in_flight: deque[votes_pb2.UploadVotesChunk] = deque()
        self._n_sent = 0  # chunks in flight that this connection has carried
        self._answered = False  # whether this connection's opening was answered
        self._opened = False  # whether it was sent
        self._added: bool | None = None
        self._votes_version = 0

    def is_hungry(self) -> bool:
        wanted = self._sources is None or (self._answered and len(self._in_flight) < WINDOW)
        return wanted and self._block is None and not self._input_ended and not self._done

    def feed(self, block: Any) -> None:
        if block is None:
            self._input_ended = True
            if self._cut_rows == 0:
                raise ValueError("votes: there are no chunks")
            if self._cut_rows < self.committed_rows:
                raise ValueError(
                    f"votes: there are {self._cut_rows} rows, the server has {self.committed_rows} already"
                )
            return
        block = block if isinstance(block, _votes.DenseBlock | _votes.SparseBlock) else _votes.chunk_block(block)
        self._columns.take(block.sources, block.n_sources)
        self._sources = self._columns.names or _votes.default_sources(block.n_sources)
        self._block, self._block_row = block, 0
        self._skip_committed()

    def connected(self) -> None:
        self._opened = self._answered = self.sent_all = False
        self._n_sent = 0

    def requests(self) -> Iterator[votes_pb2.UploadVotesRequest]:
        if not self._opened:
            self._opened = True
            opening = votes_pb2.UploadVotesOpen(
                parent=self._parent,
                upload_id=self.upload_id,
                sources=self._sources,
                content_digest=self._content_digest,
            )
            yield votes_pb2.UploadVotesRequest(open=opening)
        if not self._answered or self.sent_all:
            return
        while self._n_sent < len(self._in_flight):
            self._n_sent += 1
            yield votes_pb2.UploadVotesRequest(chunk=self._in_flight[self._n_sent - 1])
        while self._block is not None and len(self._in_flight) < WINDOW:
            self._in_flight.append(self._cut(self._block))
            self._n_sent += 1
            yield votes_pb2.UploadVotesRequest(chunk=self._in_flight[-1])
        if self._input_ended and self._block is None:
            self.sent_all = True
            yield votes_pb2.UploadVotesRequest(finish=votes_pb2.UploadVotesFinish(total_rows=self._cut_rows))

    def received(self, response: votes_pb2.UploadVotesResponse) -> Iterator[UploadProgress]:
        self.upload_id = response.upload_id
        self._answered = True
        if self._added is None:
            self._added = not response.finished
        before, self.committed_rows = self.committed_rows, response.committed_rows
        if self.committed_rows < before:
            raise InternalError(f"the server had {before} rows of the upload and now has {self.committed_rows}")
        if response.finished:
            self._done = self.sent_all = True
            self._votes_version = response.votes_version
        while self._in_flight and self._in_flight[0].row_offset + self._in_flight[0].rows <= self.committed_rows:
            self._in_flight.popleft()
            self._n_sent = max(0, self._n_sent - 1)
        self._skip_committed()
        if self.committed_rows > before:
            yield UploadProgress(self.committed_rows, self._total_rows)

    def gave_up(self, error: ClientError) -> ClientError:
        if not (can_go_on(error) or isinstance(error, DeadlineExceeded)):
            return error
        message = (
            f"{error.message}. {self.committed_rows:,} rows are safe on the server. To go on from there, "
            f'repeat the upload with upload_id="{self.upload_id}"'
        )
        return UploadInterrupted(
            message, upload_id=self.upload_id, committed_rows=self.committed_rows, reason=error.reason, code=error.code
        )

    def result(self) -> UploadResult:
        """What came of it, once done."""
        return UploadResult(self.upload_id, self.committed_rows, self._votes_version, bool(self._added))

    def _cut(self, block: _votes.Block) -> votes_pb2.UploadVotesChunk:
        start = self._block_row
        stop = min(start + _votes.MAX_ROWS, block.n_rows)
        rows = _votes.rows_that_fit(block.row_bytes(start, stop), _votes.MAX_BYTES)
        chunk = block.chunk(start, start + rows, self._cut_rows)
        self._advance(rows)
        return chunk

    def _skip_committed(self) -> None:
        if self._block is not None and self._cut_rows < self.committed_rows:
            self._advance(min(self.committed_rows - self._cut_rows, self._block.n_rows - self._block_row))

    def _advance(self, rows: int) -> None:
        assert self._block is not None
        self._cut_rows += rows
        self._block_row += rows
        if self._block_row == self._block.n_rows:
            self._block = None


class PredictJob(Job[labels_pb2.PredictStreamRequest, labels_pb2.PredictStreamResponse, SoftLabels]):
    """Soft labels of blocks of new votes: one output a block, in order."""

    rpc = PREDICT_STREAM

    def __init__(self, project: str, model: str | None, sources: Iterable[str] | None) -> None:
        self._model = model_name(project, model)
        self._columns = _Columns(sources)
        self._block: _votes.IntArray | None = None
        self._input_ended = False
        self._in_flight: deque[tuple[tensor_pb2.Tensor, bool]] = deque()  # votes, and whether a block ends there
        self._n_sent = 0
        self._answers: list[labels_pb2.PredictStreamResponse] = []  # of the block that is not complete
        self._answer_bytes_per_row = 0
        self._n_rows = 0

    def is_hungry(self) -> bool:
        return self._block is None and not self._input_ended and len(self._in_flight) < WINDOW

    def feed(self, block: Any) -> None:
        if block is None:
            self._input_ended = True
            self._done = not self._in_flight
            return
        self._block = _votes.matrix_to_predict(block)
        self._columns.take(_votes.own_sources(block), self._block.shape[1])

    def connected(self) -> None:
        self._n_sent = 0
        self.sent_all = False

    def requests(self) -> Iterator[labels_pb2.PredictStreamRequest]:
        while self._n_sent < len(self._in_flight) or (self._block is not None and len(self._in_flight) < WINDOW):
            if self._n_sent == len(self._in_flight):
                self._in_flight.append(self._cut())
            request = labels_pb2.PredictStreamRequest(votes=self._in_flight[self._n_sent][0])
            if self._n_sent == 0:
                request.model = self._model
                request.sources.extend(self._columns.names or ())
            self._n_sent += 1
            yield request
        self.sent_all = self._input_ended and self._block is None

    def received(self, response: labels_pb2.PredictStreamResponse) -> Iterator[SoftLabels]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        self._answer_bytes_per_row = 4 * (response.probabilities.columns + 1)
        self._answers.append(response)
        _, block_ends = self._in_flight.popleft()
        self._n_sent -= 1
        self._done = self._input_ended and self._block is None and not self._in_flight
        if block_ends:
            probabilities = np.concatenate([from_tensor(answer.probabilities) for answer in self._answers])
            labels = np.concatenate([from_tensor(answer.labels)[:, 0] for answer in self._answers])
            self._answers.clear()
            self._n_rows += len(labels)
            yield SoftLabels(self._model, self._n_rows - len(labels), None, probabilities, labels)

    def _cut(self) -> tuple[tensor_pb2.Tensor, bool]:
        assert self._block is not None
        row_bytes = max(self._block.shape[1] * self._block.itemsize, self._answer_bytes_per_row)
        rows = min(_votes.MAX_ROWS, max(1, _votes.MAX_BYTES // row_bytes))
        if not self._answer_bytes_per_row:
            rows = min(rows, _votes.FEW_ROWS)
        tensor = to_tensor(self._block[:rows], self._block.dtype)
        rest = self._block[rows:]
        self._block = rest if len(rest) else None
        return tensor, self._block is None


class _ReadJob(Job[Request, Response, Output]):
    """A stream of chunks that the server sends; the next row is where a broken one goes on."""

    def __init__(self, row_offset: int, row_limit: int | None) -> None:
        if row_offset < 0 or (row_limit is not None and row_limit < 1):
            raise ValueError("row_offset is at least 0, and row_limit at least 1")
        self._first_row = self._next_row = row_offset
        self._rows_left = row_limit
        self._rows_again = 0  # at the beginning of what this connection brings

    def connected(self) -> None:
        self.sent_all = False
        # How many rows there are is not known, so the last one that arrived is asked for again: no request begins
        # behind the end, even where nothing but the end of the stream was lost.
        self._rows_again = min(1, self._next_row - self._first_row)

    def requests(self) -> Iterator[Request]:
        if not self.sent_all:
            self.sent_all = True
            limit = 0 if self._rows_left is None else self._rows_left + self._rows_again
            yield self._request(self._next_row - self._rows_again, limit)

    @abstractmethod
    def _request(self, row_offset: int, row_limit: int) -> Request: ...

    def _advance(self, row_offset: int, rows: int) -> int:
        """Takes note of the rows of a chunk; returns how many of the first of them had arrived before."""
        due = self._next_row - self._rows_again
        if row_offset != due:
            raise InternalError(f"the server sent row {row_offset} where row {due} was due")
        known = min(self._rows_again, rows)
        self._rows_again -= known
        self._next_row += rows - known
        if self._rows_left is not None:
            self._rows_left -= rows - known
            if self._rows_left < 0:
                raise InternalError(f"the server sent {-self._rows_left} rows more than it was asked for")
            self._done = self._rows_left == 0
        return known

    def ended(self) -> None:
        self._done = True


class ReadVotesJob(_ReadJob[votes_pb2.ReadVotesRequest, votes_pb2.ReadVotesResponse, VoteMatrix]):
    """Reads one version of the votes."""

    rpc = READ_VOTES

    def __init__(self, project: str, votes_version: int | None, row_offset: int, row_limit: int | None) -> None:
        super().__init__(row_offset, row_limit)
        self._parent = project_name(project)
        self._votes_version = votes_version or 0
        self._sources: tuple[str, ...] = ()

    def _request(self, row_offset: int, row_limit: int) -> votes_pb2.ReadVotesRequest:
        return votes_pb2.ReadVotesRequest(
            parent=self._parent, votes_version=self._votes_version, row_offset=row_offset, row_limit=row_limit
        )

    def received(self, response: votes_pb2.ReadVotesResponse) -> Iterator[VoteMatrix]:
        self._votes_version = response.votes_version  # the newest stays the same version from now on
        self._sources = tuple(response.sources) or self._sources
        votes = from_tensor(response.votes)
        known = self._advance(response.row_offset, len(votes))
        if known == 0 or known < len(votes):
            items = tuple(response.item_ids)[known:] or None
            yield VoteMatrix(
                self._votes_version, response.row_offset + known, self._sources, items, votes[known:].copy()
            )


class ReadSoftLabelsJob(_ReadJob[labels_pb2.ReadSoftLabelsRequest, labels_pb2.ReadSoftLabelsResponse, SoftLabels]):
    """Reads the stored soft labels of a model."""

    rpc = READ_SOFT_LABELS

    def __init__(self, project: str, model: str | None, row_offset: int, row_limit: int | None) -> None:
        super().__init__(row_offset, row_limit)
        self._model = model_name(project, model)

    def _request(self, row_offset: int, row_limit: int) -> labels_pb2.ReadSoftLabelsRequest:
        return labels_pb2.ReadSoftLabelsRequest(model=self._model, row_offset=row_offset, row_limit=row_limit)

    def received(self, response: labels_pb2.ReadSoftLabelsResponse) -> Iterator[SoftLabels]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        probabilities, labels = from_tensor(response.probabilities), from_tensor(response.labels)[:, 0]
        known = self._advance(response.row_offset, len(probabilities))
        if known == 0 or known < len(probabilities):
            items = tuple(response.item_ids)[known:] or None
            yield SoftLabels(
                self._model, response.row_offset + known, items, probabilities[known:].copy(), labels[known:].copy()
            )


class WatchJob(
    Job[operations_pb2.WatchOperationRequest, operations_pb2.WatchOperationResponse, operations_pb2.Operation]
):
    """Follows an operation until it is over."""

    rpc = WATCH_OPERATION

    def __init__(self, name: str) -> None:
        self._name = name

    def connected(self) -> None:
        self.sent_all = False

    def requests(self) -> Iterator[operations_pb2.WatchOperationRequest]:
        if not self.sent_all:
            self.sent_all = True
            yield operations_pb2.WatchOperationRequest(name=self._name)

    def received(self, response: operations_pb2.WatchOperationResponse) -> Iterator[operations_pb2.Operation]:
        self._done = response.operation.done
        yield response.operation


def upload_votes(
    project: str, votes: Any, sources: Iterable[str] | None, items: Any, upload_id: str | None
) -> tuple[UploadJob, Any]:
    """Returns the job that uploads votes or an iterable of chunks, and the input to feed it with."""
    if _votes.is_matrix(votes):
        return _upload_of(project, _votes.matrix_block(votes, items), sources, upload_id)
    if items is not None:
        raise ValueError("items: with an iterable of chunks, each chunk is a pair of votes and items")
    return UploadJob(project, sources=sources, upload_id=upload_id), votes


def upload_triples(
    project: str,
    triples: tuple[Any, Any, Any],
    n_items: int | None,
    source_names: Iterable[str] | None,
    item_ids: Any,
    upload_id: str | None,
) -> tuple[UploadJob, Any]:
    """Returns the job that uploads triples, and the input to feed it with."""
    block = _votes.sparse_block(*triples, n_items, source_names, item_ids)
    return _upload_of(project, block, None, upload_id)


def _upload_of(
    project: str, block: _votes.Block, sources: Iterable[str] | None, upload_id: str | None
) -> tuple[UploadJob, Any]:
    if sources is None:
        names = block.sources or _votes.default_sources(block.n_sources)
    else:
        names = _votes.names(sources, block.n_sources, "sources")
    digest = block.digest(names)
    job = UploadJob(project, sources=names, upload_id=upload_id, content_digest=digest, total_rows=block.n_rows)
    return job, [block]


def joined_votes(parts: list[VoteMatrix]) -> VoteMatrix:
    """Makes one matrix of the chunks of a read."""
    first = parts[0]
    votes = np.concatenate([part.votes for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return VoteMatrix(first.votes_version, first.row_offset, first.sources, items, votes)


def joined_labels(parts: list[SoftLabels]) -> SoftLabels:
    """Makes one set of soft labels of its chunks."""
    first = parts[0]
    probabilities = np.concatenate([part.probabilities for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return SoftLabels(first.model, first.row_offset, items, probabilities, labels)
