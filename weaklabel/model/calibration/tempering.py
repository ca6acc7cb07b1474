"""Calibration: from log-likelihoods to calibrated soft labels, whose largest is the predicted class.

The posterior of a model whose sources are independent is too sure where they are not. So n votes count for less than n
by the correlation of their errors, and vote shares are pooled with the posterior, to the extent that errors are seen to
be correlated, or cannot be seen not to be.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from weaklabel.model.layout.protocol import Layout
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.protocols import Information
from weaklabel.model.records import Rows, RowVotes, SoftVotes


class RowEvidence(NamedTuple):
    """What calibration needs of each row."""

    log_likelihood: Float[Array, "U K"]
    shares: Float[Array, "U K"]
    """Vote shares, smoothed as the calibration wants them."""
    n_votes: Float[Array, "U 1"]
    n_read: Float[Array, "U 1"]
    """Votes by the evidence that is read from them; see `Calibration.soft_vote_exponent`."""
    information: Information | None = None
    """What is known of the rows beside their votes."""


def gather_evidence(rows: Rows, calibration: Calibration, share_prior_mass: float | Float[Array, ""]) -> RowEvidence:
    """Evidence of the rows; `share_prior_mass` is what their own vote-share priors were smoothed with."""
    n_classes = rows.share_prior.shape[1]
    n_votes = rows.n_votes[:, None]
    mass = calibration.share_prior_mass
    shares = (tally_of(rows, share_prior_mass) + mass / n_classes) / (n_votes + mass)
    if rows.information is not None and rows.information.has_bags:
        shares = rows.share_prior  # which keeps to the bags
    evidence = calibration.sources.log_likelihood(rows.votes)
    return RowEvidence(evidence, shares, n_votes, _n_read(rows.votes.soft, n_votes, calibration), rows.information)


def _n_read(soft: SoftVotes | None, n_votes: Float[Array, "U 1"], calibration: Calibration) -> Float[Array, "U 1"]:
    """Votes by the evidence that is read from them."""
    if soft is None:
        return n_votes
    more = (soft.information**calibration.soft_vote_exponent - soft.information) * soft.shares
    return n_votes.at[soft.rows, 0].add(more, mode="drop")


def tally_of(rows: Rows, share_prior_mass: float | Float[Array, ""]) -> Float[Array, "U K"]:
    """Votes for each class, of which the vote-share priors are the smoothed shares."""
    smoothing = 1 / rows.share_prior.shape[1] if rows.smoothing is None else rows.smoothing
    return rows.share_prior * (rows.n_votes[:, None] + share_prior_mass) - share_prior_mass * smoothing


def of_plain_votes(calibration: Calibration) -> Calibration:
    """The calibration of votes in which the candidate sets of the model do not occur."""
    return calibration._replace(sources=calibration.sources.of_plain_votes())


def inverse_temperature(n_votes: Float[Array, "U 1"], calibration: Calibration) -> Float[Array, "U 1"]:
    """Factor on log-prior and log-likelihood of a row with so many votes: one over their design effect."""
    exponent = calibration.design_effect_exponent
    more = (n_votes.clip(1) ** exponent - 1) / exponent
    return calibration.inverse_temperature / (1 + more * calibration.correlation)


def soft_labels(evidence: RowEvidence, calibration: Calibration) -> Float[Array, "U K"]:
    """[U, K] soft labels."""
    n_classes = evidence.shares.shape[1]
    tempered = inverse_temperature(evidence.n_read, calibration)
    # The label space tempers what it is given: the shares enter with a power of their own.
    pooled = evidence.log_likelihood + calibration.share_power / tempered * log_shares(evidence.shares)
    posterior = calibration.labels.probabilities(pooled, evidence.information, tempered)
    mixed = (1 - calibration.share_mixture) * posterior + calibration.share_mixture * evidence.shares
    soft = (1 - calibration.uniform_mixture) * mixed + calibration.uniform_mixture / n_classes
    information = evidence.information
    alone = 1 / n_classes if information is None else information.soft_labels_without_votes(n_classes)
    return jnp.where(_informed(evidence), soft, alone)


def log_shares(shares: Float[Array, "U K"]) -> Float[Array, "U K"]:
    """Logarithm of vote shares; padding, where nothing was written, is 0."""
    return jnp.log(jnp.where(shares > 0, shares, 1))


def _informed(evidence: RowEvidence) -> Bool[Array, "U 1"]:
    """Rows of which something is known that is read with the votes."""
    voted = evidence.n_votes > 0
    return voted if evidence.information is None else evidence.information.informs(voted)


@compiled
def calibrate_rows(
    rows: Rows, calibration: Calibration, share_prior_mass: float | Float[Array, ""]
) -> Float[Array, "U K"]:
    """Soft labels.

    Args:
        rows: the votes.
        calibration: of `fit_calibration`.
        share_prior_mass: pseudo-votes in the vote-share priors of the rows.
    """
    return soft_labels(gather_evidence(rows, calibration, share_prior_mass), calibration)


@partial(compiled, static_argnames="n_sources")
def calibrate_votes(
    layout: Layout, calibration: Calibration, share_prior_mass: float | Float[Array, ""], *, n_sources: int
) -> Float[Array, "U K"]:
    """Soft labels of new votes.

    Votes in blocks go block by block, so that what is made of a row never leaves the cache.
    """
    n_classes = calibration.labels.log_prior.shape[0]

    def of_block(block: Layout) -> Array:
        rows = build_rows(RowVotes(block), jnp.ones(block.n_rows), n_sources, n_classes, share_prior_mass)
        return soft_labels(gather_evidence(rows, calibration, share_prior_mass), calibration)

    return layout.map_blocks(of_block)
