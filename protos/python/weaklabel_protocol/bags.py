"""Bags: declarations about groups of items rather than about single ones.

"Of these 50 items 12 are spam", "about 30 % of each precinct", "at least one patch of this image shows a tumour",
"these two are the same, whatever it is". A fit takes any number of such declarations; an item may be in one bag only.

Shape letters: N items, K classes, B bags, T members of bags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel_protocol.arrays import Read, column_of, floats, read_array
from weaklabel_protocol.errors import InvalidArgumentError
from weaklabel_protocol.names import check_end, row_ids

Kind = Literal["class_counts", "proportions", "at_least_one", "none_of", "same_label", "different_label"]

Numbers = ArrayLike | Sequence[float | None] | Sequence[Sequence[float | None]]
"""One number per class, for one bag or for each; None where it is not known."""


@dataclass(frozen=True, eq=False)
class Bags:
    """B bags of items of which one kind of thing is known.

    Make them by `class_counts`, `proportions`, `at_least_one`, `none_of`, `same_label` or `different_label`.
    """

    kind: Kind
    item: NDArray[Any]
    """[T] member items, bag after bag: positions, or ids as objects (str)."""
    bag: NDArray[np.int64]
    """[T] bag of each member, 0..B-1, ascending."""
    values: NDArray[np.float64]
    """[B, K] counts or shares of the classes, NaN where unknown; [B, 1] labels; [B, 0] for same and different."""
    tolerance: float = 0.0
    """Standard error of shares."""
    n_items: int | None = None
    """N, where the bags were given for all items."""
    ids: tuple[str, ...] | None = None
    """N ids, where the bags were given for all items by a pandas Series with an index of its own."""


def class_counts(counts: Numbers, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """Known numbers of items of each class.

    Examples:
        >>> bags = class_counts([[30, 20], [45, 5]], bag_of=np.repeat([0, 1], 50))
        >>> bag = class_counts([1, None, 0], items=["a", "b", "c"])

    Args:
        counts: [B, K], or [K] for a single bag; None, NaN or -1 where a count is not known.
        items: the members: [L] of one bag, or one such list per bag; positions, or ids of the votes.
        bag_of: [N] instead of `items`: the bag of each item, 0..B-1, or -1 for none.

    Raises:
        InvalidArgumentError: for counts that are not whole numbers or do not fit the size of their bag, and bags
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

    The count of a class in a bag of L items is modelled as normal around share * L, discretised, with variance
    (tolerance * L)^2 + 1/12; the latter is the variance of rounding, so that no bag is impossible because share * L is
    not a whole number. Counts further off than 6 standard deviations are excluded. Where counts are known exactly, use
    `class_counts`.

    Examples:
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

    Examples:
        >>> bags = [at_least_one(1, items=[[0, 1, 2], [6, 7]]), none_of(1, items=[3, 4, 5])]

    Args:
        label: class index.
        items: as in `class_counts`.
        bag_of: as in `class_counts`.

    Raises:
        InvalidArgumentError: for a label that is not a class index, and bags without items.
    """
    return _label_bags("at_least_one", label, items, bag_of)


def none_of(label: int, items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """No item of any of the bags has the label (a negative bag of multiple-instance learning).

    Args and errors as in `at_least_one`.
    """
    return _label_bags("none_of", label, items, bag_of)


def same_label(items: Iterable[Any] | None = None, *, bag_of: ArrayLike | None = None) -> Bags:
    """All items of a bag have one label, whichever it is.

    Examples:
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
        InvalidArgumentError: for bags that are not pairs.
    """
    bags = _bags("different_label", items, bag_of, None)
    size = np.bincount(bags.bag)
    wrong = (size != 2) & (size != 0)
    if wrong.any():
        b = int(np.argmax(wrong))
        raise _error(f"different_label: bag {b} has {size[b]} items; it is for pairs only")
    return bags


# --------------------------------------------------------------------- reading


def _error(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, field="bags")


def _first(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _table(values: Numbers, kind: Kind) -> NDArray[np.float64]:
    """[B, K], NaN where nothing is known; a copy."""
    try:
        table = np.array(floats(read_array(values, "bags"), "bags"), np.float64)  # what is missing becomes NaN
    except InvalidArgumentError:
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
    return replace(bags, values=np.full((n_bags, 1), float(label)))


def _bags(
    kind: Kind,
    items: Iterable[Any] | None,
    bag_of: ArrayLike | None,
    values: NDArray[np.float64] | None,
    tolerance: float = 0.0,
) -> Bags:
    """Bags with their members read and checked."""
    n_items = ids = None
    if items is not None and bag_of is None:
        item, bag = _listed(kind, items)
    elif bag_of is not None and items is None:
        bag_numbers, ids = _bag_numbers(kind, bag_of), row_ids(bag_of)
        item = np.argsort(bag_numbers, kind="stable")
        item = item[bag_numbers[item] >= 0]
        bag, n_items = bag_numbers[item].astype(np.int64), len(bag_numbers)
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
    return Bags(
        kind=kind,
        item=item,
        bag=bag,
        values=values,
        tolerance=tolerance,
        n_items=n_items,
        ids=None if ids is None else tuple(ids),
    )


def _bag_numbers(kind: Kind, bag_of: Any) -> NDArray[np.int64]:
    """[N] the bag of each item, -1 where none is given."""
    read = column_of(read_array(bag_of, "bags"))
    numbers = floats(read, "bags") if read.values.dtype.kind == "O" else read.values
    if read.missing is not None:
        numbers = Read(numbers, read.missing).filled(-1)
        if numbers.dtype.kind == "f" and (numbers == np.floor(numbers)).all():  # floats for want of an empty integer
            numbers = numbers.astype(np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        shape, dtype = read.values.shape, read.values.dtype
        raise _error(f"{kind}: bag_of must hold one whole number an item, got {dtype} of shape {shape}")
    return numbers.astype(np.int64)


def _members(read: Read) -> NDArray[Any]:
    """Positions as they are, and ids as objects: in an array of text each would be as long as the longest."""
    for value in read.values.flat if read.values.dtype.kind == "O" else ():
        if not isinstance(value, str):
            return np.empty((0, 0))  # neither
        check_end("bags: an id", value, "bags")
    return read.values


def _listed(kind: Kind, items: Iterable[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Member items and their bags, of one list of items or of one list a bag."""
    listed = list(items)
    if not listed or isinstance(listed[0], str) or not hasattr(listed[0], "__len__"):
        listed = [listed]
    reads = [read_array(part, "bags") for part in listed]
    parts = [_members(read) for read in reads]
    for b, part in enumerate(parts):
        is_list = reads[b].missing is None and part.ndim == 1 and len(part) > 0
        if not is_list or part.dtype.kind not in "iuO" or part.dtype.kind != parts[0].dtype.kind:
            raise _error(f"{kind}: bag {b} must list items, all by position or all by id (str), got {listed[b]!r}")
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
