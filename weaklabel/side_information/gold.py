"""Known labels: which items, how often they are wrong, and how they were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_column, read_numbers
from weaklabel.votes import Votes
from weaklabel.votes.gold import as_gold, read_labels

__all__ = ["GoldSampling", "KnownLabels", "as_gold", "read_gold", "read_labels"]

GoldSampling = Literal["auto", "random", "by_class"]
"""How items with gold were drawn: of all, or so many of each class."""
FEWEST_OF_CLASS = 2
"""Labels of each class from which on equal numbers are taken for a design."""


class KnownLabels(NamedTuple):
    """Gold of G items."""

    items: NDArray[np.int64]
    """[G] positions, ascending."""
    labels: NDArray[np.int64]
    """[G]"""
    error: NDArray[np.float64]
    """[G] probability that each is wrong."""
    weight: NDArray[np.float64]
    """[G] how many items each stands for, relative to the others."""
    by_class: bool
    """Whether so many of each class were drawn: then their shares say nothing of the class balance."""

    def certain(self, n_items: int) -> NDArray[np.int32]:
        """[N] labels that are never wrong, -1 elsewhere."""
        certain, sure = np.full(n_items, -1, np.int32), self.error == 0
        certain[self.items[sure]] = self.labels[sure]
        return certain

    def targets(self, n_classes: int) -> NDArray[np.float64]:
        """[G, K] distribution of each label: what it may be wrong by is spread over the other classes."""
        right = np.arange(n_classes)[None] == self.labels[:, None]
        return np.where(right, 1 - self.error[:, None], self.error[:, None] / (n_classes - 1))


def read_gold(
    gold: ArrayLike | None,
    votes: Votes,
    *,
    gold_error: ArrayLike = 0.0,
    gold_weight: ArrayLike | None = None,
    gold_sampling: GoldSampling = "auto",
    classes: Sequence[str] | None = None,
) -> KnownLabels | None:
    """Known labels, checked against the votes; None where there is none. See `LabelModel.fit`; `classes` are K names.

    Raises:
        InvalidArgumentError: naming the argument, and the first item that is wrong.
    """
    if gold_sampling not in get_args(GoldSampling):
        raise InvalidArgumentError(
            f"gold_sampling must be one of {', '.join(get_args(GoldSampling))}, got {gold_sampling!r}",
            field="gold_sampling",
        )
    n_items, ids = votes.n_items, votes.item_ids
    error = read_numbers(gold_error, "gold_error", n_items, ids)
    if error.shape not in ((), (n_items,)):
        raise InvalidArgumentError(
            f"gold_error must be one probability, or one for each of the {n_items} items, got shape {error.shape}",
            field="gold_error",
        )
    if not ((error >= 0) & (error < 1)).all():
        raise InvalidArgumentError("gold_error must be at least 0 and below 1", field="gold_error")
    if gold is None:
        if error.any():
            raise InvalidArgumentError("gold_error says how often gold is wrong: gold is needed", field="gold_error")
        if gold_weight is not None:
            raise InvalidArgumentError("gold_weight weighs gold: gold is needed", field="gold_weight")
        return None
    known = as_gold(gold, votes, classes)
    items = np.flatnonzero(known >= 0)
    if not len(items):
        return None
    weight = np.ones(n_items)
    if gold_weight is not None:
        weight = read_column(gold_weight, "gold_weight", n_items, ids, all_items=False)
        usable = (weight[items] > 0) & np.isfinite(weight[items])
        if not usable.all():
            at = int(items[np.argmin(usable)])
            raise InvalidArgumentError(
                f"gold_weight of item {at}, which has gold, is {weight[at]:g}: it must be a number above 0",
                field="gold_weight",
            )
    by_class = gold_sampling == "by_class"
    if gold_sampling == "auto" and gold_weight is None:
        of_classes = np.bincount(known[items], minlength=votes.n_classes)
        by_class = bool(np.ptp(of_classes) == 0 and of_classes[0] >= FEWEST_OF_CLASS)
    return KnownLabels(
        items=items,
        labels=known[items].astype(np.int64),
        error=np.broadcast_to(error, (n_items,))[items],
        weight=weight[items],
        by_class=by_class,
    )
