"""Reading what a caller gives as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.alignment import Ids, places, taken
from weaklabel_protocol.arrays import Read, column_of, floats, is_sparse_matrix, read_array


def read_numbers(
    values: Any, field: str, n_items: int | None = None, item_ids: Ids = None, *, all_items: bool = True
) -> NDArray[np.float64]:
    """The values as float64, NaN where they are missing; a single column [N, 1] as it is.

    Args:
        values: of any kind; a sparse matrix holds 0 where nothing is stored.
        field: the argument.
        n_items: N, for values of items; None for others.
        item_ids: by which rows are matched, where they have ids too.
        all_items: whether each item needs a row.

    Raises:
        InvalidArgumentError: if they are not numbers; `field` names the argument.
    """
    given = values.toarray() if is_sparse_matrix(values) else values
    place = None if n_items is None else places(given, item_ids, n_items, field, all_items=all_items)
    try:
        read = read_array(list(given.values()) if isinstance(given, Mapping) else given, field)
        numbers = np.asarray(floats(read, field), np.float64)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{field} must hold numbers: {error}", field=field) from None
    return numbers if place is None else floats(taken(Read(numbers, None), place), field)


def read_column(
    values: Any, field: str, n_items: int, item_ids: Ids = None, *, all_items: bool = True
) -> NDArray[np.float64]:
    """[N] numbers of items, NaN where they are missing; see `read_numbers`.

    Raises:
        InvalidArgumentError: as there, and for another shape.
    """
    numbers = column_of(Read(read_numbers(values, field, n_items, item_ids, all_items=all_items), None)).values
    if numbers.shape != (n_items,):
        raise InvalidArgumentError(
            f"{field} must be one number for each of the {n_items} items, got shape {numbers.shape}", field=field
        )
    return numbers
