"""One confusion matrix per source (Dawid and Skene 1979, doi:10.2307/2346806), shrunk to the sources' common shape.

Votes for candidate sets and probability vectors are votes for a class in mind; see `candidate_sets` and `soft_votes`.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.records import Profile, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.bounds import bounded_confusion
from weaklabel.model.sources.candidate_sets import latent_votes, set_log_likelihood
from weaklabel.model.sources.shrinkage import expected_confusion, shrunk_accuracy
from weaklabel.model.sources.soft_votes import log_likelihood_of_soft, soft_counts, soft_log_likelihood
from weaklabel.votes.symbols import Symbols

LEAST_PROBABILITY = 1e-4
"""In a matrix whose accuracy is bounded: a bound of 0 or 1 is certain, a likelihood must not be."""


class ConfusionMatrices(NamedTuple):
    """P(vote | class) of each source as a matrix. Its statistics are counts [M, S, K]."""

    confusion: Float[Array, "M K K"]
    """P(vote | class), shrunk: vote on the second axis, class on the last."""
    log_likelihoods: Float[Array, "M S K"]
    """Log-likelihood of each symbol in each class, up to a constant for each source and symbol."""

    @property
    def table_size(self) -> int:
        """See `SourceModel`."""
        return self.log_likelihoods.shape[0] * self.log_likelihoods.shape[1]

    @classmethod
    def takes_imprecise_votes(cls) -> bool:
        """See `SourceModel`."""
        return True

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:
        """See `SourceModel`."""
        n_sources, n_classes = profile.vote_counts.shape
        n_symbols = n_classes + (0 if profile.sets is None else profile.sets.members.shape[0])
        wrong = (1 - settings.accuracy_mean) / (n_classes - 1)
        expected = jnp.eye(n_classes) * (settings.accuracy_mean - wrong) + wrong
        return cls(jnp.tile(expected, (n_sources, 1, 1)), jnp.zeros((n_sources, n_symbols, n_classes)))

    def log_likelihood(self, votes: RowVotes) -> Float[Array, "U K"]:
        """See `SourceModel`."""
        total = votes.layout.evidence(self.log_likelihoods)
        return total if votes.soft is None else soft_log_likelihood(votes.soft, self.log_likelihoods, total)

    def statistics(
        self, votes: RowVotes, responsibilities: Float[Array, "U K"], start: Float[Array, "M S K"] | None = None
    ) -> Float[Array, "M S K"]:
        """How often each source showed each symbol in each class; see `SourceModel`."""
        n_sources, n_symbols, n_classes = self.log_likelihoods.shape
        counts = votes.layout.counts(responsibilities, n_sources, n_symbols, start)
        if votes.soft is None:
            return counts
        plain = soft_counts(votes.soft, self.confusion, responsibilities, counts[:, :n_classes])
        return jnp.concatenate([plain, counts[:, n_classes:]], axis=1)

    def m_step(
        self, statistics: Float[Array, "M S K"], log_balance: Float[Array, " K"], profile: Profile, settings: Settings
    ) -> Self:
        """See `SourceModel`.

        A vote is read as P(vote | class), generative, or, to the extent that its source is unipolar, as P(class | vote)
        over the class balance, discriminative.
        """
        n_classes, bounds = profile.vote_counts.shape[1], profile.bounds
        counts, shown_sets = statistics[:, :n_classes], statistics[:, n_classes:]
        of_source = counts.sum(1) + shown_sets.sum(1)
        if profile.sets is not None:
            counts = counts + latent_votes(shown_sets, self.confusion, profile.sets)
        accuracy, overall = shrunk_accuracy(jnp.trace(counts, axis1=1, axis2=2), profile, settings)
        if bounds is not None:
            accuracy = jnp.clip(accuracy, bounds[:, 0], bounds[:, 1])
        centre = expected_confusion(counts, accuracy, overall, profile)
        generative = counts + profile.confusion_mass * centre + settings.floor / n_classes
        confusion = generative / generative.sum(1, keepdims=True)
        shown = (profile.vote_counts > 0).astype(counts.dtype)[:, :, None]
        discriminative = counts + settings.discriminative_mass * centre * shown + settings.floor / n_classes
        of_class = discriminative / discriminative.sum(2, keepdims=True)
        if bounds is not None:
            balance = (of_source + 1e-6) / (of_source + 1e-6).sum(1, keepdims=True)
            confusion = bounded_confusion(confusion, balance, *bounds.T).clip(LEAST_PROBABILITY)
            shares = (counts.sum(2) + 1e-6) / (counts.sum(2) + 1e-6).sum(1, keepdims=True)
            of_class = bounded_confusion(of_class.transpose(0, 2, 1), shares, *bounds.T).transpose(0, 2, 1)
            of_class = of_class.clip(LEAST_PROBABILITY)
        share = profile.unipolarity[:, None, None]
        log_likelihoods = (1 - share) * jnp.log(confusion) + share * (jnp.log(of_class) - log_balance[None, None])
        if profile.sets is not None:
            of_sets = set_log_likelihood(
                shown_sets,
                confusion,
                of_source,
                log_balance,
                profile.unipolarity,
                profile.sets,
                mass=settings.set_mass,
                coverage=settings.set_coverage,
            )
            log_likelihoods = jnp.concatenate([log_likelihoods, of_sets], axis=1)
        return type(self)(confusion, log_likelihoods)

    def vote_totals(self, statistics: Float[Array, "M S K"]) -> Float[Array, " M"] | None:
        """See `SourceModel`."""
        return statistics.sum((1, 2))

    def right_votes(
        self, statistics: Float[Array, "M S K"], profile: Profile
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """See `SourceModel`; of the class in mind, where a vote is for several."""
        if profile.sets is None:
            return None
        n_classes = self.confusion.shape[1]
        behind = latent_votes(statistics[:, n_classes:], self.confusion, profile.sets)
        votes = np.asarray(statistics[:, :n_classes] + behind, np.float64)
        return np.trace(votes, axis1=1, axis2=2), votes.sum((1, 2))

    def of_plain_votes(self) -> Self:
        """See `SourceModel`."""
        n_classes = self.confusion.shape[1]
        if self.log_likelihoods.shape[1] == n_classes:  # cutting nothing off takes longer than labeling a row
            return self
        return self._replace(log_likelihoods=self.log_likelihoods[:, :n_classes])

    def log_likelihood_of(self, source: int, code: int, symbols: Symbols) -> NDArray[np.float64]:
        """See `SourceModel`."""
        table, n_classes = np.asarray(self.log_likelihoods[source], np.float64), symbols.n_classes
        first_soft = n_classes + len(symbols.sets)
        if code < first_soft:
            return np.asarray(table[code])
        return log_likelihood_of_soft(symbols.soft[code - first_soft].astype(np.float64), table[:n_classes])
