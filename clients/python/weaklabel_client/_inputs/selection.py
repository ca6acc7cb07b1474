"""Which items a call is about, cut to the size of messages."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from weaklabel_client._inputs.chunks import MAX_BYTES, rows_that_fit
from weaklabel_protocol.names import check_text
from weaklabel_protocol.v1 import labels_pb2

_POSITION_BYTES = 10


class Selection:
    """Items by ids, or by positions where they are whole numbers.

    Args:
        items: Any number of them; one id or one position is an item by itself.

    Raises:
        ValueError: They are neither, or mixed, or none.
    """

    def __init__(self, items: Iterable[str] | Iterable[int] | str | int) -> None:
        listed: list[Any] = [items] if isinstance(items, str | int | np.integer) else list(items)
        if not listed:
            raise ValueError("items: at least one is expected")
        self._named = isinstance(listed[0], str)
        for place, item in enumerate(listed):
            if isinstance(item, str) and self._named:
                check_text(f"items: id {place}", item)
            elif self._named or isinstance(item, bool) or not isinstance(item, int | np.integer) or item < 0:
                expected = "an id" if self._named else "a position from 0 on"
                raise ValueError(f"items: {expected} is expected at place {place}, as at the first, got {item!r}")
        self._items: list[Any] = listed if self._named else [int(item) for item in listed]
        sizes = (len(item.encode()) + 4 if self._named else _POSITION_BYTES for item in self._items)
        self._sizes = np.fromiter(sizes, np.int64, len(listed))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def ids(self) -> tuple[str, ...] | None:
        """The ids; None of positions."""
        return tuple(self._items) if self._named else None

    def message(self, start: int, most: int) -> tuple[labels_pb2.ItemSelection, int]:
        """The contract's message of the items from start on, `most` at most, and how many they are."""
        count = rows_that_fit(self._sizes[start : start + most], MAX_BYTES)
        part = self._items[start : start + count]
        if self._named:
            return labels_pb2.ItemSelection(item_ids=part), count
        return labels_pb2.ItemSelection(positions=part), count


def batches(selection: Selection, most: int) -> Iterator[labels_pb2.ItemSelection]:
    """The messages of all items of a selection, of `most` items at most."""
    start = 0
    while start < len(selection):
        message, count = selection.message(start, most)
        yield message
        start += count
