"""Calibration: from log-likelihoods to calibrated soft labels, and to the scores that decisions are made by.

The posterior of a model whose sources are independent is too sure where they are not. So what one vote can say is
bounded, n votes count for less than n by the correlation of their errors, and a share of the vote shares and of the
uniform distribution is mixed in; all of it to the extent that errors are seen to be correlated, or cannot be seen not
to be.

The decision is another question than the probability. It pools the untempered posterior with the vote shares, which
changes items on which the model is not sure; and on items without votes, whose soft label is uniform, it uses the class
balance and the silence of unipolar sources.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from weaklabel.model.layout.protocol import Layout
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.protocols import Information
from weaklabel.model.records import Rows, RowVotes


class RowEvidence(NamedTuple):
    """What calibration needs of each row."""

    bounded: Float[Array, "U K"]
    """Log-likelihood of the votes, each bounded."""
    unbounded: Float[Array, "U K"] | None
    """Log-likelihood of the votes as it is; None where no decision scores are wanted."""
    shares: Float[Array, "U K"]
    """Vote shares, smoothed as the calibration wants them."""
    n_votes: Float[Array, "U 1"]
    information: Information | None = None
    """What is known of the rows beside their votes."""


def gather_evidence(
    rows: Rows, calibration: Calibration, share_prior_mass: float | Float[Array, ""], *, with_scores: bool = True
) -> RowEvidence:
    """Evidence of the rows; `share_prior_mass` is what their own vote-share priors were smoothed with."""
    n_classes = rows.share_prior.shape[1]
    n_votes = rows.n_votes[:, None]
    mass = calibration.share_prior_mass
    shares = (tally_of(rows, share_prior_mass) + mass / n_classes) / (n_votes + mass)
    if rows.information is not None and rows.information.has_bags:
        shares = rows.share_prior  # which keeps to the bags
    bounded = calibration.sources.log_likelihood(rows.votes)
    unbounded = calibration.decision_sources.log_likelihood(rows.votes) if with_scores else None
    return RowEvidence(bounded, unbounded, shares, n_votes, rows.information)


def tally_of(rows: Rows, share_prior_mass: float | Float[Array, ""]) -> Float[Array, "U K"]:
    """Votes for each class, of which the vote-share priors are the smoothed shares."""
    return rows.share_prior * (rows.n_votes[:, None] + share_prior_mass) - share_prior_mass / rows.share_prior.shape[1]


def of_plain_votes(calibration: Calibration) -> Calibration:
    """The calibration of votes in which the candidate sets of the model do not occur."""
    sources, decision_sources = (part.of_plain_votes() for part in (calibration.sources, calibration.decision_sources))
    return calibration._replace(sources=sources, decision_sources=decision_sources)


def inverse_temperature(n_votes: Float[Array, "U 1"], calibration: Calibration) -> Float[Array, "U 1"]:
    """Factor on log-prior and log-likelihood of a row with so many votes: one over their design effect."""
    exponent = calibration.design_effect_exponent
    more = (n_votes.clip(1) ** exponent - 1) / exponent
    return calibration.inverse_temperature / (1 + more * calibration.correlation)


def soft_labels(evidence: RowEvidence, calibration: Calibration) -> Float[Array, "U K"]:
    """[U, K] soft labels."""
    n_classes = evidence.shares.shape[1]
    tempered = inverse_temperature(evidence.n_votes, calibration)
    posterior = calibration.labels.probabilities(evidence.bounded, evidence.information, tempered)
    mixed = (1 - calibration.share_mixture) * posterior + calibration.share_mixture * evidence.shares
    soft = (1 - calibration.uniform_mixture) * mixed + calibration.uniform_mixture / n_classes
    information = evidence.information
    alone = 1 / n_classes if information is None else information.soft_labels_without_votes(n_classes)
    return jnp.where(_informed(evidence), soft, alone)


def decision_scores(evidence: RowEvidence, calibration: Calibration) -> Float[Array, "U K"]:
    """[U, K] scores whose largest is the predicted class."""
    assert evidence.unbounded is not None
    untempered = calibration.decision_labels.probabilities(evidence.unbounded, evidence.information, None)
    pooled = (1 - calibration.decision_share) * untempered + calibration.decision_share * evidence.shares
    silent = calibration.silent_scores[None]
    information = evidence.information
    return jnp.where(
        _informed(evidence), pooled, silent if information is None else information.scores_without_votes(silent)
    )


def _informed(evidence: RowEvidence) -> Bool[Array, "U 1"]:
    """Rows of which something is known that is read with the votes."""
    voted = evidence.n_votes > 0
    return voted if evidence.information is None else evidence.information.informs(voted)


@partial(jax.jit, static_argnames="with_scores")
def calibrate_rows(
    rows: Rows, calibration: Calibration, share_prior_mass: float | Float[Array, ""], *, with_scores: bool
) -> tuple[Float[Array, "U K"], Float[Array, "U K"] | None]:
    """Soft labels and, if asked for, decision scores.

    Args:
        rows: the votes.
        calibration: of `fit_calibration`.
        share_prior_mass: pseudo-votes in the vote-share priors of the rows.
        with_scores: whether decision scores are wanted.
    """
    evidence = gather_evidence(rows, calibration, share_prior_mass, with_scores=with_scores)
    return soft_labels(evidence, calibration), decision_scores(evidence, calibration) if with_scores else None


@partial(jax.jit, static_argnames=("n_sources", "with_scores"))
def calibrate_votes(
    layout: Layout,
    calibration: Calibration,
    share_prior_mass: float | Float[Array, ""],
    *,
    n_sources: int,
    with_scores: bool,
) -> tuple[Float[Array, "U K"], Float[Array, "U K"] | None]:
    """Soft labels of new votes and, if asked for, decision scores.

    Votes in blocks go block by block, so that what is made of a row never leaves the cache.
    """
    n_classes = calibration.silent_scores.shape[0]

    def of_block(block: Layout) -> tuple[Array, Array | None]:
        rows = build_rows(RowVotes(block), jnp.ones(block.n_rows), n_sources, n_classes, share_prior_mass)
        evidence = gather_evidence(rows, calibration, share_prior_mass, with_scores=with_scores)
        return soft_labels(evidence, calibration), decision_scores(evidence, calibration) if with_scores else None

    return layout.map_blocks(of_block)
