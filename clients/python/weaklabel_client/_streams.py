"""The streaming calls as state machines that outlive connections. No I/O; both twins drive these.

A driver feeds the job what the user sends, connects, sends what the job has to send, and hands it each response. When
the connection is lost it connects again: the job knows from where to go on.
"""

import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from weaklabel_client import _votes
from weaklabel_client._exceptions import (
    ClientError,
    DeadlineExceeded,
    InternalError,
    UploadInterrupted,
    can_go_on,
)
from weaklabel_client._names import model_name, project_name
from weaklabel_client._predict import PredictRows
from weaklabel_client._rpcs import (
    PREDICT_STREAM,
    READ_SOFT_LABELS,
    READ_VOTES,
    UPLOAD_SIDE_DATA,
    UPLOAD_VOTES,
    WATCH_OPERATION,
    Request,
    Response,
    Rpc,
)
from weaklabel_client._side import KINDS, SideBlock, content_digest, side_blocks
from weaklabel_client._symbols import Codebook, VoteList, joined
from weaklabel_client._types import SoftLabels, UploadProgress, UploadResult, VoteMatrix
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import labels_pb2, operations_pb2, side_data_pb2, votes_pb2

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

    def asks_for_classes(self) -> str | None:
        """The project of which the number of classes is needed to go on; the server knows it."""
        return None

    def tell_classes(self, n_classes: int) -> None:
        """Takes the number of classes."""
        raise TypeError(f"{type(self).__name__} did not ask for the {n_classes} classes")

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


class _Rows(Protocol):
    """Rows of which chunks are made."""

    n_rows: int

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]: ...

    def chunk(self, start: int, stop: int, row_offset: int) -> Any: ...


class _UploadJob(Job[Request, Response, UploadProgress]):
    """Uploads blocks of rows, chunk by chunk, and remembers chunks until they are on the server's disk."""

    def __init__(
        self, project: str, *, upload_id: str | None, content_digest: bytes = b"", total_rows: int | None = None
    ) -> None:
        self._parent = project_name(project)
        self.upload_id = str(uuid.uuid4()) if upload_id is None else str(uuid.UUID(upload_id))
        self._content_digest = content_digest
        self._total_rows = total_rows
        self.committed_rows = 0
        self._block: Any = None  # _Rows
        self._block_row = 0  # rows of the block before this one are cut, or need not be sent
        self._cut_rows = 0  # the same, of the whole upload
        self._input_ended = False
        self._in_flight: deque[Any] = deque()  # chunks
        self._n_sent = 0  # chunks in flight that this connection has carried
        self._answered = False  # whether this connection's opening was answered
        self._opened = False  # whether it was sent
        self._added: bool | None = None

    @abstractmethod
    def _opening(self) -> Request:
        """The message that opens the upload."""

    @abstractmethod
    def _carrying(self, chunk: Any) -> Request:
        """The message of a chunk."""

    @abstractmethod
    def _finish(self, total_rows: int) -> Request:
        """The message that finishes the upload."""

    @abstractmethod
    def _note(self, response: Any) -> None:
        """Takes from a response what only this kind of upload has."""

    def is_hungry(self) -> bool:
        wanted = self._answered and len(self._in_flight) < WINDOW
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
        self._block, self._block_row = block, 0
        self._skip_committed()

    def connected(self) -> None:
        self._opened = self._answered = self.sent_all = False
        self._n_sent = 0

    def requests(self) -> Iterator[Request]:
        if not self._opened:
            self._opened = True
            yield self._opening()
        if not self._answered or self.sent_all:
            return
        while self._n_sent < len(self._in_flight):
            self._n_sent += 1
            yield self._carrying(self._in_flight[self._n_sent - 1])
        while self._block is not None and len(self._in_flight) < WINDOW:
            self._in_flight.append(self._cut(self._block))
            self._n_sent += 1
            yield self._carrying(self._in_flight[-1])
        if self._input_ended and self._block is None:
            self.sent_all = True
            yield self._finish(self._cut_rows)

    def received(self, response: Any) -> Iterator[UploadProgress]:
        self._note(response)
        self._answered = True
        if self._added is None:
            self._added = not response.finished
        before, self.committed_rows = self.committed_rows, response.committed_rows
        if self.committed_rows < before:
            raise InternalError(f"the server had {before} rows of the upload and now has {self.committed_rows}")
        if response.finished:
            self._done = self.sent_all = True
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

    def _cut(self, block: _Rows) -> Any:
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


class UploadJob(_UploadJob[votes_pb2.UploadVotesRequest, votes_pb2.UploadVotesResponse]):
    """Uploads votes."""

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
        super().__init__(project, upload_id=upload_id, content_digest=content_digest, total_rows=total_rows)
        self._columns = _Columns(sources)
        self._sources = self._columns.names
        self._n_classes: int | None = None
        self._votes_version = 0

    def is_hungry(self) -> bool:
        # The first block may be what names the sources, so it is wanted before the upload is opened.
        first = self._sources is None and self._block is None and not self._input_ended
        return first or super().is_hungry()

    def feed(self, block: Any) -> None:
        if block is not None:
            block = block if isinstance(block, _votes.DenseBlock | _votes.SparseBlock) else _votes.chunk_block(block)
            self._columns.take(block.sources, block.n_sources)
            self._sources = self._columns.names or _votes.default_sources(block.n_sources)
            if self._n_classes is not None:
                block.resolve(self._n_classes)
        super().feed(block)

    def asks_for_classes(self) -> str | None:
        return self._parent if self._block is not None and isinstance(self._block.symbols, VoteList) else None

    def tell_classes(self, n_classes: int) -> None:
        self._n_classes = n_classes
        self._block.resolve(n_classes)

    def _opening(self) -> votes_pb2.UploadVotesRequest:
        opening = votes_pb2.UploadVotesOpen(
            parent=self._parent,
            upload_id=self.upload_id,
            sources=self._sources,
            content_digest=self._content_digest,
        )
        return votes_pb2.UploadVotesRequest(open=opening)

    def _carrying(self, chunk: votes_pb2.UploadVotesChunk) -> votes_pb2.UploadVotesRequest:
        return votes_pb2.UploadVotesRequest(chunk=chunk)

    def _finish(self, total_rows: int) -> votes_pb2.UploadVotesRequest:
        return votes_pb2.UploadVotesRequest(finish=votes_pb2.UploadVotesFinish(total_rows=total_rows))

    def _note(self, response: votes_pb2.UploadVotesResponse) -> None:
        self.upload_id = response.upload_id
        self._votes_version = response.votes_version

    def result(self) -> UploadResult:
        """What came of it, once done."""
        return UploadResult(self.upload_id, self.committed_rows, self._votes_version, bool(self._added))


class SideUploadJob(_UploadJob[side_data_pb2.UploadSideDataRequest, side_data_pb2.UploadSideDataResponse]):
    """Uploads side data of one kind."""

    rpc = UPLOAD_SIDE_DATA

    def __init__(self, project: str, kind: str, blocks: Sequence[SideBlock], upload_id: str | None) -> None:
        super().__init__(
            project,
            upload_id=upload_id,
            content_digest=content_digest(kind, blocks),
            total_rows=sum(block.n_rows for block in blocks),
        )
        self._kind = KINDS[kind]
        self.name = ""

    def _opening(self) -> side_data_pb2.UploadSideDataRequest:
        opening = side_data_pb2.UploadSideDataOpen(
            parent=self._parent,
            side_data_id=self.upload_id,
            kind=self._kind,
            content_digest=self._content_digest,
        )
        return side_data_pb2.UploadSideDataRequest(open=opening)

    def _carrying(self, chunk: side_data_pb2.UploadSideDataChunk) -> side_data_pb2.UploadSideDataRequest:
        return side_data_pb2.UploadSideDataRequest(chunk=chunk)

    def _finish(self, total_rows: int) -> side_data_pb2.UploadSideDataRequest:
        return side_data_pb2.UploadSideDataRequest(finish=side_data_pb2.UploadSideDataFinish(total_rows=total_rows))

    def _note(self, response: side_data_pb2.UploadSideDataResponse) -> None:
        self.name = response.name
        self.upload_id = response.name.rpartition("/")[2]


class PredictJob(Job[labels_pb2.PredictStreamRequest, labels_pb2.PredictStreamResponse, SoftLabels]):
    """Soft labels of blocks of new votes: one output a block, in order."""

    rpc = PREDICT_STREAM

    def __init__(self, project: str, model: str | None, sources: Iterable[str] | None) -> None:
        self._project = project_name(project)
        self._model = model_name(project, model)
        self._columns = _Columns(sources)
        self._block: PredictRows | None = None
        self._block_row = 0  # rows of the block before this one are cut
        self._n_classes: int | None = None
        self._input_ended = False
        self._in_flight: deque[tuple[labels_pb2.PredictStreamRequest, bool]] = deque()  # and whether a block ends there
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
        self._block, self._block_row = PredictRows.read(block), 0
        if self._block.block is not None:
            self._columns.take(self._block.sources, self._block.block.n_sources)
        if self._n_classes is not None:
            self._block.resolve(self._n_classes)

    def asks_for_classes(self) -> str | None:
        return self._project if self._block is not None and self._block.needs_classes() else None

    def tell_classes(self, n_classes: int) -> None:
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
                del request.sources[:]
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

    def _cut(self) -> tuple[labels_pb2.PredictStreamRequest, bool]:
        assert self._block is not None
        start, block = self._block_row, self._block
        most = _votes.MAX_ROWS if self._answer_bytes_per_row else _votes.FEW_ROWS
        stop = min(start + most, block.n_rows)
        sizes = np.maximum(block.row_bytes(start, stop), self._answer_bytes_per_row)
        stop = start + _votes.rows_that_fit(sizes, _votes.MAX_BYTES)
        if stop - start < block.n_rows and not block.may_cut():
            raise ValueError(f"bags: {block.n_rows} items do not fit into a message, which bags must")
        request = labels_pb2.PredictStreamRequest()
        block.put(request, start, stop)
        self._block_row = stop
        self._block = None if stop == block.n_rows else block
        return request, self._block is None


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
            codebook = Codebook.from_message(response.codebook) if response.HasField("codebook") else None
            yield VoteMatrix(
                self._votes_version, response.row_offset + known, self._sources, items, votes[known:].copy(), codebook
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
    project: str,
    votes: Any,
    sources: Iterable[str] | None,
    items: Any,
    codebook: Codebook | None,
    upload_id: str | None,
) -> tuple[UploadJob, Any]:
    """Returns the job that uploads votes or an iterable of chunks, and the input to feed it with."""
    if _votes.is_matrix(votes):
        return _upload_of(project, _votes.matrix_block(votes, items, codebook), sources, upload_id)
    if codebook is not None:
        raise ValueError("codebook: it goes with one matrix; chunks may hold vote objects")
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


def upload_side_data(
    project: str, kind: str, values: Any, items: Iterable[str] | None, upload_id: str | None
) -> tuple[SideUploadJob, Any]:
    """Returns the job that uploads side data, and the input to feed it with."""
    blocks = side_blocks(kind, values, items)
    return SideUploadJob(project, kind, blocks, upload_id), blocks


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
    votes, codebook = joined([(part.votes, part.codebook) for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return VoteMatrix(first.votes_version, first.row_offset, first.sources, items, votes, codebook)


def joined_labels(parts: list[SoftLabels]) -> SoftLabels:
    """Makes one set of soft labels of its chunks."""
    first = parts[0]
    probabilities = np.concatenate([part.probabilities for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return SoftLabels(first.model, first.row_offset, items, probabilities, labels)
