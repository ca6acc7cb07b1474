"""The two seams of the label model: how a source votes, and what a label is.

EM (`weaklabel.model.em`), calibration and the model file know sources and labels by these protocols only, and votes by
`weaklabel.model.layout.protocol`. A source model or a label space is a JAX pytree: its arrays are its parameters, its
class says what they mean, and compiled code is chosen by that class. What is implemented here is in `sources` and
`labels`; more can be registered, see `weaklabel.model.registry`.

Shapes: U rows, M sources, S vote symbols (the K classes, then the candidate sets), K classes, C any number of columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from weaklabel.model.records import Profile, Rows, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes.symbols import Symbols


@runtime_checkable
class SourceModel(Protocol):
    """P(vote | label) of every source: parameters, and what is done with them."""

    @property
    def table_size(self) -> int:
        """Number of (source, symbol) pairs that statistics are tables of; 0 where they are not."""
        ...

    @classmethod
    def takes_imprecise_votes(cls) -> bool:
        """Whether votes for several classes (candidate sets, probability vectors) have a likelihood."""
        ...

    @property
    def confusion(self) -> Float[Array, "M K K"] | None:
        """P(vote | class), vote on the second axis, class on the last; None where sources have no such matrix."""
        ...

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:
        """Parameters before the first iteration: every source as good as sources are expected to be."""
        ...

    def log_likelihood(self, votes: RowVotes) -> Float[Array, "U K"]:
        """Log-likelihood of each row's votes in each class, up to a constant per row; copies count once."""
        ...

    def statistics(self, votes: RowVotes, responsibilities: Float[Array, "U K"], start: Any = None) -> Any:
        """Expected counts, all that an M-step needs of the rows. They add up over rows, and are not negative:
        longer EM steps are cut off at 0.

        Args:
            votes: of the rows.
            responsibilities: weighted.
            start: statistics that these are added to; None for none.
        """
        ...

    def m_step(self, statistics: Any, log_balance: Float[Array, " K"], profile: Profile, settings: Settings) -> Self:
        """Parameters that fit the statistics, shrunk.

        Args:
            statistics: of the E-step.
            log_balance: logarithm of the class balance.
            profile: what is known of sources and classes before EM.
            settings: constants.
        """
        ...

    def vote_totals(self, statistics: Any) -> Float[Array, " M"] | None:
        """Number of votes of each source, where the statistics tell."""
        ...

    def right_votes(self, statistics: Any, profile: Profile) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """[M] expected number of right votes and of all votes, where votes are not for single classes."""
        ...

    def of_plain_votes(self) -> Self:
        """Parameters for votes in which the candidate sets of the codebook do not occur."""
        ...

    def log_likelihood_of(self, source: int, code: int, symbols: Symbols) -> NDArray[np.float64]:
        """[K] log-likelihood of one vote, by its code in a codebook."""
        ...


class LabelPosterior(NamedTuple):
    """The posterior of the labels of U rows."""

    probabilities: Float[Array, "U K"]
    """Marginal probability of each class."""
    log_marginal: Float[Array, " U"]
    """Log marginal likelihood of the votes; of rows whose labels are tied, shares that sum to it."""
    log_joint: Float[Array, "U K"]
    """Logarithm of the joint probability of each row's votes and class, before rows are tied to each other."""
    expected: Any = None
    """What else the M-step of the label space needs, such as expected pairs of neighbouring labels.

    A tree of arrays with rows first; None where the marginal probabilities are enough."""


@runtime_checkable
class LabelSpace(Protocol):
    """The prior of the labels: parameters, and the posterior over them given the log-likelihood of the votes."""

    @property
    def class_totals(self) -> Float[Array, " K"]:
        """Expected number of items of each class, among those that say anything, and one more."""
        ...

    @property
    def log_prior(self) -> Float[Array, " K"]:
        """Logarithm of the prior of a class, as it enters the posterior of an item of which nothing else is known."""
        ...

    @property
    def log_balance(self) -> Float[Array, " K"]:
        """Logarithm of the class balance."""
        ...

    def group_balance(self) -> NDArray[np.float64] | None:
        """[G, K] class balance of each group; None without groups."""
        ...

    @classmethod
    def ties_items(cls) -> bool:
        """Whether labels of items depend on each other by themselves, as in a sequence, without side information.

        Each item is then a row of its own, in the order of the items, and `on_device` must not answer None.
        """
        ...

    @classmethod
    def on_device(cls, items: ItemInformation, n_rows: int) -> Information | None:
        """What is known of the rows beside their votes, padded; None for nothing.

        Raises:
            InvalidArgumentError: for information that this label space has no use for.
        """
        ...

    @classmethod
    def extend_profile(cls, profile: Profile, rows: Rows, items: ItemInformation, settings: Settings) -> Profile:
        """The profile with what this label space wants known of the rows before EM."""
        ...

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:
        """Parameters before the first iteration."""
        ...

    def posterior(self, log_likelihood: Float[Array, "U K"], information: Any) -> LabelPosterior:
        """The posterior of the rows.

        Args:
            log_likelihood: of each row's votes in each class.
            information: of `on_device`.
        """
        ...

    def probabilities(
        self, log_likelihood: Float[Array, "U K"], information: Any, inverse_temperature: Float[Array, "U 1"] | None
    ) -> Float[Array, "U K"]:
        """The probabilities alone, tempered: prior and votes of a row to the power of its inverse temperature."""
        ...

    def statistics(
        self, responsibilities: Float[Array, "U K"], information: Any, weight: Float[Array, " U"], expected: Any
    ) -> Any:
        """Expected counts of the labels: a tree of arrays that adds up over rows, none negative, of the same structure
        and shapes whatever `expected` is.

        Args:
            responsibilities: weighted.
            information: of `on_device`.
            weight: of the rows.
            expected: of `posterior`; None before the first E-step.
        """
        ...

    def m_step(self, statistics: Any, profile: Profile, settings: Settings) -> Self:
        """Parameters that fit the statistics."""
        ...

    def calibrated(self) -> Self:
        """With the prior of the soft labels: the class balance."""
        ...


@runtime_checkable
class Information(Protocol):
    """What a label space knows of rows beside their votes: a pytree of arrays, for its own `posterior`.

    Each row is then an item of its own. EM and calibration ask no more of it than this.
    """

    def attach(self, rows: Rows, items: Float[Array, " U"], share_weight: float | Float[Array, ""]) -> Rows:
        """The rows with this information.

        Args:
            rows: with their share priors.
            items: how many items have each row; 0 for padding.
            share_weight: weight of the share prior of ordinary rows.
        """
        ...

    @property
    def has_bags(self) -> bool:
        """Whether labels of rows are tied to each other, and their share priors with them."""
        ...

    def informs(self, voted: Bool[Array, "U 1"]) -> Bool[Array, "U 1"]:
        """Rows whose posterior says more than their absent votes: those with votes, and those tied to others."""
        ...

    def soft_labels_without_votes(self, n_classes: int) -> Float[Array, "U K"] | float:
        """Soft labels of rows that say nothing else."""
        ...
