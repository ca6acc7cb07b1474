"""Which rows of a result fit into a message."""

from collections.abc import Iterable, Iterator

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.messages.rows import MAX_ROWS

_OVERHEAD = 4096
"""For what a message holds beside its rows."""
NUMBER = 16
"""Bytes of a number with its tag, or of the tag and the length of a text, at most."""


def cut(sizes: Iterable[int], max_bytes: int) -> Iterator[tuple[int, int]]:
    """Cuts rows of so many bytes into pieces (start, stop) that fit into messages.

    Raises:
        ServiceError: RESULT_TOO_LARGE where a row does not.
    """
    start, used, row = 0, _OVERHEAD, -1
    for row, size in enumerate(sizes):
        if size + _OVERHEAD > max_bytes:
            raise ServiceError(Reason.RESULT_TOO_LARGE, f"row {row} of the result, of {size} bytes, is too large")
        if used + size > max_bytes or row - start == MAX_ROWS:
            yield start, row
            start, used = row, _OVERHEAD
        used += size
    if row >= start:
        yield start, row + 1


def text_bytes(text: str) -> int:
    """Bytes of a text with its tag and its length, at most."""
    return len(text.encode()) + NUMBER
