"""Bags: what is known of groups of items rather than of single ones. The server checks what is said of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Bags:
    """B bags of which one kind of thing is known.

    Attributes:
        kind: What is known: the name of the function that made them.
        item: [T] items, bag after bag: positions, or ids.
        bag: [T] bag of each, 0..B-1, ascending.
        values: float64 [B, K] counts or shares, NaN where unknown; [B, 1] labels; [B, 0].
        tolerance: Standard error of shares.
    """

    kind: str
    item: npt.NDArray[Any]
    bag: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    tolerance: float = 0.0


def class_counts(counts: npt.ArrayLike, items: Iterable[Any]) -> Bags:
    """Known numbers of items of each class.

    Args:
        counts: [B, K], or [K] of a single bag; None or NaN where a count is not known.
        items: The items of the bag, or one list of items a bag: positions, or ids. An item is in one bag at most.

    Raises:
        ValueError: They cannot be read as that.
    """
    return _bags("class_counts", items, counts)


def proportions(shares: npt.ArrayLike, items: Iterable[Any], *, tolerance: float = 0.0) -> Bags:
    """Known shares of the classes, with a standard error of `tolerance`. For the rest see class_counts."""
    return _bags("proportions", items, shares, tolerance)


def at_least_one(label: int, items: Iterable[Any]) -> Bags:
    """At least one item of each bag is of a class. For the rest see class_counts."""
    return _bags("at_least_one", items, label)


def none_of(label: int, items: Iterable[Any]) -> Bags:
    """No item of any of the bags is of a class. For the rest see class_counts."""
    return _bags("none_of", items, label)


def same_label(items: Iterable[Any]) -> Bags:
    """All items of a bag are of one class, whichever it is. For the rest see class_counts."""
    return _bags("same_label", items, None)


def different_label(items: Iterable[Any]) -> Bags:
    """The two items of each bag are of different classes. For the rest see class_counts."""
    return _bags("different_label", items, None)


def _bags(kind: str, items: Iterable[Any], values: Any, tolerance: float = 0.0) -> Bags:
    listed = list(items)
    if not listed or isinstance(listed[0], str) or not hasattr(listed[0], "__len__"):
        listed = [listed]
    members = [np.asarray(one) for one in listed]
    for at, member in enumerate(members):
        if member.ndim != 1 or not len(member) or member.dtype.kind not in ("U" if _named(members) else "iu"):
            raise ValueError(f"bags: bag {at} must list items, all by position or all by id, got {listed[at]!r}")
    table = np.empty((len(members), 0)) if values is None else np.array(values, np.float64)
    table = np.broadcast_to(table, (len(members), 1)) if table.ndim == 0 else np.atleast_2d(table)
    if len(table) != len(members):
        raise ValueError(f"bags: there are values of {len(table)} bags, and items of {len(members)}")
    bag = np.repeat(np.arange(len(members)), [len(member) for member in members])
    return Bags(kind, np.concatenate(members), bag, table, float(tolerance))


def _named(members: list[npt.NDArray[Any]]) -> bool:
    return members[0].dtype.kind == "U"
