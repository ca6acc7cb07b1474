"""The order of sparse cells: by row, then by column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_NUMBERS = 2**63


def cell_order(
    rows: NDArray[np.int32], columns: NDArray[np.int32], n_rows: int, n_columns: int
) -> NDArray[np.signedinteger[Any]] | None:
    """[V] the order that sorts cells by row, then column; of a cell given twice, the later comes last.

    Args:
        rows: [V] below n_rows.
        columns: [V] below n_columns.
        n_rows: N.
        n_columns: M.

    Returns:
        None where the cells are in this order already, and none is given twice.
    """
    above = rows[1:] > rows[:-1]
    if (above | ((rows[1:] == rows[:-1]) & (columns[1:] > columns[:-1]))).all():
        return None
    if n_rows * n_columns * len(rows) >= MOST_NUMBERS:
        return np.lexsort((columns, rows))
    # Cell and place in one number: numbers are sorted several times faster than their order is found.
    numbers = (rows.astype(np.int64) * n_columns + columns) * len(rows) + np.arange(len(rows))
    numbers.sort()
    numbers %= len(rows)
    return numbers
