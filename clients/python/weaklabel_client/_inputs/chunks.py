"""How many rows go into one message."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

MAX_ROWS = 65_536
MAX_BYTES = 3_500_000  # of a chunk; a message of gRPC has at most 4 MiB by default
FEW_ROWS = 4096  # replies of so many rows fit into a message before the number of classes is known
_STRING_OVERHEAD = 3  # bytes that protobuf adds to a string of up to 16 KiB


class Rows(Protocol):
    """Rows of which chunks are made."""

    n_rows: int

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Bytes that each of these rows takes in a chunk, [stop - start]."""
        ...

    def chunk(self, start: int, stop: int, row_offset: int) -> Any:
        """Makes the chunk of these rows; row_offset is the place of the first in the upload."""
        ...


def rows_that_fit(row_bytes: npt.NDArray[np.int64], limit: int) -> int:
    """How many of the first rows fit into so many bytes.

    Raises:
        ValueError: Not even one does.
    """
    count = int(np.searchsorted(np.cumsum(row_bytes), limit, side="right"))
    if count == 0:
        size = f"{int(row_bytes[0]):,} bytes, and a message holds {limit:,}"
        raise ValueError(f"votes: one item takes {size}: upload fewer sources at a time")
    return count


def id_bytes(items: Sequence[str] | None, start: int, stop: int) -> npt.NDArray[np.int64]:
    """Bytes that each of these ids takes in a message, [stop - start]; 0 where there are none."""
    if items is None:
        return np.zeros(stop - start, dtype=np.int64)
    lengths = (len(item.encode()) + _STRING_OVERHEAD for item in items[start:stop])
    return np.fromiter(lengths, dtype=np.int64, count=stop - start)
