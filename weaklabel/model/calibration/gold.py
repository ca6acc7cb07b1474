"""What a few known labels say about how sure to be: inverse temperature, and the mixture of vote shares."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.calibration.tempering import RowEvidence, gather_evidence, soft_labels
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.prepare import Prepared
from weaklabel.model.settings import Settings

LOG_INVERSE_TEMPERATURES = np.arange(-2.5, 1.51, 0.25)
SHARE_MIXTURES = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)
FEWEST_ITEMS = 3
ROWS_AT_ONCE = 2**14


def calibrate(
    calibration: Calibration,
    evidence: RowEvidence,
    gold: NDArray[np.int32],
    weight: NDArray[np.float64],
    class_balance: NDArray[np.float64],
    settings: Settings,
) -> Calibration:
    """The calibration with inverse temperature and share mixture at their posterior mode on the rows with gold.

    Args:
        calibration: without gold.
        evidence: of the R rows with gold and votes.
        gold: [R] their labels.
        weight: [R] how many items each row stands for.
        class_balance: [K] estimated; gold is often stratified by class, and is reweighted to it.
        settings: constants.
    """
    if weight.sum() < FEWEST_ITEMS:
        return calibration
    drawn = np.bincount(gold, weight, minlength=len(class_balance))
    factor = (class_balance / np.maximum(drawn, 1e-9))[gold]
    # Weights that differ make a sample worth less: Kish's effective size.
    size = (weight * factor).sum() ** 2 / (weight * factor**2).sum()
    weight = weight * factor / (weight * factor).sum() * size

    tried = np.array(list(itertools.product(LOG_INVERSE_TEMPERATURES, SHARE_MIXTURES)))
    factor, share = np.exp(tried[:, 0]).astype(np.float32), tried[:, 1].astype(np.float32)
    log_posterior = (
        -(tried[:, 0] ** 2) / (2 * settings.gold_log_temperature**2) - settings.gold_share_penalty * tried[:, 1]
    )
    for start in range(0, len(gold), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        n_rows = bucket(len(gold[some]))
        log_likelihood, shares, n_votes = (  # padded by ones: rows of which nothing is asked
            to_device(np.asarray(part)[some], n_rows, 1)
            for part in (evidence.log_likelihood, evidence.shares, evidence.n_votes)
        )
        of_rows = RowEvidence(log_likelihood, shares, n_votes)
        known = to_device(gold[some], n_rows, 1)
        p = np.asarray(_probabilities(of_rows, known, calibration, factor, share), np.float64)
        log_posterior += np.log(p[:, : len(gold[some])]) @ weight[some]
    best = log_posterior.argmax()
    return _with(calibration, jnp.asarray(factor[best]), jnp.asarray(share[best]))


@jax.jit
def _probabilities(
    evidence: RowEvidence,
    gold: Int[Array, " R"],
    calibration: Calibration,
    factor: Float[Array, " T"],
    share: Float[Array, " T"],
) -> Float[Array, "T R"]:
    """Probability of the known label of each row under each setting."""

    def of_setting(setting: tuple[Array, Array]) -> Array:
        soft = soft_labels(evidence, _with(calibration, *setting))
        return jnp.take_along_axis(soft, gold[:, None], 1)[:, 0]

    of_settings: Array = jax.lax.map(of_setting, (factor, share))
    return of_settings


def _with(calibration: Calibration, factor: Float[Array, ""], share: Float[Array, ""]) -> Calibration:
    mixture = jnp.minimum(calibration.share_mixture + share, 1)
    return calibration._replace(inverse_temperature=calibration.inverse_temperature * factor, share_mixture=mixture)


def calibrate_with_gold(
    calibration: Calibration,
    prepared: Prepared,
    unique: UniqueRows,
    class_balance: NDArray[np.float64],
    settings: Settings,
) -> Calibration:
    """The calibration after a look at the rows with gold, by their votes alone; itself where there is no gold."""
    if unique.gold is None:
        return calibration
    chosen = np.flatnonzero((unique.gold >= 0) & (prepared.n_votes > 0))
    at = prepared.places[chosen]
    # The vote-share priors of these rows are their labels, so the vote shares are counted anew.
    tally, mass = unique.votes.select_items(chosen).counts(), float(calibration.share_prior_mass)
    evidence = _gathered(prepared.rows, calibration, settings.share_prior_mass)
    shares = (tally + mass / tally.shape[1]) / (tally.sum(1, keepdims=True) + mass)
    # On the host: on the device, each number of rows would be a program to compile.
    log_likelihood, n_votes = np.asarray(evidence.log_likelihood)[at], np.asarray(evidence.n_votes)[at]
    rows = RowEvidence(to_device(log_likelihood), single(shares), to_device(n_votes))
    weight = unique.weight[chosen].astype(np.float64)
    return calibrate(calibration, rows, unique.gold[chosen], weight, class_balance, settings)


_gathered = jax.jit(gather_evidence)
