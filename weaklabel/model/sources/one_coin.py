"""One accuracy per source: every wrong class is as likely. For more cells than confusion matrices are worth."""

from __future__ import annotations

from typing import NamedTuple, Self

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.records import Profile, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.shrinkage import shrunk_accuracy
from weaklabel.votes.symbols import Symbols


class OneCoin(NamedTuple):
    """P(vote | class) of each source by one accuracy. Its statistics are the numbers of right votes [M]."""

    accuracy: Float[Array, " M"]
    log_likelihoods: Float[Array, "M K"]
    """Log-likelihood of each vote in its own class, over that in another."""

    @property
    def table_size(self) -> int:
        """See `SourceModel`."""
        return 0

    @classmethod
    def takes_imprecise_votes(cls) -> bool:
        """See `SourceModel`."""
        return False

    @property
    def confusion(self) -> None:
        """See `SourceModel`."""
        return

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:  # noqa: ARG003  # as the protocol has it
        """See `SourceModel`."""
        n_sources, n_classes = profile.vote_counts.shape
        return cls(jnp.zeros(n_sources), jnp.zeros((n_sources, n_classes)))

    def log_likelihood(self, votes: RowVotes) -> Float[Array, "U K"]:
        """See `SourceModel`."""
        return votes.layout.own_evidence(self.log_likelihoods)

    def statistics(
        self, votes: RowVotes, responsibilities: Float[Array, "U K"], start: Float[Array, " M"] | None = None
    ) -> Float[Array, " M"]:
        """See `SourceModel`."""
        right = votes.layout.own_counts(responsibilities, len(self.accuracy)).sum(1)
        return right if start is None else start + right

    def m_step(
        self,
        statistics: Float[Array, " M"],
        log_balance: Float[Array, " K"],
        profile: Profile,
        settings: Settings,
    ) -> Self:
        """See `SourceModel`."""
        n_classes = len(log_balance)
        accuracy, _ = shrunk_accuracy(statistics, profile, settings)
        if profile.bounds is not None:
            accuracy = jnp.clip(accuracy, profile.bounds[:, 0], profile.bounds[:, 1]).clip(1e-3, 1 - 1e-3)
        gain = jnp.log(accuracy * (n_classes - 1) / (1 - accuracy))
        return type(self)(accuracy, jnp.tile(gain[:, None], (1, n_classes)))

    def vote_totals(self, statistics: Float[Array, " M"]) -> None:  # noqa: ARG002  # right votes do not tell
        """See `SourceModel`."""
        return

    def right_votes(self, statistics: Float[Array, " M"], profile: Profile) -> None:  # noqa: ARG002
        """See `SourceModel`; here all votes are for single classes."""
        return

    def of_plain_votes(self) -> Self:
        """See `SourceModel`."""
        return self

    def log_likelihood_of(self, source: int, code: int, symbols: Symbols) -> NDArray[np.float64]:
        """See `SourceModel`."""
        table = np.zeros(symbols.n_classes)
        table[code] = float(self.log_likelihoods[source, code])
        return table
