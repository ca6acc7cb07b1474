"""Soft labels as training data, for those who train elsewhere: scikit-learn, torch, and others that take arrays.

Typical use, with scikit-learn::

    X, y, weight = expand(features, soft_labels)
    LogisticRegression().fit(X, y, sample_weight=weight)

and with torch::

    loader = DataLoader(SoftLabelDataset(features, soft_labels), batch_size=64, shuffle=True)
    for x, label, weight in loader:
        loss = (weight * torch.nn.functional.cross_entropy(model(x), label, reduction="none")).mean()

No framework is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.validation import floats, has_index, labels_of, read_array

__all__ = ["Expanded", "SoftLabelDataset", "Weighting", "confidence", "expand", "hard_labels"]

Weighting = Literal["none", "margin", "entropy"]
"""See `confidence`."""
_NOTHING = 1e-6  # what rounding leaves of the weight of a uniform label


class Expanded(NamedTuple):
    """Weighted rows, for learners that take one class a row."""

    features: Any
    """[R, ...] rows of the features, of their type."""
    labels: NDArray[np.int32]
    """[R]"""
    sample_weight: NDArray[np.float32]
    """[R]"""
    items: NDArray[np.intp]
    """[R] the item that each row is of, for splits that keep an item's rows together."""


def confidence(soft_labels: ArrayLike, weighting: Weighting = "entropy") -> NDArray[np.float32]:
    """[N] weights in [0, 1] from how sure soft labels are: 1 for a certain one, 0 for a uniform one.

    Args:
        soft_labels: [N, K] probabilities.
        weighting: "entropy" for 1 - entropy / log K, "margin" for the likeliest less the second, "none" for 1.

    Raises:
        InvalidArgumentError: if soft labels are not probabilities, or the weighting is not known.
    """
    labels = _probabilities(soft_labels)
    n_classes = labels.shape[1]
    if weighting == "none" or n_classes == 1:
        return np.ones(len(labels), np.float32)
    if weighting == "margin":
        ordered = np.sort(labels, axis=1)
        return np.asarray(ordered[:, -1] - ordered[:, -2], np.float32)
    if weighting == "entropy":
        information = (labels * np.log(np.where(labels > 0, labels, 1))).sum(1)
        return np.asarray(np.clip(1 + information / np.log(n_classes), 0, 1), np.float32)
    raise InvalidArgumentError(f"weighting must be 'none', 'margin' or 'entropy', got {weighting!r}", field="weighting")


def expand(
    features: Any,
    soft_labels: ArrayLike,
    *,
    voted: ArrayLike | None = None,
    weighting: Weighting = "none",
    least_weight: float = 0.01,
) -> Expanded:
    """Each item as one row per class, weighted by the probability.

    Cross-entropy over these rows is that with the soft labels.

    Args:
        features: [N, ...] anything that an array of indices selects rows of: numpy, scipy.sparse, or by `.iloc` a
            DataFrame.
        soft_labels: [N, K] probabilities.
        voted: [N] True for items to keep, such as those with votes; all if None.
        weighting: of items, see `confidence`.
        least_weight: rows below this weight are left out.

    Raises:
        InvalidArgumentError: if lengths differ, or soft labels are not probabilities.
    """
    labels = _probabilities(soft_labels)
    kept = _kept(features, labels, voted, soft_labels)
    weight = labels[kept] * confidence(labels[kept], weighting)[:, None]
    rows, classes = np.nonzero((weight >= least_weight) & (weight > 0))
    items = kept[rows]
    return Expanded(_take(features)(items), classes.astype(np.int32), weight[rows, classes].astype(np.float32), items)


def hard_labels(
    features: Any, soft_labels: ArrayLike, *, voted: ArrayLike | None = None, weighting: Weighting = "entropy"
) -> Expanded:
    """Each item as one row of its likeliest class, weighted by how sure that is; the first of tied classes.

    Args and errors as in `expand`. Rows of weight 0 are left out.
    """
    labels = _probabilities(soft_labels)
    kept = _kept(features, labels, voted, soft_labels)
    weight = confidence(labels[kept], weighting)
    sure = weight > _NOTHING
    items = kept[sure]
    return Expanded(_take(features)(items), labels[items].argmax(1).astype(np.int32), weight[sure], items)


class SoftLabelDataset:
    """A map-style dataset of (features, soft label [K], weight) for `torch.utils.data.DataLoader`, in numpy.

    The default collate function of torch makes tensors of the batches.
    """

    def __init__(
        self,
        features: Any,
        soft_labels: ArrayLike,
        *,
        voted: ArrayLike | None = None,
        weighting: Weighting = "none",
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        """Keeps a reference to the features.

        Args:
            features: [N, ...] indexed by item: an array, a list of texts, or by `.iloc` a DataFrame.
            soft_labels: [N, K] probabilities.
            voted: [N] True for items to keep; all if None.
            weighting: see `confidence`.
            transform: applied to an item's features when it is asked for, such as a tokenizer.

        Raises:
            InvalidArgumentError: if lengths differ, or soft labels are not probabilities.
        """
        labels = _probabilities(soft_labels)
        self.items = _kept(features, labels, voted, soft_labels)
        self.soft_labels = labels[self.items].astype(np.float32)
        self.sample_weight = confidence(labels[self.items], weighting)
        self._features = features.iloc if hasattr(features, "iloc") else features
        self._transform = transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, NDArray[np.float32], np.float32]:
        example = self._features[int(self.items[index])]
        if self._transform is not None:
            example = self._transform(example)
        return example, self.soft_labels[index], self.sample_weight[index]


def _probabilities(soft_labels: ArrayLike) -> NDArray[np.float64]:
    try:
        labels = np.asarray(floats(read_array(soft_labels, "labels"), "labels"), np.float64)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"soft labels must be [items, classes]: {error}", field="labels") from None
    if labels.ndim != 2:
        raise InvalidArgumentError(f"soft labels must be [items, classes], got shape {labels.shape}", field="labels")
    wrong = ~(np.isfinite(labels).all(1) & (labels >= 0).all(1) & (np.abs(labels.sum(1) - 1) < 1e-3))
    if wrong.any():
        at = int(wrong.argmax())
        raise InvalidArgumentError(f"soft labels: row {at} is {labels[at]}, not probabilities", field="labels")
    return labels


def _kept(
    features: Any, labels: NDArray[np.float64], voted: ArrayLike | None, soft_labels: ArrayLike
) -> NDArray[np.intp]:
    """Indices of the items to keep."""
    _check_same_rows(features, soft_labels, "soft_labels")
    _check_same_rows(features, voted, "voted")
    n_items = features.shape[0] if hasattr(features, "shape") else len(features)
    if n_items != len(labels):
        raise InvalidArgumentError(f"features have {n_items} rows, soft labels {len(labels)}", field="features")
    if voted is None:
        return np.arange(n_items)
    read = read_array(voted, "voted")
    mask = read.filled(False)  # what is missing is not kept
    if mask.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in mask.flat):
        mask = mask.astype(bool)
    if mask.shape != (n_items,) or mask.dtype != np.bool_:
        raise InvalidArgumentError(
            f"voted must be {n_items} times True or False, got shape {mask.shape}, dtype {mask.dtype}", field="voted"
        )
    return np.flatnonzero(mask)


def _check_same_rows(features: Any, values: Any, what: str) -> None:
    """Refuses tables of pandas whose rows stand in another order, or are of other items."""
    if not (has_index(features) and has_index(values)) or len(features) != len(values):
        return
    if labels_of(features.index) != labels_of(values.index):
        raise InvalidArgumentError(
            f"{what} has another index than features: write {what}.loc[features.index] where the index names the "
            f"items, or {what}.to_numpy() where rows go together as they stand",
            field=what,
        )


def _take(features: Any) -> Callable[[NDArray[np.intp]], Any]:
    """How rows of the features are selected."""
    if hasattr(features, "iloc"):
        return lambda items: features.iloc[items]
    if isinstance(features, (list, tuple)):
        return lambda items: [features[item] for item in items]
    return lambda items: features[items]
