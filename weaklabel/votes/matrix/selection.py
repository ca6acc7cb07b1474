"""Some of the items, or of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.matrix.state import VotesState
from weaklabel.votes.validation import check_names, place_of, read_array

FEW_SOUGHT = 0.1
"""Share of the items, up to which each is looked up by bisection."""


class Selection(VotesState):
    """Methods of `Votes` that pick some of them."""

    __slots__ = ()

    def select_items(self, index: ArrayLike) -> Self:
        """The votes on some items, in the order given: positions, a mask or a slice's indices.

        Raises:
            InvalidArgumentError: for what is missing among them, and for positions that are not there.
        """
        read = read_array(index, "index")
        if (at := read.first_missing) is not None:
            raise InvalidArgumentError(f"index: {place_of(at)} is missing", field="index")
        chosen = read.values if read.values.size else read.values.astype(int)
        try:
            positions = np.arange(self.n_items)[np.atleast_1d(chosen)]
        except IndexError as error:
            raise InvalidArgumentError(
                f"index must hold positions of the {self.n_items} items, or True and False for each: {error}",
                field="index",
            ) from None
        ids = None if self.item_ids is None else self.item_ids[positions]
        if self._matrix is not None:
            matrix = self._matrix[positions]
            return self._make(
                len(positions), self.n_classes, self.source_names, ids, matrix, self.symbols, self.classes
            )
        starts, lengths = self._runs_of(positions)
        rows = np.repeat(np.arange(len(positions), dtype=np.int32), lengths)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        picked = np.repeat(starts, lengths) + offset
        layout = (rows, self._columns[picked], self._values[picked])
        return self._make(len(positions), self.n_classes, self.source_names, ids, layout, self.symbols, self.classes)

    def _runs_of(self, positions: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the cells of some items begin, and how many there are."""
        if len(positions) > FEW_SOUGHT * self.n_items:
            counts = np.bincount(self._rows, minlength=self.n_items)
            return (np.cumsum(counts) - counts)[positions], counts[positions]
        sought = positions.astype(self._rows.dtype)  # of another type, all rows would be converted
        starts = np.searchsorted(self._rows, sought)
        return starts, np.searchsorted(self._rows, sought, side="right") - starts

    def select_sources(self, names: Sequence[str]) -> Self:
        """The votes of some sources, in the order given.

        Raises:
            InvalidVotesError: for a name that is unknown or given twice.
        """
        chosen = np.array(self._columns_of(names), np.int32)
        kept = check_names(names, len(chosen))
        if self._matrix is not None:
            return self._make(*self._parts()._replace(source_names=kept, layout=self._matrix[:, chosen]))
        renumber = np.full(len(self.source_names), -1, np.int32)
        renumber[chosen] = np.arange(len(chosen), dtype=np.int32)
        columns = renumber[self._columns]
        order = np.lexsort((columns, self._rows))
        order = order[columns[order] >= 0]
        layout = (self._rows[order], columns[order], self._values[order])
        return self._make(*self._parts()._replace(source_names=kept, layout=layout))
