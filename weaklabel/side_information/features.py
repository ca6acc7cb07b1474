"""Features of items: numbers, dense or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError

Features = NDArray[np.float32] | sp.csr_array[np.float32]
"""[N, D], dense or sparse by rows."""


def read_features(features: Any, n_items: int | None) -> Features:
    """Features [N, D] as float32, dense or sparse.

    Args:
        features: matrix or sparse matrix of numbers.
        n_items: N that the votes have; None where there are no votes.

    Raises:
        InvalidArgumentError: for another number of rows, other shapes, or values that are not finite.
    """
    with np.errstate(over="ignore"):  # too large for float32 is not finite, and refused below
        if sp.issparse(features):
            given = sp.csr_array(features)  # type: ignore[call-overload]  # of any sparse format
            _check_real(given.dtype)
            sparse = given.astype(np.float32)
            matrix: Features = sp.csr_array((sparse.data, sparse.indices, sparse.indptr), shape=sparse.shape)
            values = sparse.data
        else:
            try:
                dense = np.asarray(features)
                dense = dense if dense.dtype.kind == "c" else dense.astype(np.float32, copy=False)
            except (TypeError, ValueError) as error:
                raise InvalidArgumentError(f"features must be numbers: {error}", field="features") from None
            _check_real(dense.dtype)
            values = matrix = dense
    if matrix.ndim != 2 or (n_items is not None and matrix.shape[0] != n_items) or matrix.shape[1] == 0:
        expected = "[items, dimensions]" if n_items is None else f"[{n_items}, dimensions]"
        raise InvalidArgumentError(f"features must be {expected}, got shape {matrix.shape}", field="features")
    if not np.isfinite(values).all():
        raise InvalidArgumentError(
            "features hold a value that is not finite, or too large for float32", field="features"
        )
    return matrix


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise InvalidArgumentError("features must be real numbers, got complex ones", field="features")
