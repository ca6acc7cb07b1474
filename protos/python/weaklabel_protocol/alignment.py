"""Rows that are given for items: by the ids of the items where both sides have ids, and by position otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.arrays import Read, read_array
from weaklabel_protocol.errors import InvalidArgumentError
from weaklabel_protocol.names import column_names, first_repeat, has_index, label_text, row_ids

Ids = Sequence[str] | NDArray[np.str_] | None
"""Ids of items; None where they go by position."""
NOWHERE = -1
"""The place of an item that has no row."""
SHOWN = 10
"""Names that a message lists."""


def read_rows(values: Any, item_ids: Ids, n_items: int, what: str, *, all_items: bool = True) -> Read:
    """What is given for each item, in the order of the items.

    A pandas index, and the keys of a mapping, are ids.

    Args:
        values: [N, ...] of any kind; or rows by item id.
        item_ids: ids of the N items; None where they go by position.
        n_items: N.
        what: the argument that the values are given as; messages begin with it.
        all_items: whether each item needs a row; otherwise those without one are missing.

    Raises:
        InvalidArgumentError: for what is no array, and ids that do not fit the items.
    """
    place = places(values, item_ids, n_items, what, all_items=all_items)
    read = read_array(list(values.values()) if isinstance(values, Mapping) else values, what)
    return read if place is None else taken(read, place)


def taken(read: Read, place: NDArray[np.int64]) -> Read:
    """The rows at these places; missing where a place is `NOWHERE`."""
    kept = np.zeros((len(place), *read.values.shape[1:]), read.values.dtype)
    missing = np.ones(kept.shape, bool)
    there = place != NOWHERE
    kept[there] = read.values[place[there]]
    missing[there] = False if read.missing is None else read.missing[place[there]]
    return Read(kept, missing if missing.any() else None)


def places(values: Any, item_ids: Ids, n_items: int, what: str, *, all_items: bool = True) -> NDArray[np.int64] | None:
    """[N] the row of each item, or `NOWHERE`; None where rows go by position. See `read_rows`."""
    if isinstance(values, Mapping):
        own = [label_text(key) for key in values]
        if item_ids is None:
            raise InvalidArgumentError(
                f"{what} is given by the ids of items, and the votes have no ids: give them, as items=, or {what} as "
                f"an array of {n_items} values",
                field=what,
            )
        return _matched(own, item_ids, what, all_items=all_items)
    if not has_index(values):
        return None
    given = row_ids(values)
    if given is None and (item_ids is None or len(values) != n_items):
        return None
    return match_ids(given, item_ids, n_items, what, all_items=all_items)


def match_ids(
    given: Sequence[str] | None, item_ids: Ids, n_items: int, what: str, *, all_items: bool
) -> NDArray[np.int64] | None:
    """[N] the row of each item by ids; None where rows go by position. See `read_rows`.

    Args:
        given: ids of the rows; None for the default index of pandas.
        item_ids: as there, and so are the rest.
        n_items: N.
        what: the argument.
        all_items: whether each item needs a row.
    """
    if given is not None and item_ids is not None:
        return _matched(given, item_ids, what, all_items=all_items)
    if given is not None and len(given) != n_items:
        raise InvalidArgumentError(
            f"{what} has {len(given)} rows with ids in its index, and the votes have {n_items} items without ids: give "
            f"the votes ids (items=), or write {what}.reindex(range({n_items})) where the index counts the items",
            field=what,
        )
    # Only one side has ids of its own. They may be positions of the other, in another order: that is anybody's guess.
    ids = given if item_ids is None else item_ids
    if ids is not None and is_shuffled(ids):
        sides = (f"index of {what} is", "votes") if item_ids is None else ("ids of the votes are", f"rows of {what}")
        raise InvalidArgumentError(
            f"{what}: the {sides[0]} 0 to {n_items - 1} in another order, and the {sides[1]} have no ids: where the "
            f"rows of both go together as they stand, write {what}.to_numpy(); otherwise give both the same index",
            field=what,
        )
    return None


def is_shuffled(ids: Sequence[str] | NDArray[np.str_]) -> bool:
    """Whether ids are the numbers 0..N-1, in another order."""
    counted = [str(number) for number in range(len(ids))]
    listed = [str(one) for one in ids]
    return listed != counted and set(listed) == set(counted)


def _matched(
    own: Sequence[str], item_ids: Sequence[str] | NDArray[np.str_], what: str, *, all_items: bool
) -> NDArray[np.int64]:
    if repeat := first_repeat(own):
        raise InvalidArgumentError(f"{what}: item {repeat[0]!r} has two rows, {repeat[1]} and {repeat[2]}", field=what)
    listed = [str(one) for one in item_ids]
    row = {text: at for at, text in enumerate(own)}
    hint = f"where the rows are in the order of the votes, write {what}.to_numpy()"
    known = set(listed)
    if (unknown := next((text for text in own if text not in known), None)) is not None:
        raise InvalidArgumentError(f"{what}: item {unknown!r} is not in the votes; {hint}", field=what)
    place = np.fromiter((row.get(text, NOWHERE) for text in listed), np.int64, len(listed))
    if all_items and (place == NOWHERE).any():
        at = int(np.argmin(place))
        raise InvalidArgumentError(f"{what}: item {listed[at]!r} of the votes has no row; {hint}", field=what)
    return place


def named_columns(given: Any) -> Iterator[tuple[str, Any]]:
    """The columns of a table of pandas, polars or pyarrow with their names; what is no table is one column, which is
    called "group" where it has no name of its own.
    """
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        yield from ((label_text(name), given.iloc[:, at]) for at, name in enumerate(given.columns))
    elif hasattr(given, "get_column"):
        yield from ((name, given.get_column(name)) for name in given.columns)
    elif isinstance(names := getattr(given, "column_names", None), Sequence):
        yield from ((name, given.column(at)) for at, name in enumerate(names))
    else:
        name = getattr(given, "name", None)
        yield "group" if name is None else label_text(name), given


def columns_in_order(table: Any, names: Sequence[str], what: str) -> list[int] | None:
    """The column of each name in a table; None where its columns go by position, as those of arrays do.

    Numbers count the names from 0, where they are no names themselves.

    Raises:
        InvalidArgumentError: for columns that are not these.
    """
    labels = column_names(table)
    if labels is None or labels == [f"column_{at}" for at in range(len(labels))]:  # polars names those of arrays so
        return None
    wanted = list(names)
    if sorted(labels) != sorted(wanted):
        counted = [str(number) for number in range(len(wanted))]
        if sorted(labels) != sorted(counted):
            odd = next((text for text in labels if text not in set(wanted)), None)
            odd = next(text for text in wanted if text not in set(labels)) if odd is None else odd
            place = "is not expected" if odd not in set(wanted) else "is missing"
            raise InvalidArgumentError(
                f"{what}: column {odd!r} {place}; the columns must be {', '.join(wanted[:SHOWN])}"
                + (", ..." if len(wanted) > SHOWN else ""),
                field=what,
            )
        wanted = counted
    column = {text: at for at, text in enumerate(labels)}
    return [column[text] for text in wanted]
