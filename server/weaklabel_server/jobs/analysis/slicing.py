"""What items are sliced by, as weaklabel.analysis.slices takes it. It blocks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_server.errors import invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.messages.analysis.inspection import MOST_COLUMNS, SlicedBy
from weaklabel_server.store.side_data import SideKind
from weaklabel_server.store.votes import View

MOST_SLICES = 10_000
"""Each is scored by itself."""
MOST_CELLS = 2**27
"""Items times columns, of 8 bytes each."""


class Table:
    """Columns with names, as a table of Arrow has them."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.column_names = list(columns)
        self._columns = list(columns.values())

    def column(self, at: int) -> Any:
        """The values of one column, [N]; those that are None are missing."""
        return self._columns[at]


def read_slices(tx: Connection, view: View, by: SlicedBy) -> NDArray[np.object_] | Table:
    """Groups [N], or a table of texts and numbers with N rows.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE; INVALID_FIELD for fields that no item has, texts that
            are no numbers, and more than 10,000 slices.
    """
    field = "by.side_data"
    kind = side_data.kind_of(tx, view, by.side_data_id, (SideKind.GROUPS, SideKind.FIELDS), field=field)
    if kind is SideKind.GROUPS:
        if by.fields or by.numbers:
            raise invalid("by.fields", "groups have no fields")
        groups: NDArray[np.object_] = side_data.read_one(tx, view, by.side_data_id, (kind,), field=field)[1]
        _check_count(len(set(groups.tolist())))
        return groups
    columns = _Columns(view.item_count, by)
    with side_data.named(field):
        for positions, rows in side_data.pieces(tx, view, kind, by.side_data_id):
            assert rows.fields is not None
            for position, row in zip(positions.tolist(), rows.fields, strict=True):
                columns.add(position, row)
    return columns.table()


class _Columns:
    """Columns that are filled item by item. Equal texts are kept once."""

    def __init__(self, n_items: int, by: SlicedBy) -> None:
        self._n_items = n_items
        self._by = by
        self._wanted = frozenset(by.fields)
        self._columns: dict[str, NDArray[Any]] = {}
        self._texts: dict[str, dict[str, str]] = {}
        self._n_texts = 0

    def add(self, position: int, row: Mapping[str, str]) -> None:
        for name, text in row.items():
            if self._wanted and name not in self._wanted:
                continue
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = self._empty(name)
            if name in self._by.numbers:
                column[position] = self._number(name, text, position)
            else:
                column[position] = self._text(name, text)

    def table(self) -> Table:
        """All of them, in the order of the request, or by name.

        Raises:
            ServiceError: INVALID_FIELD where nobody has a field that the request names.
        """
        for part, named in (("fields", self._by.fields), ("numbers", sorted(self._by.numbers))):
            for at, name in enumerate(named):
                if name not in self._columns:
                    raise invalid(f"by.{part}[{at}]", f'no item has a field "{name}"')
        return Table({name: self._columns[name] for name in self._by.fields or sorted(self._columns)})

    def _empty(self, name: str) -> NDArray[Any]:
        if len(self._columns) == MOST_COLUMNS or self._n_items * len(self._columns) > MOST_CELLS:
            raise invalid("by.fields", f"name fewer of the fields: {len(self._columns)} are as many as can be read")
        if name in self._by.numbers:
            return np.full(self._n_items, np.nan)
        self._texts[name] = {}
        return np.full(self._n_items, None, object)

    def _text(self, name: str, text: str) -> str:
        known = self._texts[name]
        if text not in known:
            self._n_texts += 1
            _check_count(self._n_texts)
            known[text] = text
        return known[text]

    def _number(self, name: str, text: str, position: int) -> float:
        try:
            return float(text)
        except ValueError:
            at = sorted(self._by.numbers).index(name)
            raise invalid(f"by.numbers[{at}]", f'"{name}" of item {position} is no number, but "{text}"') from None


def _check_count(n_slices: int) -> None:
    if n_slices > MOST_SLICES:
        raise invalid("by.side_data", f"its values make more than {MOST_SLICES} slices")
