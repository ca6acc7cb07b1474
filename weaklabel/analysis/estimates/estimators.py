"""What people want to know of labels, with intervals: accuracy, class balance, recall and precision, differences.

Each takes the soft labels of all items and a few known ones. Intervals need no calibration of the soft labels; where
these are of no use, they are those of the known labels alone. The soft labels must not have seen the known ones: take
those of a model that was fitted without `gold`.

Shapes: N items, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis.estimates.proportion import Proportion, Sample, estimate, score_interval
from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.gold import read_labels
from weaklabel.side_information.numbers import read_column, read_numbers
from weaklabel.votes.validation import column_names, row_ids

MOST_LABELS = 10_000_000


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval. It prints as "0.873 [0.812, 0.915]"."""

    value: float
    """NaN where no item with a known label says anything."""
    low: float
    high: float
    confidence: float
    """That the interval holds the true value, over draws of the known labels."""
    n_labels: float
    """Known labels that it rests on; weights that differ make them worth fewer (Kish's effective size)."""
    gold_only: tuple[float, float]
    """The interval of the known labels alone, without soft labels (Wilson's)."""
    unexplained: float
    """Share of the variance that soft labels leave, 1 where they are of no use."""

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class ClassRates(NamedTuple):
    """How one class is predicted; see `estimate_rates`."""

    recall: Estimate
    """Share of the items of the class that are predicted as such: the true positive rate."""
    specificity: Estimate
    """Share of the other items that are predicted as others: the true negative rate."""
    precision: Estimate
    """Share of the items predicted as the class that are of it."""


class _Known(NamedTuple):
    soft: NDArray[np.float64]  # [N, K]
    truth: NDArray[np.int32]  # [G]
    at: NDArray[np.intp]  # [G]
    weight: NDArray[np.float64]  # [G], mean one
    classes: list[str] | None
    ids: list[str] | None


def estimate_accuracy(
    labels: ArrayLike,
    soft_labels: ArrayLike,
    gold: ArrayLike,
    *,
    gold_weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """How many of some labels are right: those of a source, a model, or anybody's predictions.

    Args:
        labels: [N] class indices or names; items with -1 are left out.
        soft_labels: [N, K] of a model that has not seen `gold`.
        gold: [N] class indices or names, -1 where unknown; drawn at random, or by `next_to_label`.
        gold_weight: [N] how many items each known label stands for, relative to the others, as `next_to_label` gives.
        confidence: above 0, below 1.

    Raises:
        InvalidArgumentError: for shapes that do not agree, labels that are no classes, no known label, weights that are
            not above 0 where there is gold, and confidence out of range.
    """
    known = _read(soft_labels, gold, gold_weight, confidence)
    given = _labels(labels, known, "labels")
    counts = (given >= 0).astype(float)
    right = _probability(known.soft, given)
    sample = _sample(known, (given[known.at] == known.truth) * counts[known.at], counts[known.at], right, counts)
    return _estimate(sample, confidence)


def estimate_balance(
    soft_labels: ArrayLike, gold: ArrayLike, *, gold_weight: ArrayLike | None = None, confidence: float = 0.95
) -> list[Estimate]:
    """The share of each class among the items: K estimates, each with an interval of its own.

    Arguments and errors are those of `estimate_accuracy`.
    """
    known = _read(soft_labels, gold, gold_weight, confidence)
    ones = np.ones(len(known.soft))
    return [
        _estimate(_sample(known, known.truth == k, ones[known.at], known.soft[:, k], ones), confidence)
        for k in range(known.soft.shape[1])
    ]


def estimate_rates(
    labels: ArrayLike,
    soft_labels: ArrayLike,
    gold: ArrayLike,
    *,
    gold_weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> list[ClassRates]:
    """Recall, specificity and precision of labels, a judge's for instance, for each of the K classes.

    Arguments and errors are those of `estimate_accuracy`; items with -1 among the labels are left out.
    """
    known = _read(soft_labels, gold, gold_weight, confidence)
    given = _labels(labels, known, "labels")
    voted = given >= 0
    found = []
    for k in range(known.soft.shape[1]):
        of_class, called = known.soft[:, k] * voted, given == k
        others = (1 - known.soft[:, k]) * voted
        is_class, is_called, counted = known.truth == k, called[known.at], voted[known.at]
        found.append(
            ClassRates(
                recall=_estimate(
                    _sample(known, is_class & is_called, is_class & counted, of_class * called, of_class), confidence
                ),
                specificity=_estimate(
                    _sample(known, ~is_class & ~is_called & counted, ~is_class & counted, others * ~called, others),
                    confidence,
                ),
                precision=_estimate(
                    _sample(known, is_class & is_called, is_called, of_class * called, called.astype(float)), confidence
                ),
            )
        )
    return found


def estimate_difference(
    labels: ArrayLike,
    others: ArrayLike,
    soft_labels: ArrayLike,
    gold: ArrayLike,
    *,
    gold_weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """By how much `labels` are more accurate than `others`, -1 to 1, on items that both label.

    Only known labels of items on which they differ count, so draw gold there. `gold_only` is of them alone.
    Arguments and errors are otherwise those of `estimate_accuracy`.
    """
    known = _read(soft_labels, gold, gold_weight, confidence)
    one, two = _labels(labels, known, "labels"), _labels(others, known, "others")
    both = (one >= 0) & (two >= 0)
    if not both.any():
        raise InvalidArgumentError("no item has a label of both", field="others")
    differ = both & (one != two)
    share = float(differ.sum() / both.sum())
    counts = differ.astype(float)
    # 1 where the first is right, 0 where the second is, half where neither is.
    better = (1 + _probability(known.soft, one) - _probability(known.soft, two)) / 2 * counts
    won = (1.0 + (one[known.at] == known.truth) - (two[known.at] == known.truth)) / 2 * counts[known.at]
    found = _estimate(_sample(known, won, counts[known.at], better, counts), confidence)
    scaled = [share * (2 * end - 1) for end in (found.value, found.low, found.high, *found.gold_only)]
    if not share:
        scaled = [0.0] * 5
    return Estimate(
        value=scaled[0],
        low=scaled[1],
        high=scaled[2],
        confidence=confidence,
        n_labels=found.n_labels,
        gold_only=(scaled[3], scaled[4]),
        unexplained=found.unexplained,
    )


def labels_needed(estimate: Estimate, width: float) -> int:
    """How many known labels an interval as narrow as `width` needs, those there are included.

    It assumes that value and use of the soft labels stay as they are estimated, and, in a rate, that as many of the
    labels count.

    Raises:
        InvalidArgumentError: for a width that is not above 0, an estimate without labels, and where more than ten
            million would be needed.
    """
    if not width > 0:
        raise InvalidArgumentError(f"width must be above 0, got {width}", field="width")
    if not estimate.n_labels > 0:
        raise InvalidArgumentError("the estimate rests on no label", field="estimate")

    def reached(size: float) -> bool:
        low, high = score_interval(estimate.value, size, estimate.unexplained, estimate.confidence)
        return high - low <= width

    if not reached(MOST_LABELS):
        raise InvalidArgumentError(f"a width of {width} needs more than {MOST_LABELS:,} labels", field="width")
    least, most = 0, MOST_LABELS
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if reached(middle) else (middle, most)
    return most


def _read(soft_labels: Any, gold: Any, gold_weight: Any, confidence: float) -> _Known:
    if not 0 < confidence < 1:
        raise InvalidArgumentError(f"confidence must be between 0 and 1, got {confidence}", field="confidence")
    soft = read_numbers(soft_labels, "soft_labels")
    if soft.ndim != 2 or soft.shape[1] < 2:
        raise InvalidArgumentError(f"soft_labels must be [N, K], got shape {soft.shape}", field="soft_labels")
    if not (np.isfinite(soft).all() and (soft >= 0).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
        raise InvalidArgumentError("soft_labels must lie in [0, 1], and rows sum to one", field="soft_labels")
    classes, ids = column_names(soft_labels), row_ids(soft_labels)
    truth = read_labels(gold, *soft.shape, item_ids=ids, classes=classes)
    at = np.flatnonzero(truth >= 0)
    if not len(at):
        raise InvalidArgumentError("gold holds no label", field="gold")
    weight = np.ones(len(at))
    if gold_weight is not None:
        weight = read_column(gold_weight, "gold_weight", len(soft), ids, all_items=False)[at]
        if not (np.isfinite(weight) & (weight > 0)).all():
            wrong = at[np.argmin(np.isfinite(weight) & (weight > 0))]
            raise InvalidArgumentError(f"gold_weight of item {wrong} must be above 0", field="gold_weight")
    return _Known(soft=soft, truth=truth[at], at=at, weight=weight / weight.mean(), classes=classes, ids=ids)


def _labels(labels: Any, known: _Known, field: str) -> NDArray[np.int32]:
    return read_labels(labels, *known.soft.shape, item_ids=known.ids, classes=known.classes, field=field)


def _probability(soft: NDArray[np.float64], labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """[N] that the labels are right; 0 where there are none."""
    return np.where(labels >= 0, soft[np.arange(len(soft)), np.maximum(labels, 0)], 0.0)


def _sample(
    known: _Known,
    hits: NDArray[Any],
    counts: NDArray[Any],
    hits_expected: NDArray[np.float64],
    counts_expected: NDArray[np.float64],
) -> Sample:
    return Sample(
        hits=hits.astype(float),
        counts=counts.astype(float),
        weight=known.weight,
        hits_expected=hits_expected.astype(float),
        counts_expected=counts_expected.astype(float),
        labeled=known.at,
    )


def _estimate(sample: Sample, confidence: float) -> Estimate:
    found = estimate(sample, confidence)
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        confidence=confidence,
        n_labels=found.size,
        gold_only=_alone(sample, found, confidence),
        unexplained=found.unexplained,
    )


def _alone(sample: Sample, found: Proportion, confidence: float) -> tuple[float, float]:
    """Wilson's interval of the items with labels that count."""
    if not found.size:
        return 0.0, 1.0
    share = sample.weight / sample.weight.sum()
    counted = float(share @ sample.counts)
    size = float(1 / (share**2).sum()) * counted
    return score_interval(float(share @ sample.hits) / counted, size, 1.0, confidence)
