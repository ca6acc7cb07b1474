"""E-step: from parameters to the probabilities of the classes."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.labels.bags import BagPosterior, bag_posterior
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compute_once import kept
from weaklabel.model.records import Params, Rows, Side
from weaklabel.model.sources.imprecise import soft_evidence


class Expectation(NamedTuple):
    """The outcome of an E-step."""

    responsibilities: Float[Array, "U K"]
    """Probability of each class, held by the anchor."""
    log_evidence: Float[Array, ""]
    """Of the votes, an item: log-likelihood, and that of the votes with the anchor for the label, in the shares in
    which the responsibilities mix the two. Where sources are read by recall, EM raises it, but for shrinkage."""


def row_evidence(rows: Rows, evidence: Float[Array, "M S C"] | Float[Array, "M S"]) -> Float[Array, "U _"]:
    """Sum of the log-evidence of each row's votes, copies counted once: [U, C], or [U, S] of votes for themselves."""
    if evidence.ndim == 2:
        return rows.layout.own_evidence(evidence)
    found = rows.layout.evidence(evidence)
    return found if rows.soft is None else soft_evidence(rows.soft, evidence, found)


def row_prior(
    log_prior: Float[Array, " K"], side: Side | None, group_shift: Float[Array, "G K"] | None
) -> Float[Array, "U K"] | Float[Array, "1 K"]:
    """Log-prior of each row: the class balance, or that of its group; nothing where a belief stands instead."""
    found = log_prior[None, :]
    if side is None:
        return found
    if side.group is not None and group_shift is not None:  # a group that the fit has not seen has no shift
        found = found + group_shift.at[side.group].get(mode="fill", fill_value=0)
    return found if side.instead is None else jnp.where(side.instead[:, None], 0, found)


def added(side: Side | None) -> Float[Array, "U K"] | float:
    """What the log-posterior of each row holds beside prior and votes."""
    return 0.0 if side is None or side.offset is None else side.offset


def constrained(log_joint: Float[Array, "U K"], side: Side | None) -> BagPosterior:
    """Posterior and log-evidence of each row, under what is known of bags."""
    if side is None or side.bags is None:
        return BagPosterior(*class_axis.normalised(log_joint))
    return bag_posterior(log_joint if side.fixed is None else log_joint + side.fixed, side.bags)


def log_joint(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Logarithm of the joint probability of each row's votes and class."""
    prior = row_prior(params.log_prior, rows.side, params.group_shift)
    return prior + row_evidence(rows, params.evidence) + added(rows.side)


class RowExpectation(NamedTuple):
    """The E-step, row by row."""

    responsibilities: Float[Array, "U K"]
    """See `Expectation`."""
    log_evidence: Float[Array, " U"]
    """Of each row's votes."""


def e_step(rows: Rows, params: Params) -> Expectation:
    """Responsibilities of the classes for each row."""
    expected = e_step_by_row(rows, params)
    log_evidence = rows.weight @ kept(expected.log_evidence) / rows.weight.sum().clip(1)
    return Expectation(expected.responsibilities, log_evidence)


def e_step_by_row(rows: Rows, params: Params) -> RowExpectation:
    """Responsibilities, and each row's share in the objective."""
    joint = log_joint(rows, params)
    model = constrained(joint, rows.side)
    responsibilities = (1 - rows.hold[:, None]) * model.probabilities + rows.hold[:, None] * rows.anchor
    objective = (1 - rows.hold) * model.log_evidence + rows.hold * class_axis.total(rows.anchor * joint)
    return RowExpectation(responsibilities, objective)
