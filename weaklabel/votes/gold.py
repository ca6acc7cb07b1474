"""Known labels, read against the items that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.codebook import misfit
from weaklabel.votes.matrix import Votes
from weaklabel.votes.symbols import CandidateSet, Complement
from weaklabel.votes.validation import ABSTAIN
from weaklabel_protocol.alignment import Ids, read_rows
from weaklabel_protocol.arrays import Read, column_of, is_number
from weaklabel_protocol.vote_objects import entries


def as_gold(gold: ArrayLike, votes: Votes, classes: Sequence[str] | None = None) -> NDArray[np.int32]:
    """Known labels [N], -1 where unknown, checked against the votes; see `read_labels`."""
    return read_labels(gold, votes.n_items, votes.n_classes, item_ids=votes.item_ids, classes=classes)


def read_labels(
    gold: Any,
    n_items: int,
    n_classes: int,
    *,
    item_ids: Ids = None,
    classes: Sequence[str] | None = None,
    field: str = "gold",
) -> NDArray[np.int32]:
    """Known labels [N], -1 where unknown.

    Args:
        gold: [N] class indices, or names of classes; -1, or missing (None, NaN, masked, ...), where unknown. A pandas
            Series whose index, and a mapping whose keys, are ids of items are matched by them, where items have ids.
        n_items: N.
        n_classes: K.
        item_ids: ids of the N items; None where they go by position.
        classes: K names; None where there are none, and only indices can be read.
        field: the argument that they are given as.

    Raises:
        InvalidArgumentError: if they are of another length, or hold anything but classes; it names the item.
    """
    read = column_of(read_rows(gold, item_ids, n_items, field, all_items=False))
    if read.values.shape != (n_items,):
        raise InvalidArgumentError(
            f"{field} must hold a class, or -1 (unknown), for each of the {n_items} items, got shape "
            f"{read.values.shape}",
            field=field,
        )
    labels = _indices(read, classes, field)
    wrong = (labels < ABSTAIN) | (labels >= n_classes)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            f"{field} of item {at} is {labels[at]}, outside 0..{n_classes - 1}, and not -1 for unknown", field=field
        )
    return labels.astype(np.int32)


def read_labels_and_sets(
    gold: Any,
    n_items: int,
    n_classes: int,
    *,
    item_ids: Ids = None,
    classes: Sequence[str] | None = None,
    field: str = "gold",
) -> tuple[NDArray[np.int32], dict[int, NDArray[np.bool_]]]:
    """As `read_labels`, and the candidate sets among them: [K] of each item that is one of several classes, which.

    A set of one class is its label; one of all classes says nothing. Items of sets have the label -1.

    Raises:
        InvalidArgumentError: as `read_labels`, and for a set of classes that are not there.
    """
    read = column_of(read_rows(gold, item_ids, n_items, field, all_items=False))
    sets: dict[int, NDArray[np.bool_]] = {}
    if read.values.dtype.kind == "O" and read.values.shape == (n_items,):
        plain = read.values.copy()
        for at, value in enumerate(plain):
            if not isinstance(value, CandidateSet | Complement):
                continue
            if reason := misfit(value, n_classes):
                raise InvalidArgumentError(f"{field} of item {at} is {value!r}: {reason}", field=field)
            (allowed,) = entries([value], n_classes).sets
            size = int(allowed.sum())
            plain[at] = int(np.argmax(allowed)) if size == 1 else ABSTAIN
            if 1 < size < n_classes:
                sets[at] = allowed
        gold, item_ids = Read(plain, read.missing).filled(ABSTAIN), None
    labels = read_labels(gold, n_items, n_classes, item_ids=item_ids, classes=classes, field=field)
    return labels, sets


def _indices(read: Read, classes: Sequence[str] | None, field: str) -> NDArray[Any]:
    """Class indices, of these or of names."""
    array = read.values
    if array.dtype.kind == "b":
        raise InvalidArgumentError(
            f"{field} must be class indices, got dtype bool: say which class is which, as in np.where({field}, 1, 0)",
            field=field,
        )
    if array.dtype.kind == "O":
        index = {name: float(k) for k, name in enumerate(classes or ())}
        numbers = np.full(array.shape, np.nan)
        for at, value in enumerate(array):
            if read.missing is None or not read.missing[at]:
                numbers[at] = _index(at, value, index, classes, field)
        array = numbers
    array = Read(array, read.missing).filled(ABSTAIN)
    if array.dtype.kind == "f":
        wrong = array != np.floor(array)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InvalidArgumentError(f"{field} must be class indices; that of item {at} is {array[at]}", field=field)
    return array


def _index(at: int, value: Any, index: dict[str, float], classes: Sequence[str] | None, field: str) -> float:
    if isinstance(value, str):
        if value in index:
            return index[value]
        known = f"write class indices, as in [names.index(name) for name in {field}]"
        if classes is not None:
            known = f"the classes are {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
        raise InvalidArgumentError(f"{field} of item {at} is {value!r}, which is no class: {known}", field=field)
    if not is_number(value):
        raise InvalidArgumentError(f"{field} must be class indices; that of item {at} is {value!r}", field=field)
    return float(value)
