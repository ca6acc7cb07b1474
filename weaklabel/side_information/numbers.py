"""Reading what a caller gives as an array of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError


def read_numbers(values: ArrayLike, field: str) -> NDArray[np.float64]:
    """The values as float64.

    Raises:
        InvalidArgumentError: if they are not numbers; `field` names the argument.
    """
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{field} must hold numbers: {error}", field=field) from None
