"""How good predictions are on items with known labels: metrics by name, of all items or of slices of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.analysis.metrics import SMALLEST_PROBABILITY, calibration_error
from weaklabel.analysis.slices import read_slices
from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class Predictions(NamedTuple):
    """What was predicted of n items, and what is true of them."""

    soft: NDArray[np.float64]
    """[n, K]"""
    labels: NDArray[np.int32]
    """[n] hard labels, -1 for none, which is wrong."""
    truth: NDArray[np.int32]
    """[n]"""
    positive: int | None
    """The class of "precision", "recall" and "f1"; for "roc_auc", None for the mean over the classes."""

    def of(self, items: NDArray[np.intp]) -> Predictions:
        """Those of some items."""
        return self._replace(soft=self.soft[items], labels=self.labels[items], truth=self.truth[items])


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of slices of the items; the first is of all."""

    columns: tuple[str, ...]
    """Of each slice, the column that it is of; "all" for the first."""
    values: tuple[str, ...]
    """What stands there."""
    n_items: NDArray[np.int64]
    """Items with a known label."""
    scores: dict[str, NDArray[np.float64]]
    """By metric, [slices]."""

    def to_pandas(self) -> pd.DataFrame:
        """A line a slice.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        head = {"column": list(self.columns), "value": list(self.values), "items": self.n_items}
        frame: pd.DataFrame = pandas().DataFrame(head | self.scores)
        return frame

    def __str__(self) -> str:
        rows = [("", "", "items", *self.scores)]
        numbers = zip(*self.scores.values(), strict=True)
        for column, value, count, line in zip(self.columns, self.values, self.n_items.tolist(), numbers, strict=True):
            rows.append((column, value, f"{count:,}", *(f"{one:.3f}" for one in line)))
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        aligned = ([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])] for row in rows)
        return "\n".join("  ".join(cells).rstrip() for cells in aligned)

    __repr__ = __str__


def score(predictions: Predictions, metrics: Sequence[str]) -> dict[str, float]:
    """Scores by name.

    Raises:
        InvalidArgumentError: for an unknown metric, and one of a single class where none is named.
    """
    check_metrics(metrics, predictions.soft.shape[1], predictions.positive)
    return {name: float(METRICS[name](predictions)) for name in metrics}


def score_slices(
    predictions: Predictions, metrics: Sequence[str], by: Any, known: NDArray[np.bool_], item_ids: Sequence[str] | None
) -> ScoreTable:
    """Scores of slices.

    Args:
        predictions: of the items with a known label.
        metrics: names.
        by: what the N items are sliced by; see `weaklabel.analysis.slices`.
        known: [N] whether the label of an item is known.
        item_ids: of the N items.

    Raises:
        InvalidArgumentError: as of `score`, and for slices that do not fit the items.
    """
    check_metrics(metrics, predictions.soft.shape[1], predictions.positive)
    place = np.cumsum(known) - 1
    lines = [("all", "", np.arange(len(predictions.truth)))]
    for one in read_slices(by, len(known), item_ids):
        items = place[one.items[known[one.items]]]
        lines += [(one.column, one.value, items)] if len(items) else []
    parts = [predictions.of(items) for _, _, items in lines]
    return ScoreTable(
        columns=tuple(column for column, _, _ in lines),
        values=tuple(value for _, value, _ in lines),
        n_items=np.array([len(part.truth) for part in parts], np.int64),
        scores={name: np.array([METRICS[name](part) for part in parts], np.float64) for name in metrics},
    )


def check_metrics(metrics: Sequence[str], n_classes: int, positive: int | None) -> None:
    """Refuses names that are no metrics."""
    if isinstance(metrics, str):
        raise InvalidArgumentError(f"metrics must be a list of names, got the text {metrics!r}", field="metrics")
    for name in metrics:
        if name not in METRICS:
            raise InvalidArgumentError(f"metrics must be of {', '.join(METRICS)}; got {name!r}", field="metrics")
        if name in ("precision", "recall", "f1") and positive is None:
            raise InvalidArgumentError(
                f"{name!r} is that of one class: of {n_classes} classes name it, positive=..., or ask for {name}_macro",
                field="positive",
            )


def _accuracy(p: Predictions) -> float:
    return float((p.labels == p.truth).mean())


def _of_class(p: Predictions, k: int) -> tuple[float, float, float]:
    """Precision, recall and F1; 0 where nothing was predicted, or nothing was there."""
    right = float(((p.labels == k) & (p.truth == k)).sum())
    called, there = float((p.labels == k).sum()), float((p.truth == k).sum())
    return right / max(called, 1.0), right / max(there, 1.0), 2 * right / max(called + there, 1.0)


def _single(which: int) -> Callable[[Predictions], float]:
    return lambda p: _of_class(p, -2 if p.positive is None else p.positive)[which]


def _macro(which: int) -> Callable[[Predictions], float]:
    def mean(p: Predictions) -> float:
        there = np.union1d(p.truth, p.labels[p.labels >= 0]).tolist()
        return float(np.mean([_of_class(p, k)[which] for k in there]))

    return mean


def _roc_auc(p: Predictions) -> float:
    """Of the positive class, or the mean over the classes that are there, each against the others; ties count half."""
    of_classes = [p.positive] if p.positive is not None else np.unique(p.truth).tolist()
    return float(np.mean([_auc(p.soft[:, k], p.truth == k) for k in of_classes]))


def _auc(score_of: NDArray[np.float64], there: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata  # only here: it takes as long to load as half of JAX

    n_there, n_others = int(there.sum()), int((~there).sum())
    if not n_there or not n_others:
        return float("nan")
    return float((rankdata(score_of)[there].sum() - n_there * (n_there + 1) / 2) / (n_there * n_others))


def _nll(p: Predictions) -> float:
    right = p.soft[np.arange(len(p.truth)), p.truth]
    return float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1)).mean())


def _brier(p: Predictions) -> float:
    return float(((p.soft - np.eye(p.soft.shape[1])[p.truth]) ** 2).sum(1).mean())


METRICS: dict[str, Callable[[Predictions], float]] = {
    "accuracy": _accuracy,
    "precision": _single(0),
    "recall": _single(1),
    "f1": _single(2),
    "precision_macro": _macro(0),
    "recall_macro": _macro(1),
    "f1_macro": _macro(2),
    "roc_auc": _roc_auc,
    "nll": _nll,
    "brier": _brier,
    "ece": lambda p: calibration_error(p.soft, p.truth),
}
"""By name. "f1", "precision" and "recall" are of the positive class, "_macro" the plain mean over the classes that are
in gold or predictions; "nll", "brier" and "ece" as in `weaklabel.analysis.Scores`."""


def positive_class(positive: int | str | None, classes: Sequence[str]) -> int | None:
    """The index of the positive class: of two classes the second where none is named.

    Raises:
        InvalidArgumentError: for what is no class.
    """
    if positive is None:
        return 1 if len(classes) == 2 else None
    if isinstance(positive, str) and positive in classes:
        return list(classes).index(positive)
    if isinstance(positive, (int, np.integer)) and not isinstance(positive, bool) and 0 <= positive < len(classes):
        return int(positive)
    raise InvalidArgumentError(f"positive must be a class, by name or index, got {positive!r}", field="positive")
