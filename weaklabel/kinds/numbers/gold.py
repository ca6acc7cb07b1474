"""What a few known values say: shifts, of sources and of all of them, and whether intervals have the right width."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.numbers import settings


class GoldCalibration(NamedTuple):
    """Of predictions: value + shift * sd, with variance * width."""

    shift: float = 0.0
    """What all sources miss together, in predictive standard deviations."""
    width: float = 1.0
    """Factor of the predictive variance."""
    n_gold: int = 0


def source_shifts(
    error: NDArray[np.float64],
    item: NDArray[np.int32],
    source: NDArray[np.int32],
    genuine: NDArray[np.float64],
    n_sources: int,
) -> NDArray[np.float64]:
    """[M] shift of each source, shrunk to none by empirical Bayes.

    What the sources of an item have in common is left to `calibrate`. The variance of shifts between sources is that
    which the sources' means show beyond the noise of one vote (DerSimonian and Laird's moments); a source's own votes
    count against `LEAST_SHRINKAGE` votes without shift at least.

    Args:
        error: of the votes on items with gold, in standard deviations of the vote.
        item: of these votes.
        source: of these votes.
        genuine: probability that each is no gross error.
        n_sources: M.
    """
    of_item = np.bincount(item, genuine)
    mean_of_item = np.bincount(item, genuine * error) / np.maximum(of_item, 1e-12)
    apart = error - mean_of_item[item]
    apart_of = 1 - genuine / np.maximum(of_item[item], 1e-12)  # what is left of a vote beside its part in the mean
    count = np.bincount(source, genuine * apart_of, n_sources)
    total = np.bincount(source, genuine * apart, n_sources)
    seen = count > 1e-6
    if seen.sum() < 2:
        return np.zeros(n_sources)
    squares = float((total[seen] ** 2 / count[seen]).sum())
    within = float((genuine * apart**2).sum()) - squares
    free = float(genuine.sum()) - (of_item > 0).sum() - seen.sum()
    noise = max(1.0, within / free) if free > 0 else 1.0
    between = max(0.0, (squares - noise * seen.sum()) / count.sum())
    if between == 0:
        return np.zeros(n_sources)
    return np.asarray(total / (count + max(settings.LEAST_SHRINKAGE, noise / between)))


def calibrate(gold: NDArray[np.float64], value: NDArray[np.float64], variance: NDArray[np.float64]) -> GoldCalibration:
    """Shift that all sources share, and width, from items with gold.

    The shift is none with probability one half, else normal (spike and slab, Mitchell and Beauchamp 1988,
    doi:10.1080/01621459.1988.10478694); what is used is its posterior mean.

    Args:
        gold: [G] known values.
        value: [G] predictions that have not seen them.
        variance: [G] predictive variances.
    """
    sd = np.sqrt(variance)
    z = (gold - value) / sd
    share = sd / sd.sum()  # errors of wide predictions are more of the absolute error
    effective = 1 / (share**2).sum()
    mean = float((share * z).sum())
    noise = (settings.GOLD_NOISE_PRIOR + effective * (share * (z - mean) ** 2).sum()) / (
        settings.GOLD_NOISE_PRIOR + max(effective - 1, 0.0)
    )
    squared_error, slab = float(noise / effective), settings.SHIFT_VARIANCE
    total = squared_error + slab
    log_odds = np.log(settings.SHIFT_CHANCE / (1 - settings.SHIFT_CHANCE)) + 0.5 * (
        np.log(squared_error / total) + mean**2 * (1 / squared_error - 1 / total)
    )
    shift = float(mean * slab / total / (1 + np.exp(-np.clip(log_odds, -50, 50))))
    prior, left = settings.GOLD_WIDTH_PRIOR, float(((z - shift) ** 2).sum())
    return GoldCalibration(shift, (prior + left) / (prior + len(z)), len(z))
