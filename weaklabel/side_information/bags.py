"""Bags: declarations about groups of items, checked against the votes.

"Of these 50 items 12 are spam", "about 30 % of each precinct", "at least one patch of this image shows a tumour",
"these two are the same, whatever it is". A fit takes any number of such declarations; an item may be in one bag only.

Posteriors given a bag are exact, except where the items of a bag could make up more than 4096 counts of the classes:
then the counts hold in expectation (see weaklabel.model.labels.expected_counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import match_ids
from weaklabel_protocol.bags import (
    Bags,
    at_least_one,
    class_counts,
    different_label,
    none_of,
    proportions,
    same_label,
)

__all__ = [
    "Bags",
    "CheckedBags",
    "CountBags",
    "at_least_one",
    "check_bags",
    "class_counts",
    "different_label",
    "none_of",
    "proportions",
    "same_label",
]

REACH = 6.0
"""Standard deviations by which a count may miss a stated proportion."""
ROUNDING_VARIANCE = 1 / 12
"""Variance of the error of rounding to a whole number."""


def _error(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, field="bags")


class CountBags(NamedTuple):
    """Bags whose counts are constrained, each class by itself."""

    item: NDArray[np.int64]
    """[T] positions, bag after bag."""
    bag: NDArray[np.int64]
    """[T] 0..B-1, ascending."""
    low: NDArray[np.int64]
    """[B, K] least count."""
    high: NDArray[np.int64]
    """[B, K] largest count: the size of the bag where there is no bound."""
    centre: NDArray[np.float64]
    """[B, K] mean of a normal factor on the count, NaN where there is none."""
    spread: NDArray[np.float64]
    """[B, K] its standard deviation."""

    @property
    def size(self) -> NDArray[np.int64]:
        """[B] number of items."""
        return np.bincount(self.bag, minlength=len(self.low))


class CheckedBags(NamedTuple):
    """Declarations that were checked against the votes, by what they need of the model."""

    counts: CountBags
    same_item: NDArray[np.int64]
    """[T] items of groups with one label each."""
    same_group: NDArray[np.int64]
    """[T] 0..G-1, ascending."""
    different: NDArray[np.int64]
    """[P, 2] pairs of items whose labels differ."""

    @property
    def items(self) -> NDArray[np.int64]:
        """All items in bags."""
        return np.concatenate([self.counts.item, self.same_item, self.different.ravel()])


def check_bags(
    bags: Bags | Sequence[Bags],
    n_items: int,
    n_classes: int,
    *,
    item_ids: NDArray[np.str_] | None = None,
    gold: NDArray[np.int32] | None = None,
) -> CheckedBags:
    """Declarations of bags, checked against the votes and against the labels that are known.

    Args:
        bags: one declaration or several.
        n_items: N.
        n_classes: K.
        item_ids: [N] for bags that name items by id.
        gold: [N] known labels, -1 where unknown.

    Raises:
        InvalidArgumentError: for items that do not exist or are in two bags, declarations for another number of items
            or classes, and gold that no labeling of the bag agrees with.
    """
    declared = [bags] if isinstance(bags, Bags) else list(bags)
    for part in declared:
        if not isinstance(part, Bags):
            raise _error(f"bags must be made by class_counts, proportions, at_least_one, ..., got {part!r}")
        if part.n_items not in (None, n_items):
            raise _error(f"{part.kind}: bag_of is given for {part.n_items} items, but the votes have {n_items}")
    members = [_positions(part, n_items, item_ids) for part in map(partial(_in_order, item_ids=item_ids), declared)]
    _check_disjoint(declared, members, n_items)
    known = np.full(n_items, -1, np.int32) if gold is None else gold

    counted, same, different, first_bag, first_group = [], [], [np.empty((0, 2), np.int64)], 0, 0
    for part, item in zip(declared, members, strict=True):
        numbers, bag = np.unique(part.bag, return_inverse=True)
        if part.kind == "same_label":
            _check_same(part, item, bag, known)
            same.append((item, bag + first_group))
            first_group += len(numbers)
        elif part.kind == "different_label":
            pairs = item.reshape(-1, 2)
            alike = (known[pairs[:, 0]] >= 0) & (known[pairs[:, 0]] == known[pairs[:, 1]])
            if alike.any():
                raise _contradiction(part, int(numbers[np.argmax(alike)]))
            different.append(pairs)
        else:
            bounds = _bounds(part, numbers, np.bincount(bag), n_classes)
            of_part = CountBags._make((item, bag, *bounds))
            _check_counts(part, numbers, of_part, known)
            counted.append(of_part._replace(bag=bag + first_bag))
            first_bag += len(numbers)
    none = np.empty(0, np.int64)
    whole, real = np.empty((0, n_classes), np.int64), np.empty((0, n_classes))
    nothing = CountBags(item=none, bag=none, low=whole, high=whole, centre=real, spread=real)
    counts = CountBags._make(map(np.concatenate, zip(nothing, *counted, strict=True)))
    same_item, same_group = map(np.concatenate, zip((none, none), *same, strict=True))
    return CheckedBags(counts, same_item, same_group, np.concatenate(different))


def _in_order(bags: Bags, item_ids: NDArray[np.str_] | None) -> Bags:
    """Bags by the positions of the items in the votes, where both sides have ids."""
    if bags.ids is None or bags.n_items is None:
        return bags
    place = match_ids(bags.ids, item_ids, bags.n_items, "bags", all_items=True)
    if place is None:
        return bags
    row = np.empty(len(place), np.int64)
    row[place] = np.arange(len(place))
    return replace(bags, item=row[bags.item])


def _positions(bags: Bags, n_items: int, item_ids: NDArray[np.str_] | None) -> NDArray[np.int64]:
    """[T] positions of the members."""
    if bags.item.dtype.kind != "O":
        wrong = (bags.item < 0) | (bags.item >= n_items)
        position = bags.item.astype(np.int64)
    elif item_ids is None:
        raise _error(f"{bags.kind}: items are named by id, but the votes have no ids; name them by position")
    else:
        place = {text: at for at, text in enumerate(item_ids.tolist())}
        position = np.fromiter((place.get(text, -1) for text in bags.item.tolist()), np.int64, len(bags.item))
        wrong = position < 0
    if wrong.any():
        at = int(np.argmax(wrong))
        item = bags.item[at : at + 1].tolist()[0]
        raise _error(f"{bags.kind}: bag {bags.bag[at]} has item {item!r}, which is not in the votes")
    return position


def _check_disjoint(declared: list[Bags], members: list[NDArray[np.int64]], n_items: int) -> None:
    owner = np.full(n_items, -1)  # member of the item, counted through all declarations
    kinds = [part.kind for part in declared for _ in part.item]
    numbers = np.concatenate([part.bag for part in declared]) if declared else np.empty(0, np.int64)
    items = np.concatenate(members) if members else np.empty(0, np.int64)
    first = np.unique(items, return_index=True)[1]
    owner[items[first]] = first
    twice = owner[items] != np.arange(len(items))
    if twice.any():
        at = int(np.argmax(twice))
        other = int(owner[items[at]])
        raise _error(
            f"item {items[at]} is in bag {numbers[other]} of {kinds[other]} and again in bag {numbers[at]} of "
            f"{kinds[at]}; an item can be in one bag only"
        )


def _bounds(
    bags: Bags, numbers: NDArray[np.int64], size: NDArray[np.int64], n_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Low, high, centre and spread [B, K] of the bags that have items."""
    values = bags.values[numbers]
    shape = (len(numbers), n_classes)
    low, high = np.zeros(shape, np.int64), np.tile(size[:, None], (1, n_classes))
    centre, spread = np.full(shape, np.nan), np.ones(shape)
    if bags.kind in ("at_least_one", "none_of"):
        label = int(values[0, 0])
        if label >= n_classes:
            raise _error(f"{bags.kind}: label {label} is outside 0..{n_classes - 1}")
        if bags.kind == "at_least_one":
            low[:, label] = 1
        else:
            high[:, label] = 0
        return low, high, centre, spread
    if values.shape[1] != n_classes:
        raise _error(f"{bags.kind}: values are given for {values.shape[1]} classes, but the model has {n_classes}")
    known = np.isfinite(values)
    if bags.kind == "class_counts":
        low[known] = high[known] = values[known]
        return low, high, centre, spread
    centre = values * size[:, None]
    deviation = np.sqrt((bags.tolerance * size) ** 2 + ROUNDING_VARIANCE)
    reach = np.where(known, REACH * deviation[:, None], 0)
    low[known] = np.floor(centre - reach)[known].clip(0)
    high[known] = np.minimum(np.ceil(centre + reach), high)[known]
    # K counts with a fixed sum have K - 1 free errors: their factors together leave each the variance that is meant.
    free = np.where(known.all(1), n_classes / (n_classes - 1), 1.0)
    spread = np.tile((deviation * np.sqrt(free))[:, None], (1, n_classes))
    return low, high, centre, spread


def _contradiction(bags: Bags, number: int) -> InvalidArgumentError:
    return _error(f"{bags.kind}: the known labels of bag {number} contradict what is said of it")


def _check_same(bags: Bags, item: NDArray[np.int64], bag: NDArray[np.int64], gold: NDArray[np.int32]) -> None:
    known = gold[item] >= 0
    labels = np.unique(np.stack([bag[known], gold[item][known]]), axis=1)
    repeated = labels[0][1:] == labels[0][:-1]
    if repeated.any():
        raise _contradiction(bags, int(np.unique(bags.bag)[labels[0][np.argmax(repeated)]]))


def _check_counts(bags: Bags, numbers: NDArray[np.int64], counts: CountBags, gold: NDArray[np.int32]) -> None:
    known = gold[counts.item] >= 0
    n_classes, size = counts.low.shape[1], counts.size
    places = counts.bag[known] * n_classes + gold[counts.item][known]
    known_counts = np.bincount(places, minlength=counts.low.size).reshape(counts.low.shape)
    wrong = (
        (known_counts > counts.high).any(1)
        | (np.maximum(known_counts, counts.low).sum(1) > size)
        | (counts.high.sum(1) < size)
    )
    if wrong.any():
        raise _contradiction(bags, int(numbers[np.argmax(wrong)]))
