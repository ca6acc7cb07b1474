"""Which items to label next.

Half of the probability is even, half follows the doubt of the soft labels. The top of a list of uncertain items is a
poor choice: it costs accuracy at 20 to 50 labels, because it holds the items that no label of one explains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EVEN_SHARE = 0.5


class NextToLabel(NamedTuple):
    """Items to label."""

    items: NDArray[np.int64]
    """[n] positions, in the order in which they were drawn: the first ones are a sample, too."""
    weights: NDArray[np.float64]
    """[n] one over the probability with which each was drawn, over its mean: `gold_weight` of a fit. Those of several
    rounds go together as they are. Exact for one draw; without replacement, they overstate rare items where n is near
    the number of candidates."""


def draw(soft: NDArray[np.float32], candidates: NDArray[np.int64], n: int, seed: int) -> NextToLabel:
    """A weighted sample without replacement.

    Args:
        soft: [N, K] soft labels.
        candidates: [C] positions of the items that may be drawn, n or more.
        n: number of items.
        seed: of the draw.
    """
    doubt = 1 - soft[candidates].max(1).astype(np.float64)
    even = np.full(len(candidates), 1 / max(len(candidates), 1))
    share = doubt / doubt.sum() if doubt.sum() > 0 else even
    probability = EVEN_SHARE * even + (1 - EVEN_SHARE) * share
    # Exponential keys over probabilities: their lowest are a sequential sample (Efraimidis and Spirakis 2006,
    # doi:10.1016/j.ipl.2005.11.003).
    keys = np.random.default_rng(seed).exponential(size=len(candidates)) / probability
    chosen = np.argsort(keys)[:n]
    return NextToLabel(items=candidates[chosen], weights=1 / (probability[chosen] * len(candidates)))
