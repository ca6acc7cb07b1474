"""What makes features comparable: fitted to the rows that are known, applied to all.

Shapes: N items, D features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.side_information.features import Features


class Scaling(NamedTuple):
    """What makes features comparable: each row is (x - mean) * factor, then drawn towards unit length."""

    mean: NDArray[np.float32]
    """[D]; zeros for sparse features, which stay sparse."""
    factor: NDArray[np.float32]
    """[D]"""
    unit: float
    """Mean squared length of a row; ..."""
    cell: float
    """... and of its cells that are not zero."""


def fit_scaling(features: Features, weight: NDArray[np.float32]) -> Scaling:
    """How to scale features, from the rows with weight.

    Dense: z-scores; constant columns are left out. Sparse: nothing is subtracted, and columns are divided by their
    largest value where that is above 1, so that TF-IDF and indicators keep their proportions.
    """
    n_features = features.shape[1]
    known = features[np.flatnonzero(weight > 0)]
    mean, factor = np.zeros(n_features), np.ones(n_features)
    if isinstance(known, np.ndarray):
        if len(known):
            mean, deviation = known.mean(0, dtype=np.float64), known.std(0, dtype=np.float64)
            varies = deviation > 1e-6 * np.abs(mean)
            factor = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        unit = max(float(np.count_nonzero(factor)), 1.0)
        return Scaling(mean.astype(np.float32), factor.astype(np.float32), unit, 1.0)
    if known.nnz:
        factor = 1 / np.maximum(abs(known).max(axis=0).toarray().ravel(), 1)
        squares = float(np.square(known.data * factor[known.indices]).sum())
        factor *= np.sqrt(known.shape[0] / max(squares, 1e-30))
    cell = known.shape[0] / known.nnz if known.nnz else 1.0
    return Scaling(mean.astype(np.float32), factor.astype(np.float32), 1.0, cell)


def scaled(features: Features, scaling: Scaling) -> Features:
    """Features as the classifier reads them: all rows about equally long.

    Lengths are taken with one more cell of ordinary size, so that with many features rows come to have the same length,
    and a single feature keeps its order.
    """
    if sp.issparse(features) and scaling.mean.any():  # learned on dense ones
        features = features.toarray()
    if isinstance(features, np.ndarray):
        rows = (features - scaling.mean) * scaling.factor
        squares = np.einsum("nd,nd->n", rows, rows)
        return np.asarray(rows * _shrink(squares, scaling)[:, None], np.float32)
    columns = sp.csr_array(features.multiply(scaling.factor[None, :]))
    squares = np.asarray(columns.multiply(columns).sum(axis=1)).ravel()
    return sp.csr_array(columns.multiply(_shrink(squares, scaling)[:, None])).astype(np.float32)


def _shrink(squares: NDArray[np.floating], scaling: Scaling) -> NDArray[np.floating]:
    """[N] factors that bring rows of these squared lengths towards the ordinary one."""
    return np.asarray(np.sqrt((scaling.unit + scaling.cell) / (squares + scaling.cell)))
