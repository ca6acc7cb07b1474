"""Uploads on the wire, of votes, side data, records and projects: the order of messages, and the items of a chunk."""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from weaklabel_protocol.v1 import records_pb2, releases_pb2, side_data_pb2, votes_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import check_names
from weaklabel_server.messages.rows import MAX_ROWS

UploadRequest = TypeVar(
    "UploadRequest",
    votes_pb2.UploadVotesRequest,
    side_data_pb2.UploadSideDataRequest,
    records_pb2.UploadRecordsRequest,
    releases_pb2.ImportProjectRequest,
)


async def in_order(requests: AsyncIterator[UploadRequest]) -> AsyncIterator[UploadRequest]:
    """The messages of an upload: the first opens it, and each other one holds a part of it or the end.

    Raises:
        ServiceError: INVALID_FIELD when they come in another order.
    """
    opened = False
    async for request in requests:
        kind = request.WhichOneof("message")
        if not opened and kind != "open":
            raise invalid("open", "the first message of an upload opens it")
        if opened and kind == "open":
            raise invalid("open", "this stream has opened an upload already")
        if kind is None:
            raise invalid("message", "one of its fields must be set")
        opened = True
        yield request


def check_chunk_rows(rows: int) -> None:
    """Refuses chunks that are empty or too long."""
    if not 1 <= rows <= MAX_ROWS:
        raise invalid("chunk.rows", f"1 to {MAX_ROWS} rows, got {rows}")


def read_item_ids(item_ids: Sequence[str], *, rows: int) -> list[str] | None:
    """The item ids of a chunk of so many rows, or None where it has none.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not item_ids:
        return None
    if len(item_ids) != rows:  # before they are made objects of Python
        raise invalid("chunk.item_ids", f"one id for each of the {rows} rows, got {len(item_ids)}")
    listed = list(item_ids)
    check_names(listed, field="chunk.item_ids", what="ids", limit=MAX_ROWS)
    return listed
