"""Frames of pandas, polars and pyarrow: votes out of them, and votes as frames."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError, MissingExtraError
from weaklabel.votes.constructors import matrix_parts, triple_parts
from weaklabel.votes.parts import Parts
from weaklabel.votes.validation import ABSTAIN, is_missing, label_dtype
from weaklabel.votes.vocabulary import MISSING, vocabulary, whole_number
from weaklabel_protocol.names import is_default_index, label_text, row_ids

ID_NAMES = ("id", "item", "item_id", "uid", "index")
GOLD_NAMES = frozenset({"gold", "truth", "true_label", "ground_truth", "label", "target", "y"})
LONG_NAMES = (
    frozenset({"item", "task", "item_id", "task_id", "id"}),
    frozenset({"source", "worker", "annotator", "labeler", "judge", "worker_id"}),
    frozenset({"label", "vote", "answer"}),
)
MOST_GUESSED = 100
"""Different values of a column above which it is not taken for votes unless it is named as such."""


class _Column(NamedTuple):
    """A column as numbers of its different values."""

    codes: NDArray[np.int64]
    """[N] index into the texts, -1 where a cell is missing."""
    texts: list[str]
    categories: tuple[str, ...] | None
    """Of a categorical column."""


class _Frame(NamedTuple):
    """Columns by name."""

    columns: dict[str, Any]
    ids: list[str] | None
    """Of the index of pandas; None for the default one, and for what has none."""

    def column(self, name: str) -> _Column:
        if name not in self.columns:
            known = ", ".join(map(repr, list(self.columns)[:10])) + (", ..." if len(self.columns) > 10 else "")
            raise InvalidVotesError(f"the frame has no column {name!r}; it has {known}", field="frame")
        return _coded(self.columns[name])


def pandas() -> ModuleType:
    """The library itself, which is only imported where a frame is asked for.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import pandas as module
    except ModuleNotFoundError as error:
        raise MissingExtraError("a DataFrame needs pandas: pip install pandas", name="pandas") from error
    return module


# --------------------------------------------------------------------- reading


def frame_parts(
    frame: Any,
    *,
    classes: Sequence[str] | None,
    sources: Sequence[str] | None,
    ids: str | None,
    gold: str | None,
    long: Sequence[str] | None,
    abstain: Sequence[str],
) -> Parts:
    """Of `Votes.from_pandas`."""
    read = _read(frame)
    if gold is not None:
        read.column(gold)
    found = _guessed_long(read, gold) if sources is None and ids is None and long is None else None
    if long is not None or found is not None:
        if sources is not None or ids is not None:
            raise InvalidArgumentError("long names item, source and label: give no sources and no ids", field="long")
        return _of_long(read, found if long is None else long, classes, abstain, gold)
    return _of_wide(read, sources, ids, gold, classes, abstain)


def gold_of(frame: Any, gold: str, *, ids: str | None = None) -> dict[str, Any]:
    """Known labels by item id, out of a frame: for `fit(votes, gold=...)`. A long frame says them once a vote.

    Args:
        frame: of pandas, polars or pyarrow.
        gold: column of known labels, missing where unknown.
        ids: column of item ids; the index of pandas where not given.

    Raises:
        InvalidVotesError: for columns that are not there, ids that are missing, and an item with two known labels.
    """
    read = _read(frame)
    labels = read.column(gold)
    if ids is not None:
        items = _ids(read, ids)
    elif read.ids is not None:
        items = read.ids
    else:
        raise InvalidVotesError("the frame has no ids in its index: name the column of ids", field="ids")
    known: dict[str, Any] = dict.fromkeys(items)
    for row, (item, code) in enumerate(zip(items, labels.codes.tolist(), strict=True)):
        label = "" if code < 0 else labels.texts[code]
        if not label:
            continue
        if known[item] not in (None, label):
            raise InvalidVotesError(
                f"row {row}, column {gold!r} says {label!r} of item {item!r}, and {known[item]!r} stands before it",
                field="gold",
            )
        known[item] = label
    return known


def _read(frame: Any) -> _Frame:
    if hasattr(frame, "to_frame") and hasattr(frame, "iloc"):
        frame = frame.to_frame()
    names: list[str]
    columns: list[Any]
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):  # pandas
        default = is_default_index(frame.columns)
        names = [f"source_{at}" if default else label_text(name) for at, name in enumerate(frame.columns)]
        columns = [frame.iloc[:, at] for at in range(len(names))]
    elif isinstance(getattr(frame, "column_names", None), list) and hasattr(frame, "column"):  # pyarrow
        names, columns = list(frame.column_names), [frame.column(at) for at in range(len(frame.column_names))]
    elif hasattr(frame, "get_column"):  # polars
        names, columns = list(frame.columns), [frame.get_column(name) for name in frame.columns]
    else:
        hint = ": collect it first" if hasattr(frame, "collect") else "; of an array make Votes.from_dense"
        raise InvalidVotesError(
            f"a frame of pandas, polars or pyarrow is expected, got a {type(frame).__name__}{hint}", field="frame"
        )
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise InvalidVotesError(f"two columns of the frame are called {twice!r}", field="frame")
    return _Frame(dict(zip(names, columns, strict=True)), row_ids(frame))


def _coded(column: Any) -> _Column:
    """The different values of a column as texts."""
    if hasattr(column, "iloc"):
        codes, uniques = sys.modules["pandas"].factorize(column)
        values = uniques.tolist()
        kind = getattr(column, "cat", None) if type(column.dtype).__name__ == "CategoricalDtype" else None
        categories = None if kind is None else kind.categories.tolist()
    else:
        values, categories, codes = _coded_by_narwhals(column)
    numbers: dict[str, int] = {}
    table = np.empty(len(values) + 1, np.int64)
    table[-1] = -1  # where a cell is missing
    for at, value in enumerate(values):
        if not isinstance(value, (str, bytes, int, float, np.generic)) and not is_missing(value):
            raise InvalidVotesError(
                f"a cell of the frame is {value!r}, neither a name nor a number: make objects Votes by "
                "Votes.from_dense(frame, n_classes=...)",
                field="frame",
            )
        table[at] = -1 if is_missing(value) else numbers.setdefault(label_text(value).strip(), len(numbers))
    kept = None if categories is None else tuple(label_text(name) for name in categories)
    return _Column(table[np.asarray(codes)], list(numbers), kept)


def _coded_by_narwhals(column: Any) -> tuple[list[Any], list[Any] | None, NDArray[np.int64]]:
    """Different values, categories if there are any, and [N] the number of each cell's value."""
    import narwhals as nw  # only here: pandas needs it not

    series = nw.from_native(column, series_only=True)
    categories = list(series.dtype.categories) if isinstance(series.dtype, nw.Enum) else None
    number: dict[Any, int] = {}
    codes = [-1 if value is None else number.setdefault(value, len(number)) for value in series.to_list()]
    return list(number), categories, np.array(codes, np.int64)


def _ids(read: _Frame, name: str) -> list[str]:
    column = read.column(name)
    missing = (column.codes < 0) | np.array([text == "" for text in [*column.texts, "."]])[column.codes]
    if missing.any():
        raise InvalidVotesError(f"row {int(np.argmax(missing))}, column {name!r} is missing, where an id is needed")
    return [column.texts[code] for code in column.codes.tolist()]


# ------------------------------------------------------------------------ wide


def _of_wide(
    read: _Frame,
    sources: Sequence[str] | None,
    ids: str | None,
    gold: str | None,
    classes: Sequence[str] | None,
    abstain: Sequence[str],
) -> Parts:
    if isinstance(sources, str):
        raise InvalidVotesError(f"sources must be a list of columns, got the text {sources!r}", field="sources")
    if ids is None and read.ids is None:
        ids = next((one for one in read.columns if one.lower() in ID_NAMES and one not in (sources or ())), None)
    named = list(read.columns) if sources is None else [label_text(one) for one in sources]
    names = [one for one in named if one not in (ids, gold)] if sources is None else named
    columns = [read.column(one) for one in names]
    if sources is None:
        _refuse_other_columns(names, columns)
    if not names:
        raise InvalidVotesError("the frame has no column of votes", field="frame")
    item_ids = read.ids if ids is None else _ids(read, ids)
    known, labels = _labels(dict(zip(names, columns, strict=True)), item_ids, classes, abstain)
    return matrix_parts(
        np.stack(labels, 1), len(known), symbols=None, sources=names, items=item_ids, lowest=ABSTAIN
    )._replace(classes=known)


def _refuse_other_columns(names: Sequence[str], columns: Sequence[_Column]) -> None:
    """Columns that are hardly votes, where nobody has said that they are."""
    for name, column in zip(names, columns, strict=True):
        if name.lower() in GOLD_NAMES and len(names) > 1:
            raise InvalidVotesError(
                f"column {name!r} may be known labels or a source: say gold={name!r}, or name the columns of votes in "
                "sources",
                field="frame",
            )
        if len(column.texts) > MOST_GUESSED and column.categories is None:
            raise InvalidVotesError(
                f"column {name!r} holds {len(column.texts):,} different values, which are hardly votes: say "
                f"ids={name!r} if they are ids, or name the columns of votes in sources",
                field="frame",
            )


# ------------------------------------------------------------------------ long


def _guessed_long(read: _Frame, gold: str | None) -> list[str] | None:
    """The columns of item, source and label where their names tell."""
    found = [[one for one in read.columns if one.lower() in usual and one != gold] for usual in LONG_NAMES]
    if any(len(names) != 1 for names in found):
        return None
    item, source, label = (names[0] for names in found)
    if set(read.column(source).texts) & set(read.column(label).texts):
        raise InvalidVotesError(
            f"columns {source!r} and {label!r} hold the same values: name the columns of votes in sources where each "
            f"is a source, or say long=({item!r}, {source!r}, {label!r}) where each row is a vote",
            field="frame",
        )
    return [item, source, label]


def _of_long(
    read: _Frame, long: Sequence[str] | None, classes: Sequence[str] | None, abstain: Sequence[str], gold: str | None
) -> Parts:
    if long is None or isinstance(long, str) or len(long) != 3 or len({*long, gold}) != 4:
        raise InvalidArgumentError("long must name three columns: of item, source and label", field="long")
    item, source, label = long
    items, sources = (read.column(one) for one in (item, source))
    for name in (item, source):
        _ids(read, name)  # refuses those that are missing
    known, (labels,) = _labels({label: read.column(label)}, None, classes, abstain)
    keys = items.codes * max(len(sources.texts), 1) + sources.codes
    _refuse_conflicts(keys, labels, label)
    return triple_parts(
        items.codes,
        sources.codes,
        labels,
        len(known),
        None,
        n_items=None,
        n_sources=None,
        source_names=sources.texts,
        item_ids=items.texts,
        refuse_repeated=False,
    )._replace(classes=known)


def _refuse_conflicts(keys: NDArray[np.int64], labels: NDArray[np.int64], column: str) -> None:
    """One source that says two things of one item; the same said twice is one vote."""
    rows = np.flatnonzero(labels >= 0)
    order = rows[np.argsort(keys[rows], kind="stable")]
    apart = (keys[order[1:]] == keys[order[:-1]]) & (labels[order[1:]] != labels[order[:-1]])
    if apart.any():
        at = int(np.argmax(apart))
        raise InvalidVotesError(
            f"rows {order[at]} and {order[at + 1]}, column {column!r}: one source says two things of one item",
            field="frame",
        )


# --------------------------------------------------------------------- classes


def _labels(
    columns: dict[str, _Column], item_ids: list[str] | None, classes: Sequence[str] | None, abstain: Sequence[str]
) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Names of the classes, and class indices [N] of each column, -1 for an abstain."""
    if isinstance(classes, str):
        raise InvalidArgumentError(f"classes must be a list of names, got the text {classes!r}", field="classes")
    places: dict[str, str] = {}
    for name, column in columns.items():
        for text in column.texts:
            places.setdefault(text, f"column {name!r}")
    wanted = _common_categories(list(columns.values())) if classes is None else [label_text(one) for one in classes]
    words = vocabulary(places, wanted, abstain or None)
    indices = dict(words.indices)
    counted = not any(whole_number(name) is not None for name in words.classes)
    for text in words.unknown:
        number = whole_number(text) if counted else None
        if number is None or not 0 <= number < len(words.classes):
            _refuse_unknown(text, columns, item_ids, words.classes)
        indices[text] = int(number or 0)
    tables = (np.array([*(indices[text] for text in one.texts), ABSTAIN], np.int64) for one in columns.values())
    labels = [table[one.codes] for table, one in zip(tables, columns.values(), strict=True)]
    return words.classes, [one.astype(label_dtype(len(words.classes))) for one in labels]


def _common_categories(columns: Sequence[_Column]) -> list[str] | None:
    """The categories that all columns share, unless some of them say that there is no vote."""
    first = columns[0].categories if columns else None
    if first is None or len(first) < 2 or any(one.categories != first for one in columns):
        return None
    silent = any(text.strip().lower() in MISSING or text == "-1" for text in first)
    return None if silent else list(first)


def _refuse_unknown(text: str, columns: dict[str, _Column], item_ids: list[str] | None, classes: Sequence[str]) -> None:
    name, column = next((name, column) for name, column in columns.items() if text in column.texts)
    row = int(np.argmax(column.codes == column.texts.index(text)))
    item = "" if item_ids is None else f" (item {item_ids[row]!r})"
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    raise InvalidVotesError(
        f"row {row}{item}, column {name!r} is {text!r}, which is no class; the classes are {shown}", field="labels"
    )


# --------------------------------------------------------------------- writing


def wide_frame(parts: Parts) -> Any:
    """A row an item and a column a source."""
    pd = pandas()
    codes = parts.layout
    if isinstance(codes, tuple):
        rows, columns, values = codes
        codes = np.full((parts.n_items, len(parts.source_names)), ABSTAIN, values.dtype)
        codes[rows, columns] = values
    cells = {name: _cells(parts, codes[:, at]) for at, name in enumerate(parts.source_names)}
    index = None if parts.item_ids is None else pd.Index(parts.item_ids.astype(object), name="item")
    return pd.DataFrame(cells, index=pd.RangeIndex(parts.n_items) if index is None else index)


def long_frame(parts: Parts) -> Any:
    """A row a vote."""
    rows, columns, codes = parts.cells
    says = codes >= 0
    rows, columns, codes = rows[says], columns[says], codes[says]
    items = rows.astype(np.int64) if parts.item_ids is None else parts.item_ids.astype(object)[rows]
    names = np.array(parts.source_names, object)[columns]
    return pandas().DataFrame({"item": items, "source": names, "label": _cells(parts, codes)})


def _cells(parts: Parts, codes: NDArray[Any]) -> Any:
    """Codes [n] as categories, numbers that may be missing, or objects."""
    pd = pandas()
    codes = np.maximum(codes, ABSTAIN)
    if len(parts.symbols):
        names = parts.classes or range(parts.n_classes)
        meant = [*names, *map(parts.symbols.vote, range(parts.n_classes, parts.n_classes + len(parts.symbols))), None]
        cells = np.empty(len(codes), object)
        cells[:] = [meant[code] for code in codes.tolist()]
        return cells
    if parts.classes is not None:
        return pd.Categorical.from_codes(codes, categories=list(parts.classes))
    return pd.arrays.IntegerArray(np.maximum(codes, 0).astype(np.int64), codes < 0)
