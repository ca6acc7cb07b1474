"""The calibration of a fit: how far errors are seen to be correlated, or cannot be seen not to be. On the host."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel.model.calibration.silence import silent_scores
from weaklabel.model.numerics.padding import single
from weaklabel.model.params import Calibration, Params
from weaklabel.model.records import Profile
from weaklabel.model.settings import Settings

T = TypeVar("T")


def fit_calibration(
    params: Params,
    profile: Profile,
    settings: Settings,
    *,
    correlation: float,
    votes_by_class: NDArray[np.float32] | None,
    n_uncovered: float,
    n_checked: float,
) -> Calibration:
    """The calibration of a fit.

    Args:
        params: what EM estimated.
        profile: what is known of sources and classes.
        settings: constants.
        correlation: excess correlation of errors, see `weaklabel.model.calibration.dependence`.
        votes_by_class: [M, K] how often each source is expected to have voted in each class; None where unknown.
        n_uncovered: number of items without votes.
        n_checked: number of votes on items with three votes or more, copies counted once.
    """
    # On the host: what is small would take longer to compile than to compute.
    params, profile = jax.tree.map(np.asarray, (params, profile))
    voting = np.where(profile.vote_counts.sum(1) > 0, profile.independence, 0)
    n_informative = float(voting.sum() if profile.information is None else (voting * profile.information).sum())
    unipolarity, n_sources = float(profile.mean_unipolarity), max(float(voting.sum()), 1.0)
    n_classes = profile.vote_counts.shape[1]
    doubt = untestable(n_sources, n_classes)
    beyond = max(correlation - settings.correlation_ignored, 0.0)
    seen = max(float(np.clip(beyond / settings.correlation_full, settings.least_safeguard, 1)), doubt)
    safeguard = (1 - unipolarity) * seen + unipolarity
    few = settings.correlation_few / n_sources
    assumed = safeguard * (settings.correlation_base + few) + settings.correlation_gain * beyond
    pool = (1 - unipolarity) * settings.decision_share_generative * (
        1 + safeguard
    ) / 2 + unipolarity * settings.decision_share_discriminative
    inverse_temperature = 1 - unipolarity + unipolarity * settings.sharpen_discriminative
    inverse_temperature /= 1 + (1 - unipolarity) * settings.untestable * doubt
    removed = settings.prior_correlated * safeguard * (1 - unipolarity)
    # Too few votes that others check: nothing is known of the sources, and decisions are those of majority vote.
    unchecked = n_checked / max(n_informative, 1.0) / n_classes < settings.checked_votes
    if unchecked and unipolarity > 0.5:
        silent = np.full(n_classes, 1 / n_classes)
    else:
        silent = silent_scores(params.labels, profile, settings, unipolarity, votes_by_class, n_uncovered)
    decision_share = 1 - (1 - settings.between("share_weight", unipolarity)) * (1 - pool)
    return Calibration(
        sources=params.sources.bounded(settings.between("noise", unipolarity), safeguard),
        labels=_on_device(params.labels.calibrated(profile, settings, removed, for_decisions=False)),
        inverse_temperature=_scalar(inverse_temperature),
        correlation=_scalar((1 - unipolarity) * assumed),
        design_effect_exponent=_scalar(settings.design_effect_exponent),
        share_prior_mass=_scalar((1 + unipolarity) * settings.share_prior_mass),
        share_mixture=_scalar(safeguard * settings.share_mixture),
        uniform_mixture=_scalar(safeguard * settings.uniform_mixture),
        decision_sources=_on_device(params.sources),
        decision_labels=_on_device(params.labels.calibrated(profile, settings, removed, for_decisions=True)),
        decision_share=_scalar(1.0 if unchecked and unipolarity <= 0.5 else decision_share),
        silent_scores=single(silent),
    )


def untestable(n_sources: float, n_classes: int) -> float:
    """How far the independence of so few sources cannot be tested, in [0, 1].

    1 where one confusion matrix per source and a class balance have as many parameters as there are vote patterns, so
    that any votes fit; falling with the cube of their ratio.
    """
    n_sources = min(n_sources, 40.0)  # more would overflow, and are 0 all the same
    parameters = n_sources * n_classes * (n_classes - 1) + n_classes - 1
    return float(min(1.0, parameters / (min(float(n_classes), 1e6) ** n_sources - 1)) ** 3)


def _scalar(value: float) -> Array:
    return jnp.asarray(np.float32(value))


def _on_device(tree: T) -> T:
    on_device: T = jax.tree.map(jnp.asarray, tree)
    return on_device
