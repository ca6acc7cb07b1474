"""PyTorch and Trainer of transformers: data sets with soft labels, and the losses that train on them.

A loop of one's own::

    loader = DataLoader(SoftLabelDataset(features, soft_labels), batch_size=64, shuffle=True)
    for x, label, weight in loader:
        loss = soft_cross_entropy(model(x), label, weight)

and with transformers::

    train = trainer_dataset(tokenizer(texts, truncation=True), soft_labels)
    Trainer(model=model, train_dataset=train, compute_loss_func=SoftLabelLoss(), data_collator=collate, ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from weaklabel import training
from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError
from weaklabel.training import Weighting

__all__ = ["SoftLabelDataset", "SoftLabelLoss", "TrainerDataset", "soft_cross_entropy", "trainer_dataset"]


class SoftLabelDataset(training.SoftLabelDataset):
    """`weaklabel.training.SoftLabelDataset` in tensors: (features, soft label [K], weight).

    Args and errors are those of `weaklabel.training.SoftLabelDataset`; and MissingExtraError if torch is not installed.
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
        super().__init__(features, soft_labels, voted=voted, weighting=weighting, transform=transform)
        torch = _torch()
        self._labels = torch.from_numpy(self.soft_labels)
        self._weights = torch.from_numpy(self.sample_weight)
        self._as_tensor = torch.as_tensor

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        example = super().__getitem__(index)[0]
        if isinstance(example, (np.ndarray, np.generic, int, float)):
            example = self._as_tensor(example)
        return example, self._labels[index], self._weights[index]


def soft_cross_entropy(logits: Any, labels: Any, weight: Any = None) -> Any:
    """Cross-entropy with soft labels, averaged over the examples: the noise-aware loss of arXiv:1605.07723.

    Args:
        logits: [B, K] tensor.
        labels: [B, K] probabilities.
        weight: [B], or None for 1: the mean is weighted.

    Raises:
        InvalidArgumentError: if shapes differ.
    """
    if logits.shape != labels.shape:
        raise InvalidArgumentError(
            f"logits have shape {tuple(logits.shape)}, labels {tuple(labels.shape)}: both must be [B, K]",
            field="labels",
        )
    losses = -(labels.to(logits.dtype) * logits.log_softmax(-1)).sum(-1)
    if weight is None:
        return losses.mean()
    weight = weight.to(logits.dtype)
    return (weight * losses).sum() / weight.sum().clamp_min(1e-9)


class SoftLabelLoss:
    """The loss for `transformers.Trainer(compute_loss_func=...)` on a data set of `trainer_dataset`.

    Labels of its batches are [B, K + 1]: K probabilities, and the weight of the example.
    """

    def __call__(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        """The mean loss of a batch; its share of a step where gradients of several batches are accumulated.

        Args:
            outputs: what the model returned: its logits, or an object or mapping that has them.
            labels: [B, K + 1].
            num_items_in_batch: number of label cells in all batches of the step, as Trainer counts them.
        """
        logits = outputs["logits"] if isinstance(outputs, Mapping) else getattr(outputs, "logits", outputs)
        loss = soft_cross_entropy(logits, labels[:, :-1], labels[:, -1])
        if num_items_in_batch is None:
            return loss
        return loss * (labels.numel() / num_items_in_batch)


class TrainerDataset:
    """A map-style data set of dicts for Trainer: the columns of an encoding, and "labels", a list of K + 1 numbers."""

    def __init__(
        self, encodings: Mapping[str, Sequence[Any]], labels: Sequence[list[float]], items: Sequence[int]
    ) -> None:
        self._encodings, self._labels, self._items = encodings, labels, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        at = int(self._items[index])
        return {name: column[at] for name, column in self._encodings.items()} | {"labels": self._labels[index]}


def trainer_dataset(
    encodings: Mapping[str, Sequence[Any]],
    soft_labels: ArrayLike,
    *,
    voted: ArrayLike | None = None,
    weighting: Weighting = "none",
) -> TrainerDataset:
    """Encoded texts with soft labels, for `transformers.Trainer`.

    Args:
        encodings: columns [N] by name, as a tokenizer returns them.
        soft_labels: [N, K] probabilities.
        voted: [N] True for items to keep; all if None.
        weighting: of items, see `weaklabel.training.confidence`.

    Raises:
        InvalidArgumentError: if lengths differ, soft labels are not probabilities, or a column is called "labels".
    """
    if "labels" in encodings:
        raise InvalidArgumentError("the encodings hold labels already: leave them out", field="encodings")
    lengths = {len(column) for column in encodings.values()}
    if len(lengths) != 1:
        raise InvalidArgumentError(
            f"encodings must be columns of one length, got {sorted(lengths) or 'none'}", field="encodings"
        )
    kept = training.SoftLabelDataset(range(lengths.pop()), soft_labels, voted=voted, weighting=weighting)
    labels = np.concatenate([kept.soft_labels, kept.sample_weight[:, None]], 1)
    return TrainerDataset(encodings, labels.tolist(), kept.items.tolist())


def _torch() -> Any:
    return require("torch", extra="torch", needed_for="PyTorch data sets")
