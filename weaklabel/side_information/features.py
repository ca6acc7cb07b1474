"""Features of items: numbers, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import Ids, columns_in_order, read_rows
from weaklabel_protocol.arrays import floats, is_sparse_matrix
from weaklabel_protocol.names import column_names

Features = NDArray[np.float32] | sp.csr_array[np.float32]
"""[N, D], dense or sparse by rows."""


def feature_names(features: Any) -> tuple[str, ...] | None:
    """D names of the columns of a table; None for what has none."""
    names = column_names(features)
    return None if names is None or names == [f"column_{at}" for at in range(len(names))] else tuple(names)


def read_features(
    features: Any, n_items: int | None, *, item_ids: Ids = None, names: Sequence[str] | None = None
) -> Features:
    """Features [N, D] as float32, dense or sparse.

    Args:
        features: matrix, table or sparse matrix of numbers; [N] is a single feature.
        n_items: N that the votes have; None where there are no votes.
        item_ids: of the items, by which the rows of a pandas table are matched; None where they go by position.
        names: of the features of the fit, by which the columns of a table are matched; None where it had none.

    Raises:
        InvalidArgumentError: for another number of rows, other shapes or columns, and values that are missing, not
            finite or no numbers.
    """
    with np.errstate(over="ignore"):  # too large for float32 is not finite, and refused below
        if is_sparse_matrix(features):
            given = sp.csr_array(features)
            _check_real(given.dtype)
            sparse = given.astype(np.float32)
            matrix: Features = sp.csr_array((sparse.data, sparse.indices, sparse.indptr), shape=sparse.shape)
            values = sparse.data
        else:
            values = matrix = _dense(features, n_items, item_ids, names)
    if matrix.ndim != 2 or (n_items is not None and matrix.shape[0] != n_items) or matrix.shape[1] == 0:
        expected = "[items, dimensions]" if n_items is None else f"[{n_items}, dimensions]"
        hint = ": of one dimension write features.reshape(-1, 1)" if matrix.ndim == 1 else ""
        raise InvalidArgumentError(f"features must be {expected}, got shape {matrix.shape}{hint}", field="features")
    if not np.isfinite(values).all():
        raise InvalidArgumentError(
            "features hold a value that is missing, not finite, or too large for float32", field="features"
        )
    return matrix


def _dense(features: Any, n_items: int | None, item_ids: Ids, names: Sequence[str] | None) -> NDArray[np.float32]:
    order = None if names is None else columns_in_order(features, names, "features")
    n_rows = len(features) if n_items is None and hasattr(features, "__len__") else n_items
    read = read_rows(features, item_ids, n_rows or 0, "features")
    if read.values.dtype.kind == "c":
        _check_real(read.values.dtype)
    dense = floats(read, "features").astype(np.float32, copy=False)
    if dense.ndim == 1 and n_items is not None and len(dense) == n_items:
        dense = dense[:, None]
    return dense if order is None else dense[:, order]


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise InvalidArgumentError("features must be real numbers, got complex ones", field="features")
