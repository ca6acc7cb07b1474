"""How good soft labels are on items with known labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.gold import read_labels
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes.validation import column_names, row_ids

N_BINS = 15
SMALLEST_PROBABILITY = 1e-6
TIE = 1e-6


class Scores(NamedTuple):
    """Quality of soft labels; see `evaluate`."""

    accuracy: float
    """Share of the items whose likeliest class is right; classes tied for it share the item."""
    f1: float | None
    """F1 of the positive class, where one is named; ties are shared."""
    nll: float
    """Mean negative log-likelihood, in nats; probabilities below 1e-6 count as 1e-6."""
    brier: float
    """Mean squared error, summed over the classes (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2)."""
    ece: float
    """Expected calibration error in 15 equal bins of the largest probability (Guo et al. 2017, arXiv:1706.04599)."""
    n_items: int
    """Number of items with a known label."""


def evaluate(
    probabilities: ArrayLike, gold: ArrayLike, *, positive: int | None = None, scores: ArrayLike | None = None
) -> Scores:
    """Scores soft labels against gold.

    Args:
        probabilities: [N, K], rows sum to one.
        gold: [N] class indices; items with -1, or whose label is missing, are left out. Names of classes where the
            columns of `probabilities` are named by them.
        positive: class whose F1 is wanted.
        scores: [N, K] whose largest is the predicted class, as of `LabelModel.decision_function`, for accuracy and F1;
            the probabilities where not given.

    Raises:
        InvalidArgumentError: if shapes do not agree, probabilities are not in [0, 1] or do not sum to one, or no label
            is known.
    """
    p = read_numbers(probabilities, "probabilities")
    if p.ndim != 2:
        raise InvalidArgumentError(f"probabilities must be [N, K], got shape {p.shape}", field="probabilities")
    if not (np.isfinite(p).all() and (p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-3)):
        raise InvalidArgumentError("probabilities must lie in [0, 1], and rows sum to one", field="probabilities")
    classes = column_names(probabilities)
    truth = read_labels(gold, *p.shape, item_ids=row_ids(probabilities), classes=classes)
    known = truth >= 0
    if not known.any():
        raise InvalidArgumentError("gold holds no label", field="gold")
    share = _shares(p if scores is None else read_numbers(scores, "scores"))[known]
    p, truth = p[known], truth[known]
    items = np.arange(len(truth))
    right = share[items, truth]
    f1 = None
    if positive is not None:
        called, there = share[:, positive], truth == positive
        f1 = float(2 * (called * there).sum() / max(called.sum() + there.sum(), 1e-300))
    return Scores(
        accuracy=float(right.mean()),
        f1=f1,
        nll=float(-np.log(np.clip(p[items, truth], SMALLEST_PROBABILITY, 1)).mean()),
        brier=float(((p - np.eye(p.shape[1])[truth]) ** 2).sum(1).mean()),
        ece=calibration_error(p, truth),
        n_items=len(truth),
    )


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, K] the class with the largest score, ties shared."""
    best = scores >= scores.max(axis=1, keepdims=True) - TIE
    return np.asarray(best / best.sum(axis=1, keepdims=True), np.float64)


def calibration_error(p: NDArray[np.float64], truth: NDArray[np.int32]) -> float:
    """Expected calibration error of [n, K]; see `Scores`."""
    confidence = p.max(axis=1)
    right = _shares(p)[np.arange(len(truth)), truth]
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gap = np.bincount(bins, confidence, N_BINS) - np.bincount(bins, right, N_BINS)
    return float(np.abs(gap).sum() / len(truth))
