"""Beliefs about items before their votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_numbers

SUM_TOLERANCE = 1e-3
LEAST_BELIEF = 1e-6
"""Prior probabilities are kept off zero: a belief may be wrong."""


def read_prior(prior: ArrayLike, n_items: int, n_classes: int) -> NDArray[np.float64]:
    """[N, K] probabilities; rows of NaN where there is no belief.

    Raises:
        InvalidArgumentError: for another shape, and rows that are no distributions, naming the first item.
    """
    belief = read_numbers(prior, "prior").copy()
    if belief.shape != (n_items, n_classes):
        raise InvalidArgumentError(
            f"prior must be [items, classes] = {(n_items, n_classes)}, got shape {belief.shape}", field="prior"
        )
    stated = ~np.isnan(belief).all(1)
    wrong = stated & ~((belief >= 0).all(1) & (np.abs(belief.sum(1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            f"prior of item {at} must hold probabilities that sum to 1, or NaN throughout, got {belief[at].tolist()}",
            field="prior",
        )
    belief[stated] = np.clip(belief[stated], LEAST_BELIEF, None)
    belief[stated] /= belief[stated].sum(1, keepdims=True)
    return belief
