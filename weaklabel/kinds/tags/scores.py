"""How good predicted tags are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError

METRICS = ("micro_f1", "macro_f1", "map", "nll", "ece")
BINS = 10
"""Of "ece", of equal width."""


def tag_scores(
    probability: NDArray[np.float64], tag: NDArray[np.int64], truth: NDArray[np.int8], metrics: Sequence[str]
) -> dict[str, float]:
    """Scores by name, of cells with gold, pooled; "macro_f1" and "map" are means over tags with a true cell.

    Args:
        probability: [C] of cells.
        tag: [C]
        truth: [C] 0 or 1.
        metrics: of `METRICS`.

    Raises:
        InvalidArgumentError: for unknown metrics.
    """
    for name in metrics:
        if name not in METRICS:
            raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}, got {name!r}", field="metric")
    said = probability > 0.5
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    by_tag = [np.flatnonzero(tag == one) for one in np.unique(tag[truth == 1])]
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    off = np.bincount(bins, probability - truth, minlength=BINS)
    values = {
        "micro_f1": _f1(said, truth),
        "macro_f1": float(np.mean([_f1(said[one], truth[one]) for one in by_tag])) if by_tag else np.nan,
        "map": float(np.mean([average_precision(probability[one], truth[one]) for one in by_tag]))
        if by_tag
        else np.nan,
        "nll": float(-np.log(np.where(truth == 1, clipped, 1 - clipped)).mean()),
        "ece": float(np.abs(off).sum() / len(truth)),
    }
    return {name: values[name] for name in metrics}


def _f1(said: NDArray[np.bool_], truth: NDArray[np.int8]) -> float:
    return float(2 * (said & (truth == 1)).sum() / max(said.sum() + truth.sum(), 1))


def average_precision(probability: NDArray[np.float64], truth: NDArray[np.int8]) -> float:
    """Mean precision at the true cells, ties together, as scikit-learn has it."""
    order = np.argsort(-probability, kind="stable")
    last = np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))
    hits = np.cumsum(truth[order])[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / hits[-1])
