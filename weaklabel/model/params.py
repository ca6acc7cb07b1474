"""What the label model is made of: constants, parameters, and the data of a fit.

Shapes: U distinct vote rows (padded to a bucket), M sources, K classes. Votes have S == K symbols.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Float, Int

from weaklabel.model.layout import DenseLayout, SparseLayout


class Settings(NamedTuple):
    """Constants of the model. The defaults are the ones that are measured; see docs/label-model.md."""

    anchor_mass: float = 0.5
    """Pseudo-votes, spread over the classes, in the vote shares that anchor a row."""
    anchor_weight: float = 0.25
    """Share of the anchor in the responsibilities of EM, and in the labels read out."""
    accuracy_mean: float = 0.75
    """Accuracy that sources are expected to have, before any vote."""
    accuracy_mass: float = 5.0
    """Pseudo-votes behind that expectation, and behind the mean accuracy in each source's."""
    recall_mass: float = 4.0
    """Pseudo-votes, in each class, for a confusion matrix of the source's overall accuracy: P(vote | class)."""
    precision_mass: float = 30.0
    """Pseudo-votes of each symbol for the same, where the source is read by precision: P(class | vote)."""
    recall_floor: float = 0.5
    """Pseudo-votes, spread over the symbols, that keep P(vote | class) off zero."""
    precision_floor: float = 0.1
    """Pseudo-votes, spread over the classes, that keep P(class | vote) off zero."""


class Rows(NamedTuple):
    """The distinct vote rows of a fit, on the device."""

    layout: DenseLayout | SparseLayout
    weight: Float[Array, " U"]
    """How many items have the row; 0 for padding and for rows without votes, which say nothing about sources."""
    n_votes: Float[Array, " U"]
    """Votes of the row, copies counted once."""
    anchor: Float[Array, "U K"]
    """Smoothed vote shares, from which EM starts and which hold it."""


class Sources(NamedTuple):
    """What is known of the sources before EM."""

    vote_counts: Float[Array, "M K"]
    """How often each source voted for each class."""
    precision: Float[Array, " M"]
    """How far a source's vote is read as P(class | vote) rather than P(vote | class): 1 for sources that vote for
    part of the classes only, for which a silence is no information."""
    independence: Float[Array, " M"]
    """Mean share with which the source's votes count beside their copies: 1 where there are none."""


class Params(NamedTuple):
    """What EM estimates."""

    evidence: Float[Array, "M K K"] | Float[Array, "M K"]
    """Log-evidence of each vote (second axis) for each class (last axis). [M, K] where the matrices would be too
    large: then a vote speaks for its own class only, by so much more than for each other one."""
    log_prior: Float[Array, " K"]
    """Logarithm of the class balance, tempered, as it enters the posterior."""
    class_balance: Float[Array, " K"]
    """Estimated share of each class among the items with votes."""


class State(NamedTuple):
    """What the next EM iteration needs."""

    params: Params
    responsibilities: Float[Array, "U K"]
    iteration: Int[Array, ""]
    change: Float[Array, ""]
    """Largest change of a responsibility in the last iteration."""
    objective: Float[Array, " max_iter"]
    """Penalised log-likelihood an item, after each iteration; NaN for those to come."""
