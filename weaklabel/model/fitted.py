"""What a fit yields: all that prediction, reports and the model file need."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.drift.history import Drift
from weaklabel.model.features.end_model import FeatureModel
from weaklabel.model.gold.correction import Gold
from weaklabel.model.params import Calibration, Params
from weaklabel.model.report.diagnostics import Diagnostics


class Fitted(NamedTuple):
    """A fitted label model."""

    source_names: tuple[str, ...]
    params: Params
    calibration: Calibration
    copies: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other."""
    n_iter: int
    converged: bool
    objective: NDArray[np.float64]
    """[n_iter]"""
    class_balance: NDArray[np.float64]
    """[K]"""
    coverage: NDArray[np.float64]
    """[M]"""
    source_accuracy: NDArray[np.float64]
    """[M]"""
    source_accuracy_interval: NDArray[np.float64]
    """[M, 2]"""
    diagnostics: Diagnostics
    sets: NDArray[np.bool_]
    """[C, K] candidate sets of the codebook: the symbols that follow the classes."""
    group_names: tuple[str, ...] = ()
    group_balance: NDArray[np.float64] | None = None
    """[G, K] class balance of each group; None where there are no groups."""
    features: FeatureModel | None = None
    """p(class | features); None where there were none."""
    gold: Gold | None = None
    """What known labels make of the soft labels; None where there were none."""

    drift: Drift | None = None
    """The votes by block of time; None where items had no times. Parameters are those of the last block."""

    def on_host(self) -> Fitted:
        """The same in numpy arrays."""
        moved: Fitted = jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, self)
        return moved
