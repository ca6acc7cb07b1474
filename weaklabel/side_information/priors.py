"""Beliefs about items before their votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_numbers
from weaklabel_protocol.alignment import Ids, columns_in_order

SUM_TOLERANCE = 1e-3
LEAST_BELIEF = 1e-6
"""Prior probabilities are kept off zero: a belief may be wrong."""


def read_prior(
    prior: ArrayLike, n_items: int, n_classes: int, *, item_ids: Ids = None, classes: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """[N, K] probabilities; rows of NaN where there is no belief.

    Args:
        prior: [N, K]; the columns of a table are matched to the classes by name, its rows to the items by id.
        n_items: N.
        n_classes: K.
        item_ids: of the items; None where they go by position.
        classes: K names; "0", "1", ... where not given.

    Raises:
        InvalidArgumentError: for another shape, and rows that are no distributions, naming the first item.
    """
    order = columns_in_order(prior, classes or [str(k) for k in range(n_classes)], "prior")
    belief = read_numbers(prior, "prior", n_items, item_ids, all_items=False)
    belief = belief.copy() if order is None else belief[:, order]
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
