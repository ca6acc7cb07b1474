"""Columns of a table as labels and ids, with the place of what is neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.formats.tables import CellTable
from weaklabel.votes.vocabulary import Vocabulary, vocabulary


def vocabulary_of(
    table: CellTable,
    columns: Sequence[str],
    codes: NDArray[np.int32],
    beside: Sequence[str],
    classes: Sequence[str] | None,
    abstain: Sequence[str] | None,
) -> Vocabulary:
    """The classes by the votes and by the columns beside them, which hold labels."""
    names, cells = list(columns), codes
    for name in beside:
        names, cells = [*names, name], np.concatenate([cells, table.column(name)[:, None]], 1)
    used, first = np.unique(cells, return_index=True)
    texts = {}
    for code, at in zip(used.tolist(), first.tolist(), strict=True):
        row, column = divmod(at, len(names))
        if (text := table.values[code]) is not None:
            texts[text] = table.place(row, names[column])
    try:
        words = vocabulary(texts, classes, abstain)
    except InvalidVotesError as error:
        raise InvalidVotesError(
            str(error) if table.name in str(error) else f"{table.name}: {error}", field=error.field
        ) from None
    if words.unknown:
        code_of = {text: code for code, text in enumerate(table.values)}
        at = min(int(first[np.searchsorted(used, code_of[text])]) for text in words.unknown)
        row, column = divmod(at, len(names))
        raise InvalidVotesError(
            f"{table.place(row, names[column])} is {table.values[cells[row, column]]!r}, which is no class; the "
            f"classes are {some(words.classes)}",
            field="labels",
        )
    return words


def labels_of(table: CellTable, codes: NDArray[np.int32], words: Vocabulary) -> NDArray[np.int32]:
    """Cells as class indices, -1 for an abstain."""
    index = np.array([-1 if text is None else words.indices.get(text, -1) for text in table.values], np.int32)
    labels: NDArray[np.int32] = index[codes]
    return labels


def ids_of(table: CellTable, column: str) -> list[str]:
    """The texts of a column of ids; refuses those that are empty or repeat."""
    codes = table.column(column)
    refuse_missing(table, column, codes)
    order = np.argsort(codes, kind="stable")
    again = np.flatnonzero(codes[order[1:]] == codes[order[:-1]])
    if len(again):
        row, first = min((int(order[at + 1]), int(order[at])) for at in again)
        raise InvalidVotesError(
            f"{table.place(row, column)}: the id {table.values[codes[row]]!r} is that of {table.unit} "
            f"{table.lines[first]} as well",
            field="items",
        )
    return [str(table.values[code]) for code in codes.tolist()]


def refuse_missing(table: CellTable, column: str, codes: NDArray[np.int32]) -> None:
    """Refuses a column with empty cells."""
    empty = [code for code, text in enumerate(table.values) if text is None]
    if (missing := np.isin(codes, empty)).any():
        raise InvalidVotesError(f"{table.place(int(np.argmax(missing)), column)} is empty", field="path")


def notes_on(words: Vocabulary) -> tuple[str, ...]:
    """What to say of the texts that were found."""
    notes = [f"read as abstains: {some(words.abstains)}"] if words.abstains else []
    numbers = [name for name in words.classes if name.lstrip("-").isdecimal()]
    if 0 < len(numbers) < len(words.classes):
        notes.append(f"classes are both numbers and words: {some(words.classes)}")
    truths = [name for name in words.classes if name.lower() in ("true", "false")]
    if 0 < len(truths) < len(words.classes):
        notes.append(f"classes are both words and truth values: {some(words.classes)}")
    if words.bent:
        told = ", ".join(f"{text!r} as {name!r}" for text, name in words.bent[:8])
        notes.append(f"read as classes that are written otherwise: {told}" + (", ..." if words.bent[8:] else ""))
    return tuple(notes)


def some(names: Sequence[str]) -> str:
    """The first names of a list."""
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
