"""weaklabel.v1.VoteService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

from sqlalchemy import Connection

from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import votes_pb2, votes_pb2_grpc
from weaklabel_server import names
from weaklabel_server.errors import ServiceError, invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.ahead import in_groups
from weaklabel_server.messages.checks import MAX_SOURCES, check_digest, check_names, check_uuid
from weaklabel_server.messages.codebooks import write_codebook
from weaklabel_server.messages.rows import READ_BYTES, STREAM_BYTES, held_bytes, row_range, rows_per_message, spans
from weaklabel_server.messages.uploads import in_order
from weaklabel_server.messages.votes import read_chunk
from weaklabel_server.store import items, vote_uploads, votes
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.chunks import Codes, PackedChunk
from weaklabel_server.store.database import Database
from weaklabel_server.store.projects import Project
from weaklabel_server.store.vote_uploads import VoteUpload

_AHEAD = 6
"""Chunks of one upload that are held at a time, and may be synced to disk as one."""
_TRANSACTION_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class _Opened:
    """The upload of one stream."""

    project: Project
    upload: VoteUpload


class _Chunk(NamedTuple):
    """A chunk of an upload, ready to be stored."""

    row_offset: int
    packed: PackedChunk


class VoteService(votes_pb2_grpc.VoteServiceServicer):
    """Votes."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        *,
        open_streams: Callable[[], int],
        max_cells: int,
        max_message_bytes: int,
    ) -> None:
        self._database = database
        self._open_streams = open_streams
        self._quotas = quotas
        self._max_cells = max_cells
        self._max_message_bytes = max_message_bytes

    async def UploadVotes(
        self, request_iterator: AsyncIterator[votes_pb2.UploadVotesRequest], context: Context
    ) -> AsyncIterator[votes_pb2.UploadVotesResponse]:
        messages = in_order(request_iterator)
        opening = await anext(messages, None)
        if opening is None:
            return
        opened = await self._open(opening.open)
        yield _response(opened.upload, opened.upload.committed_rows, opened.upload.version)
        async for group in in_groups(messages, partial(_read, opened), _AHEAD):
            if opened.upload.is_finished:
                # A client that did not wait for the answer to its opening need not learn that it was in vain.
                for _ in group:
                    yield _response(opened.upload, opened.upload.committed_rows, opened.upload.version)
                continue
            chunks = list(takewhile(lambda one: isinstance(one, _Chunk), group))
            for part in _transactions(chunks):
                async for committed in self._commit(opened, part):
                    yield _response(opened.upload, committed, 0)
            if len(chunks) < len(group):
                total_rows = group[len(chunks)]
                yield _response(opened.upload, total_rows, await self._finish(opened, total_rows))
                return

    async def _finish(self, opened: _Opened, total_rows: int) -> int:
        return await vote_uploads.finish_in_turn(
            self._database,
            opened.upload,
            total_rows,
            max_cells=self._max_cells,
            check=partial(self._quotas.check, project_key=opened.project.key),
        )

    async def _open(self, request: votes_pb2.UploadVotesOpen) -> _Opened:
        project_id = names.parse_project(request.parent, field="open.parent")
        check_uuid(request.upload_id, field="open.upload_id")
        if not request.sources:
            raise invalid("open.sources", "an upload has at least one source")
        check_names(request.sources, field="open.sources", what="sources", limit=MAX_SOURCES)
        check_digest(request.content_digest, field="open.content_digest")

        def open_upload(tx: Connection) -> _Opened:
            opened = _Opened(
                *vote_uploads.open_upload(
                    tx, project_id, request.upload_id.lower(), tuple(request.sources), request.content_digest
                )
            )
            self._quotas.check(tx, opened.project.key, sources=len(request.sources))
            return opened

        return await self._database.run_write(open_upload)

    async def _commit(self, opened: _Opened, chunks: Sequence[_Chunk]) -> AsyncIterator[int]:
        """Writes chunks in one transaction, and then gives the number of rows committed with each of them.

        Raises:
            ServiceError: Of one of the chunks; those before it are committed.
        """
        try:
            committed = await self._database.run_write(self._append, opened, chunks)
        except ServiceError:
            if len(chunks) == 1:
                raise
            for chunk in chunks:
                async for each in self._commit(opened, [chunk]):
                    yield each
        else:
            for each in committed:
                yield each

    def _append(self, tx: Connection, opened: _Opened, chunks: Sequence[_Chunk]) -> list[int]:
        packed = (chunk.packed for chunk in chunks)
        committed = vote_uploads.append(tx, opened.upload, chunks[0].row_offset, *packed)
        self._quotas.check(tx, opened.project.key, rows=committed[-1])
        return committed

    async def ReadVotes(
        self, request: votes_pb2.ReadVotesRequest, context: Context
    ) -> AsyncIterator[votes_pb2.ReadVotesResponse]:
        project_id = names.parse_project(request.parent, field="parent")

        def find(tx: Connection) -> tuple[votes.View, int]:
            view = votes.view(tx, project_id, request.votes_version)
            votes.check_not_empty(view)
            return view, votes.cell_bytes(tx, view)

        view, cell_bytes = await self._database.run_read(find)
        start, stop = row_range(request.row_offset, request.row_limit, view.item_count)
        sources = view.source_names
        # Their names are in the first message only, but a simple rule for all messages is worth a few bytes.
        max_bytes = self._max_message_bytes - sum(len(name.encode()) + 4 for name in sources)
        row_bytes = len(sources) * cell_bytes

        def read(tx: Connection, first: int, end: int) -> tuple[Codes, Symbols, list[str]]:
            # Looked up again, so that a project that is deleted meanwhile gives an error and not abstains.
            current = votes.view(tx, project_id, view.version)
            return *votes.read_rows(tx, current, first, end), items.ids(tx, current.project, first, end)

        first = start
        while True:
            held = min(held_bytes(self._open_streams()), max_bytes)
            read_bytes = min(max(held, READ_BYTES), max_bytes)
            end = min(first + rows_per_message(row_bytes, read_bytes), stop)
            codes, symbols, item_ids = await self._database.run_stream_read(read, first, end)
            for low, high in list(spans(len(codes), row_bytes, item_ids, min(STREAM_BYTES, held))) or [(0, 0)]:
                used, labels = symbols.only(codes[low:high])
                yield votes_pb2.ReadVotesResponse(
                    votes_version=view.version,
                    sources=sources if first + low == start else (),
                    row_offset=first + low,
                    item_ids=item_ids[low:high],
                    votes=to_tensor(labels, labels.dtype),
                    codebook=write_codebook(used),
                )
            first = end
            if first >= stop:
                return


async def _read(opened: _Opened, request: votes_pb2.UploadVotesRequest) -> Any:
    """The chunk of a message, or the number of rows in the one that ends the upload; nothing of a finished upload."""
    if opened.upload.is_finished:
        return None
    if not request.HasField("chunk"):
        return request.finish.total_rows
    sources, n_classes = opened.upload.source_names, len(opened.project.classes)
    packed = await asyncio.to_thread(read_chunk, request.chunk, sources=sources, n_classes=n_classes)
    return _Chunk(request.chunk.row_offset, packed)


def _transactions(chunks: Sequence[_Chunk]) -> Iterator[Sequence[_Chunk]]:
    """Chunks in a row that are written together: what is synced to disk once, and keeps no other change waiting."""
    begin = size = next_row = 0
    for at, chunk in enumerate(chunks):
        apart = chunk.row_offset != next_row or size + len(chunk.packed.votes) > _TRANSACTION_BYTES
        if at > begin and apart:
            yield chunks[begin:at]
            begin, size = at, 0
        size += len(chunk.packed.votes)
        next_row = chunk.row_offset + chunk.packed.rows
    if begin < len(chunks):
        yield chunks[begin:]


def _response(upload: VoteUpload, committed_rows: int, version: int) -> votes_pb2.UploadVotesResponse:
    return votes_pb2.UploadVotesResponse(
        upload_id=upload.upload_id, committed_rows=committed_rows, finished=version > 0, votes_version=version
    )
