"""What EM estimates, and what calibration makes of it.

Shapes: U rows, W watched rows, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Float, Int

from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.records import Statistics


class Params(NamedTuple):
    """What EM estimates."""

    sources: SourceModel
    labels: LabelSpace


class State(NamedTuple):
    """What the next EM iteration needs."""

    params: Params
    watched: Float[Array, "W K"]
    """Responsibilities whose change tells whether EM goes on: of all rows, or of some where rows are streamed."""
    statistics: Statistics
    """Under the responsibilities."""
    iteration: Int[Array, ""]
    change: Float[Array, ""]
    """Largest change of a responsibility in the last iteration; of many rows the mean, see `em.loop`."""
    rate: Float[Array, ""]
    """The change of an iteration over that of the one before: EM shrinks its error by about so much."""
    objective: Float[Array, " max_iter"]
    """Log marginal likelihood of the votes per item, after each iteration; NaN for those to come."""
    trail: tuple[Statistics, Statistics] | None
    """Statistics of the last two iterations, for longer steps, see `weaklabel.model.em.squarem`; None where none are
    made."""


class Calibration(NamedTuple):
    """How soft labels follow from votes; see `weaklabel.model.calibration.tempering`."""

    sources: SourceModel
    labels: LabelSpace
    """Prior of the soft labels."""
    inverse_temperature: Float[Array, ""]
    """Factor on log-likelihood and log-prior of a row with one vote."""
    correlation: Float[Array, ""]
    """Of the errors of two votes on one item."""
    design_effect_exponent: Float[Array, ""]
    """e: the design effect of n votes is 1 + correlation * (n^e - 1) / e."""
    share_prior_mass: Float[Array, ""]
    """Pseudo-votes in the vote shares that are pooled or mixed in."""
    share_power: Float[Array, ""]
    """Power of the vote shares that multiplies the posterior."""
    share_mixture: Float[Array, ""]
    """Share of the vote shares in the soft labels."""
    uniform_mixture: Float[Array, ""]
    """Share of the uniform distribution in the soft labels."""
    soft_vote_exponent: Float[Array, ""]
    """Power of its information as which a probability vector counts among the votes of a row; 1/2: the evidence of one
    near to uniform is in proportion to how far it is from that, and its information to the square."""
