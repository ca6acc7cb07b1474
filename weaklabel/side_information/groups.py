"""Groups of items that differ in their class balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import Ids, read_rows
from weaklabel_protocol.arrays import column_of
from weaklabel_protocol.names import check_end, label_text


def read_groups(
    groups: ArrayLike, n_items: int, known: tuple[str, ...] | None, item_ids: Ids = None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """[N] the group of each item, and the names of the groups.

    Args:
        groups: [N] names or numbers.
        n_items: N.
        known: names of the groups of a fitted model; None to number the groups anew.
        item_ids: of the items, by which those of a pandas index are matched; None where they go by position.

    Raises:
        InvalidArgumentError: for another shape or type, and items without a group.
    """
    read = column_of(read_rows(groups, item_ids, n_items, "groups"))
    values = read.values
    if values.shape != (n_items,) or (n_items and values.dtype.kind not in "iuO"):
        raise InvalidArgumentError(
            f"groups must hold a name or a number for each of the {n_items} items, got shape {values.shape} of "
            f"{values.dtype}",
            field="groups",
        )
    if (at := read.first_missing) is not None:
        message = f"groups: item {at[0]} has none: give such items a group of their own"
        raise InvalidArgumentError(message, field="groups")
    named = [label_text(value) for value in values.tolist()]
    if known is None:
        names = sorted(set(named))
        known = tuple(names)
        for name in names:
            check_end("groups: a name", name, "groups")
    place = {name: at for at, name in enumerate(known)}
    # A group that the fit has not seen stands behind the last one, where the balance of all is.
    return np.array([place.get(name, len(known)) for name in named], np.int32), known
