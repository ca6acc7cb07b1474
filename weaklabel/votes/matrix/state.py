"""What votes keep, dense or sparse, and that it never changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.parts import Parts
from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import Codes


class VotesState:
    """The fields of `Votes`."""

    __slots__ = (
        "__weakref__",
        "_columns",
        "_matrix",
        "_rows",
        "_values",
        "classes",
        "item_ids",
        "n_classes",
        "n_items",
        "source_names",
        "symbols",
    )

    n_items: int
    n_classes: int
    source_names: tuple[str, ...]
    item_ids: NDArray[np.str_] | None
    symbols: Symbols
    classes: tuple[str, ...] | None
    _matrix: Codes | None  # [N, M] where dense
    _rows: NDArray[np.int32]  # [V] each where sparse, sorted by row, then column
    _columns: NDArray[np.int32]
    _values: Codes

    def __init__(self) -> None:
        raise TypeError("make votes by Votes.from_dense, Votes.from_triples or weaklabel.apply")

    @classmethod
    def _make(
        cls,
        n_items: int,
        n_classes: int,
        source_names: tuple[str, ...],
        item_ids: NDArray[np.str_] | None,
        layout: Codes | tuple[NDArray[np.int32], NDArray[np.int32], Codes],
        symbols: Symbols,
        classes: tuple[str, ...] | None = None,
    ) -> Self:
        self = object.__new__(cls)
        kept: dict[str, object] = {"n_items": n_items, "n_classes": n_classes, "source_names": source_names}
        kept["symbols"], kept["classes"] = symbols, classes
        kept["item_ids"] = None if item_ids is None else read_only(item_ids)
        if isinstance(layout, tuple):
            kept["_matrix"] = None
            kept["_rows"], kept["_columns"], kept["_values"] = layout
        else:
            kept["_matrix"] = read_only(layout)
        for name, value in kept.items():
            object.__setattr__(self, name, value)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"votes are never changed after they are made: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return self._make, self._parts()

    def _parts(self) -> Parts:
        layout = (self._rows, self._columns, self._values) if self._matrix is None else self._matrix
        return Parts(
            n_items=self.n_items,
            n_classes=self.n_classes,
            source_names=self.source_names,
            item_ids=self.item_ids,
            layout=layout,
            symbols=self.symbols,
            classes=self.classes,
        )

    def _columns_of(self, names: Sequence[str]) -> list[int]:
        if isinstance(names, str):
            raise InvalidVotesError(f"sources must be a list of names, got the text {names!r}", field="sources")
        index = {name: column for column, name in enumerate(self.source_names)}
        unknown = [name for name in names if name not in index]
        if unknown:
            raise InvalidVotesError(f"unknown source {unknown[0]!r}", field="sources")
        return [index[name] for name in names]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to; the array itself stays as its owner has it."""
    view = array.view()
    view.flags.writeable = False
    return view
