"""How good soft and hard labels of ordered classes are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError

METRICS = ("mae", "accuracy", "rps", "nll", "cumulative_ece")
SMALLEST = 1e-6
"""Probability that "nll" reads smaller ones as."""
BINS = 10
"""Of "cumulative_ece"."""


def ordinal_scores(
    soft: NDArray[np.float64], labels: NDArray[np.float64], truth: NDArray[np.int32], metrics: Sequence[str]
) -> dict[str, float]:
    """Scores by name.

    Args:
        soft: [n, K] of items with gold.
        labels: [n] decoded classes or means.
        truth: [n] classes.
        metrics: of `METRICS`.

    Raises:
        InvalidArgumentError: for unknown metrics.
    """
    for name in metrics:
        if name not in METRICS:
            raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}, got {name!r}", field="metric")
    below = np.cumsum(soft, axis=1)[:, :-1]
    is_below = truth[:, None] <= np.arange(soft.shape[1] - 1)
    values = {
        "mae": np.abs(labels - truth).mean(),
        "accuracy": (labels == truth).mean(),
        "rps": ((below - is_below) ** 2).sum(axis=1).mean(),
        "nll": -np.log(np.maximum(soft[np.arange(len(truth)), truth], SMALLEST)).mean(),
        "cumulative_ece": _calibration_error(below.ravel(), is_below.ravel()),
    }
    return {name: float(values[name]) for name in metrics}


def _calibration_error(probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> float:
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, probability - happened, BINS)
    return float(np.abs(gap).sum() / len(probability))
