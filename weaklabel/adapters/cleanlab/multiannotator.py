"""Frames with a row an item and a column an annotator, in cleanlab's manner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.adapters._arguments import check_arguments
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model import LabelModel
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

_UNUSED = {
    "calibrate_probs": "soft labels are calibrated anyway",
    "label_quality_score_kwargs": "the quality of a label is its probability",
}


def get_label_quality_multiannotator(
    labels_multiannotator: Any,
    pred_probs: ArrayLike | None = None,
    *,
    consensus_method: Literal["best_quality", "majority_vote"] = "best_quality",
    quality_method: str = "crowdlab",
    return_detailed_quality: bool = True,
    return_annotator_stats: bool = True,
    return_weights: bool = False,
    verbose: bool = True,  # noqa: ARG001
    **kwargs: Any,
) -> dict[str, pd.DataFrame]:
    """Consensus, its quality, and the quality of annotators.

    Args:
        labels_multiannotator: [N, M] frame or array of class indices, NaN where an annotator said nothing.
        pred_probs: [N, K] of a classifier that was not trained on the item; None for the votes alone.
        consensus_method: "best_quality" takes the likeliest class, "majority_vote" the one with most votes.
        quality_method: "crowdlab" or "agreement": probabilities of the label model take the place of both.
        return_detailed_quality: whether to.
        return_annotator_stats: whether to.
        return_weights: nothing but False: the label model has a confusion matrix per annotator instead of a weight.
        verbose: nothing.
        **kwargs: arguments of cleanlab that have no meaning here, and warn.

    Returns:
        "label_quality": by item the consensus label, its probability (consensus_quality_score), the share of the
        annotations that agree, and their number. "detailed_label_quality": [N, M] probability of each annotator's
        label. "annotator_stats": by annotator the estimated accuracy (annotator_quality), the share of agreement with
        the consensus, the class on which it agrees least, and the number of labels, the worst annotator first.

    Raises:
        InvalidVotesError: for labels that are no class indices, and items without any label, with row and column.
        InvalidArgumentError: for probabilities that do not fit, and other arguments.
    """
    check_arguments("get_label_quality_multiannotator", kwargs, _UNUSED)
    if return_weights:
        raise InvalidArgumentError(
            "there are no weights: weaklabel.LabelModel has confusion_matrices and source_accuracy_interval",
            field="return_weights",
        )
    if consensus_method not in ("best_quality", "majority_vote") or quality_method not in ("crowdlab", "agreement"):
        raise InvalidArgumentError(
            "consensus_method must be 'best_quality' or 'majority_vote', quality_method 'crowdlab' or 'agreement'",
            field="consensus_method",
        )
    pd = pandas()
    matrix, items, annotators = _matrix(labels_multiannotator)
    belief = _belief(pred_probs, matrix)
    _refuse_silent(matrix, items)
    model, soft = _fit(matrix, belief)
    consensus = soft.argmax(1) if consensus_method == "best_quality" else _majority(matrix, belief, soft.shape[1])
    said, rows = matrix >= 0, np.arange(len(matrix))
    agrees = said & (matrix == consensus[:, None])
    quality = pd.DataFrame(
        {
            "consensus_label": consensus.astype(np.int64),
            "consensus_quality_score": soft[rows, consensus],
            "annotator_agreement": agrees.sum(1) / said.sum(1),
            "num_annotations": said.sum(1).astype(np.int64),
        },
        index=items,
    )
    found = {"label_quality": quality}
    if return_detailed_quality:
        detailed = np.where(said, np.take_along_axis(soft, np.maximum(matrix, 0), 1), np.nan)
        found["detailed_label_quality"] = pd.DataFrame(
            detailed, index=items, columns=[f"quality_annotator_{name}" for name in annotators]
        )
    if return_annotator_stats:
        found["annotator_stats"] = _annotators(matrix, consensus, model, annotators)
    return found


def _annotators(matrix: NDArray[np.int64], consensus: NDArray[np.intp], model: LabelModel, names: Any) -> pd.DataFrame:
    said = matrix >= 0
    agrees = said & (matrix == consensus[:, None])
    n_classes = model.n_classes
    worst = []
    for at in range(matrix.shape[1]):
        mine = matrix[said[:, at], at]
        total = np.bincount(mine, minlength=n_classes)
        right = np.bincount(mine, agrees[said[:, at], at], n_classes)
        share = np.divide(right, total, out=np.full(n_classes, np.inf), where=total > 0)
        worst.append(int(share.argmin()))
    count = said.sum(0)
    frame: pd.DataFrame = pandas().DataFrame(
        {
            "annotator_quality": model.source_accuracy,
            "agreement_with_consensus": np.divide(
                agrees.sum(0), count, out=np.full(len(count), np.nan), where=count > 0
            ),
            "worst_class": worst,
            "num_examples_labeled": count.astype(np.int64),
        },
        index=names,
    )
    return frame.sort_values(by=["annotator_quality", "agreement_with_consensus"])


def get_majority_vote_label(
    labels_multiannotator: Any,
    pred_probs: ArrayLike | None = None,
    verbose: bool = True,  # noqa: ARG001
) -> NDArray[np.int64]:
    """[N] the class with most labels; ties are broken as in cleanlab.

    Of tied classes the one with the largest of `pred_probs`, then the rarer one, then that of the annotators who agree
    more often with the items without ties; then the first, where cleanlab draws one.

    Args:
        labels_multiannotator: as in `get_label_quality_multiannotator`.
        pred_probs: likewise.
        verbose: nothing.

    Raises:
        InvalidVotesError, InvalidArgumentError: as in `get_label_quality_multiannotator`.
    """
    matrix, items, _ = _matrix(labels_multiannotator)
    belief = _belief(pred_probs, matrix)
    _refuse_silent(matrix, items)
    return _majority(matrix, belief, _n_classes(matrix, belief))


def _majority(matrix: NDArray[np.int64], belief: NDArray[np.float64] | None, n_classes: int) -> NDArray[np.int64]:
    counts = np.stack([(matrix == k).sum(1) for k in range(n_classes)], 1)
    best = counts == counts.max(1, keepdims=True)
    if belief is not None:
        best = _best_of(best, belief)
    best = _best_of(best, np.broadcast_to(-counts.sum(0), best.shape))
    sure = (counts == counts.max(1, keepdims=True)).sum(1) == 1
    agree = np.where(sure[:, None] & (matrix >= 0), matrix == counts.argmax(1)[:, None], np.nan)
    n_judged = np.isfinite(agree).sum(0)
    skill = np.divide(np.nansum(agree, 0), n_judged, out=np.full(matrix.shape[1], np.nan), where=n_judged > 0)
    skill = np.where(np.isnan(skill), np.nanmean(skill) if n_judged.any() else 0.0, skill)
    of_class = np.full(best.shape, -np.inf)
    for item in np.flatnonzero(best.sum(1) > 1).tolist():
        for k in np.flatnonzero(best[item]).tolist():
            of_class[item, k] = skill[matrix[item] == k].mean()
    return np.asarray(_best_of(best, of_class).argmax(1), np.int64)


def _best_of(chosen: NDArray[np.bool_], scores: NDArray[Any]) -> NDArray[np.bool_]:
    """The classes among the chosen ones with the highest score."""
    masked = np.where(chosen, scores, -np.inf)
    return np.asarray(chosen & (masked == masked.max(1, keepdims=True)))


def get_active_learning_scores(
    labels_multiannotator: Any, pred_probs: ArrayLike | None = None, pred_probs_unlabeled: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How sure each item is, [N] with labels and [U] without any: those with the lowest are worth a label next.

    Args:
        labels_multiannotator: as in `get_label_quality_multiannotator`.
        pred_probs: likewise.
        pred_probs_unlabeled: [U, K] of items that nobody has labeled; none where not given.

    Raises:
        InvalidVotesError, InvalidArgumentError: as in `get_label_quality_multiannotator`.
    """
    matrix, items, _ = _matrix(labels_multiannotator)
    belief = _belief(pred_probs, matrix)
    _refuse_silent(matrix, items)
    _, soft = _fit(matrix, belief)
    if pred_probs_unlabeled is None:
        return soft.max(1), np.empty(0)
    others = np.asarray(pred_probs_unlabeled, np.float64)
    if others.ndim != 2 or others.shape[1] != soft.shape[1]:
        raise InvalidArgumentError(
            f"pred_probs_unlabeled must be [U, {soft.shape[1]}], got shape {others.shape}", field="pred_probs_unlabeled"
        )
    return soft.max(1), others.max(1)


def convert_long_to_wide_dataset(labels_multiannotator_long: Any) -> pd.DataFrame:
    """A frame with a row an item and a column an annotator, of one with the columns task, annotator and label.

    Raises:
        InvalidVotesError: for columns that are not there, and an annotator who labels an item twice, with the row.
    """
    long = labels_multiannotator_long
    for name in ("task", "annotator", "label"):
        if not hasattr(long, "columns") or name not in long.columns:
            raise InvalidVotesError(f"a frame with the column {name!r} is expected", field="labels_multiannotator_long")
    twice = long.duplicated(["task", "annotator"]).to_numpy()
    if twice.any():
        at = int(twice.argmax())
        raise InvalidVotesError(
            f"row {at}: annotator {long['annotator'].tolist()[at]!r} labels task {long['task'].tolist()[at]!r} twice",
            field="labels_multiannotator_long",
        )
    wide: pd.DataFrame = long.pivot(index="task", columns="annotator", values="label")
    return wide.rename_axis(index=None, columns=None)


def _fit(matrix: NDArray[np.int64], belief: NDArray[np.float64] | None) -> tuple[LabelModel, NDArray[np.float64]]:
    n_classes = _n_classes(matrix, belief)
    votes = Votes.from_dense(matrix, n_classes)
    model = LabelModel(n_classes).fit(votes, prior=belief)
    return model, model.predict_proba(votes, prior=belief).astype(np.float64)


def _n_classes(matrix: NDArray[np.int64], belief: NDArray[np.float64] | None) -> int:
    return max(2, int(matrix.max(initial=1)) + 1) if belief is None else belief.shape[1]


def _matrix(labels: Any) -> tuple[NDArray[np.int64], Any, Any]:
    """Class indices [N, M], -1 where there is none; what names rows and columns."""
    pd = pandas()
    frame = labels if hasattr(labels, "iloc") else pd.DataFrame(np.asarray(labels))
    numbers = frame.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    given = frame.notna().to_numpy()
    wrong = given & ~((numbers >= 0) & (numbers % 1 == 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise InvalidVotesError(
            f"row {row} (item {frame.index.tolist()[row]!r}), column {frame.columns.tolist()[column]!r} is "
            f"{frame.iloc[row, column]!r}: class indices 0, 1, ... are expected, or NaN for no label",
            field="labels_multiannotator",
        )
    return np.where(given, numbers, ABSTAIN).astype(np.int64), frame.index, frame.columns


def _refuse_silent(matrix: NDArray[np.int64], items: Any) -> None:
    silent = (matrix < 0).all(1)
    if silent.any():
        row = int(silent.argmax())
        raise InvalidVotesError(
            f"row {row} (item {items.tolist()[row]!r}) has no label: leave it out, or give its probabilities to "
            "get_active_learning_scores as pred_probs_unlabeled",
            field="labels_multiannotator",
        )


def _belief(pred_probs: ArrayLike | None, matrix: NDArray[np.int64]) -> NDArray[np.float64] | None:
    if pred_probs is None:
        return None
    p = np.asarray(pred_probs, np.float64)
    if p.ndim != 2 or len(p) != len(matrix) or p.shape[1] <= matrix.max(initial=1):
        raise InvalidArgumentError(
            f"pred_probs must be [N, K] with N = {len(matrix)} and K of {int(matrix.max(initial=1)) + 1} or more, got "
            f"shape {p.shape}",
            field="pred_probs",
        )
    return p
