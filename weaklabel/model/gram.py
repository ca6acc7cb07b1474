"""Weighted products of columns: X^T diag(w) X."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

DENSE_FILL = 0.02
"""Above, the product of a dense copy is faster."""
MOST_CELLS = 2**23
MOST_EXACT = 2**23
"""Sums of halves below are exact in float32."""


def gram(matrix: sp.csr_array[Any], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[columns, columns] sum over the rows of weight times the product of two columns.

    Args:
        matrix: [rows, columns]; of bool, or of float64.
        weight: [rows].
    """
    cells = matrix.shape[0] * matrix.shape[1]
    if matrix.nnz > DENSE_FILL * cells and cells <= MOST_CELLS:
        halves = 2 * weight
        exact = matrix.dtype == bool and halves.sum() < MOST_EXACT and not (halves % 1).any()
        dense = matrix.astype(np.float32 if exact else np.float64).toarray()
        return np.asarray(dense.T @ (dense * weight[:, None].astype(dense.dtype)), np.float64)
    return np.asarray((matrix.T @ (sp.diags_array(weight) @ matrix)).toarray())
