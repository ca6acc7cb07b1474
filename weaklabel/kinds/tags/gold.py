"""What known tags of a few items say: where log odds lie, and how many true tags a threshold leaves out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from weaklabel.kinds.tags import settings

GRID = np.concatenate([[0.0], np.geomspace(1e-4, 0.1, 60), np.linspace(0.11, 1.0, 90)])
"""Thresholds of sets, ascending."""


class GoldCalibration(NamedTuple):
    """Log odds are slope * log odds + shift + the tag's own shift."""

    slope: float
    shift: float
    tag_shift: NDArray[np.float64]
    """[K]"""
    missed: NDArray[np.float64]
    """[len(GRID)] share of the true tags of the items with gold that have less than each threshold, by item."""
    n_gold: int
    """Items with a true tag by gold; 0 without gold."""


def uncalibrated(n_tags: int) -> GoldCalibration:
    """What there is without gold."""
    return GoldCalibration(1.0, 0.0, np.zeros(n_tags), np.zeros(len(GRID)), 0)


def calibrate(
    log_odds: NDArray[np.float64], item: NDArray[np.int64], tag: NDArray[np.int64], truth: NDArray[np.int8], n_tags: int
) -> GoldCalibration:
    """Slope and shifts of the cells with gold, shrunk to none; and what each threshold leaves out.

    Platt 1999; the thresholds are those of conformal risk control: Angelopoulos et al. 2022, arXiv:2208.02814.
    """
    from scipy.optimize import minimize  # only here: fits without gold need not wait for it

    used, place = np.unique(tag, return_inverse=True)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, own = np.exp(theta[0]), theta[2:]
        z = slope * log_odds + theta[1] + own[place]
        error = expit(z) - truth
        value = (np.logaddexp(0, z) - truth * z).sum()
        value += settings.SHIFT_PRIOR / 2 * (theta[:2] ** 2).sum() + settings.TAG_SHIFT_PRIOR / 2 * (own**2).sum()
        by_tag = np.bincount(place, error, minlength=len(used)) + settings.TAG_SHIFT_PRIOR * own
        shared = np.array([slope * (error * log_odds).sum(), error.sum()]) + settings.SHIFT_PRIOR * theta[:2]
        return float(value), np.concatenate([shared, by_tag])

    theta = minimize(loss, np.zeros(2 + len(used)), jac=True, method="L-BFGS-B").x
    tag_shift = np.zeros(n_tags)
    tag_shift[used] = theta[2:]
    probability = expit(np.exp(theta[0]) * log_odds + theta[1] + theta[2:][place])
    true = np.flatnonzero(truth == 1)
    items, of = np.unique(item[true], return_inverse=True)
    below = probability[true][:, None] < GRID
    missed = np.zeros(len(GRID))
    if len(items):
        weight = 1 / np.bincount(of)[of]
        missed = weight @ below / len(items)
    return GoldCalibration(float(np.exp(theta[0])), float(theta[1]), tag_shift, missed, len(items))


def threshold(gold: GoldCalibration, coverage: float) -> float:
    """The highest threshold whose sets hold, by gold, that share of an item's true tags in the mean; or 0."""
    risk = (gold.n_gold * gold.missed + 1) / (gold.n_gold + 1)
    held = np.flatnonzero(risk <= 1 - coverage)
    return float(GRID[held[-1]]) if len(held) else 0.0
