"""E-step: from parameters to the probabilities of the classes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.params import Params, Rows


class Expectation(NamedTuple):
    """The outcome of an E-step."""

    responsibilities: Float[Array, "U K"]
    """Probability of each class, held by the anchor."""
    log_evidence: Float[Array, ""]
    """Of the votes, an item: log-likelihood, and that of the votes with the anchor for the label, in the shares in
    which the responsibilities mix the two. Where sources are read by recall, EM raises it, but for shrinkage."""


def row_evidence(rows: Rows, evidence: Float[Array, "M S C"] | Float[Array, "M S"]) -> Float[Array, "U _"]:
    """Sum of the log-evidence of each row's votes, copies counted once: [U, C], or [U, S] of votes for themselves."""
    return rows.layout.evidence(evidence) if evidence.ndim == 3 else rows.layout.own_evidence(evidence)


@jax.jit
def posterior(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Probability of each class by the model alone: without anchor, untempered."""
    return jax.nn.softmax(params.log_prior[None, :] + row_evidence(rows, params.evidence), axis=1)


class RowExpectation(NamedTuple):
    """The E-step, row by row."""

    responsibilities: Float[Array, "U K"]
    """See `Expectation`."""
    log_evidence: Float[Array, " U"]
    """Of each row's votes."""


def e_step(rows: Rows, params: Params) -> Expectation:
    """Responsibilities of the classes for each row."""
    expected = e_step_by_row(rows, params)
    log_evidence = (rows.weight * expected.log_evidence).sum() / rows.weight.sum().clip(1)
    return Expectation(expected.responsibilities, log_evidence)


def e_step_by_row(rows: Rows, params: Params) -> RowExpectation:
    """Responsibilities, and each row's share in the objective."""
    log_joint = params.log_prior[None, :] + row_evidence(rows, params.evidence)
    log_total = jax.scipy.special.logsumexp(log_joint, axis=1)
    model = jnp.exp(log_joint - log_total[:, None])
    responsibilities = (1 - rows.hold[:, None]) * model + rows.hold[:, None] * rows.anchor
    objective = (1 - rows.hold) * log_total + rows.hold * (rows.anchor * log_joint).sum(1)
    return RowExpectation(responsibilities, objective)
