"""Bags: what is known of groups of items rather than of single ones.

"Of these 50 items 12 are spam", "about 30 % of each precinct", "at least one patch of this image shows a tumour",
"these two are the same, whatever it is". A fit takes any number of such declarations; an item may be in one bag only.

Posteriors given a bag are exact; but where the items of a bag could make up more than 4096 counts of the classes, the
counts hold in expectation (see weaklabel.model.labels.expected_counts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError

__all__ = [
    "Bags",
    "at_least_one",
    "class_counts",
    "different_label",
    "none_of",
    "proportions",
    "same_label",
]

Kind = Literal["class_counts", "proportions", "at_least_one", "none_of", "same_label", "different_label"]

Numbers = ArrayLike | Sequence[float | None] | Sequence[Sequence[float | None]]
"""One number a class, for one bag or for each; None where it is not known."""

REACH = 6.0
"""Standard deviations by which a count may miss a stated proportion."""
ROUNDING_VARIANCE = 1 / 12
"""Of a number that is rounded to a whole one."""


@dataclass(frozen=True, eq=False)
class Bags:
    """B bags that know one kind of thing about their items.

    Make them by `class_counts`, `proportions`, `at_least_one`, `none_of`, `same_label` or `different_label`.
    """

    kind: Kind
    item: NDArray[Any]
    """[T] member items, bag after bag: positions, or ids (str)."""
    bag: NDArray[np.int64]
    """[T] bag of each member, 0..B-1, ascending."""
    values: NDArray[np.float64]
    """[B, K] counts or shares of the classes, NaN where unknown; [B, 1] labels; [B, 0] for same and different."""
    tolerance: float = 0.0
    """Of shares."""
    n_items: int | None = None
    """N, where the bags were given for all items."""


def class_counts(counts: Numbers, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """Known numbers of items of each class.

    Example:
        >>> bags = class_counts([[30, 20], [45, 5]], bag_of=np.repeat([0, 1], 50))
        >>> bag = class_counts([1, None, 0], items=["a", "b", "c"])

    Args:
        counts: [B, K], or [K] for a single bag; None, NaN or -1 where a count is not known.
        items: the members: [L] of one bag, or one such list a bag; positions, or ids of the votes.
        bag_of: [N] instead of `items`: the bag of each item, 0..B-1, or -1 for none.

    Raises:
        InvalidArgumentError: for counts that are no whole numbers or do not fit the size of their bag, and bags
            without items.
    """
    table = _table(counts, "class_counts")
    table[table == -1] = np.nan
    wrong = (table < 0) | (np.isfinite(table) & (table != np.floor(table))) | np.isinf(table)
    if wrong.any():
        at = _first(wrong)
        raise _error(f"class_counts: bag {at[0]} has count {table[at]} for class {at[1]}, not a whole number")
    bags = _bags("class_counts", items, bag_of, table)
    size = np.bincount(bags.bag, minlength=len(table))
    known, total = np.isfinite(table), np.nansum(table, axis=1)
    wrong = (total > size) | (known.all(1) & (total != size))
    if wrong.any():
        b = int(np.argmax(wrong))
        raise _error(f"class_counts: bag {b} has {size[b]} items, but its counts sum to {total[b]:.0f}")
    # A single count that is not known follows from the others.
    single = np.flatnonzero((~known).sum(1) == 1)
    table[single, (~known)[single].argmax(1)] = (size - total)[single]
    return bags


def proportions(
    shares: Numbers, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None, tolerance: float = 0.0
) -> Bags:
    """Known shares of the classes, up to an error.

    The count of a class in a bag of L items is held to be normal around share * L, discretised, with variance
    (tolerance * L)^2 + 1/12; the latter is the variance of rounding, so that no bag is impossible because share * L is
    no whole number. Counts further off than 6 standard deviations are excluded. With counts that are known exactly use
    `class_counts`.

    Example:
        >>> bags = proportions([[0.7, 0.3], [0.55, 0.45]], bag_of=np.repeat([0, 1], 50), tolerance=0.05)

    Args:
        shares: [B, K] in [0, 1], or [K] for a single bag; None or NaN where a share is not known. Rows known in full
            sum to 1.
        items: as in `class_counts`.
        bag_of: as in `class_counts`.
        tolerance: standard error of the shares.

    Raises:
        InvalidArgumentError: for shares outside [0, 1] or of a wrong sum, a tolerance below 0, and bags without items.
    """
    table = _table(shares, "proportions")
    wrong = (table < 0) | (table > 1)
    if wrong.any():
        at = _first(wrong)
        raise _error(f"proportions: bag {at[0]} has share {table[at]} for class {at[1]}, outside [0, 1]")
    known, total = np.isfinite(table), np.nansum(table, axis=1)
    wrong = (total > 1 + 1e-3) | (known.all(1) & (total < 1 - 1e-3))
    if wrong.any():
        b = int(np.argmax(wrong))
        raise _error(f"proportions: the shares of bag {b} sum to {total[b]:.6g}, not to 1")
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise _error(f"proportions: tolerance must be 0 or more, got {tolerance}")
    return _bags("proportions", items, bag_of, table, float(tolerance))


def at_least_one(label: int, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """At least one item of each bag has the label (a positive bag of multiple-instance learning).

    Example:
        >>> bags = [at_least_one(1, items=[[0, 1, 2], [6, 7]]), none_of(1, items=[3, 4, 5])]

    Args:
        label: class index.
        items: as in `class_counts`.
        bag_of: as in `class_counts`.

    Raises:
        InvalidArgumentError: for a label that is no class index, and bags without items.
    """
    return _label_bags("at_least_one", label, items, bag_of)


def none_of(label: int, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """No item of any of the bags has the label (a negative bag of multiple-instance learning).

    Args and errors as in `at_least_one`.
    """
    return _label_bags("none_of", label, items, bag_of)


def same_label(items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """All items of a bag have one label, whichever it is.

    Example:
        >>> bags = same_label([[0, 4], [2, 7], [1, 3, 5]])

    Args:
        items: as in `class_counts`.
        bag_of: as in `class_counts`.

    Raises:
        InvalidArgumentError: for bags without items.
    """
    return _bags("same_label", items, bag_of, None)


def different_label(items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """The two items of each pair have different labels.

    Args:
        items: [2] of one pair, or [P, 2]; positions, or ids of the votes.
        bag_of: [N] instead of `items`: the pair of each item, 0..P-1, or -1 for none.

    Raises:
        InvalidArgumentError: for bags that are no pairs.
    """
    bags = _bags("different_label", items, bag_of, None)
    size = np.bincount(bags.bag)
    wrong = (size != 2) & (size != 0)
    if wrong.any():
        b = int(np.argmax(wrong))
        raise _error(f"different_label: bag {b} has {size[b]} items; labels can be said to differ of pairs only")
    return bags


# --------------------------------------------------------------------- reading


def _error(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, field="bags")


def _first(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _table(values: Numbers, kind: Kind) -> NDArray[np.float64]:
    """[B, K], NaN where nothing is known; a copy."""
    try:
        table = np.array(values, np.float64)  # None becomes NaN
    except (TypeError, ValueError):
        raise _error(f"{kind}: one number a class is needed for each bag, got {values!r}") from None
    table = table[None] if table.ndim == 1 else table
    if table.ndim != 2:
        raise _error(f"{kind}: one number a class is needed for each bag, got shape {table.shape}")
    return table


def _label_bags(kind: Kind, label: int, items: Iterable[Any] | None, bag_of: ArrayLike | None) -> Bags:
    if isinstance(label, bool) or not isinstance(label, (int, np.integer)) or label < 0:
        raise _error(f"{kind}: label must be a class index, got {label!r}")
    bags = _bags(kind, items, bag_of, None)
    n_bags = int(bags.bag.max()) + 1
    return Bags(kind, bags.item, bags.bag, np.full((n_bags, 1), float(label)), n_items=bags.n_items)


def _bags(
    kind: Kind,
    items: Iterable[Any] | None,
    bag_of: ArrayLike | None,
    values: NDArray[np.float64] | None,
    tolerance: float = 0.0,
) -> Bags:
    """Bags with their members read and checked."""
    n_items = None
    if items is not None and bag_of is None:
        item, bag = _listed(kind, items)
    elif bag_of is not None and items is None:
        given = np.asarray(bag_of)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise _error(f"{kind}: bag_of must hold one whole number an item, got {given.dtype} of shape {given.shape}")
        item = np.argsort(given, kind="stable")
        item = item[given[item] >= 0]
        bag, n_items = given[item].astype(np.int64), len(given)
    else:
        raise _error(f"{kind}: give either items or bag_of")
    if len(item) == 0:
        raise _error(f"{kind}: there are no items in the bags")
    if values is None:
        values = np.zeros((int(bag[-1]) + 1, 0))
    elif bag[-1] >= len(values):
        raise _error(f"{kind}: bag {bag[-1]} has items, but values are given for {len(values)} bags")
    elif items is not None and bag[-1] + 1 < len(values):
        raise _error(f"{kind}: values are given for {len(values)} bags, but items for {bag[-1] + 1}")
    return Bags(kind, item, bag, values, tolerance, n_items)


def _listed(kind: Kind, items: Iterable[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Member items and their bags, of one list of items or of one list a bag."""
    listed = list(items)
    if not listed or isinstance(listed[0], str) or not hasattr(listed[0], "__len__"):
        listed = [listed]
    parts = [np.asarray(part) for part in listed]
    for b, part in enumerate(parts):
        if part.ndim != 1 or len(part) == 0 or part.dtype.kind not in "iuU" or part.dtype.kind != parts[0].dtype.kind:
            raise _error(f"{kind}: bag {b} must list items, all by position or all by id (str), got {listed[b]!r}")
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


# -------------------------------------------------------------------- checking


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
    members = [_positions(part, n_items, item_ids) for part in declared]
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
            _check_counts(part, numbers, CountBags(item, bag, *bounds), known)
            counted.append(CountBags(item, bag + first_bag, *bounds))
            first_bag += len(numbers)
    none = np.empty(0, np.int64)
    whole, real = np.empty((0, n_classes), np.int64), np.empty((0, n_classes))
    counts = CountBags(
        *map(np.concatenate, zip(CountBags(none, none, whole, whole, real, real), *counted, strict=True))
    )
    same_item, same_group = map(np.concatenate, zip((none, none), *same, strict=True))
    return CheckedBags(counts, same_item, same_group, np.concatenate(different))


def _positions(bags: Bags, n_items: int, item_ids: NDArray[np.str_] | None) -> NDArray[np.int64]:
    """[T] positions of the members."""
    if bags.item.dtype.kind != "U":
        wrong = (bags.item < 0) | (bags.item >= n_items)
        position = bags.item.astype(np.int64)
    elif item_ids is None:
        raise _error(f"{bags.kind}: items are named by id, but the votes have no ids; name them by position")
    else:
        order = np.argsort(item_ids)
        place = np.searchsorted(item_ids, bags.item, sorter=order).clip(max=n_items - 1)
        position = order[place]
        wrong = item_ids[position] != bags.item
    if wrong.any():
        at = int(np.argmax(wrong))
        item = bags.item[at].item()
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
    found = np.bincount(places, minlength=counts.low.size).reshape(counts.low.shape)
    wrong = (found > counts.high).any(1) | (np.maximum(found, counts.low).sum(1) > size) | (counts.high.sum(1) < size)
    if wrong.any():
        raise _contradiction(bags, int(numbers[np.argmax(wrong)]))
