"""Slices of the items: those that have a value in a column in common."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import named_columns, places, taken
from weaklabel_protocol.arrays import Read, column_of, read_array
from weaklabel_protocol.names import label_text

MOST_VALUES = 12
"""Numbers with more different values than this are cut into quarters."""
MISSING = "(missing)"


class Slice(NamedTuple):
    """Some items."""

    column: str
    value: str
    items: NDArray[np.intp]
    """Positions."""


def read_slices(by: Any, n_items: int, item_ids: Any = None) -> list[Slice]:
    """The slices that columns make of N items.

    Args:
        by: [N] groups, or a frame of pandas, polars or pyarrow with N rows; matched by ids where both sides have them.
            Numbers of many different values are cut into quarters of the items; what is missing is a slice of its own.
        n_items: N.
        item_ids: of the items.

    Raises:
        InvalidArgumentError: for another number of rows, and ids that do not fit.
    """
    place = places(by, item_ids, n_items, "by", all_items=False)
    found: list[Slice] = []
    for name, values in named_columns(by):
        read = column_of(read_array(list(values.values()) if isinstance(values, dict) else values, "by"))
        read = read if place is None else taken(read, place)
        if read.values.shape != (n_items,):
            raise InvalidArgumentError(
                f"by must have a value for each of the {n_items} items, got shape {read.values.shape}", field="by"
            )
        found += _of_column(name, read)
    return found


def _of_column(name: str, read: Read) -> list[Slice]:
    missing = np.zeros(len(read.values), bool) if read.missing is None else read.missing
    there = np.flatnonzero(~missing)
    found: list[Slice] = []
    if len(there):
        texts, number = _values(read.values[there])
        order = np.argsort(number, kind="stable")
        ends = np.searchsorted(number[order], np.arange(len(texts) + 1))
        for at, text in enumerate(texts):
            if ends[at] < ends[at + 1]:
                found.append(Slice(name, text, there[order[ends[at] : ends[at + 1]]]))
    if missing.any():
        found.append(Slice(name, MISSING, np.flatnonzero(missing)))
    return found


def _values(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp]]:
    """Different values as texts, and the number of each cell's."""
    if values.dtype.kind in "iuf":
        known, number = np.unique(values, return_inverse=True)
        if len(known) <= MOST_VALUES:
            return [label_text(one) for one in known.tolist()], number.reshape(-1)
        cuts = np.unique(np.quantile(values, [0.25, 0.5, 0.75]))
        ends = [f"{one:g}" for one in cuts]
        texts = [f"up to {ends[0]}", *(f"above {a}, to {b}" for a, b in pairwise(ends))]
        return [*texts, f"above {ends[-1]}"], np.searchsorted(cuts, values)
    numbers: dict[str, int] = {}
    number = np.fromiter((numbers.setdefault(label_text(one), len(numbers)) for one in values.tolist()), np.intp)
    texts = sorted(numbers)
    rank = np.empty(len(texts), np.intp)
    rank[[numbers[text] for text in texts]] = np.arange(len(texts))
    return texts, rank[number]
