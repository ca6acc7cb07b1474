"""Reading what a caller gives as votes, names and ids; whatever is refused is refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel_protocol.names import column_names, default_sources, first_repeat
from weaklabel_protocol.vote_objects import ABSTAIN, ERROR

__all__ = [
    "ABSTAIN",
    "ERROR",
    "Codes",
    "Number",
    "Place",
    "check_count",
    "check_ids",
    "check_names",
    "column_names",
    "compact_codes",
    "label_dtype",
    "numbered",
    "read_matrix",
    "read_tensor",
    "read_vector",
]

Codes = NDArray[np.signedinteger[Any]]
Place = Callable[[tuple[int, ...]], str]
"""Says in words where a cell is."""
Number = Callable[[Any, tuple[int, ...]], int | None]
"""The number of a vote object at a place; None for what is none."""

_MOST = 2**31 - 1  # items, sources and classes: indices are int32
# Without n_items the largest index makes N. One that is so far above the number of triples is an id, not an index.
_FEW, _INDICES_A_TRIPLE = 1000, 100


def label_dtype(n_codes: int) -> type[np.signedinteger[Any]]:
    """The smallest signed integer type that holds the codes 0..S-1."""
    return np.int8 if n_codes <= 2**7 else np.int16 if n_codes <= 2**15 else np.int32


# --------------------------------------------------------------------- numbers


def check_count(value: int, field: str, least: int) -> int:
    """A number of classes, items or sources."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidVotesError(f"{field} must be a whole number, got {value!r}", field=field)
    if not least <= value <= _MOST:
        bound = f"at least {least}" if value < least else f"at most {_MOST}"
        raise InvalidVotesError(f"{field} must be {bound}, got {value}", field=field)
    return int(value)


def read_matrix(values: ArrayLike | Sequence[Sequence[Any]], number: Number) -> NDArray[Any]:
    """[N, M] whole numbers; vote objects by their numbers."""
    array = _array(values, "votes")
    if array.ndim != 2:
        raise InvalidVotesError(f"votes must be a matrix [items, sources], got shape {array.shape}", field="votes")
    return _whole(array, "votes", number)


def read_tensor(values: ArrayLike, what: str) -> NDArray[Any]:
    """[N, M, K] numbers; [N, K] are those of one source."""
    array = _array(values, what)
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3):
        raise InvalidVotesError(
            f"{what} must be numbers [items, sources, classes] or [items, classes], got shape {array.shape}, "
            f"dtype {array.dtype}",
            field=what,
        )
    return array[:, None] if array.ndim == 2 else array


def read_vector(values: ArrayLike | Sequence[Any], what: str, number: Number) -> NDArray[Any]:
    """[V] whole numbers; vote objects by their numbers."""
    return _whole(_one_dimension(_array(values, what), what), what, number)


def compact_codes(array: NDArray[Any], n_classes: int, n_symbols: int, lowest: int, place: Place) -> Codes:
    """Whole numbers as codes of the smallest type; refuses those outside lowest..K-1 and K..K+n_symbols-1."""
    limit = n_classes + n_symbols
    if array.size and (array.min() < lowest or array.max() >= limit):
        at = _first((array < lowest) | (array >= limit))
        symbols = f", not one of the {n_symbols} symbols {n_classes}..{limit - 1}" if n_symbols else ""
        raise InvalidVotesError(
            f"{place(at)}: label {array[at]} is outside 0..{n_classes - 1}{symbols}, and not {ABSTAIN} for an abstain",
            field="labels",
        )
    codes: Codes = array.astype(label_dtype(limit), copy=False)
    return codes


def _array(values: ArrayLike | Sequence[Any], what: str) -> NDArray[Any]:
    """An array of numbers, or of the objects as they were given, so that numpy makes no text of numbers and NaN."""
    try:
        array = np.asarray(values)
        return array if array.dtype.kind in "biuf" else np.asarray(values, dtype=object)
    except ValueError:
        raise InvalidVotesError(f"ragged {what}: {_ragged_place(values)}", field=what) from None


def _ragged_place(rows: Any) -> str:
    lengths = [f"{len(row)} votes" if hasattr(row, "__len__") else "no cells" for row in rows]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            return f"row 0 has {lengths[0]}, row {row} has {length}"
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if hasattr(cell, "__len__"):
                return f"row {row}, column {column} is {cell!r}"
    return "the rows differ in shape"


def _whole(array: NDArray[Any], what: str, number: Number | None = None) -> NDArray[Any]:
    """The array as whole numbers; they stay floats where no integer type holds them."""
    if array.size == 0:
        return array.astype(np.int32)
    if array.dtype.kind == "b":
        raise InvalidVotesError(
            f"{what} must be whole numbers, not True and False: say what they stand for, as in np.where(array, 1, -1)",
            field=what,
        )
    if array.dtype.kind == "O":
        numbers = np.empty(array.shape, np.float64)
        for at, value in np.ndenumerate(array):
            code = number(value, at) if number else None
            if code is None and (isinstance(value, bool) or not isinstance(value, Real)):
                raise InvalidVotesError(f"{what} must be whole numbers; {_place(at)} is {value!r}", field=what)
            numbers[at] = value if code is None else code
        array = numbers
    if array.dtype.kind != "f":
        return array
    wrong = ~np.isfinite(array) | (array != np.floor(array))
    if wrong.any():
        at = _first(wrong)
        raise InvalidVotesError(f"{what} must be whole numbers; {_place(at)} is {array[at]}", field=what)
    return array.astype(np.int64) if np.abs(array).max() < 2.0**63 else array


def _one_dimension(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.ndim != 1:
        raise InvalidVotesError(f"{what} must have one dimension, got shape {array.shape}", field=what)
    return array


def _first(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _place(at: tuple[int, ...]) -> str:
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"entry {at[0]}"


# --------------------------------------------------------------- names and ids


def check_names(names: Iterable[Hashable] | None, n_sources: int) -> tuple[str, ...]:
    """M distinct names; "source_0", "source_1", ... where none are given."""
    if names is None:
        return default_sources(n_sources)
    kept = tuple(_texts(names, "sources", "the name of source"))
    if len(kept) != n_sources:
        raise InvalidVotesError(f"{n_sources} sources vote, {len(kept)} names are given", field="sources")
    if "" in kept:
        raise InvalidVotesError(f"the name of source {kept.index('')} is empty", field="sources")
    _distinct(kept, "sources", "source name", "columns")
    return kept


def check_ids(ids: Iterable[Hashable] | None, n_items: int | None) -> NDArray[np.str_] | None:
    """N distinct ids as an array of str, or None where items go by position; any number where N is not known."""
    if ids is None:
        return None
    kept = _texts(ids, "items", "the id of item")
    if n_items is not None and len(kept) != n_items:
        raise InvalidVotesError(f"there are {n_items} items, {len(kept)} ids are given", field="items")
    _distinct(kept, "items", "item id", "rows")
    return np.asarray(kept, dtype=np.str_)


def numbered(
    values: ArrayLike, what: str, given_count: int | None, names: Iterable[Hashable] | None
) -> tuple[NDArray[np.int32], int, list[str] | None]:
    """Indices, their number, and their names: given, or found where the values are names themselves.

    Args:
        values: [V] indices or names.
        what: "items" or "sources".
        given_count: what the caller says the number is.
        names: names that the caller gives to the indices.
    """
    array = _one_dimension(_array(values, what), what)
    given_count = None if given_count is None else check_count(given_count, f"n_{what}", 0)
    if array.dtype.kind != "O" or all(isinstance(value, Integral) for value in array):
        kept = None if names is None else _texts(names, what, f"{what}: name")
        index = _whole(array, what)
        size = _number_of(index, what, len(kept) if given_count is None and kept is not None else given_count)
        return index.astype(np.int32), size, kept
    if names is not None:
        raise InvalidVotesError(f"{what} hold names already; give no names beside them", field=what)
    number: dict[str, int] = {}
    texts = _texts(array, what, f"{what}: entry")
    index = np.fromiter((number.setdefault(text, len(number)) for text in texts), np.int32, len(texts))
    if given_count is not None and given_count != len(number):
        raise InvalidVotesError(f"{what} hold {len(number)} distinct names, not {given_count}", field=what)
    return index, len(number), list(number)


def _number_of(index: NDArray[Any], what: str, given: int | None) -> int:
    """How many items or sources there are; refuses indices that are none of them."""
    top = int(index.max()) if index.size else -1
    if given is None and top >= _MOST:
        limit, why = _MOST, "too large for an index: pass ids as strings"
    elif given is None and top >= max(_FEW, _INDICES_A_TRIPLE * len(index)):
        limit, why = top, f"far above the {len(index)} triples given: pass ids as strings, or give n_{what}"
    else:
        limit = top + 1 if given is None else given
        why = f"outside 0..{limit - 1}"
    wrong = (index < 0) | (index >= limit)
    if wrong.any():
        (at,) = _first(wrong)
        raise InvalidVotesError(f"{what}: entry {at} is {index[at]}, {'below 0' if index[at] < 0 else why}", field=what)
    return limit


def _texts(values: Iterable[Hashable], what: str, place: str) -> list[str]:
    """Names or ids as str; refuses one text for many, and those that are missing."""
    if isinstance(values, (str, bytes)):
        raise InvalidVotesError(f"{what} must be a list of names, got the text {values!r}", field=what)
    texts = []
    for at, value in enumerate(values):
        if not isinstance(value, str) and _is_missing(value):
            raise InvalidVotesError(f"{place} {at} is {value!r}", field=what)
        texts.append(str(value))
    return texts


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:
        return True  # pandas.NA neither equals nor differs


def _distinct(kept: Iterable[str], what: str, kind: str, places: str) -> None:
    if repeat := first_repeat(kept):
        text, first, at = repeat
        raise InvalidVotesError(f"{kind} {text!r} appears twice, in {places} {first} and {at}", field=what)
