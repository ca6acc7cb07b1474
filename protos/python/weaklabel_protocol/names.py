"""Names of sources and ids of items: what the library and the client do alike with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from weaklabel_protocol.arrays import is_missing
from weaklabel_protocol.errors import InvalidArgumentError


def default_sources(count: int) -> tuple[str, ...]:
    """Names for sources that have none: "source_0", "source_1", ..."""
    return tuple(f"source_{column}" for column in range(count))


def column_names(table: Any) -> list[str] | None:
    """The names of a table's columns, integers written out; no library is imported to find out.

    None where there are none: for what is no table, and for the default columns of pandas, which only count.
    """
    if isinstance(names := getattr(table, "column_names", None), Sequence):  # pyarrow
        return labels_of(names) or None
    columns = getattr(table, "columns", None)
    if columns is None or not isinstance(columns, Iterable) or is_default_index(columns):
        return None
    return labels_of(columns) or None


def row_ids(table: Any) -> list[str] | None:
    """The ids in the index of a pandas table or column; None for the default index, which only counts."""
    if not has_index(table) or is_default_index(table.index):
        return None
    return labels_of(table.index)


def has_index(table: Any) -> bool:
    """Whether it is a table or a column of pandas."""
    return hasattr(table, "iloc") and hasattr(table, "index")


def is_default_index(index: Any) -> bool:
    """Whether a pandas index is the default one, 0..N-1, which says no more than the position."""
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1


def labels_of(index: Iterable[Any]) -> list[str]:
    """The labels of columns or rows as text. Of labels in several levels only the last where the others are all alike,
    as in what `DataFrame.pivot` makes of a single column of votes.
    """
    labels = list(index)
    if (
        labels
        and all(isinstance(label, tuple) and label for label in labels)
        and len({one[:-1] for one in labels}) == 1
    ):
        labels = [label[-1] for label in labels]
    return [label_text(label) for label in labels]


def label_text(label: Any) -> str:
    """A name or an id as text; a whole float is the integer that it was before other cells of its column were empty."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    if isinstance(label, bytes):
        return label.decode(errors="backslashreplace")
    if isinstance(label, tuple):
        return ", ".join(map(label_text, label))
    return str(label)


def first_missing(labels: Iterable[Any]) -> int | None:
    """The place of the first label that is missing."""
    return next((at for at, label in enumerate(labels) if is_missing(label)), None)


def first_repeat(texts: Iterable[str]) -> tuple[str, int, int] | None:
    """The first text that stands a second time, and both of its places; None where all are distinct."""
    places: dict[str, int] = {}
    for at, text in enumerate(texts):
        if (first := places.setdefault(text, at)) != at:
            return text, first, at
    return None


def check_text(what: str, text: str) -> None:
    """Refuse a lone surrogate, which UTF-8 cannot encode.

    Raises:
        InvalidArgumentError: There is one; the message begins with what the text is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{what} is {text!r}: character {error.start} is half of a surrogate pair", field=what
        ) from None


def check_end(what: str, text: str, field: str, error: type[InvalidArgumentError] = InvalidArgumentError) -> None:
    """Refuse a text that ends in NUL, which arrays of text would cut off.

    Raises:
        InvalidArgumentError: It does; the message begins with what the text is.
    """
    if text.endswith("\0"):
        raise error(f"{what} is {text!r}: it must not end in the character NUL", field=field)
