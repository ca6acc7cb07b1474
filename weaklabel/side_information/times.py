"""When items were made or labeled: numbers, or dates and times, one for each item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from numbers import Real
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import Ids, places

SECOND = np.timedelta64(1, "s")
EPOCH = np.datetime64(0, "us")


class Times(NamedTuple):
    """A time for each item."""

    values: NDArray[np.float64]
    """[N] numbers as given; of dates, seconds since 1970 in UTC."""
    are_dates: bool


def read_times(times: Any, n_items: int, item_ids: Ids = None, what: str = "times") -> Times:
    """[N] times, in the order of the items.

    Args:
        times: numbers; or dates: numpy.datetime64, datetime.datetime, datetime.date or pandas Timestamps. Those without
            a time zone are UTC. A pandas index, and the keys of a mapping, are ids of items.
        n_items: N.
        item_ids: of the items; None where times go by position.
        what: name of the argument.

    Raises:
        InvalidArgumentError: for a number of times other than N, times that are missing or not finite, numbers mixed
            with dates, dates with a time zone mixed with ones without, and values of other kinds.
    """
    place = places(times, item_ids, n_items, what)
    given = list(times.values()) if isinstance(times, Mapping) else times
    array = np.asarray(given) if isinstance(given, np.ndarray) or hasattr(given, "__array__") else _column(given, what)
    if array.ndim != 1 or (place is None and len(array) != n_items):
        raise InvalidArgumentError(
            f"{what} must hold one time for each of the {n_items} items, got shape {array.shape}", field=what
        )
    if place is not None:
        array = array[place]
    return _read(array, what)


def times_at(values: NDArray[np.float64], are_dates: bool) -> NDArray[Any]:
    """Times as people give them: numbers, or datetime64 in microseconds."""
    if not are_dates:
        return values
    return EPOCH + np.round(values * 1e6).astype("timedelta64[us]")


def _column(values: Any, what: str) -> NDArray[Any]:
    """A list as an array of objects: NumPy would make texts of a mixture."""
    try:
        items = list(values)
    except TypeError:
        raise InvalidArgumentError(f"{what} must be a sequence of times, got {values!r}", field=what) from None
    column = np.empty(len(items), object)
    column[:] = items
    return column


def _read(array: NDArray[Any], what: str) -> Times:
    if array.dtype.kind == "M":
        if (at := np.flatnonzero(np.isnat(array))).size:
            _refuse(what, int(at[0]), "has no time (NaT)")
        return Times(np.asarray((array.astype("datetime64[us]") - EPOCH) / SECOND, np.float64), are_dates=True)
    if array.dtype.kind in "iuf":
        values = array.astype(np.float64)
        if (at := np.flatnonzero(~np.isfinite(values))).size:
            _refuse(what, int(at[0]), f"has the time {values[at[0]]}, which is not finite")
        return Times(values, are_dates=False)
    if array.dtype.kind != "O":
        raise InvalidArgumentError(
            f"{what} must be numbers or dates, got {array.dtype}: read texts by numpy.array(times, 'datetime64[us]')",
            field=what,
        )
    return _read_objects(array, what)


def _read_objects(array: NDArray[Any], what: str) -> Times:
    kinds: dict[str, int] = {}
    for at, value in enumerate(array):
        kinds.setdefault(_kind(value, at, what), at)
    if len(kinds) > 1:
        (first, _), (second, at), *_ = kinds.items()
        _refuse(what, at, f"has {second} where items before it have {first}: give times of one kind")
    if "a number" in kinds or not kinds:
        return _read(array.astype(np.float64), what)
    return Times(np.array([_seconds(value) for value in array]), are_dates=True)


def _kind(value: Any, at: int, what: str) -> str:
    if value is None or (not isinstance(value, (Real, str)) and value != value):  # NaT is a datetime of pandas
        _refuse(what, at, "has no time")
    if isinstance(value, (Real, np.number)) and not isinstance(value, (bool, np.bool_)):
        return "a number"
    if isinstance(value, datetime):
        return "a date" if value.tzinfo is None else "a date with a time zone"
    if isinstance(value, (date, np.datetime64)):
        return "a date"
    return _refuse(what, at, f"has {value!r}, which is neither a number nor a date")


def _seconds(value: Any) -> float:
    if isinstance(value, np.datetime64):
        return float((value.astype("datetime64[us]") - EPOCH) / SECOND)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return float((value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp())


def _refuse(what: str, at: int, reason: str) -> NoReturn:
    raise InvalidArgumentError(f"{what}: item {at} {reason}", field=what)
