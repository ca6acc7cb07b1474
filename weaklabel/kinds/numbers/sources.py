"""What was learned of each source, in the units of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from weaklabel.kinds.numbers import settings
from weaklabel.kinds.numbers.pipeline import NumericParams

TAIL = 0.05
"""Probability beyond either end of an interval."""


def weights(params: NumericParams) -> NDArray[np.float64]:
    """[M] weight of a vote of each source on the pooled item: gain^2 / variance."""
    gain = np.clip(params.gain, settings.LEAST_GAIN, settings.MOST_GAIN)
    return np.asarray(gain**2 / (params.base * params.scale))


def source_columns(params: NumericParams) -> dict[str, Any]:
    """Columns by name; see `NumericModel.sources`.

    The interval of a scale is that of a variance with as many degrees of freedom as votes and pseudo-votes, less
    the part that each vote has in its item's value; those of
    gain and shift are normal.
    """
    z = float(ndtri(1 - TAIL))
    scale = params.spread * np.sqrt(params.base * params.scatter_ratio * params.scale)
    free = params.free + settings.SOURCE_PRIOR
    shift = params.spread * params.shift
    weight = weights(params)
    mean_weight = float((weight * params.n_votes).sum() / params.n_votes.sum())
    return {
        "votes": params.n_votes,
        "scale": scale,
        "scale_low": scale * np.sqrt(free / chdtri(free, TAIL)),
        "scale_high": scale * np.sqrt(free / chdtri(free, 1 - TAIL)),
        "gain": params.gain,
        "gain_low": params.gain - z * params.gain_sd,
        "gain_high": params.gain + z * params.gain_sd,
        "shift": shift,
        "shift_low": shift - z * params.spread * np.minimum(params.shift_sd, 1e9),
        "shift_high": shift + z * params.spread * np.minimum(params.shift_sd, 1e9),
        "correction": params.spread * np.sqrt(params.base * params.scale) * params.correction,
        "gross": 1 - params.genuine / np.maximum(params.n_votes, 1),
        "weight": weight / mean_weight,
    }
