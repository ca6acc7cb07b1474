"""Scores, buckets and conversions by the names of Snorkel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis.scores import Predictions, score
from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.frames import pandas

_TIE = 1e-5
"""Probabilities closer than this are tied, as in Snorkel."""
METRICS = ("accuracy", "coverage", "precision", "recall", "f1", "f1_micro", "f1_macro", "matthews_corrcoef", "roc_auc")


def probs_to_preds(probs: ArrayLike, tie_break_policy: str = "random", tol: float = _TIE) -> NDArray[np.int64]:
    """[N] hard labels of soft labels [N, K].

    Args:
        probs: [N, K].
        tie_break_policy: of tied classes: "random" takes one by the position of the item, the same at each call;
            "true-random" any one; "abstain" answers -1.
        tol: classes whose probability is closer than this to the largest are tied with it.

    Raises:
        InvalidArgumentError: for another policy, and for fewer than two classes.
    """
    p = np.asarray(probs, np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise InvalidArgumentError(f"probs must be [N, K] with K of 2 or more, got shape {p.shape}", field="probs")
    if tie_break_policy not in ("random", "true-random", "abstain"):
        raise InvalidArgumentError(
            f"tie_break_policy must be 'random', 'true-random' or 'abstain', got {tie_break_policy!r}",
            field="tie_break_policy",
        )
    best = p.max(1, keepdims=True) - p < tol
    labels: NDArray[np.int64] = best.argmax(1).astype(np.int64)
    tied = np.flatnonzero(best.sum(1) > 1)
    if tie_break_policy == "abstain":
        labels[tied] = -1
    else:
        anew = np.random.default_rng()
        for item in tied.tolist():
            classes = np.flatnonzero(best[item])
            draw = _hash(item) if tie_break_policy == "random" else int(anew.integers(len(classes)))
            labels[item] = classes[draw % len(classes)]
    return labels


def _hash(item: int) -> int:
    """Snorkel's own, so that ties are broken as there."""
    return int(hashlib.sha1(str(item).encode(), usedforsecurity=False).hexdigest(), 16)


def preds_to_probs(preds: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """[N, K] one-hot rows of hard labels.

    Raises:
        InvalidArgumentError: for an abstain, which has no row.
    """
    labels = label_array(preds, "preds")
    if (labels < 0).any():
        raise InvalidArgumentError(f"preds: item {int((labels < 0).argmax())} abstains", field="preds")
    return np.eye(num_classes)[labels]


def filter_unlabeled_dataframe(X: Any, y: ArrayLike, L: ArrayLike) -> tuple[Any, NDArray[Any]]:
    """The rows of a DataFrame, and of its soft labels [N, K], that have a vote in L [N, M]."""
    voted = (np.asarray(L) != -1).any(axis=1)
    return X.iloc[voted], np.asarray(y)[voted]


def get_label_buckets(*y: ArrayLike) -> dict[tuple[int, ...], NDArray[np.int64]]:
    """Positions of the items by their labels in several arrays [N], as {(truth, prediction): positions}.

    Raises:
        InvalidArgumentError: if lengths differ.
    """
    columns = [label_array(one, "y") for one in y]
    if len({len(one) for one in columns}) != 1:
        raise InvalidArgumentError("arrays must have the same length", field="y")
    rows, which = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)
    return {tuple(row): np.flatnonzero(which.reshape(-1) == at) for at, row in enumerate(rows.tolist())}


def get_label_instances(bucket: tuple[int, ...], x: NDArray[Any], *y: ArrayLike) -> NDArray[Any]:
    """The items [N] whose labels are those of a bucket; none where there is no such bucket.

    Raises:
        InvalidArgumentError: if lengths differ.
    """
    if len(y) != len(bucket) or any(len(np.asarray(one)) != len(x) for one in y):
        raise InvalidArgumentError("give as many arrays as the bucket has labels, each as long as x", field="y")
    chosen: NDArray[Any] = x[get_label_buckets(*y).get(bucket, np.empty(0, np.intp))]
    return chosen


def metric_score(
    golds: ArrayLike | None = None,
    preds: ArrayLike | None = None,
    probs: ArrayLike | None = None,
    metric: str = "accuracy",
    filter_dict: Mapping[str, Sequence[int]] | None = None,
) -> float:
    """One score.

    Args:
        golds: [N] true classes.
        preds: [N] hard labels.
        probs: [N, K] soft labels.
        metric: one of "accuracy", "coverage", "precision", "recall", "f1", "f1_micro", "f1_macro", "matthews_corrcoef"
            and "roc_auc"; "precision", "recall" and "f1" are of class 1.
        filter_dict: labels to leave out, as {"golds": [-1], "preds": [-1]}.

    Raises:
        InvalidArgumentError: for another metric, and where what it needs is not given or not of one length.
    """
    needs = {"coverage": ("preds",), "roc_auc": ("golds", "probs")}.get(metric, ("golds", "preds"))
    if metric not in METRICS:
        raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}", field="metric")
    given: dict[str, NDArray[Any]] = {}
    for name, values in (("golds", golds), ("preds", preds), ("probs", probs)):
        if values is not None:
            given[name] = np.asarray(values, np.float64) if name == "probs" else label_array(values, name)
        elif name in needs:
            raise InvalidArgumentError(f"{metric} needs {name}", field=name)
    if len({len(values) for values in given.values()}) != 1:
        raise InvalidArgumentError(
            "lengths differ: " + ", ".join(f"{name} {len(values)}" for name, values in given.items()), field="golds"
        )
    kept = np.ones(len(next(iter(given.values()))), bool)
    for name, values in (filter_dict or {}).items():
        if name in given:
            kept &= ~np.isin(given[name], list(values))
    return _score(metric, {name: values[kept] for name, values in given.items()})


def _score(metric: str, given: Mapping[str, NDArray[Any]]) -> float:
    preds, golds = given.get("preds"), given.get("golds")
    if metric == "coverage" and preds is not None:
        return float((preds != -1).mean())
    assert golds is not None
    probs = given.get("probs")
    labels = probs.argmax(1) if preds is None and probs is not None else preds
    assert labels is not None
    n_classes = max(2, int(golds.max(initial=1)) + 1, int(labels.max(initial=1)) + 1)
    if not len(golds):
        return float("nan")
    if metric in ("precision", "recall", "f1", "roc_auc") and (
        n_classes > 2 or (metric == "roc_auc" and probs is None)
    ):
        raise InvalidArgumentError(f"{metric} is of two classes: of {n_classes} ask for f1_macro", field="metric")
    if metric == "matthews_corrcoef":
        return _matthews(golds, labels, n_classes)
    soft = np.zeros((len(golds), n_classes)) if probs is None else probs
    predictions = Predictions(soft, labels.astype(np.int32), golds.astype(np.int32), 1 if n_classes == 2 else None)
    name = {"f1_micro": "accuracy"}.get(metric, metric)  # the same thing where each item has one class
    return score(predictions, [name])[name]


def _matthews(golds: NDArray[Any], labels: NDArray[Any], n_classes: int) -> float:
    """Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006; 0 where one side is constant."""
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (golds, labels), 1)
    there, said, n = counts.sum(1), counts.sum(0), counts.sum()
    spread = np.sqrt((n**2 - (there**2).sum()) * (n**2 - (said**2).sum()))
    return float((np.trace(counts) * n - there @ said) / spread) if spread else 0.0


class Scorer:
    """Several scores at once, of all items and of slices.

    Args:
        metrics: names, as in `metric_score`.
        custom_metric_funcs: functions (golds, preds, probs) -> score, or a dict of scores, by name.
        abstain_label: items whose gold or prediction is this are left out of all but "coverage"; None keeps all.

    Raises:
        InvalidArgumentError: for a metric that is not known.
    """

    def __init__(
        self,
        metrics: Sequence[str] | None = None,
        custom_metric_funcs: Mapping[str, Callable[..., Any]] | None = None,
        abstain_label: int | None = -1,
    ) -> None:
        for name in metrics or ():
            if name not in METRICS:
                raise InvalidArgumentError(f"metrics must be of {', '.join(METRICS)}; got {name!r}", field="metrics")
        self.metrics = tuple(metrics or ())
        self.custom_metric_funcs = dict(custom_metric_funcs or {})
        self.abstain_label = abstain_label

    def score(
        self, golds: ArrayLike, preds: ArrayLike | None = None, probs: ArrayLike | None = None
    ) -> dict[str, float]:
        """Scores by name; see `metric_score`.

        Raises:
            InvalidArgumentError: for no items, and as `metric_score`.
        """
        if not len(np.asarray(golds)):
            raise InvalidArgumentError("golds holds no label", field="golds")
        silent = self.abstain_label
        found: dict[str, float] = {}
        for name in self.metrics:
            left_out = {} if silent is None or name == "coverage" else {"golds": [silent], "preds": [silent]}
            found[name] = metric_score(golds, preds, probs, name, left_out)
        for name, function in self.custom_metric_funcs.items():
            value = function(golds, preds, probs)
            found |= value if isinstance(value, dict) else {name: value}
        return found

    def score_slices(
        self, S: Any, golds: ArrayLike, preds: ArrayLike, probs: ArrayLike, as_dataframe: bool = False
    ) -> Any:
        """Scores of all items, as "overall", and of each slice.

        Args:
            S: record array [N] of `PandasSFApplier`.
            golds: [N].
            preds: [N].
            probs: [N, K].
            as_dataframe: a line a slice, in place of a dict of dicts.

        Raises:
            InvalidArgumentError: if lengths differ, and as `score`.
        """
        arrays = [np.asarray(one) for one in (golds, preds, probs)]
        if {len(one) for one in arrays} != {len(S)}:
            raise InvalidArgumentError("S, golds, preds and probs must have the same length", field="S")
        found = {"overall": self.score(*arrays)}
        for name in S.dtype.names:
            member = np.asarray(S[name]).astype(bool)
            found[name] = self.score(*(one[member] for one in arrays))
        return pandas().DataFrame.from_dict(found).transpose() if as_dataframe else found


def label_array(values: ArrayLike, field: str) -> NDArray[np.int64]:
    """[N] whole numbers."""
    array = np.asarray(values)
    array = array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array
    if array.ndim != 1 or array.dtype.kind not in "iufb" or (array.dtype.kind == "f" and (array % 1 != 0).any()):
        raise InvalidArgumentError(
            f"{field} must be one whole number an item, got shape {array.shape}, dtype {array.dtype}", field=field
        )
    return array.astype(np.int64)
