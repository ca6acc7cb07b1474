"""Labels beside the probabilities of a classifier, out of one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.columns import ids_of, labels_of, vocabulary_of
from weaklabel.formats.tables import CellTable, format_of, guess_id, name_of, read_bytes, table_of
from weaklabel.formats.vote_tables import Layout

PREFIX = "p_"
"""Of the columns of probabilities, as `weaklabel predict` names them."""
TOLERANCE = 1e-3
"""By which a row may miss one."""
SET = {"1": 1, "1.0": 1, "yes": 1, "true": 1, "0": 0, "0.0": 0, "no": 0, "false": 0}
"""What a tag may hold."""


class LabelsAndProbabilities(NamedTuple):
    """What a file holds."""

    labels: NDArray[np.int32]
    """[N] class indices, -1 where there is none."""
    probabilities: NDArray[np.float64]
    """[N, K] rows that sum to one."""
    classes: tuple[str, ...]
    ids: tuple[str, ...] | None
    gold: NDArray[np.int32] | None = None
    """[N] known labels, -1 where unknown; None without a column of them."""


class TagsAndProbabilities(NamedTuple):
    """What a file holds of items with several labels each."""

    tags: NDArray[np.int32]
    """[N, T] 1 where an item has the tag, 0 where not."""
    probabilities: NDArray[np.float64]
    """[N, T]"""
    names: tuple[str, ...]
    """T tags."""
    ids: tuple[str, ...] | None


def read_probabilities(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    layout: Layout,
    *,
    format: str | None = None,  # noqa: A002
    delimiter: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> LabelsAndProbabilities:
    """Labels and probabilities of a table.

    Args:
        path: of the file, or "-" for stdin.
        columns: one for each class; "p_*" stands for all whose names begin with "p_".
        layout: `labels` and `gold` are columns of labels; `classes`, in the order of `columns`, their names without
            "p_" where not given; and `id` and `abstain`.
        format: as of `read_vote_table`.
        delimiter: likewise.
        progress: likewise.

    Raises:
        InvalidVotesError: for cells that are no probabilities, rows that do not sum to one, and labels that are no
            classes, with the place.
        InvalidArgumentError: for more or fewer columns than classes.
    """
    table = _table(path, format, delimiter, progress)
    if layout.labels is None:
        raise InvalidArgumentError("name the column of labels", field="labels")
    chosen = _expanded(table, columns)
    classes = list(layout.classes or [one.removeprefix(PREFIX) for one in chosen])
    if len(classes) != len(chosen):
        raise InvalidArgumentError(
            f"{len(chosen)} columns of probabilities ({', '.join(chosen)}) are not one for each of {len(classes)} "
            f"classes ({', '.join(classes)})",
            field="probabilities",
        )
    p = _numbers(table, chosen)
    _refuse_other_sums(table, chosen, p)
    codes = table.column(layout.labels)[:, None]
    words = vocabulary_of(table, [layout.labels], codes, layout.of_labels[:-1], classes, layout.abstain)
    labels = labels_of(table, codes, words)[:, 0]
    gold = None
    if layout.gold is not None:
        gold = labels_of(table, table.column(layout.gold)[:, None], words)[:, 0]
    ids = _ids(table, layout, {*layout.of_labels, *chosen})
    return LabelsAndProbabilities(labels=labels, probabilities=p, classes=words.classes, ids=ids, gold=gold)


def read_tags(
    path: str | os.PathLike[str],
    tags: Sequence[str],
    columns: Sequence[str],
    layout: Layout,
    *,
    format: str | None = None,  # noqa: A002
    delimiter: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> TagsAndProbabilities:
    """Tags of items, each set or not, and the probability of each.

    Args:
        path: of the file, or "-" for stdin.
        tags: T columns that hold 1 or 0, yes or no, true or false.
        columns: their probabilities, in the order of the tags; by name where they are "p_" and the tag. "p_*" as in
            `read_probabilities`.
        layout: `id`.
        format: as of `read_vote_table`.
        delimiter: likewise.
        progress: likewise.

    Raises:
        InvalidVotesError: for cells that are no probabilities, or neither set nor not, with the place.
        InvalidArgumentError: for more or fewer columns than tags.
    """
    table = _table(path, format, delimiter, progress)
    names = _expanded(table, tags)
    chosen = _expanded(table, columns)
    if set(chosen) >= {PREFIX + name for name in names}:
        chosen = [PREFIX + name for name in names]
    if len(chosen) != len(names):
        raise InvalidArgumentError(
            f"{len(chosen)} columns of probabilities ({', '.join(chosen)}) are not one for each of {len(names)} tags "
            f"({', '.join(names)})",
            field="probabilities",
        )
    values = np.array([SET.get((text or "").strip().lower(), -1) for text in table.values], np.int32)
    given = values[table.block(names)]
    if (given < 0).any():
        row, at = divmod(int((given < 0).argmax()), len(names))
        told = table.texts(names[at])[row]
        raise InvalidVotesError(
            f"{table.place(row, names[at])} is {'empty' if told is None else repr(told)}: a tag is 1 or 0, yes or no, "
            "true or false",
            field="tags",
        )
    p = _numbers(table, chosen)
    ids = _ids(table, layout, {*names, *chosen})
    return TagsAndProbabilities(tags=given, probabilities=p, names=tuple(names), ids=ids)


def _table(
    path: str | os.PathLike[str], told: str | None, delimiter: str | None, progress: Callable[[str], None] | None
) -> CellTable:
    name = name_of(path)
    table = table_of(read_bytes(path), name, told or format_of(path), delimiter=delimiter, progress=progress)
    if not len(table):
        raise InvalidVotesError(f"{name} has names of columns, and no rows", field="path")
    return table


def _ids(table: CellTable, layout: Layout, taken: set[str]) -> tuple[str, ...] | None:
    name = layout.id or guess_id(table, taken)
    return None if name is None else tuple(ids_of(table, name))


def _expanded(table: CellTable, columns: Sequence[str]) -> list[str]:
    found = list[str]()
    for one in columns:
        if one.endswith("*"):
            named = [name for name in table.columns if name.startswith(one[:-1])]
            if not named:
                raise InvalidVotesError(f"{table.name} has no column {one}", field="probabilities")
            found += named
        else:
            table.column(one)
            found.append(one)
    return list(dict.fromkeys(found))


def _numbers(table: CellTable, columns: Sequence[str]) -> NDArray[np.float64]:
    values = np.array([_number(text) for text in table.values])
    p = values[table.block(columns)]
    bad = ~((p >= 0) & (p <= 1))  # NaN is neither
    if bad.any():
        row, at = divmod(int(bad.argmax()), len(columns))
        told = table.texts(columns[at])[row]
        raise InvalidVotesError(
            f"{table.place(row, columns[at])} is {'empty' if told is None else repr(told)}, which is no probability",
            field="probabilities",
        )
    return p


def _refuse_other_sums(table: CellTable, columns: Sequence[str], p: NDArray[np.float64]) -> None:
    off = np.abs(p.sum(1) - 1) > TOLERANCE
    if off.any():
        row = int(off.argmax())
        raise InvalidVotesError(
            f"{table.place(row)}: the probabilities in {', '.join(columns)} sum to {p[row].sum():.4g}, not to one",
            field="probabilities",
        )


def _number(text: str | None) -> float:
    try:
        return float("nan" if text is None else text)
    except ValueError:
        return float("nan")
