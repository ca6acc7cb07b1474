"""Bounds that a person puts on the accuracy of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError


def read_bounds(
    bounds: Mapping[str, tuple[float, float]] | None, source_names: Sequence[str]
) -> NDArray[np.float32] | None:
    """[M, 2] lowest and highest accuracy of each source, 0 and 1 where nothing is given; None where nothing is.

    Args:
        bounds: (low, high) of sources, by name: shares of their votes that are right.
        source_names: M names.

    Raises:
        InvalidArgumentError: for sources that are not known, and bounds that are not an interval within [0, 1].
    """
    if bounds is None:
        return None
    if not isinstance(bounds, Mapping):
        raise InvalidArgumentError(
            f"bounds must be (low, high) by the name of the source, as in {{'one': (0.8, 0.95)}}, got {bounds!r}",
            field="bounds",
        )
    if not bounds:
        return None
    low, high = np.zeros(len(source_names), np.float32), np.ones(len(source_names), np.float32)
    column_of = {name: column for column, name in enumerate(source_names)}
    for name, interval in bounds.items():
        if name not in column_of:
            raise InvalidArgumentError(f"bounds: there is no source {name!r}", field="bounds")
        try:
            least, most = map(float, interval)
        except (TypeError, ValueError):
            message = f"bounds of source {name!r} must be two numbers, low and high, got {interval!r}"
            raise InvalidArgumentError(message, field="bounds") from None
        if not 0 <= least <= most <= 1:
            message = f"bounds of source {name!r} must be 0 <= low <= high <= 1, got {interval!r}"
            raise InvalidArgumentError(message, field="bounds")
        low[column_of[name]], high[column_of[name]] = least, most
    return np.stack([low, high], axis=1)
