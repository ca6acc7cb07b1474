"""Comparisons out of frames, records and matrices of votes, checked; errors name the row and the column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.kinds.preferences.rankings import with_rankings
from weaklabel.kinds.preferences.records import LEFT, RIGHT, TIE, Comparisons
from weaklabel.votes.validation import is_missing
from weaklabel_protocol.names import label_text

OUTCOMES = {"left": LEFT, "right": RIGHT, "tie": TIE}
COLUMNS = ("left", "right", "judge", "winner")
OPTIONAL = ("shown_first", "weight", "ranking")


class Read(NamedTuple):
    """Comparisons, and the pairs that the rows of the input stand for."""

    comparisons: Comparisons
    pairs: NDArray[np.int64]
    """[R, 2] items of each row of a frame, or of each pair of a matrix."""


def read_comparisons(data: Any, judges: Sequence[str] | None, *, ties: bool) -> Read:
    """Comparisons of a frame (any that narwhals reads), a mapping of columns, a sequence of records, or votes.

    Args:
        data: with columns left, right, judge and winner, and perhaps shown_first, weight and ranking; or votes [P, J]
            or [P, J, 2], see `PreferenceModel.fit`.
        judges: J names, for votes.
        ties: whether a tie is an outcome.

    Raises:
        InvalidVotesError: naming the row and column.
    """
    table = columns_of(data)
    if table is None:
        return _of_matrix(data, judges, ties=ties)
    if judges is not None:
        raise InvalidVotesError(
            "judges are names for a matrix of votes; a frame has the column 'judge'", field="judges"
        )
    for name in COLUMNS:
        if name not in table:
            raise InvalidVotesError(
                f"there is no column {name!r}; columns are {', '.join(map(repr, table)) or 'none'}", field=name
            )
    lengths = {name: len(table[name]) for name in (*COLUMNS, *OPTIONAL) if name in table}
    if len(set(lengths.values())) > 1:
        raise InvalidVotesError(f"columns have different lengths: {lengths}", field="data")
    if not lengths["left"]:
        raise InvalidVotesError("there are no comparisons", field="data")
    items: dict[str, int] = {}
    left, right = (_codes(table[name], name, items) for name in ("left", "right"))
    if (left == right).any():
        row = int(np.argmax(left == right))
        raise InvalidVotesError(f"row {row}: {list(items)[left[row]]!r} is compared with itself", field="right")
    names: dict[str, int] = {}
    judge = _codes(table["judge"], "judge", names)
    outcome = _sides(table["winner"], "winner", left, right, items)
    _check_outcomes(outcome, ties=ties)
    first = np.zeros(len(left), np.int8)
    if "shown_first" in table:
        side = _sides(table["shown_first"], "shown_first", left, right, items)
        if (side == TIE).any():
            raise InvalidVotesError(f"row {int(np.argmax(side == TIE))}, column 'shown_first': 'tie' is no side")
        first = np.select([side == LEFT, side == RIGHT], [1, -1], 0).astype(np.int8)
    weight = _weights(table.get("weight"), len(left))
    keep = (outcome >= 0) & (weight > 0)
    comparisons = Comparisons(
        left=left[keep].astype(np.int32),
        right=right[keep].astype(np.int32),
        judge=judge[keep].astype(np.int32),
        outcome=outcome[keep],
        first=first[keep],
        weight=weight[keep],
        item_names=tuple(items),
        judge_names=tuple(names),
    )
    if "ranking" in table:
        rows = np.flatnonzero(keep)
        of_rows = [table["ranking"][row] for row in rows.tolist()]
        comparisons = with_rankings(comparisons, of_rows, rows, weighted="weight" in table)
    return Read(comparisons, np.stack([left, right], 1))


def columns_of(data: Any) -> dict[str, list[Any]] | None:
    """Columns by name as lists; None for what has no columns: an array."""
    if isinstance(data, Mapping):
        return {str(name): list(values) for name, values in data.items()}
    if isinstance(data, np.ndarray) and data.dtype.names is None:
        return None
    if isinstance(data, np.ndarray):
        return {name: data[name].tolist() for name in data.dtype.names}
    if isinstance(data, Sequence) and data and isinstance(data[0], Mapping):
        return {str(name): [_field(row, at, name) for at, row in enumerate(data)] for name in data[0]}
    if isinstance(data, Sequence):
        return None
    import narwhals as nw  # only here: arrays and records need it not

    try:
        frame = nw.from_native(data)
    except TypeError:
        raise InvalidVotesError(
            "a frame, a mapping of columns, records or votes [pairs, judges] are expected, got a "
            f"{type(data).__name__}",
            field="data",
        ) from None
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return {name: frame.get_column(name).to_list() for name in frame.columns}


def _field(row: Any, at: int, name: str) -> Any:
    if not isinstance(row, Mapping) or name not in row:
        raise InvalidVotesError(f"record {at} has no {name!r}, and the first one has", field=str(name))
    return row[name]


def _codes(values: list[Any], column: str, numbers: dict[str, int]) -> NDArray[np.int64]:
    """[R] numbers of names, in the order in which they come; `numbers` grows."""
    known: dict[Any, int] = {}
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        code = known.get(value) if isinstance(value, (str, int)) else None
        if code is None:
            if is_missing(value) or label_text(value) == "":
                raise InvalidVotesError(f"row {row}, column {column!r} is missing", field=column)
            code = numbers.setdefault(label_text(value), len(numbers))
            if isinstance(value, (str, int)):
                known[value] = code
        codes[row] = code
    return codes


def _sides(
    values: list[Any], column: str, left: NDArray[np.int64], right: NDArray[np.int64], items: Mapping[str, int]
) -> NDArray[np.int8]:
    """[R] 0 for left, 1 for right, 2 for a tie, -1 where missing; a side is said by its word or by its item."""
    sides = np.empty(len(values), np.int8)
    for row, value in enumerate(values):
        side = -1 if value is None else OUTCOMES.get(value) if isinstance(value, str) else None
        if side is None and is_missing(value):
            side = -1
        if side is None:
            item = items.get(label_text(value), -1)
            side = LEFT if item == left[row] else RIGHT if item == right[row] else None
        if side is None:
            raise InvalidVotesError(
                f"row {row}, column {column!r}: {value!r} is neither 'left', 'right', 'tie' nor one of the two items",
                field=column,
            )
        sides[row] = side
    return sides


def _check_outcomes(outcome: NDArray[np.int8], *, ties: bool) -> None:
    if not ties and (outcome == TIE).any():
        row = int(np.argmax(outcome == TIE))
        raise InvalidVotesError(f"row {row} is a tie: PreferenceModel(ties=True) takes them", field="winner")
    if not (outcome >= 0).any():
        raise InvalidVotesError("no comparison has a winner or a tie", field="winner")


def _weights(values: list[Any] | None, size: int) -> NDArray[np.float32]:
    if values is None:
        return np.ones(size, np.float32)
    try:
        weight = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise InvalidVotesError("column 'weight' must hold numbers", field="weight") from None
    if not (np.isfinite(weight) & (weight >= 0)).all():
        row = int(np.argmin(np.isfinite(weight) & (weight >= 0)))
        raise InvalidVotesError(f"row {row}, column 'weight': {values[row]!r} is no weight, 0 or more", field="weight")
    return weight


def _of_matrix(data: Any, judges: Sequence[str] | None, *, ties: bool) -> Read:
    """Of votes [P, J], left shown first, or [P, J, 2], left shown first and right shown first."""
    try:
        votes = np.asarray(data)
    except ValueError:
        raise InvalidVotesError("the rows of the votes have different lengths", field="data") from None
    if votes.ndim not in (2, 3) or (votes.ndim == 3 and votes.shape[2] != 2) or votes.dtype.kind not in "iu":
        raise InvalidVotesError(
            "votes must be whole numbers [pairs, judges] or [pairs, judges, 2]: 0 left wins, 1 right wins, 2 tie, -1 "
            f"none; got shape {votes.shape}, {votes.dtype}",
            field="data",
        )
    wrong = np.argwhere((votes < -1) | (votes > (2 if ties else 1)))
    if len(wrong):
        at = tuple(int(one) for one in wrong[0])
        order = f", order {at[2]}" if len(at) > 2 else ""
        hint = "0, 1, 2 or -1" if ties else "0, 1 or -1; PreferenceModel(ties=True) takes ties, 2"
        raise InvalidVotesError(f"pair {at[0]}, judge {at[1]}{order}: {votes[at]} is not {hint}", field="data")
    n_pairs, n_judges = votes.shape[:2]
    names = tuple(f"judge_{at}" for at in range(n_judges)) if judges is None else tuple(map(label_text, judges))
    if len(names) != n_judges or len(set(names)) < n_judges:
        raise InvalidVotesError(f"judges must be {n_judges} distinct names", field="judges")
    place = np.argwhere(votes >= 0)
    if not len(place):
        raise InvalidVotesError("no pair has a vote", field="data")
    shown = place[:, 2] if votes.ndim == 3 else np.zeros(len(place), np.int64)
    comparisons = Comparisons(
        left=(2 * place[:, 0]).astype(np.int32),
        right=(2 * place[:, 0] + 1).astype(np.int32),
        judge=place[:, 1].astype(np.int32),
        outcome=votes[tuple(place.T)].astype(np.int8),
        first=np.where(shown == 0, 1, -1).astype(np.int8),
        weight=np.ones(len(place), np.float32),
        item_names=tuple(f"{pair} {side}" for pair in range(n_pairs) for side in ("left", "right")),
        judge_names=names,
    )
    return Read(comparisons, np.arange(2 * n_pairs).reshape(-1, 2))


def read_pairs(pairs: Any, item_names: Sequence[str]) -> NDArray[np.int64]:
    """[n, 2] items of pairs: a frame or mapping with left and right, records, or [n, 2] names.

    Raises:
        InvalidVotesError: for another form, and an item that the fit has not seen.
    """
    table = columns_of(pairs)
    if table is None:
        rows = np.asarray(pairs, object)
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise InvalidVotesError(f"pairs must be [n, 2] names of items, got shape {rows.shape}", field="pairs")
        table = {"left": rows[:, 0].tolist(), "right": rows[:, 1].tolist()}
    missing = [name for name in ("left", "right") if name not in table]
    if missing:
        raise InvalidVotesError(f"pairs have no column {missing[0]!r}", field="pairs")
    numbers = {name: at for at, name in enumerate(item_names)}
    found = np.empty((len(table["left"]), 2), np.int64)
    for at, name in enumerate(("left", "right")):
        for row, value in enumerate(table[name]):
            item = numbers.get("" if is_missing(value) else label_text(value))
            if item is None:
                raise InvalidVotesError(f"row {row}, column {name!r}: {value!r} is no item of the fit", field="pairs")
            found[row, at] = item
    return found


def read_gold(gold: Any, read: Read, *, ties: bool) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """[G, 2] pairs that are known, and [G] their outcomes.

    Args:
        gold: a frame, mapping or records with left, right and winner; or [R] outcomes of the rows of the input, as
            words, as items, or 0, 1, 2, and -1 or missing where unknown.
        read: the input.
        ties: whether a tie is an outcome.

    Raises:
        InvalidVotesError: for what does not fit the input, and a pair with two known outcomes.
    """
    names = read.comparisons.item_names
    items = {name: at for at, name in enumerate(names)}
    table = columns_of(gold) if not isinstance(gold, list | tuple) or (gold and isinstance(gold[0], Mapping)) else None
    if table is not None:
        if "winner" not in table:
            raise InvalidVotesError("gold has no column 'winner'", field="gold")
        pairs, values = read_pairs(table, names), table["winner"]
    else:
        pairs, values = read.pairs, list(gold)
        if len(values) != len(pairs):
            raise InvalidVotesError(f"gold has {len(values)} outcomes, the input has {len(pairs)} rows", field="gold")
        words = {0: "left", 1: "right", 2: "tie", -1: None}
        numeric = all(is_missing(one) or isinstance(one, (int, np.integer)) for one in values)
        if numeric:
            values = [None if is_missing(one) else words.get(int(one), one) for one in values]
    outcome = _sides(values, "winner" if table is not None else "gold", pairs[:, 0], pairs[:, 1], items)
    known = outcome >= 0
    if not known.any():
        raise InvalidVotesError("gold holds no outcome", field="gold")
    if not ties and (outcome == TIE).any():
        raise InvalidVotesError(f"gold, row {int(np.argmax(outcome == TIE))} is a tie", field="gold")
    return _once(pairs[known], outcome[known], names)


def _once(
    pairs: NDArray[np.int64], outcome: NDArray[np.int8], names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Each pair once, in one order of its items."""
    known: dict[tuple[int, int], int] = {}
    for (left, right), side in zip(pairs.tolist(), outcome.tolist(), strict=True):
        turned = left > right
        key = (right, left) if turned else (left, right)
        value = side if side == TIE or not turned else 1 - side
        if known.setdefault(key, value) != value:
            raise InvalidVotesError(f"gold has two outcomes of {names[left]!r} and {names[right]!r}", field="gold")
    return np.array(list(known), np.int64), np.array(list(known.values()), np.int8)
