"""What users slice items by, as texts of items that the server keeps."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from weaklabel_protocol.alignment import named_columns, places, taken
from weaklabel_protocol.arrays import Read, column_of, read_array
from weaklabel_protocol.names import first_repeat, label_text, row_ids


class Slicing(NamedTuple):
    """Columns of N items."""

    fields: tuple[str, ...]
    """Names of the columns, in their order."""
    numbers: tuple[str, ...]
    """Those of them that hold numbers."""
    records: list[dict[str, str]]
    """[N] texts of each item by column, without what is missing."""
    items: tuple[str, ...] | None
    """[N] ids; None where items go by position."""


def slicing(by: Any, items: Iterable[str] | None) -> Slicing:
    """The columns of groups [N], or of a frame with N rows; matched by ids where both sides have them.

    Raises:
        ValueError: They cannot be read, or no item has a value.
    """
    own = [label_text(key) for key in by] if isinstance(by, Mapping) else row_ids(by)
    ids = own if items is None else list(items)
    n_rows = len(by) if ids is None else len(ids)
    place = None if items is None else places(by, ids, n_rows, "by", all_items=False)
    read = {}
    columns = list(named_columns(by))
    if repeat := first_repeat(name for name, _ in columns):
        raise ValueError(f"by: column {repeat[0]!r} stands twice, at {repeat[1]} and {repeat[2]}")
    for name, values in columns:
        column = column_of(read_array(list(values.values()) if isinstance(values, Mapping) else values, "by"))
        column = column if place is None else taken(column, place)
        if column.values.shape != (n_rows,):
            raise ValueError(f"by: a value for each of the {n_rows} items is expected, got {column.values.shape}")
        read[name] = column
    kept = {name: column for name, column in read.items() if column.missing is None or not column.missing.all()}
    if not kept:
        raise ValueError("by: no item has a value")
    records: list[dict[str, str]] = [{} for _ in range(n_rows)]
    for name, column in kept.items():
        _put(records, name, column)
    return Slicing(
        fields=tuple(kept),
        numbers=tuple(name for name, column in kept.items() if column.values.dtype.kind in "iuf"),
        records=records,
        items=None if ids is None else tuple(ids),
    )


def _put(records: list[dict[str, str]], name: str, column: Read) -> None:
    is_float = column.values.dtype.kind == "f"
    for at, value in enumerate(column.values.tolist()):
        if column.missing is None or not column.missing[at]:
            records[at][name] = repr(value) if is_float else label_text(value)
