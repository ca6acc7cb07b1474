"""Tags that go together: what the other tags of an item say of a tag, by a ridge regression on shares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.tags import settings


class Correlation(NamedTuple):
    """A linear regression of each of Q tags on the others."""

    tag: NDArray[np.int32]
    """[Q] the tags, ascending."""
    mean: NDArray[np.float64]
    """[Q] mean share."""
    slope: NDArray[np.float64]
    """[Q, Q] log odds of the column's tag for a unit of the row's; the diagonal is 0."""


def correlate(shares: NDArray[np.float64], tag: NDArray[np.int32]) -> Correlation:
    """The regressions, of [N, Q] shares.

    A precision matrix holds the regressions of all columns on the others: Lauritzen 1996, Graphical Models, 5.1.3.
    """
    mean = shares.mean(0)
    centered = shares - mean
    precision = np.linalg.inv(centered.T @ centered + settings.RIDGE * np.eye(len(tag)))
    slope = -precision / np.diag(precision)
    np.fill_diagonal(slope, 0.0)
    spread = np.maximum(mean * (1 - mean), 1e-3)
    return Correlation(tag, mean, settings.CORRELATED * slope / spread)
