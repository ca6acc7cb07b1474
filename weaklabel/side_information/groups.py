"""Groups of items that differ in their class balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError


def read_groups(
    groups: ArrayLike, n_items: int, known: tuple[str, ...] | None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """[N] the group of each item, and the names of the groups.

    Args:
        groups: [N] names or numbers.
        n_items: N.
        known: names of the groups of a fitted model; None to number the groups anew.

    Raises:
        InvalidArgumentError: for another shape or type, and items without a group.
    """
    values = np.asarray(groups)
    if values.shape != (n_items,) or (n_items and values.dtype.kind not in "iuUO"):
        raise InvalidArgumentError(
            f"groups must hold a name or a number for each of the {n_items} items, got shape {values.shape} of "
            f"{values.dtype}",
            field="groups",
        )
    empty = [at for at, value in enumerate(values) if value is None or value != value] if values.dtype == object else []
    if empty:
        message = f"groups: item {empty[0]} has none: give such items a group of their own"
        raise InvalidArgumentError(message, field="groups")
    named = values.astype(str)
    if known is None:
        names, index = np.unique(named, return_inverse=True)
        return index.reshape(-1).astype(np.int32), tuple(names.tolist())
    place = {name: at for at, name in enumerate(known)}
    # A group that the fit has not seen stands behind the last one, where the balance of all is.
    return np.array([place.get(name, len(known)) for name in named.tolist()], np.int32), known
