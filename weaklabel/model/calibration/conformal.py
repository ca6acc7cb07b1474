"""Sets of classes that hold the true one with a probability that is guaranteed: split conformal prediction.

For items exchangeable with the calibration items, the set covers the true class with probability at least `coverage`,
whatever the model is worth (Vovk, Gammerman and Shafer 2005, doi:10.1007/b106715; Sadinle, Lei and Wasserman 2019,
doi:10.1080/01621459.2017.1395341).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def threshold(calibration: NDArray[np.floating], coverage: float) -> float:
    """Largest 1 - p of a class that belongs to the set.

    Args:
        calibration: [C] 1 - probability of the true class on the calibration items.
        coverage: in (0, 1).

    Returns:
        1 where there are too few calibration items for the coverage: then every set holds all classes.
    """
    n = len(calibration)
    rank = math.ceil((n + 1) * coverage)
    return 1.0 if rank > n else float(np.sort(calibration)[rank - 1])


def split(gold: NDArray[np.int32], seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Gold for the fit, and gold for calibration: at random, half of each."""
    known = np.random.default_rng(seed).permutation(np.flatnonzero(gold >= 0))
    fitting, calibration = np.full_like(gold, -1), np.full_like(gold, -1)
    half = len(known) // 2
    fitting[known[:half]] = gold[known[:half]]
    calibration[known[half:]] = gold[known[half:]]
    return fitting, calibration
