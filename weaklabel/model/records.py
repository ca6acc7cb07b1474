"""What the label model is made of: data, parameters, statistics.

Shapes: U distinct vote rows (padded to a bucket), M sources, K classes. Votes have S symbols: the K classes, then the
candidate sets of the codebook. G groups of items.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from weaklabel.model.labels.bags import BagLayout
from weaklabel.model.layout.choice import AnyLayout
from weaklabel.model.sources.imprecise import SetSymbols, SoftVotes


class Side(NamedTuple):
    """What is known of rows beside their votes; each part None where there is nothing."""

    offset: Float[Array, "U K"] | None = None
    """Added to the log-posterior: prior beliefs, and what features say."""
    instead: Bool[Array, " U"] | None = None
    """Rows whose offset stands in place of the class balance."""
    group: Int[Array, " U"] | None = None
    """Group of each row, whose class balance is its own; padding is in group 0."""
    bags: BagLayout | None = None
    """Constraints over bags of rows."""
    fixed: Float[Array, "U K"] | None = None
    """For rows in bags: 0, or minus infinity for classes that gold excludes."""
    alone: Float[Array, "U K"] | None = None
    """Soft labels of rows without votes, ..."""
    alone_share: Float[Array, " U"] | None = None
    """... and how far they stand in place of what is called on such rows otherwise."""
    believed: Bool[Array, " U"] | None = None
    """Rows with a prior belief of their own: they count in EM, votes or not."""


class Rows(NamedTuple):
    """The distinct vote rows of a fit, on the device."""

    layout: AnyLayout
    weight: Float[Array, " U"]
    """How many items have the row; 0 for padding and for rows that say nothing."""
    n_votes: Float[Array, " U"]
    """Votes of the row, copies counted once."""
    anchor: Float[Array, "U K"]
    """Smoothed vote shares, from which EM starts; the label itself where it is known."""
    hold: Float[Array, " U"]
    """Share of the anchor in the responsibilities: 1 where the label is known, and for rows without votes."""
    soft: SoftVotes | None = None
    """Votes that are probability vectors; None where there are none."""
    side: Side | None = None
    """Side information; None where there is none."""


class Sources(NamedTuple):
    """What is known of the sources before EM."""

    vote_counts: Float[Array, "M K"]
    """How often each source voted for each class."""
    n_votes: Float[Array, " M"]
    """Votes of each source, weighted as in the counts: known labels weigh more."""
    precision: Float[Array, " M"]
    """How far a source's vote is read as P(class | vote) rather than P(vote | class): 1 for sources that vote for
    part of the classes only, for which a silence is no information."""
    independence: Float[Array, " M"]
    """Mean share with which the source's votes count beside their copies: 1 where there are none."""

    log_anchored: Float[Array, " K"]
    """Logarithm of the class balance that the anchors show."""
    sets: SetSymbols | None = None
    """Candidate sets of the codebook; None where votes are plain."""
    bounds: Float[Array, "M 2"] | None = None
    """Least and largest accuracy that a person allows each source; None where nothing is said."""
    information: Float[Array, " M"] | None = None
    """Mean information of each source's votes, see weaklabel.model.sources.imprecise; None where votes are plain."""
    log_anchored_groups: Float[Array, "G K"] | None = None
    """`log_anchored` of each group; None where there are no groups."""

    @property
    def mean_precision(self) -> Float[Array, ""] | np.float32:
        """Mean of `precision` over the votes, copies counted once: how far the set is read by precision."""
        n_votes = self.vote_counts.sum(1) * self.independence
        return (self.precision * n_votes).sum() / n_votes.sum().clip(1e-9)


class Statistics(NamedTuple):
    """Expected counts: all that an M-step needs of the rows. They add up over blocks, chunks, devices and hosts."""

    counts: Float[Array, "M S K"] | Float[Array, " M"]
    """How often each source showed each symbol in each class; [M] how often it was right, where each source has one
    accuracy."""
    totals: Float[Array, " K"]
    """Number of items of each class."""
    group_totals: Float[Array, "G K"] | None = None
    """The same, by group."""


class Params(NamedTuple):
    """What EM estimates."""

    confusion: Float[Array, "M K K"] | Float[Array, " M"]
    """P(vote | class), shrunk: vote on the second axis, class on the last. [M] where matrices would be too large:
    then each source has one accuracy."""
    evidence: Float[Array, "M S K"] | Float[Array, "M K"]
    """Log-evidence of each symbol for each class; in the [M, K] form a vote speaks for its own class only."""
    log_prior: Float[Array, " K"]
    """Logarithm of the class balance, tempered, as it enters the posterior."""
    class_totals: Float[Array, " K"]
    """Expected number of items of each class, among those that say anything, and one more."""
    group_totals: Float[Array, "G K"] | None = None
    """The same, by group; None where there are no groups."""
    group_shift: Float[Array, "G K"] | None = None
    """What each group adds to the log-prior."""


class State(NamedTuple):
    """What the next EM iteration needs."""

    params: Params
    responsibilities: Float[Array, "U K"] | None
    """None where rows go by blocks, see `weaklabel.model.em.statistics`."""
    watched: Float[Array, "W K"] | None
    """Those of the rows whose change tells whether EM goes on; None where all are kept."""
    counted: Statistics
    """Expected counts under the responsibilities."""
    iteration: Int[Array, ""]
    change: Float[Array, ""]
    """Largest change of a responsibility in the last iteration; of many rows, see weaklabel.model.em.loop, the mean."""
    rate: Float[Array, ""]
    """The change of an iteration over that of the one before: EM shrinks its error by about so much."""
    objective: Float[Array, " max_iter"]
    """Log-evidence of the votes an item, after each iteration; NaN for those to come."""
    trail: tuple[Statistics, Statistics] | None
    """Counts of the last two iterations, for longer steps, see weaklabel.model.em.squarem; None where none are made."""


class ReadOut(NamedTuple):
    """How soft labels and calls are read off votes; see weaklabel.model.calibration.tempering."""

    evidence: Float[Array, "M S K"] | Float[Array, "M K"]
    """Log-evidence of each vote in the soft labels: bounded."""
    log_prior: Float[Array, " K"]
    """Prior of the soft labels."""
    sharpness: Float[Array, ""]
    """Factor on evidence and prior of a row with one vote."""
    correlation: Float[Array, ""]
    """Of the errors of two votes on one item."""
    saturation: Float[Array, ""]
    """See Settings."""
    anchor_mass: Float[Array, ""]
    """Pseudo-votes in the vote shares that are mixed in."""
    anchor_share: Float[Array, ""]
    uniform_share: Float[Array, ""]
    call_evidence: Float[Array, "M S K"] | Float[Array, "M K"]
    """Log-evidence of each vote in the call."""
    call_log_prior: Float[Array, " K"]
    call_anchor_share: Float[Array, ""]
    uncovered_call: Float[Array, " K"]
    """Score of each class in the call on items without votes; the probability stays uniform."""
    group_shift: Float[Array, "G K"] | None = None
    """What each group adds to both priors; None where there are no groups."""
