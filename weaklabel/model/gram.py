"""Weighted products of columns: X^T diag(w) X."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

DENSE_FILL = 0.02
"""Above, the product of a dense copy is faster."""
MOST_CELLS = 2**23


def gram(matrix: sp.csr_array[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[columns, columns] sum over the rows of weight times the product of two columns.

    Args:
        matrix: [rows, columns].
        weight: [rows].
    """
    cells = matrix.shape[0] * matrix.shape[1]
    if matrix.nnz > DENSE_FILL * cells and cells <= MOST_CELLS:
        dense = matrix.toarray()
        return np.asarray(dense.T @ (dense * weight[:, None]))
    return np.asarray((matrix.T @ (sp.diags_array(weight) @ matrix)).toarray())
