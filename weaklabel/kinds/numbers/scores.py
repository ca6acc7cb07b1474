"""How good predicted numbers are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.numbers.distribution import NumericDistribution

METRICS = ("mae", "rmse", "bias", "crps", "nll", "coverage")
INTERVAL = 0.9
"""Coverage of the intervals that "coverage" looks at."""


def numeric_scores(
    predicted: NumericDistribution, gold: NDArray[np.float64], metrics: Sequence[str]
) -> dict[str, float]:
    """Scores by name, of the items with gold.

    Args:
        predicted: of N items.
        gold: [N], NaN where unknown.
        metrics: of `METRICS`.

    Raises:
        InvalidArgumentError: for unknown metrics.
    """
    for name in metrics:
        if name not in METRICS:
            raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}, got {name!r}", field="metric")
    known = ~np.isnan(gold)
    truth, error = gold[known], (predicted.location - gold)[known]
    told = NumericDistribution(predicted.location[known], predicted.scale[known], predicted.df)
    low, high = told.interval(INTERVAL).T
    values = {
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "bias": error.mean(),
        "crps": told.crps(truth).mean(),
        "nll": -told.log_density(truth).mean(),
        "coverage": ((low <= truth) & (truth <= high)).mean(),
    }
    return {name: float(values[name]) for name in metrics}
