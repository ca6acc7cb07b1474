"""Independent classes: every item has one of K, by the class balance, unless more is known of it.

Beliefs about an item, the balance of its group and the bags it is in come in by `RowInformation`; see `groups` and
`bags`.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.labels.bags import bag_posterior
from weaklabel.model.labels.groups import group_prior, log_share_balance_of_groups
from weaklabel.model.labels.information import RowInformation
from weaklabel.model.numerics import class_axis
from weaklabel.model.protocols import LabelPosterior
from weaklabel.model.records import Profile, Rows
from weaklabel.model.settings import Settings
from weaklabel.side_information.items import ItemInformation


class ClassStatistics(NamedTuple):
    """Expected numbers of items."""

    totals: Float[Array, " K"]
    """Of each class."""
    group_totals: Float[Array, "G K"] | None = None
    """The same, by group; None where there are no groups."""


class ClassPrior(NamedTuple):
    """The class balance, overall and by group."""

    log_prior: Float[Array, " K"]
    """Logarithm of the class balance, tempered, as it enters the posterior."""
    class_totals: Float[Array, " K"]
    """Expected number of items of each class, among those that say anything, and one more."""
    group_totals: Float[Array, "G K"] | None = None
    """The same, by group; None where there are no groups."""
    group_shift: Float[Array, "G K"] | None = None
    """What each group adds to the log-prior."""

    @property
    def log_balance(self) -> Float[Array, " K"]:
        """See `LabelSpace`."""
        return jnp.log(self.class_totals / self.class_totals.sum())

    def group_balance(self) -> NDArray[np.float64] | None:
        """See `LabelSpace`."""
        if self.group_totals is None:
            return None
        return np.asarray(self.group_totals / self.group_totals.sum(1, keepdims=True), np.float64)

    @classmethod
    def ties_items(cls) -> bool:
        """See `LabelSpace`; bags and groups are side information."""
        return False

    @classmethod
    def on_device(cls, items: ItemInformation, n_rows: int) -> RowInformation | None:
        """See `LabelSpace`."""
        return RowInformation.of(items, n_rows)

    @classmethod
    def extend_profile(cls, profile: Profile, rows: Rows, items: ItemInformation, settings: Settings) -> Profile:
        """See `LabelSpace`: the balance of each group."""
        if not items.group_names or not isinstance(rows.information, RowInformation) or rows.information.group is None:
            return profile
        of_groups = log_share_balance_of_groups(
            rows.information.group,
            rows.weight,
            rows.share_prior,
            profile.log_share_balance,
            n_groups=len(items.group_names),
            mass=settings.group_mass,
        )
        return profile._replace(log_share_balance_of_groups=of_groups)

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:  # noqa: ARG003  # as the protocol has it
        """See `LabelSpace`."""
        n_classes, of_groups = profile.vote_counts.shape[1], profile.log_share_balance_of_groups
        nothing = None if of_groups is None else jnp.zeros_like(of_groups)
        again = None if of_groups is None else jnp.zeros_like(of_groups)
        return cls(jnp.zeros(n_classes), jnp.zeros(n_classes), nothing, again)

    def posterior(self, log_likelihood: Float[Array, "U K"], information: RowInformation | None) -> LabelPosterior:
        """See `LabelSpace`; exact under what is known of bags."""
        log_joint = self._row_prior(information) + log_likelihood + _offset(information)
        if information is None or information.bags is None:
            return LabelPosterior(*class_axis.normalised(log_joint), log_joint)
        return LabelPosterior(*bag_posterior(log_joint, information.bags), log_joint)

    def probabilities(
        self,
        log_likelihood: Float[Array, "U K"],
        information: RowInformation | None,
        inverse_temperature: Float[Array, "U 1"] | None = None,
    ) -> Float[Array, "U K"]:
        """See `LabelSpace`."""
        log_joint = self._row_prior(information) + log_likelihood
        if inverse_temperature is not None:
            log_joint = inverse_temperature * log_joint
        if information is None:
            return class_axis.softmax(log_joint)
        if information.votes_power is not None:
            # The rest of the balance: features say by how much an item's odds differ from it.
            log_joint = information.votes_power * log_joint + (1 - information.votes_power) * self.log_prior[None, :]
        log_joint = log_joint + _offset(information)
        if information.bags is None:
            return class_axis.normalised(log_joint)[0]
        return bag_posterior(log_joint, information.bags).probabilities

    def _row_prior(self, information: RowInformation | None) -> Float[Array, "U K"] | Float[Array, "1 K"]:
        """Log-prior of each row: the class balance, or that of its group; nothing where a belief replaces it."""
        prior = self.log_prior[None, :]
        if information is None:
            return prior
        if information.group is not None and self.group_shift is not None:
            # A group that the fit has not seen has no shift.
            prior = prior + self.group_shift.at[information.group].get(mode="fill", fill_value=0)
        if information.replaces_balance is None:
            return prior
        return jnp.where(information.replaces_balance[:, None], 0, prior)

    def statistics(
        self,
        responsibilities: Float[Array, "U K"],
        information: RowInformation | None,
        weight: Float[Array, " U"],  # noqa: ARG002  # which the responsibilities hold
        expected: None,  # noqa: ARG002
    ) -> ClassStatistics:
        """See `LabelSpace`."""
        by_group = None
        if self.group_totals is not None and information is not None and information.group is not None:
            nothing = jnp.zeros(self.group_totals.shape, responsibilities.dtype)
            by_group = nothing.at[information.group].add(responsibilities)
        return ClassStatistics(class_axis.of_all_rows(responsibilities), by_group)

    def m_step(self, statistics: ClassStatistics, profile: Profile, settings: Settings) -> Self:
        """See `LabelSpace`."""
        totals = statistics.totals + 1
        log_balance = jnp.log(totals / totals.sum())
        log_prior = _prior(log_balance, profile)
        return type(self)(log_prior, totals, *group_prior(statistics.group_totals, totals, profile, settings))

    def calibrated(self) -> Self:
        """See `LabelSpace`."""
        totals = np.asarray(self.class_totals)
        return self._replace(log_prior=jnp.asarray(np.log(totals / totals.sum()), jnp.float32))


def _offset(information: RowInformation | None) -> Float[Array, "U K"] | float:
    """What the log-posterior of each row holds beside prior and votes."""
    return 0.0 if information is None or information.offset is None else information.offset


def _prior(log_balance: Float[Array, " K"], profile: Profile) -> Float[Array, " K"]:
    """The class balance as it enters the posterior.

    What unipolar sources say of the balance cannot be trusted (it would run away), so that of the vote-share priors
    stands in, to the extent that votes are read discriminatively.
    """
    share = profile.mean_unipolarity
    return (1 - share) * log_balance + share * profile.log_share_balance
