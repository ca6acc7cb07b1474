"""A sample of items on which dependence is measured, and a rough fit to it. On the host: it is small.

Shapes: R sampled items, V votes on them, M sources, K classes.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model.settings import Settings
from weaklabel.votes import Votes

MOST_ITEMS = 6000
"""More items than this are sampled."""
MOST_VOTES = 40_000
"""On the sampled items, and ..."""
MOST_WORK = 4_000_000
"""... votes x K."""
MOST_TABLE = 2**21
"""M x K x K, above which nothing is measured."""
CROWD = 1000
"""With more sources, the order of items and sources counts, as noise."""


class Panel(NamedTuple):
    """Votes for one class each on R items, item after item."""

    items: NDArray[np.int64]
    """[V] ascending."""
    sources: NDArray[np.int64]
    """[V]"""
    labels: NDArray[np.int64]
    """[V]"""
    n_items: int
    n_sources: int
    n_classes: int

    @classmethod
    def sample(cls, votes: Votes, weight: NDArray[np.float64], seed: int) -> Self:
        """A panel of the items behind distinct vote rows.

        Args:
            votes: U distinct rows of plain votes.
            weight: [U] how many items have the row.
            seed: of the sample.
        """
        votes_an_item = max(votes.n_votes / max(votes.n_items, 1), 1)
        most = int(min(MOST_ITEMS, MOST_VOTES / votes_an_item, MOST_WORK / votes_an_item / votes.n_classes))
        total, times = weight.sum(), np.rint(weight).astype(np.int64)
        if total > most:
            chosen = np.random.default_rng(seed).choice(votes.n_items, most, p=weight / total)
            times = np.bincount(chosen, minlength=votes.n_items)
        kept = np.flatnonzero(times)
        rows, sources, labels, times = _in_canonical_order(votes.select_items(kept), times[kept])
        order = np.repeat(np.arange(len(times)), times)
        starts, n_votes = np.searchsorted(rows, np.arange(len(times))), np.bincount(rows, minlength=len(times))
        place = _ranges(starts[order], n_votes[order])
        return cls(
            items=np.repeat(np.arange(len(order)), n_votes[order]),
            sources=sources[place],
            labels=labels[place],
            n_items=len(order),
            n_sources=votes.n_sources,
            n_classes=votes.n_classes,
        )

    def weights_beside(self, copies: sp.csr_array[np.float64]) -> NDArray[np.float64]:
        """[V] weight of each vote: one over the number of copies [M, M] that vote on the item too."""
        if not copies.nnz:
            return np.ones(len(self.items))
        n_copies = (self.matrix() @ copies).tocsr()[self.items, self.sources]
        return np.asarray(1 / (1 + n_copies), np.float64).ravel()

    def without(self, silenced: NDArray[np.bool_]) -> Self:
        """The votes of the other sources [M]."""
        kept = ~silenced[self.sources]
        return (
            self
            if kept.all()
            else self._replace(items=self.items[kept], sources=self.sources[kept], labels=self.labels[kept])
        )

    @property
    def cells(self) -> NDArray[np.int64]:
        """[V] place of each vote among the M * K of sources and classes."""
        return self.sources * self.n_classes + self.labels

    def tally(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """[R, K] votes for each class, by their weights [V]."""
        place, shape = self.items * self.n_classes + self.labels, (self.n_items, self.n_classes)
        return np.bincount(place, weights, minlength=self.n_items * self.n_classes).reshape(shape).astype(np.float64)

    def matrix(self, values: NDArray[np.float64] | None = None) -> sp.csr_array[np.float64]:
        """[R, M] values [V] of the votes; 1 where none are given."""
        values = np.ones(len(self.items)) if values is None else values
        return sp.csr_array((values, self.sources, self._ends), shape=(self.n_items, self.n_sources))

    def one_hot(self, weights: NDArray[np.float64] | None = None) -> sp.csr_array[np.float64]:
        """[R, M * K] the votes, by their weights [V]."""
        values = np.ones(len(self.items)) if weights is None else weights
        return sp.csr_array((values, self.cells, self._ends), shape=(self.n_items, self.n_sources * self.n_classes))

    @property
    def _ends(self) -> NDArray[np.int64]:
        return np.searchsorted(self.items, np.arange(self.n_items + 1))


class RoughFit(NamedTuple):
    """Dawid-Skene after a few iterations."""

    responsibilities: NDArray[np.float64]
    """[R, K] held to the vote shares."""
    posterior: NDArray[np.float64]
    """[R, K] by the model alone."""
    confusion: NDArray[np.float64]
    """[M, K, K] P(vote | class): vote on the second axis, class on the last."""
    log_evidence: NDArray[np.float64]
    """[R, K] log-likelihood of the votes, and the log-balance."""


def rough_fit(
    panel: Panel,
    settings: Settings,
    iterations: int,
    hold: float,
    weights: NDArray[np.float64] | None = None,
) -> RoughFit:
    """Dawid-Skene (doi:10.2307/2346806), shrunk as `ConfusionMatrices` is, by so many EM iterations from vote shares.

    Args:
        panel: the votes.
        settings: constants.
        iterations: 1 or more.
        hold: weight of the vote-share prior in the responsibilities.
        weights: [V] of the votes.
    """
    n_sources, n_classes = panel.n_sources, panel.n_classes
    shown, counted = panel.one_hot(weights), panel.one_hot().T.tocsr()
    tally, mass = panel.tally(weights), settings.share_prior_mass
    share_prior = (tally + mass / n_classes) / (tally.sum(1, keepdims=True) + mass)
    n_votes = np.bincount(panel.sources, minlength=n_sources).astype(np.float64)
    eye, expected = np.eye(n_classes), settings.accuracy_mass
    responsibilities = share_prior
    for _ in range(iterations):
        counts = np.asarray(counted @ responsibilities).reshape(n_sources, n_classes, n_classes)
        right = np.einsum("mkk->m", counts)
        overall = (right.sum() + expected * settings.accuracy_mean) / (n_votes.sum() + expected)
        accuracy = np.clip((right + expected * overall) / (n_votes + expected), 1 / n_classes, 0.999)
        errors = (counts.sum(0) + settings.error_mass * (1 - overall) / max(n_classes - 1, 1)) * (1 - eye)
        shape = errors / errors.sum(0, keepdims=True)
        confusion = counts + settings.generative_floor / n_classes
        confusion += settings.generative_mass * (accuracy[:, None, None] * eye + (1 - accuracy)[:, None, None] * shape)
        confusion /= confusion.sum(1, keepdims=True)
        totals = responsibilities.sum(0) + 1
        log_evidence = np.asarray(shown @ np.log(confusion).reshape(-1, n_classes)) + np.log(totals / totals.sum())
        posterior = softmax(log_evidence, axis=1)
        responsibilities = (1 - hold) * posterior + hold * share_prior
    return RoughFit(responsibilities, posterior, confusion, log_evidence)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0] + 1, ..., so many as its length, then those of the next."""
    ends = lengths.cumsum()
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def _in_canonical_order(
    votes: Votes, times: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, sources and labels of the votes, and how often each row counts: the same however items were ordered.

    Replicates are drawn vote by vote, so that another order would draw others.
    """
    rows, sources, labels = (part.astype(np.int64) for part in votes.triples())
    if votes.n_sources > CROWD:
        return rows, sources, labels, times
    codes = votes.to_dense().astype(np.int64)
    # Big-endian numbers that are not negative sort as their bytes do.
    spelled = np.ascontiguousarray(codes + 1, ">u2").view(np.dtype((np.void, 2 * codes.shape[1]))).ravel()
    order = np.argsort(spelled)
    rows, sources = np.nonzero(codes[order] >= 0)
    return rows, sources, codes[order][rows, sources], times[order]
