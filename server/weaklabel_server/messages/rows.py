"""Which rows a message holds: how many fit, and which a request asks for."""

from collections.abc import Iterator, Sequence

from weaklabel_server.errors import invalid

MAX_ROWS = 65_536
"""Of any message."""

STREAM_BYTES = 1024 * 1024
"""The server fills messages of a stream up to here, or less where there are many streams, see `held_bytes`."""
READ_BYTES = 512 * 1024
"""Of votes, a stream reads so much at a time at least: each time, a whole chunk comes out of the store."""
_HELD_TOGETHER, _LEAST_HELD = 8 * 1024 * 1024, 64 * 1024

# For what a message holds beside its rows: names, numbers, tags.
_OVERHEAD = 4096
# For the tag and the length of an item id.
_ID_OVERHEAD = 4


def held_bytes(n_streams: int) -> int:
    """What one of so many streams may hold of its answer: for a reader that stands still, it is held without end."""
    return max(_LEAST_HELD, _HELD_TOGETHER // max(1, n_streams))


def rows_per_message(row_bytes: int, max_bytes: int) -> int:
    """At least 1, at most MAX_ROWS."""
    return max(1, min(MAX_ROWS, (max_bytes - _OVERHEAD) // max(row_bytes, 1)))


def spans(rows: int, row_bytes: int, item_ids: Sequence[str], max_bytes: int) -> Iterator[tuple[int, int]]:
    """Cuts rows 0..rows-1, with their item ids or with none, into pieces (start, stop) that fit into messages."""
    if not item_ids:
        step = rows_per_message(row_bytes, max_bytes)
        yield from ((start, min(start + step, rows)) for start in range(0, rows, step))
        return
    start, used = 0, _OVERHEAD
    for row, item_id in enumerate(item_ids):
        size = row_bytes + len(item_id.encode()) + _ID_OVERHEAD
        if row > start and (used + size > max_bytes or row - start == MAX_ROWS):
            yield start, row
            start, used = row, _OVERHEAD
        used += size
    yield start, rows


def row_range(row_offset: int, row_limit: int, rows: int) -> tuple[int, int]:
    """The rows start..stop-1 that a request for a part of `rows` rows means.

    Raises:
        ServiceError: INVALID_FIELD when it begins behind the end.
    """
    if row_offset > rows:
        raise invalid("row_offset", f"there are {rows} rows, got {row_offset}")
    return row_offset, min(rows, row_offset + row_limit) if row_limit else rows
