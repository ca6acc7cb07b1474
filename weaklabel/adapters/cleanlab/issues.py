"""Labels beside the probabilities of a classifier, in cleanlab's manner."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel import label_errors
from weaklabel.adapters._arguments import check_arguments
from weaklabel.errors import InvalidArgumentError

_UNUSED_IN_FILTER = {
    "rank_by_kwargs": "",
    "filter_by": "weaklabel.label_errors.find_label_issues says which method it uses",
    "frac_noise": "",
    "num_to_remove_per_class": "",
    "min_examples_per_class": "",
    "confident_joint": "",
    "n_jobs": "",
    "low_memory": "",
}


def find_label_issues(
    labels: ArrayLike, pred_probs: ArrayLike, *, return_indices_ranked_by: str | None = None, **kwargs: Any
) -> NDArray[Any]:
    """Labels that are likelier wrong than right: `weaklabel.label_errors.find_label_issues` as a mask, or ranked.

    Args:
        labels: [N] class indices.
        pred_probs: [N, K] of a classifier that was not trained on the item.
        return_indices_ranked_by: None for a mask [N]; "self_confidence" for positions, the worst first.
        **kwargs: arguments of cleanlab that have no meaning here, and warn.

    Raises:
        InvalidArgumentError: for labels and probabilities that do not fit, and another ranking.
    """
    kwargs = {name: value for name, value in kwargs.items() if name != "verbose"}
    if kwargs.pop("multi_label", False):
        raise InvalidArgumentError(
            "tags are judged by weaklabel.label_errors.classifier.find_multilabel_issues", field="multi_label"
        )
    check_arguments("find_label_issues", kwargs, _UNUSED_IN_FILTER)
    if return_indices_ranked_by not in (None, "self_confidence"):
        raise InvalidArgumentError(
            f"return_indices_ranked_by must be None or 'self_confidence', got {return_indices_ranked_by!r}",
            field="return_indices_ranked_by",
        )
    suspects = label_errors.find_label_issues(labels, pred_probs).suspects
    if return_indices_ranked_by is not None:
        return suspects
    mask = np.zeros(len(np.asarray(labels)), bool)
    mask[suspects] = True
    return mask


def get_label_quality_scores(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    method: Literal["self_confidence", "normalized_margin"] = "self_confidence",
) -> NDArray[np.float64]:
    """[N] in [0, 1], low for a label that is likely wrong.

    Args:
        labels: [N] class indices.
        pred_probs: [N, K] of a classifier that was not trained on the item.
        method: "self_confidence" for the probability of the label; "normalized_margin" for half of one more than its
            probability less that of the likeliest other class.

    Raises:
        InvalidArgumentError: for labels and probabilities that do not fit, and another method.
    """
    issues = label_errors.find_label_issues(labels, pred_probs)  # checks both
    p, rows, given = np.asarray(pred_probs, np.float64), np.arange(len(issues.given)), issues.given
    if (given < 0).any():
        raise InvalidArgumentError(f"label of item {int((given < 0).argmax())} is missing", field="labels")
    own = p[rows, given]
    if method == "self_confidence":
        return own
    if method != "normalized_margin":
        raise InvalidArgumentError(
            f"method must be 'self_confidence' or 'normalized_margin', got {method!r}", field="method"
        )
    return np.asarray((own - p[rows, issues.suggested] + 1) / 2)
