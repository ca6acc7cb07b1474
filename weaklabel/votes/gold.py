"""Known labels, read against the votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.matrix import Votes
from weaklabel.votes.validation import ABSTAIN


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
