"""E-step and read-out: from parameters to the probabilities of the classes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.params import Params, Rows, Settings


class Expectation(NamedTuple):
    """The outcome of an E-step."""

    responsibilities: Float[Array, "U K"]
    """Probability of each class, held by the anchor; uniform for rows without votes."""
    log_likelihood: Float[Array, ""]
    """What EM raises, an item: the log-likelihood of the votes, and that of the votes with the anchor for the label,
    in the shares in which the responsibilities mix the two."""


def joint(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Logarithm of prior times evidence."""
    full = params.evidence.ndim == 3
    evidence = rows.layout.evidence(params.evidence) if full else rows.layout.own_evidence(params.evidence)
    return params.log_prior[None, :] + evidence


def e_step(rows: Rows, params: Params, settings: Settings) -> Expectation:
    """Responsibilities of the classes for each row."""
    log_joint = joint(rows, params)
    log_total = jax.scipy.special.logsumexp(log_joint, axis=1, keepdims=True)
    posterior = jnp.exp(log_joint - log_total)
    hold = settings.anchor_weight
    mixed = (1 - hold) * posterior + hold * rows.anchor
    responsibilities = jnp.where(rows.n_votes[:, None] > 0, mixed, 1 / mixed.shape[1])
    row_objective = (1 - hold) * log_total[:, 0] + hold * (rows.anchor * log_joint).sum(1)
    n_items = jnp.maximum(rows.weight.sum(), 1)
    return Expectation(responsibilities, (rows.weight * row_objective).sum() / n_items)


def read_out(rows: Rows, params: Params, settings: Settings) -> Float[Array, "U K"]:
    """Soft labels: the posterior, tempered because sources depend on each other, and held by the anchor.

    n votes that depend on each other are worth fewer; the logarithm is divided by sqrt(n).
    """
    temperature = jnp.sqrt(jnp.maximum(rows.n_votes, 1))[:, None]
    posterior = jax.nn.softmax(joint(rows, params) / temperature, axis=1)
    mixed = (1 - settings.anchor_weight) * posterior + settings.anchor_weight * rows.anchor
    return jnp.where(rows.n_votes[:, None] > 0, mixed, 1 / mixed.shape[1])
