"""Known labels, and how often they are wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes.gold import as_gold

__all__ = ["as_gold", "read_gold_error"]


def read_gold_error(gold_error: ArrayLike, n_items: int) -> NDArray[np.float64]:
    """[N] probabilities that gold labels are wrong."""
    error = read_numbers(gold_error, "gold_error")
    if error.shape not in ((), (n_items,)):
        raise InvalidArgumentError(
            f"gold_error must be one probability, or one for each of the {n_items} items, got shape {error.shape}",
            field="gold_error",
        )
    if not ((error >= 0) & (error < 1)).all():
        raise InvalidArgumentError("gold_error must be at least 0 and below 1", field="gold_error")
    return np.broadcast_to(error, (n_items,))
