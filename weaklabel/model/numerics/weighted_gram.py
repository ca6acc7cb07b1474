"""The weighted Gram matrix of columns: X^T diag(w) X."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

DENSE_FILL = 0.1
"""Above, the product of a dense copy is faster."""
MOST_CELLS = 2**23
ONE_THREAD = 2**18
"""Multiplications up to which BLAS stays on one thread: on busy cores, its threads mostly wait for each other."""
FEWEST_ROWS = 32
MOST_EXACT = 2**23
"""Sums of halves below are exact in float32."""


def filled_in(matrix: sp.csr_array[Any]) -> sp.csr_array[Any] | NDArray[Any]:
    """The matrix in the form whose `weighted_gram` is faster."""
    cells = matrix.shape[0] * matrix.shape[1]
    return matrix.toarray() if matrix.nnz > DENSE_FILL * cells and cells <= MOST_CELLS else matrix


def weighted_gram(matrix: sp.csr_array[Any] | NDArray[Any], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[columns, columns] sum over the rows of weight times the product of two columns.

    Args:
        matrix: [rows, columns]; of bool, or of float64; of `filled_in`.
        weight: [rows].
    """
    if isinstance(matrix, np.ndarray):
        halves = 2 * weight
        exact = matrix.dtype == bool and halves.sum() < MOST_EXACT and not (halves % 1).any()
        dense = matrix.astype(np.float32 if exact else np.float64)
        return _product(dense, dense * weight[:, None].astype(dense.dtype))
    of_cell = np.repeat(weight, np.diff(matrix.indptr))
    weighted = sp.csr_array((matrix.data * of_cell, matrix.indices, matrix.indptr), shape=matrix.shape)
    return np.asarray((matrix.T @ weighted).toarray())


def _product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """left^T @ right, [columns, columns], of tall matrices with few columns: the sum over blocks of rows."""
    n_rows, n_columns = left.shape
    size = ONE_THREAD // n_columns**2
    if size < FEWEST_ROWS:
        return np.asarray(left.T @ right, np.float64)
    whole = n_rows // size * size
    blocks = (part[:whole].reshape(-1, size, n_columns) for part in (left, right))
    summed = np.matmul(next(blocks).transpose(0, 2, 1), next(blocks)).sum(0, dtype=np.float64)
    return np.asarray(summed + left[whole:].T @ right[whole:], np.float64)
