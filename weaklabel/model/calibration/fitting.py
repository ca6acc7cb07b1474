"""The calibration of a fit: how sure its soft labels may be, by how far independence is refuted. On the host."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array

from weaklabel.model.dependence.independence import Independence
from weaklabel.model.params import Calibration, Params
from weaklabel.model.records import Profile
from weaklabel.model.settings import Settings


def fit_calibration(params: Params, profile: Profile, settings: Settings, independence: Independence) -> Calibration:
    """The calibration of a fit.

    Where independence stands and sources use all classes, soft labels are the posterior. To the extent that it is
    refuted, n votes count for fewer; to the extent that sources are unipolar, soft labels are the geometric mean of the
    posterior and the vote shares.

    Args:
        params: what EM estimated.
        profile: what is known of sources and classes.
        settings: constants.
        independence: what the check before EM found.
    """
    # On the host: what is small would take longer to compile than to compute.
    params, profile = jax.tree.map(np.asarray, (params, profile))
    unipolarity = float(profile.mean_unipolarity) ** 2
    doubt = (1 - unipolarity) * independence.doubt
    shares = unipolarity * settings.geometric_mean
    labels = params.labels.calibrated()
    return Calibration(
        sources=jax.device_put(params.sources),
        labels=jax.device_put(labels),
        inverse_temperature=_scalar(1 - shares),
        correlation=_scalar(settings.saturation * doubt),
        design_effect_exponent=_scalar(1),
        share_prior_mass=_scalar(1),
        share_power=_scalar(shares),
        share_mixture=_scalar(0),
        uniform_mixture=_scalar(0),
        soft_vote_exponent=_scalar(0.5),
    )


def _scalar(value: float) -> Array:
    on_device: Array = jax.device_put(np.float32(value))
    return on_device
