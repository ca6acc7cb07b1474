"""The data that the label model passes around. Records of more than a few fields are built by keyword.

Shapes: U distinct vote rows (padded to a bucket), M sources, K classes. Votes have S symbols: the K classes, then the
candidate sets of the codebook. G groups of items, V soft votes, C candidate sets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from weaklabel.model.layout.protocol import Layout


class SetSymbols(NamedTuple):
    """The candidate sets of the codebook."""

    members: Float[Array, "C K"]
    """1 for the classes of the set."""
    information: Float[Array, " C"]
    """How much of a vote each is; see `weaklabel.model.sources.soft_votes.information`."""


class SoftVotes(NamedTuple):
    """Votes that are probability vectors, padded to a bucket."""

    rows: Int[Array, " V"]
    """Row of each vote; a padded vote points behind the last row."""
    sources: Int[Array, " V"]
    probabilities: Float[Array, "V K"]
    information: Float[Array, " V"]
    """How much of a vote each is."""
    shares: Float[Array, " V"]
    """Weight of each vote beside its copies."""


class RowVotes(NamedTuple):
    """The votes of U rows, on the device."""

    layout: Layout
    soft: SoftVotes | None = None
    """Votes that are probability vectors; None where there are none."""


class Rows(NamedTuple):
    """The distinct vote rows of a fit, on the device."""

    votes: RowVotes
    weight: Float[Array, " U"]
    """How many items have the row; 0 for padding and for rows that say nothing."""
    n_votes: Float[Array, " U"]
    """Votes of the row, copies counted once."""
    share_prior: Float[Array, "U K"]
    """The vote-share prior: smoothed vote shares, from which EM starts; the label itself where it is known."""
    share_weight: Float[Array, " U"]
    """Weight of that prior in the responsibilities: 1 where the label is known, and for rows without votes."""
    smoothing: Float[Array, "1 K"] | Float[Array, "U K"] | None = None
    """Distribution over which the pseudo-votes of the vote-share prior are spread; None for the uniform one."""
    information: Any = None
    """What is known of the rows beside their votes, see `weaklabel.model.protocols.Information`; None for nothing."""


class Profile(NamedTuple):
    """What is known of sources and classes before EM."""

    confusion_mass: Float[Array, ""]
    """Pseudo-votes, in each class, behind a source's accuracy and the shape of errors that all share."""
    error_mass: Float[Array, ""]
    """Pseudo-errors, in each class, that are spread evenly in that shape."""
    vote_counts: Float[Array, "M K"]
    """How often each source voted for each class."""
    n_votes: Float[Array, " M"]
    """Votes of each source, weighted as in the statistics: known labels weigh more."""
    unipolarity: Float[Array, " M"]
    """How far a source's vote is read as P(class | vote), discriminative, rather than as P(vote | class), generative: 1
    for sources that vote for part of the classes only, whose silence is no information."""
    independence: Float[Array, " M"]
    """Mean share with which the source's votes count beside their copies: 1 where there are none."""
    log_share_balance: Float[Array, " K"]
    """Logarithm of the class balance that the vote-share priors show."""
    sets: SetSymbols | None = None
    """Candidate sets of the codebook; None where votes are plain."""
    bounds: Float[Array, "M 2"] | None = None
    """Least and largest accuracy that a person allows each source; None where nothing is given."""
    information: Float[Array, " M"] | None = None
    """Mean information of each source's votes; None where votes are plain."""
    log_share_balance_of_groups: Float[Array, "G K"] | None = None
    """`log_share_balance` of each group; None where there are no groups."""

    @property
    def mean_unipolarity(self) -> Float[Array, ""] | np.float32:
        """Mean of `unipolarity` over the votes, copies counted once."""
        n_votes = self.vote_counts.sum(1) * self.independence
        return (self.unipolarity * n_votes).sum() / n_votes.sum().clip(1e-9)


class Statistics(NamedTuple):
    """Expected counts: all that an M-step needs of the rows. They add up over blocks, chunks, devices and processes."""

    sources: Any
    """Of the source model: a tree of arrays."""
    labels: Any
    """Of the label space."""
