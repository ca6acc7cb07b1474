"""Uploads of votes and of side data."""

import uuid
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from weaklabel_client._exceptions import ClientError, DeadlineExceeded, InternalError, UploadInterrupted, can_go_on
from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.side_data import KINDS, SideBlock, content_digest, side_blocks
from weaklabel_client._inputs.vote_blocks import Block, DenseBlock, SparseBlock
from weaklabel_client._inputs.vote_list import VoteList
from weaklabel_client._inputs.votes import chunk_block, is_matrix, matrix_block, sparse_block
from weaklabel_client._protocol.columns import Columns
from weaklabel_client._protocol.job import WINDOW, Job
from weaklabel_client._protocol.resource_names import project_name
from weaklabel_client._protocol.rpcs import UPLOAD_SIDE_DATA, UPLOAD_VOTES, Request, Response
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.types import UploadProgress, UploadResult
from weaklabel_protocol.names import default_sources
from weaklabel_protocol.v1 import side_data_pb2, votes_pb2


class ChunkedUploadJob(Job[Request, Response, UploadProgress]):
    """Uploads blocks of rows, chunk by chunk, and remembers chunks until they are on the server's disk."""

    def __init__(
        self, project: str, *, upload_id: str | None, content_digest: bytes = b"", total_rows: int | None = None
    ) -> None:
        self._parent = project_name(project)
        self.upload_id = str(uuid.uuid4()) if upload_id is None else str(uuid.UUID(upload_id))
        self._content_digest = content_digest
        self._total_rows = total_rows
        self.committed_rows = 0
        self._block: Any = None  # chunks.Rows
        self._block_row = 0  # rows of the block before this one are cut, or need not be sent
        self._cut_rows = 0  # the same, of the whole upload
        self._input_ended = False
        self._in_flight: deque[Any] = deque()  # chunks
        self._n_sent = 0  # chunks in flight that this connection has carried
        self._answered = False  # whether this connection's opening got a reply
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

    def _cut(self, block: chunks.Rows) -> Any:
        start = self._block_row
        stop = min(start + chunks.MAX_ROWS, block.n_rows)
        rows = chunks.rows_that_fit(block.row_bytes(start, stop), chunks.MAX_BYTES)
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


class UploadJob(ChunkedUploadJob[votes_pb2.UploadVotesRequest, votes_pb2.UploadVotesResponse]):
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
        self._columns = Columns(sources)
        self._sources = self._columns.names
        self._n_classes: int | None = None
        self._votes_version = 0

    def is_hungry(self) -> bool:
        # The first block may be what names the sources, so it is wanted before the upload is opened.
        first = self._sources is None and self._block is None and not self._input_ended
        return first or super().is_hungry()

    def feed(self, block: Any) -> None:
        if block is not None:
            block = block if isinstance(block, DenseBlock | SparseBlock) else chunk_block(block)
            self._columns.take(block.sources, block.n_sources)
            self._sources = self._columns.names or default_sources(block.n_sources)
            if self._n_classes is not None:
                block.resolve(self._n_classes)
        super().feed(block)

    def needs_classes(self) -> str | None:
        return self._parent if self._block is not None and isinstance(self._block.symbols, VoteList) else None

    def take_classes(self, n_classes: int) -> None:
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
        """The finished upload, once done."""
        return UploadResult(
            upload_id=self.upload_id,
            n_rows=self.committed_rows,
            votes_version=self._votes_version,
            added=bool(self._added),
        )


class SideUploadJob(ChunkedUploadJob[side_data_pb2.UploadSideDataRequest, side_data_pb2.UploadSideDataResponse]):
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

    def needs_classes(self) -> str | None:
        return self._parent if self._block is not None and self._block.needs_classes else None

    def take_classes(self, n_classes: int) -> None:
        self._block.resolve(n_classes)

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


def upload_votes(
    project: str,
    votes: Any,
    sources: Iterable[str] | None,
    items: Any,
    codebook: Codebook | None,
    upload_id: str | None,
) -> tuple[UploadJob, Any]:
    """Returns the job that uploads votes or an iterable of chunks, and the input to feed it with."""
    if is_matrix(votes):
        return _upload_of(project, matrix_block(votes, items, codebook), sources, upload_id)
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
    block = sparse_block(*triples, n_items, source_names, item_ids)
    return _upload_of(project, block, None, upload_id)


def upload_side_data(
    project: str, kind: str, values: Any, items: Iterable[str] | None, upload_id: str | None
) -> tuple[SideUploadJob, Any]:
    """Returns the job that uploads side data, and the input to feed it with."""
    blocks = side_blocks(kind, values, items)
    return SideUploadJob(project, kind, blocks, upload_id), blocks


def _upload_of(
    project: str, block: Block, sources: Iterable[str] | None, upload_id: str | None
) -> tuple[UploadJob, Any]:
    if sources is None:
        columns = block.sources or default_sources(block.n_sources)
    else:
        columns = names(sources, block.n_sources, "sources")
    digest = block.digest(columns)
    job = UploadJob(project, sources=columns, upload_id=upload_id, content_digest=digest, total_rows=block.n_rows)
    return job, [block]
