"""What votes are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import ABSTAIN, Codes

Triples = tuple[NDArray[np.int32], NDArray[np.int32], Codes]
"""Items, sources and codes [V] of the cells that are not silent, sorted by item, then source."""


class Parts(NamedTuple):
    """What votes are made of; see `weaklabel.votes.Votes`."""

    n_items: int
    n_classes: int
    source_names: tuple[str, ...]
    item_ids: NDArray[np.str_] | None
    layout: Codes | Triples
    """Codes [N, M], or cells where votes are sparse."""
    symbols: Symbols
    classes: tuple[str, ...] | None = None
    """K names; None where classes go by index."""

    @property
    def cells(self) -> Triples:
        """The cells that are not silent."""
        if isinstance(self.layout, tuple):
            return self.layout
        rows, columns = np.nonzero(self.layout != ABSTAIN)
        return rows.astype(np.int32), columns.astype(np.int32), self.layout[rows, columns]
