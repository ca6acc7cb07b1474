"""Reading what a caller gives as votes, names and ids; whatever is refused is refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel_protocol.arrays import (
    Read,
    column_of,
    floats,
    is_missing,
    is_number,
    is_sparse_matrix,
    place_of,
    read_array,
)
from weaklabel_protocol.names import (
    check_end,
    column_names,
    default_sources,
    first_repeat,
    has_index,
    label_text,
    labels_of,
    row_ids,
)
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
    "default_sources",
    "floats",
    "has_index",
    "index_ids",
    "is_missing",
    "label_dtype",
    "labels_of",
    "numbered",
    "place_of",
    "read_array",
    "read_matrix",
    "read_tensor",
    "read_vector",
    "row_ids",
]

Codes = NDArray[np.signedinteger[Any]]
"""Votes as numbers: class indices, symbols of a codebook from K on, -1 for an abstain, -2 for an error."""
Place = Callable[[tuple[int, ...]], str]
"""Says in words where a cell is."""
Number = Callable[[Any, tuple[int, ...]], int | None]
"""The number of a vote object at a place; None for what is none."""

_MOST = 2**31 - 1  # items, sources and classes: indices are int32


def label_dtype(n_codes: int) -> type[np.signedinteger[Any]]:
    """The smallest signed integer type that holds the codes 0..S-1."""
    return np.int8 if n_codes <= 2**7 else np.int16 if n_codes <= 2**15 else np.int32


# --------------------------------------------------------------------- numbers


def check_count(value: int, field: str, least: int, error: type[InvalidArgumentError] = InvalidVotesError) -> int:
    """A number of classes, items or sources, or of anything else that is counted."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise error(f"{field} must be a whole number, got {value!r}", field=field)
    if not least <= value <= _MOST:
        bound = f"at least {least}" if value < least else f"at most {_MOST}"
        raise error(f"{field} must be {bound}, got {value}", field=field)
    return int(value)


def read_matrix(values: ArrayLike | Sequence[Sequence[Any]], number: Number) -> NDArray[Any]:
    """[N, M] whole numbers; vote objects by their numbers, and ABSTAIN where a vote is missing."""
    if is_sparse_matrix(values):
        raise InvalidVotesError(
            "votes: a sparse matrix does not say whether a cell that is not stored is class 0 or an abstain. Where it "
            "abstains, write m = matrix.tocoo() and Votes.from_triples(m.row, m.col, m.data, n_classes=..., "
            "n_items=m.shape[0], n_sources=m.shape[1]); where it is class 0, write matrix.toarray()",
            field="votes",
        )
    read = read_array(values, "votes", InvalidVotesError)
    if read.values.ndim != 2:
        hint = ": of one source write votes.reshape(-1, 1), or votes.to_frame() of a Series; of one item "
        raise InvalidVotesError(
            f"votes must be a matrix [items, sources], got shape {read.values.shape}"
            + (f"{hint}votes.reshape(1, -1)" if read.values.ndim == 1 else ""),
            field="votes",
        )
    return _whole(read, "votes", number, missing=ABSTAIN)


def read_tensor(values: ArrayLike, what: str) -> NDArray[Any]:
    """[N, M, K] numbers, NaN where they are missing; [N, K] are those of one source."""
    given: Any = values
    read = read_array(given.toarray() if is_sparse_matrix(given) else given, what, InvalidVotesError)
    array = floats(read, what, InvalidVotesError)
    if array.ndim not in (2, 3):
        raise InvalidVotesError(
            f"{what} must be numbers [items, sources, classes] or [items, classes], got shape {array.shape}, "
            f"dtype {array.dtype}",
            field=what,
        )
    return array[:, None] if array.ndim == 2 else array


def read_vector(values: ArrayLike | Sequence[Any], what: str, number: Number) -> NDArray[Any]:
    """[V] whole numbers; vote objects by their numbers, and ABSTAIN where a value is missing."""
    read = _one_dimension(read_array(values, what, InvalidVotesError), what)
    return _whole(read, what, number, missing=ABSTAIN)


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


def _whole(read: Read, what: str, number: Number | None = None, missing: int | None = None) -> NDArray[Any]:
    """The values as whole numbers; they stay floats where no integer type holds them.

    Args:
        read: the values.
        what: the argument that they are.
        number: of vote objects.
        missing: what stands where a value is missing; None to refuse these.
    """
    array = read.values
    if array.size == 0:
        return array.astype(np.int32)
    if array.dtype.kind == "b":
        raise InvalidVotesError(
            f"{what} must be whole numbers, not True and False: say what they stand for, as in np.where(array, 1, -1)",
            field=what,
        )
    if missing is None:
        _refuse_missing(read, what)
    array = read.filled(missing)
    if array.dtype.kind in "Oc":
        array = _numbers_of(array, what, number)
    if array.dtype.kind != "f":
        return array
    wrong = ~np.isfinite(array) | (array != np.floor(array))
    if wrong.any():
        at = _first(wrong)
        raise InvalidVotesError(f"{what} must be whole numbers; {place_of(at)} is {array[at]}", field=what)
    return array.astype(np.int64) if np.abs(array).max() < 2.0**63 else array


def _numbers_of(array: NDArray[Any], what: str, number: Number | None) -> NDArray[np.float64]:
    """Objects as numbers."""
    numbers = np.empty(array.shape, np.float64)
    for at, value in np.ndenumerate(array):
        code = number(value, at) if number else None
        if code is None and not is_number(value):
            hint = ""
            if isinstance(value, str):
                hint = ": write class indices for names, as in frame.replace({name: k for k, name in enumerate(names)})"
            raise InvalidVotesError(f"{what} must be whole numbers; {place_of(at)} is {value!r}{hint}", field=what)
        numbers[at] = value if code is None else code
    return numbers


def _refuse_missing(read: Read, what: str) -> None:
    if (at := read.first_missing) is not None:
        value = read.values[at]
        raise InvalidVotesError(
            f"{what}: {place_of(at)} is {value if is_missing(value) else 'missing'}, where each vote needs one",
            field=what,
        )


def _one_dimension(read: Read, what: str) -> Read:
    kept = read if len(read.values) == 1 else column_of(read)
    if kept.values.ndim != 1:
        raise InvalidVotesError(f"{what} must have one dimension, got shape {read.values.shape}", field=what)
    return kept


def _first(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


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
    for at, text in enumerate(kept):
        if text.endswith("\0"):
            check_end(f"the id of item {at}", text, "items", InvalidVotesError)
    return np.asarray(kept, dtype=np.str_)


def index_ids(table: Any) -> NDArray[np.str_] | None:
    """The ids in the index of a pandas table; None for the default index, and for what has none.

    Raises:
        InvalidVotesError: for an index that repeats, as that of tables put together.
    """
    try:
        return check_ids(row_ids(table), None)
    except InvalidVotesError as error:
        raise InvalidVotesError(
            f"the index of the data does not tell items apart: {error}. Give items=, or data.reset_index(drop=True)",
            field="items",
        ) from error


def numbered(
    values: ArrayLike, what: str, given_count: int | None, names: Iterable[Hashable] | None
) -> tuple[NDArray[np.int32], int, list[str] | None]:
    """Indices, their number, and their names: given, or found where the values are names themselves.

    Integers are indices where their number or their names are given, and ids otherwise, which are numbered in ascending
    order: 0..N-1 then stand for themselves.

    Args:
        values: [V] indices or names.
        what: "items" or "sources".
        given_count: what the caller says the number is.
        names: names that the caller gives to the indices.
    """
    read = _one_dimension(read_array(values, what, InvalidVotesError), what)
    given_count = None if given_count is None else check_count(given_count, f"n_{what}", 0)
    _refuse_missing(read, what)
    array = read.values
    if array.dtype.kind != "O" or all(isinstance(value, Integral) for value in array):
        kept = None if names is None else _texts(names, what, f"{what}: name")
        index = _exact(read, what)
        if kept is None and given_count is None:
            return _numbered_ids(index, what)
        size = _number_of(index, what, len(kept) if given_count is None and kept is not None else given_count or 0)
        return index.astype(np.int32), size, kept
    if names is not None:
        raise InvalidVotesError(f"{what} hold names already; give no names beside them", field=what)
    number: dict[str, int] = {}
    texts = _texts(array, what, f"{what}: entry")
    index = np.fromiter((number.setdefault(text, len(number)) for text in texts), np.int32, len(texts))
    if given_count is not None and given_count != len(number):
        raise InvalidVotesError(f"{what} hold {len(number)} distinct names, not {given_count}", field=what)
    return index, len(number), list(number)


def _numbered_ids(ids: NDArray[Any], what: str) -> tuple[NDArray[np.int32], int, list[str]]:
    """Integer ids as indices, their number, and their names."""
    if ids.size and ids.min() < 0:
        (at,) = _first(ids < 0)
        raise InvalidVotesError(f"{what}: entry {at} is {ids[at]}, below 0: pass such ids as strings", field=what)
    if ids.size and ids.max() < ids.size:  # likely 0..N-1, which need no sorting
        known = np.flatnonzero(np.bincount(ids.astype(np.int64)))
        index = np.searchsorted(known, ids) if len(known) <= ids.max() else ids
    else:
        known, index = np.unique(ids, return_inverse=True)
    return index.reshape(-1).astype(np.int32), len(known), [str(one) for one in known.tolist()]


def _exact(read: Read, what: str) -> NDArray[Any]:
    """Integers as they are: large ones would be rounded as floats, so that two ids might become one."""
    if read.values.dtype.kind == "O":
        try:
            return read.values.astype(np.int64)
        except OverflowError:
            raise InvalidVotesError(f"{what} hold integers beyond 64 bits: pass ids as strings", field=what) from None
    index = _whole(read, what)
    if read.values.dtype.kind == "f" and index.size and (large := np.abs(index) >= 2**53).any():
        (at,) = _first(large)
        raise InvalidVotesError(f"{what}: entry {at} is {index[at]}, too large: pass ids as strings", field=what)
    return index


def _number_of(index: NDArray[Any], what: str, limit: int) -> int:
    """How many items or sources there are; refuses indices that are none of them."""
    wrong = (index < 0) | (index >= limit)
    if wrong.any():
        (at,) = _first(wrong)
        why = "below 0" if index[at] < 0 else f"outside 0..{limit - 1}"
        raise InvalidVotesError(f"{what}: entry {at} is {index[at]}, {why}", field=what)
    return limit


def _texts(values: Iterable[Hashable], what: str, place: str) -> list[str]:
    """Names or ids as str; refuses one text for many, and those that are missing."""
    if isinstance(values, (str, bytes)):
        raise InvalidVotesError(f"{what} must be a list of names, got the text {values!r}", field=what)
    if not isinstance(values, Iterable):
        raise InvalidVotesError(f"{what} must be a list of names, got {values!r}", field=what)
    if isinstance(values, (list, tuple)) and set(map(type, values)) <= {str}:
        return list(values)  # as files have them, by the million
    listed: Any = values
    texts = []
    for at, value in enumerate(listed.tolist() if isinstance(listed, np.ma.MaskedArray) else listed):
        if is_missing(value):
            raise InvalidVotesError(f"{place} {at} is {value!r}", field=what)
        texts.append(label_text(value))
    return texts


def _distinct(kept: Iterable[str], what: str, kind: str, places: str) -> None:
    if repeat := first_repeat(kept):
        text, first, at = repeat
        raise InvalidVotesError(f"{kind} {text!r} appears twice, in {places} {first} and {at}", field=what)
