"""E-step: from parameters to the responsibilities of the classes."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Float

from weaklabel.model.layout.protocol import Layout
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.params import Params
from weaklabel.model.protocols import LabelPosterior
from weaklabel.model.records import Rows, RowVotes


class EStep(NamedTuple):
    """The outcome of an E-step, row by row."""

    responsibilities: Float[Array, "U K"]
    """Probability of each class: the posterior, mixed with the vote-share prior by its weight."""
    log_marginal: Float[Array, " U"]
    """Of the votes: the log marginal likelihood, and the log joint of the votes with the vote-share prior for the
    label, mixed alike. Where sources are read generatively EM raises it, except for shrinkage."""
    expected: Any = None
    """What else the label space counts; see `weaklabel.model.protocols.LabelPosterior`."""


def label_posterior(rows: Rows, params: Params) -> LabelPosterior:
    """The posterior of each row by the model alone: without the vote-share prior, untempered."""
    return params.labels.posterior(params.sources.log_likelihood(rows.votes), rows.information)


def e_step(rows: Rows, params: Params) -> EStep:
    """Responsibilities, and each row's share in the objective."""
    posterior = label_posterior(rows, params)
    weight, share_prior = rows.share_weight, rows.share_prior
    responsibilities = (1 - weight[:, None]) * posterior.probabilities + weight[:, None] * share_prior
    of_prior = class_axis.total(share_prior * posterior.log_joint)
    log_marginal = (1 - weight) * posterior.log_marginal + weight * of_prior
    return EStep(responsibilities, log_marginal, posterior.expected)


@compiled
def posterior_probabilities(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Probability of each class by the model alone; see `label_posterior`."""
    return label_posterior(rows, params).probabilities


@compiled
def posterior_of_votes(layout: Layout, params: Params) -> Float[Array, "U K"]:
    """The same, of rows of which nothing but votes for classes or candidate sets is known."""
    return params.labels.posterior(params.sources.log_likelihood(RowVotes(layout)), None).probabilities
