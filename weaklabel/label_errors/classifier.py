"""Confident learning: wrong labels from the probabilities of any classifier (Northcutt et al. 2021, arXiv:1911.00068).

Probabilities must be of items that the classifier was not trained on, as by cross-validation.

Shapes: N items, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.label_errors.issues import LabelIssues, log_odds_of_error, shifted
from weaklabel.side_information.gold import read_labels
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes.validation import column_names, row_ids


def find_label_issues(
    labels: ArrayLike, probabilities: ArrayLike, *, classes: Iterable[str] | None = None
) -> LabelIssues:
    """Which labels are probably wrong, by the probabilities of a classifier alone.

    Labels are ranked by the probability of their own class. How many are wrong is the share of the confident joint off
    its diagonal: items whose probability of a class is at least the mean over the items labeled so are counted for it.

    Args:
        labels: [N] class indices or names, -1 where there is none.
        probabilities: [N, K] of a classifier that was not trained on the item.
        classes: K names; where not given, those of the columns of a table, or "0", "1", ...

    Raises:
        InvalidArgumentError: for shapes that do not agree, labels that are no classes, or none at all, and rows that
            are no distributions.
    """
    p = _distributions(probabilities)
    names = tuple(classes) if classes is not None else _names(probabilities)
    ids = row_ids(probabilities)
    given = read_labels(labels, *p.shape, item_ids=ids, classes=names, field="labels")
    at = np.flatnonzero(given >= 0)
    if not len(at):
        raise InvalidArgumentError("labels holds no label", field="labels")
    joint = confident_joint(given[at], p[at])
    wrong = float(1 - np.trace(joint))
    probability = np.full(len(p), np.nan)
    probability[at] = shifted(log_odds_of_error(p[at], given[at]), wrong)
    others = p.copy()
    others[at, given[at]] = -1
    return LabelIssues(
        probability=probability,
        given=given,
        suggested=others.argmax(1).astype(np.int32),
        n_expected=wrong * len(at),
        classes=names or tuple(map(str, range(p.shape[1]))),
        item_ids=None if ids is None else tuple(ids),
    )


def confident_joint(given: NDArray[np.int32], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, K] estimated share of the items by given and true class: the calibrated confident joint, summing to one.

    Args:
        given: [N] labels.
        p: [N, K] probabilities.
    """
    n_classes = p.shape[1]
    counts = np.bincount(given, minlength=n_classes).astype(float)
    totals = np.zeros(n_classes)
    np.add.at(totals, given, p[np.arange(len(given)), given])
    thresholds = np.where(counts > 0, totals / np.maximum(counts, 1), np.inf)
    confident = np.where(p >= thresholds - 1e-9, p, -1.0)
    counted = confident.max(1) >= 0
    joint = np.zeros((n_classes, n_classes))
    np.add.at(joint, (given[counted], confident.argmax(1)[counted]), 1)
    rows = joint.sum(1, keepdims=True)
    own = np.diag(np.ones(n_classes))
    joint = np.where(rows > 0, joint / np.maximum(rows, 1), own) * counts[:, None]
    return np.asarray(joint / joint.sum())


def _distributions(probabilities: Any) -> NDArray[np.float64]:
    p = read_numbers(probabilities, "probabilities")
    if p.ndim != 2 or p.shape[1] < 2:
        raise InvalidArgumentError(f"probabilities must be [N, K], got shape {p.shape}", field="probabilities")
    if not (np.isfinite(p).all() and (p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-3)):
        raise InvalidArgumentError("probabilities must lie in [0, 1], and rows sum to one", field="probabilities")
    return p


def _names(probabilities: Any) -> tuple[str, ...] | None:
    names = column_names(probabilities)
    return None if names is None else tuple(names)
