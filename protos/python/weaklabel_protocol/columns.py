"""Tables of named columns: texts, each different one kept once, and numbers. Records and labels travel as these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.arrays import is_missing
from weaklabel_protocol.names import label_text


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of J texts."""

    names: tuple[str, ...]
    """The different texts."""
    codes: NDArray[np.int32]
    """[J] index into names, -1 where there is none."""

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, values: Iterable[Any]) -> Texts:
        """A column of values of any kind as text; None and NaN are none."""
        code_of: dict[Any, int] = {}  # of values as they are given, so that each different one is written out once
        place: dict[str, int] = {}
        codes = []
        for value in values:
            code = code_of.get(value) if type(value) in (str, int) else None
            if code is None:
                code = -1 if is_missing(value) else place.setdefault(label_text(value), len(place))
                if type(value) in (str, int):
                    code_of[value] = code
            codes.append(code)
        return cls(tuple(place), np.array(codes, np.int32))

    def values(self) -> NDArray[Any]:
        """[J] texts, None where there is none."""
        table = np.empty(len(self.names) + 1, object)
        table[:-1] = self.names
        return table[self.codes]

    def part(self, rows: slice) -> Texts:
        """Some rows, with the texts that they use."""
        codes = self.codes[rows]
        used, inverse = np.unique(codes, return_inverse=True)
        skipped = int(len(used) > 0 and used[0] < 0)
        names = tuple(self.names[code] for code in used[skipped:].tolist())
        return Texts(names, (inverse - skipped).astype(np.int32))

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """Columns one after the other."""
        place: dict[str, int] = {}
        codes = []
        for part in parts:
            table = np.array([*(place.setdefault(name, len(place)) for name in part.names), -1], np.int32)
            codes.append(table[part.codes])
        return cls(tuple(place), np.concatenate(codes) if codes else np.empty(0, np.int32))


AnyColumn = Texts | NDArray[Any]
"""Texts, or numbers [J]."""


class Table:
    """Columns of one length by name, in their order. Numbers are int8, int16, int32, float32 or float64."""

    def __init__(self, columns: Mapping[str, AnyColumn]) -> None:
        self.columns = dict(columns)
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            told = ", ".join(f"{name} {len(column)}" for name, column in self.columns.items())
            raise ValueError(f"columns must have one length, got {told}")
        self.n_rows: int = lengths.pop() if lengths else 0

    def __len__(self) -> int:
        return self.n_rows

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def texts(self, name: str) -> NDArray[Any]:
        """[J] texts of a column, None where there is none."""
        column = self.columns[name]
        assert isinstance(column, Texts)
        return column.values()

    def numbers(self, name: str) -> NDArray[Any]:
        """[J] numbers of a column."""
        column = self.columns[name]
        assert not isinstance(column, Texts)
        return column

    def values(self) -> dict[str, NDArray[Any]]:
        """Arrays by the names of the columns; texts as objects."""
        return {name: one.values() if isinstance(one, Texts) else one for name, one in self.columns.items()}

    def part(self, start: int, stop: int) -> Table:
        """Rows start..stop-1."""
        rows = slice(start, stop)
        return Table({name: one.part(rows) if isinstance(one, Texts) else one[rows] for name, one in self})

    def __iter__(self) -> Any:
        return iter(self.columns.items())

    @classmethod
    def joined(cls, parts: Sequence[Table]) -> Table:
        """Tables with the same columns, one below the other."""
        columns: dict[str, AnyColumn] = {}
        for name in parts[0].columns if parts else ():
            given = [part.columns[name] for part in parts]
            texts = [one for one in given if isinstance(one, Texts)]
            columns[name] = Texts.joined(texts) if texts else np.concatenate([part.numbers(name) for part in parts])
        return cls(columns)

    def row_bytes(self) -> int:
        """Bytes of a row in a message, the texts themselves apart."""
        return sum(4 if isinstance(one, Texts) else one.dtype.itemsize for _, one in self)
