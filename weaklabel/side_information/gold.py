"""Known labels, and how often they are wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes import ABSTAIN, Votes


def as_gold(gold: ArrayLike, votes: Votes) -> NDArray[np.int32]:
    """Known labels [N], -1 where unknown, checked against the votes.

    Raises:
        InvalidArgumentError: if they are of another length, or hold anything but classes and -1; it names the item.
    """
    labels = np.asarray(gold)
    if labels.shape != (votes.n_items,):
        raise InvalidArgumentError(
            f"gold must hold a class, or -1 (unknown), for each of the {votes.n_items} items, got shape {labels.shape}",
            field="gold",
        )
    if labels.dtype.kind not in "iu" and labels.size:
        raise InvalidArgumentError(f"gold must be class indices, got dtype {labels.dtype}", field="gold")
    wrong = (labels < ABSTAIN) | (labels >= votes.n_classes)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            f"gold of item {at} is {labels[at]}, outside 0..{votes.n_classes - 1}, and not -1 for unknown", field="gold"
        )
    return labels.astype(np.int32)


def read_gold_error(gold_error: ArrayLike, n_items: int) -> NDArray[np.float64]:
    """[N] probabilities that gold labels are wrong."""
    error = read_numbers(gold_error, "gold_error")
    if error.shape not in ((), (n_items,)):
        raise InvalidArgumentError(
            f"gold_error must be one probability, or one for each of the {n_items} items, got shape {error.shape}",
            field="gold_error",
        )
    if not ((error >= 0) & (error < 1)).all():
        raise InvalidArgumentError("gold_error must be at least 0 and below 1", field="gold_error")
    return np.broadcast_to(error, (n_items,))
