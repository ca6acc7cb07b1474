"""What a few known labels say about how sure to be: the sharpness of soft labels, and the share of the anchor."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from weaklabel.model.params import ReadOut, Settings
from weaklabel.model.readout import RowEvidence, soften

LOG_SHARPNESS = np.arange(-2.5, 1.51, 0.25)
ANCHOR_SHARES = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)
FEWEST_ITEMS = 3


def calibrate(
    how: ReadOut,
    evidence: RowEvidence,
    gold: NDArray[np.int32],
    weight: NDArray[np.float64],
    class_balance: NDArray[np.float64],
    settings: Settings,
) -> ReadOut:
    """The read-out with sharpness and anchor share at their posterior mode on the rows with gold.

    Args:
        how: the read-out without gold.
        evidence: of the R rows with gold and votes.
        gold: [R] their labels.
        weight: [R] how many items each row stands for.
        class_balance: [K] estimated; gold is often drawn by class, and is weighed back to it.
        settings: constants.
    """
    if weight.sum() < FEWEST_ITEMS:
        return how
    drawn = np.bincount(gold, weight, minlength=len(class_balance))
    factor = (class_balance / np.maximum(drawn, 1e-9))[gold]
    # Weights that differ make a sample worth less: Kish's effective size.
    size = (weight * factor).sum() ** 2 / (weight * factor**2).sum()
    weight = weight * factor / (weight * factor).sum() * size

    def log_posterior(setting: tuple[float, float]) -> float:
        log_factor, share = setting
        p = np.asarray(soften(evidence, _with(how, log_factor, share)), np.float64)[np.arange(len(gold)), gold]
        prior = -(log_factor**2) / (2 * settings.gold_log_sharpness**2) - settings.gold_anchor_penalty * share
        return float((weight * np.log(p)).sum()) + prior

    return _with(how, *max(itertools.product(LOG_SHARPNESS.tolist(), ANCHOR_SHARES), key=log_posterior))


def _with(how: ReadOut, log_factor: float, share: float) -> ReadOut:
    sharpness = how.sharpness * jnp.asarray(np.exp(log_factor), jnp.float32)
    return how._replace(sharpness=sharpness, anchor_share=jnp.minimum(how.anchor_share + share, 1))
