"""What a few known labels say about how sure to be: the sharpness of soft labels, and the share of the anchor."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.calibration.tempering import RowEvidence, soften
from weaklabel.model.layout.choice import bucket
from weaklabel.model.records import ReadOut
from weaklabel.model.settings import Settings

LOG_SHARPNESS = np.arange(-2.5, 1.51, 0.25)
ANCHOR_SHARES = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)
FEWEST_ITEMS = 3
ROWS_AT_ONCE = 2**14


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

    tried = np.array(list(itertools.product(LOG_SHARPNESS, ANCHOR_SHARES)))
    factor, share = np.exp(tried[:, 0]).astype(np.float32), tried[:, 1].astype(np.float32)
    log_posterior = (
        -(tried[:, 0] ** 2) / (2 * settings.gold_log_sharpness**2) - settings.gold_anchor_penalty * tried[:, 1]
    )
    for start in range(0, len(gold), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        n_rows = bucket(len(gold[some]))
        soft, anchor, n_votes = (
            _below(np.asarray(part)[some], n_rows) for part in (evidence.soft, evidence.anchor, evidence.n_votes)
        )
        of_rows = RowEvidence(soft, None, anchor, n_votes)
        p = np.asarray(_probabilities(of_rows, _below(gold[some], n_rows), how, factor, share), np.float64)
        log_posterior += np.log(p[:, : len(gold[some])]) @ weight[some]
    best = log_posterior.argmax()
    return _with(how, jnp.asarray(factor[best]), jnp.asarray(share[best]))


@jax.jit
def _probabilities(
    evidence: RowEvidence, gold: Int[Array, " R"], how: ReadOut, factor: Float[Array, " T"], share: Float[Array, " T"]
) -> Float[Array, "T R"]:
    """Probability of the known label of each row under each setting."""

    def of_setting(setting: tuple[Array, Array]) -> Array:
        soft = soften(evidence, _with(how, *setting))
        return jnp.take_along_axis(soft, gold[:, None], 1)[:, 0]

    found: Array = jax.lax.map(of_setting, (factor, share))
    return found


def _with(how: ReadOut, factor: Float[Array, ""], share: Float[Array, ""]) -> ReadOut:
    return how._replace(sharpness=how.sharpness * factor, anchor_share=jnp.minimum(how.anchor_share + share, 1))


def _below(values: NDArray[Any], n_rows: int) -> Array:
    """Values with rows of ones below: padding, of which nothing is asked."""
    padded = np.ones((n_rows, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    on_device: Array = jax.device_put(padded)
    return on_device
