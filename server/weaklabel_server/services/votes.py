"""weaklabel.v1.VoteService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Connection

from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import votes_pb2, votes_pb2_grpc
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.interceptors import Context
from weaklabel_server.services.checks import MAX_SOURCES, check_digest, check_names, check_uuid
from weaklabel_server.services.spans import rows_per_message, spans
from weaklabel_server.services.tensors import MAX_ROWS, read_codebook, read_codes, read_triples, write_codebook
from weaklabel_server.store import items, uploads, votes
from weaklabel_server.store.chunks import Codes, PackedChunk, pack_dense, pack_sparse
from weaklabel_server.store.database import Database
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Upload


@dataclass(frozen=True)
class _Opened:
    """The upload of one stream."""

    project: Project
    upload: Upload


class VoteService(votes_pb2_grpc.VoteServiceServicer):
    """Votes."""

    def __init__(self, database: Database, *, max_cells: int, max_message_bytes: int) -> None:
        self._database = database
        self._max_cells = max_cells
        self._max_message_bytes = max_message_bytes

    async def UploadVotes(
        self, request_iterator: AsyncIterator[votes_pb2.UploadVotesRequest], context: Context
    ) -> AsyncIterator[votes_pb2.UploadVotesResponse]:
        opened: _Opened | None = None
        async for request in request_iterator:
            kind = request.WhichOneof("message")
            if opened is None:
                if kind != "open":
                    raise invalid("open", "the first message of an upload opens it")
                opened = await self._open(request.open)
                yield _response(opened.upload, opened.upload.committed_rows, opened.upload.version)
            elif kind == "open":
                raise invalid("open", "this stream has opened an upload already")
            elif kind is None:
                raise invalid("message", "one of open, chunk and finish must be set")
            elif opened.upload.version:
                # A client that did not wait for the answer to its opening need not learn that it was in vain.
                yield _response(opened.upload, opened.upload.committed_rows, opened.upload.version)
            elif kind == "chunk":
                packed = await asyncio.to_thread(_pack, request.chunk, opened)
                committed = await self._database.run_write(
                    uploads.append, opened.upload, request.chunk.row_offset, packed
                )
                yield _response(opened.upload, committed, 0)
            else:
                total_rows = request.finish.total_rows
                version = await self._database.run_write(
                    uploads.finish, opened.upload, total_rows, max_cells=self._max_cells
                )
                yield _response(opened.upload, total_rows, version)
                return

    async def _open(self, request: votes_pb2.UploadVotesOpen) -> _Opened:
        project_id = names.parse_project(request.parent, field="open.parent")
        check_uuid(request.upload_id, field="open.upload_id")
        if not request.sources:
            raise invalid("open.sources", "an upload has at least one source")
        check_names(request.sources, field="open.sources", what="sources", limit=MAX_SOURCES)
        check_digest(request.content_digest, field="open.content_digest")
        project, upload = await self._database.run_write(
            uploads.open_upload,
            project_id,
            request.upload_id.lower(),
            tuple(request.sources),
            request.content_digest,
        )
        return _Opened(project, upload)

    async def ReadVotes(
        self, request: votes_pb2.ReadVotesRequest, context: Context
    ) -> AsyncIterator[votes_pb2.ReadVotesResponse]:
        project_id = names.parse_project(request.parent, field="parent")

        def look(tx: Connection) -> tuple[votes.View, int]:
            seen = votes.view(tx, project_id, request.votes_version)
            votes.check_not_empty(seen)
            return seen, votes.cell_bytes(tx, seen)

        view, cell_bytes = await self._database.run_read(look)
        start, stop = row_range(request.row_offset, request.row_limit, view.item_count)
        sources = view.source_names
        # Their names are in the first message only, but a simple rule for all messages is worth a few bytes.
        max_bytes = self._max_message_bytes - sum(len(name.encode()) + 4 for name in sources)
        row_bytes = len(sources) * cell_bytes
        step = rows_per_message(row_bytes, max_bytes)

        def read(tx: Connection, first: int, end: int) -> tuple[Codes, Symbols, list[str]]:
            # Looked up again, so that a project that is deleted meanwhile gives an error and not abstains.
            current = votes.view(tx, project_id, view.version)
            return *votes.read_rows(tx, current, first, end), items.ids(tx, current.project, first, end)

        for first in range(start, max(stop, start + 1), step):
            codes, symbols, item_ids = await self._database.run_read(read, first, min(first + step, stop))
            for low, high in list(spans(len(codes), row_bytes, item_ids, max_bytes)) or [(0, 0)]:
                used, labels = symbols.only(codes[low:high])
                yield votes_pb2.ReadVotesResponse(
                    votes_version=view.version,
                    sources=sources if first + low == start else (),
                    row_offset=first + low,
                    item_ids=item_ids[low:high],
                    votes=to_tensor(labels, labels.dtype),
                    codebook=write_codebook(used),
                )


def row_range(row_offset: int, row_limit: int, rows: int) -> tuple[int, int]:
    """The rows start..stop-1 that a request for a part of `rows` rows means.

    Raises:
        ServiceError: INVALID_FIELD when it begins behind the end.
    """
    if row_offset > rows:
        raise invalid("row_offset", f"there are {rows} rows, got {row_offset}")
    return row_offset, min(rows, row_offset + row_limit) if row_limit else rows


def _pack(chunk: votes_pb2.UploadVotesChunk, opened: _Opened) -> PackedChunk:
    """Checks and compresses a chunk."""
    if not 1 <= chunk.rows <= MAX_ROWS:
        raise invalid("chunk.rows", f"1 to {MAX_ROWS} rows, got {chunk.rows}")
    item_ids = list(chunk.item_ids) or None
    if item_ids is not None:
        if len(item_ids) != chunk.rows:
            raise invalid("chunk.item_ids", f"one id for each of the {chunk.rows} rows, got {len(item_ids)}")
        check_names(item_ids, field="chunk.item_ids", what="ids", limit=MAX_ROWS)
    sources = opened.upload.source_names
    codebook = read_codebook(chunk.codebook, field="chunk.codebook", n_classes=len(opened.project.classes))
    match chunk.WhichOneof("votes"):
        case "dense":
            tensor = chunk.dense.votes
            if tensor.rows != chunk.rows:
                raise invalid("chunk.dense.votes.rows", f"as many rows as the chunk, {chunk.rows}, got {tensor.rows}")
            codes = read_codes(tensor, field="chunk.dense.votes", sources=sources, codebook=codebook)
            return pack_dense(codes, item_ids, codebook.symbols)
        case "sparse":
            triples = read_triples(
                chunk.sparse.triples,
                field="chunk.sparse.triples",
                rows=chunk.rows,
                sources=sources,
                codebook=codebook,
            )
            return pack_sparse(triples, chunk.rows, item_ids, codebook.symbols)
        case _:
            raise invalid("chunk.votes", "one of dense and sparse must be set")


def _response(upload: Upload, committed_rows: int, version: int) -> votes_pb2.UploadVotesResponse:
    return votes_pb2.UploadVotesResponse(
        upload_id=upload.upload_id, committed_rows=committed_rows, finished=version > 0, votes_version=version
    )
