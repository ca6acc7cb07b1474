"""Known labels: which items, how often they are wrong, and how they were drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_column, read_numbers
from weaklabel.votes import Votes
from weaklabel.votes.gold import as_gold, read_labels, read_labels_and_sets

__all__ = ["GoldSampling", "KnownLabels", "as_gold", "read_gold", "read_labels"]

GoldSampling = Literal["auto", "random", "by_class"]
"""How items with gold were drawn: of all, or so many of each class."""
LEAST_PROBABILITY = 1e-6
"""Soft labels are clipped here before they are taken given a set."""
FEWEST_OF_CLASS = 2
"""Labels of each class from which on equal numbers are taken for a design."""


class KnownLabels(NamedTuple):
    """Gold of G items."""

    items: NDArray[np.int64]
    """[G] positions, ascending."""
    labels: NDArray[np.int64]
    """[G] -1 where only a set of classes is known."""
    error: NDArray[np.float64]
    """[G] probability that each is wrong."""
    weight: NDArray[np.float64]
    """[G] how many items each stands for, relative to the others."""
    by_class: bool
    """Whether so many of each class were drawn: then their shares say nothing of the class balance."""
    allowed: NDArray[np.bool_] | None = None
    """[G, K] the classes that each item may be of, all of them where the label is known; None where all labels are."""

    def certain(self, n_items: int) -> NDArray[np.int32]:
        """[N] labels that are never wrong, -1 elsewhere."""
        certain, sure = np.full(n_items, -1, np.int32), self.error == 0
        certain[self.items[sure]] = self.labels[sure]
        return certain

    def targets(self, n_classes: int, soft: NDArray[np.floating[Any]] | None = None) -> NDArray[np.float64]:
        """[G, K] distribution of each label: what it may be wrong by is spread over the other classes.

        Of an item that is one of several classes it is that of its soft label, given the set.

        Args:
            n_classes: K.
            soft: [G, K] soft labels of the items; even where not given.
        """
        right = np.arange(n_classes)[None] == self.labels[:, None]
        exact = np.where(right, 1 - self.error[:, None], self.error[:, None] / (n_classes - 1))
        if self.allowed is None:
            return exact
        shares = np.ones(self.allowed.shape) if soft is None else np.maximum(soft, LEAST_PROBABILITY)
        given = np.where(self.allowed, shares, 0.0)
        return np.where(self.labels[:, None] < 0, given / given.sum(1, keepdims=True), exact)

    def sets(self) -> NDArray[np.bool_] | None:
        """[G, K] the classes of items of which only a set is known, none of the others; None where all are known."""
        return None if self.allowed is None else self.allowed & (self.labels[:, None] < 0)

    def worth(self, n_classes: int) -> NDArray[np.float64]:
        """[G] what each says of the log K that a label says: less where it is a set of several classes."""
        if self.allowed is None:
            return np.ones(len(self.items))
        size = np.where(self.labels < 0, self.allowed.sum(1), 1)
        return np.asarray(1 - np.log(size) / np.log(n_classes))


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
    known, sets = read_labels_and_sets(gold, n_items, votes.n_classes, item_ids=ids, classes=classes)
    items = np.union1d(np.flatnonzero(known >= 0), np.fromiter(sets, np.int64, len(sets)))
    if not len(items):
        return None
    allowed = _check_sets(sets, known, items, error, votes.n_classes, gold_sampling)
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
    if gold_sampling == "auto" and gold_weight is None and not sets:
        of_classes = np.bincount(known[items], minlength=votes.n_classes)
        by_class = bool(np.ptp(of_classes) == 0 and of_classes[0] >= FEWEST_OF_CLASS)
    return KnownLabels(
        items=items,
        labels=known[items].astype(np.int64),
        error=np.broadcast_to(error, (n_items,))[items],
        weight=weight[items],
        by_class=by_class,
        allowed=allowed,
    )


def _check_sets(
    sets: Mapping[int, NDArray[np.bool_]],
    known: NDArray[np.int32],
    items: NDArray[np.int64],
    error: NDArray[np.float64],
    n_classes: int,
    sampling: GoldSampling,
) -> NDArray[np.bool_] | None:
    """[G, K] the classes that items may be of; None without sets. Refuses what has no meaning for a set."""
    if not sets:
        return None
    if sampling == "by_class":
        raise InvalidArgumentError(
            'gold_sampling="by_class" needs labels: the class of an item that is one of several is not known',
            field="gold_sampling",
        )
    wrong = np.broadcast_to(error, known.shape)
    for at in sets:
        if wrong[at]:
            raise InvalidArgumentError(
                f"gold of item {at} is one of several classes, of which gold_error says nothing: it must be 0 there",
                field="gold_error",
            )
    allowed = np.ones((len(items), n_classes), bool)
    for row, at in enumerate(items.tolist()):
        if at in sets:
            allowed[row] = sets[at]
    return allowed
