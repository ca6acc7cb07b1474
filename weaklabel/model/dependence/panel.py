"""A sample of items on which dependence is measured, and a rough fit to it. On the host: it is small.

Shapes: R rows, of a sampled item each or of several with the same votes; V votes on them, M sources, K classes. Classes
come first and rows last, so that sums over classes run along memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.settings import Settings
from weaklabel.votes import Votes

MOST_ITEMS = 6000
"""More items than this are sampled."""
MOST_VOTES = 24_000
"""On the sampled items, and ..."""
MOST_LABELS = 2**17
"""... items x K."""
MOST_TABLE = 2**21
"""M x K x K, above which nothing is measured."""
DENSE_FILL = 1 / 8
"""Share of the cells of a matrix above which its dense products are faster."""
TOGETHER_PAYS = 0.5
"""Share of distinct rows up to which they are put together."""
MOST_KEYS = 2**20
"""Pairs of sources up to which they are found without sorting."""
PROBED_ROWS = 1024
"""Whose votes are counted."""
CONVERGED = 5e-4
"""Mean change of the accuracy behind a vote at which EM ends."""


class Panel(NamedTuple):
    """Votes for one class each on R rows, row after row."""

    items: NDArray[np.int64]
    """[V] row of each vote, ascending."""
    sources: NDArray[np.int64]
    """[V]"""
    labels: NDArray[np.int64]
    """[V]"""
    times: NDArray[np.float64]
    """[R] how many sampled items have the row."""
    n_sources: int
    n_classes: int
    is_dense: bool
    """Whether so many of the cells are votes that dense products are faster."""
    sampled: float = 1.0
    """Share of all items that are in the sample."""

    @classmethod
    def sample(cls, votes: Votes, weight: NDArray[np.float64], silenced: NDArray[np.bool_], seed: int) -> Self:
        """A panel of the items behind distinct vote rows.

        Args:
            votes: U distinct rows of plain votes.
            weight: [U] how many items have the row.
            silenced: [M] sources that are left out.
            seed: of the sample.
        """
        probed = votes.select_items(np.arange(0, votes.n_items, max(votes.n_items // PROBED_ROWS, 1)))
        votes_an_item = max(probed.n_votes / max(probed.n_items, 1), 1)
        most = int(min(MOST_ITEMS, MOST_VOTES / votes_an_item, MOST_LABELS / votes.n_classes))
        total = int(np.rint(weight.sum()))
        if total > most:
            # Without replacement: an item that came twice would agree with itself.
            drawn = np.random.default_rng(seed).choice(total, most, replace=False, shuffle=False)
            if total != votes.n_items:  # otherwise each weighs 1
                drawn = np.searchsorted(weight.cumsum(), drawn + 0.5).clip(0, votes.n_items - 1)
            chosen, times = np.unique(drawn, return_counts=True)
        else:
            chosen, times = np.arange(votes.n_items), np.rint(weight)
        rows, sources, labels = (part.astype(np.int64) for part in votes.select_items(chosen).triples())
        heard = ~silenced[sources]
        panel = cls(
            items=rows[heard],
            sources=sources[heard],
            labels=labels[heard],
            times=times.astype(np.float64),
            n_sources=votes.n_sources,
            n_classes=votes.n_classes,
            is_dense=False,
            sampled=min(1.0, most / max(total, 1)),
        ).together()
        dense = len(panel.items) >= DENSE_FILL * panel.n_rows * panel.n_sources
        pays = dense and panel.n_rows <= TOGETHER_PAYS * panel.times.sum()
        return (panel if pays else panel.apart())._replace(is_dense=dense)

    def together(self) -> Self:
        """Equal rows put together, in an order of their votes alone, and those of no vote left out."""
        factors = np.random.default_rng(0).integers(2**63, size=self.n_sources, dtype=np.uint64) | np.uint64(1)
        n_votes = np.bincount(self.items, minlength=self.n_rows)
        voted = np.flatnonzero(n_votes)
        if len(voted) == 0:
            return self._replace(times=np.empty(0))
        starts, n_votes = (n_votes.cumsum() - n_votes)[voted], n_votes[voted]
        keys = np.add.reduceat(factors[self.sources] * (self.labels + 1).astype(np.uint64), starts)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        place = _ranges(starts[first], n_votes[first])
        return self._replace(
            items=np.repeat(np.arange(len(first)), n_votes[first]),
            sources=self.sources[place],
            labels=self.labels[place],
            times=np.bincount(inverse, self.times[voted]).astype(np.float64),
        )

    @property
    def n_rows(self) -> int:
        """R."""
        return len(self.times)

    @property
    def times_of_votes(self) -> NDArray[np.float64]:
        """[V] how many items each vote stands for."""
        return self.times[self.items]

    def apart(self) -> Self:
        """A row for each item."""
        if (self.times == 1).all():
            return self
        n_votes = np.bincount(self.items, minlength=self.n_rows)
        order = np.repeat(np.arange(self.n_rows), self.times.astype(np.int64))
        place = _ranges((n_votes.cumsum() - n_votes)[order], n_votes[order])
        return self._replace(
            items=np.repeat(np.arange(len(order)), n_votes[order]),
            sources=self.sources[place],
            labels=self.labels[place],
            times=np.ones(len(order)),
        )

    def weights_beside(self, copies: sp.csr_array[np.float64]) -> NDArray[np.float64]:
        """[V] weight of each vote: one over the number of copies [M, M] that vote on the item too."""
        if not copies.nnz:
            return np.ones(len(self.items))
        n_copies: NDArray[Any]
        if self.is_dense:
            n_copies = (self.dense() @ copies.toarray().astype(np.float32))[self.items, self.sources]
        else:
            n_copies = np.asarray((self._matrix() @ copies).tocsr()[self.items, self.sources]).ravel()
        return np.asarray(1 / (1 + n_copies), np.float64)

    def tally(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """[K, R] votes for each class, by their weights [V]."""
        counts = np.bincount(self.labels * self.n_rows + self.items, weights, minlength=self.n_classes * self.n_rows)
        return counts.reshape(self.n_classes, self.n_rows).astype(np.float64)

    def dense(self, values: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
        """[R, M] values [V] of the votes, 1 where none are given; 0 where there is no vote."""
        cells = np.zeros(self.n_rows * self.n_sources, np.float32)
        cells[self.items * self.n_sources + self.sources] = 1 if values is None else values
        return cells.reshape(self.n_rows, self.n_sources)

    def _matrix(self) -> sp.csr_array[np.float64]:
        ends = np.searchsorted(self.items, np.arange(self.n_rows + 1))
        return sp.csr_array((np.ones(len(self.items)), self.sources, ends), shape=(self.n_rows, self.n_sources))


class OneHot:
    """The votes as a matrix [R, K * M], which products are taken with."""

    def __init__(self, panel: Panel, weights: NDArray[np.float64] | None = None) -> None:
        """Of a panel, by weights [V] of its votes."""
        cells, n_cells = panel.labels * panel.n_sources + panel.sources, panel.n_sources * panel.n_classes
        values = np.ones(len(cells), np.float32) if weights is None else weights.astype(np.float32)
        self._matrix: NDArray[np.float32] | sp.csr_array[np.float32]
        if len(cells) >= DENSE_FILL * panel.n_rows * n_cells:
            self._matrix = np.zeros((panel.n_rows, n_cells), np.float32)
            self._matrix.ravel()[panel.items * n_cells + cells] = values
        else:
            ends = np.searchsorted(panel.items, np.arange(panel.n_rows + 1)).astype(np.int32)
            self._matrix = sp.csr_array((values, cells.astype(np.int32), ends), shape=(panel.n_rows, n_cells))
            self._transposed = self._matrix.T.tocsr()

    def counts(self, of_rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K, K * M] sums over the rows, of values [K, R]."""
        if isinstance(self._matrix, np.ndarray):
            return np.asarray(of_rows @ self._matrix)
        return np.ascontiguousarray((self._transposed @ np.ascontiguousarray(of_rows.T)).T)

    def sums(self, of_cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K, R] sums over the votes of each row, of values [K, K * M]."""
        if isinstance(self._matrix, np.ndarray):
            return np.asarray(of_cells @ self._matrix.T)
        return np.ascontiguousarray((self._matrix @ np.ascontiguousarray(of_cells.T)).T)


class RoughFit(NamedTuple):
    """Dawid-Skene after a few iterations."""

    responsibilities: NDArray[np.float32]
    """[K, R] held to the vote shares."""
    posterior: NDArray[np.float32]
    """[K, R] by the model alone."""
    confusion: NDArray[np.float32]
    """[K, K, M] P(vote | class): class on the first axis, vote on the second."""


def rough_fit(
    panel: Panel,
    settings: Settings,
    iterations: int,
    hold: float,
    weights: NDArray[np.float64],
) -> RoughFit:
    """Dawid-Skene (doi:10.2307/2346806), shrunk as `ConfusionMatrices` is, by EM from vote shares.

    Args:
        panel: the votes.
        settings: constants.
        iterations: 1 or more, at most.
        hold: weight of the vote-share prior in the responsibilities.
        weights: [V] of the votes.
    """
    n_sources, n_classes = panel.n_sources, panel.n_classes
    counted = OneHot(panel)
    shown = counted if (weights == 1).all() else OneHot(panel, weights)
    times = panel.times.astype(np.float32)
    tally, mass = panel.tally(weights).astype(np.float32), settings.share_prior_mass
    share_prior = (tally + mass / n_classes) / (tally.sum(0) + mass)
    n_votes = np.bincount(panel.sources, panel.times_of_votes, n_sources).astype(np.float32)
    pseudo = settings.masses(n_classes, doubt=0)
    expected, right_votes = settings.accuracy_mass, np.arange(n_classes)
    responsibilities, accuracy = share_prior, np.zeros(n_sources, np.float32)
    for _ in range(iterations):
        of_items = responsibilities * times
        confusion = counted.counts(of_items).reshape(n_classes, n_classes, n_sources)
        right = np.einsum("kkm->m", confusion)
        overall = (right.sum() + expected * settings.accuracy_mean) / (n_votes.sum() + expected)
        before, accuracy = accuracy, np.clip((right + expected * overall) / (n_votes + expected), 1 / n_classes, 0.999)
        # Not by "@": of rows so short numpy warns of invalid values at times, though all are finite and the sums right.
        errors = np.einsum("jkm->jk", confusion) + pseudo.errors * (1 - overall) / max(n_classes - 1, 1)
        np.fill_diagonal(errors, 0)
        errors *= pseudo.votes / errors.sum(1, keepdims=True)
        confusion += errors[:, :, None] * (1 - accuracy)
        confusion += settings.floor / n_classes
        confusion[right_votes, right_votes] += pseudo.votes * accuracy
        confusion /= np.einsum("jkm->jm", confusion)[:, None]
        balance = of_items.sum(1) + 1
        posterior = shown.sums(np.log(confusion).reshape(n_classes, -1))
        posterior += np.log(balance / balance.sum())[:, None]
        softmax(posterior)
        responsibilities = (1 - hold) * posterior + hold * share_prior if hold else posterior
        if n_votes @ np.abs(accuracy - before) < CONVERGED * n_votes.sum():
            break
    return RoughFit(responsibilities, posterior, confusion)


def softmax(logits: NDArray[np.float32]) -> None:
    """Probabilities in place of their logarithms, which are up to a term of each column."""
    logits -= logits.max(0)
    np.exp(logits, out=logits)
    logits /= logits.sum(0)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0] + 1, ..., so many as its length, then those of the next."""
    ends = lengths.cumsum()
    within = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return np.asarray(within, np.int64)


def numbered(keys: NDArray[np.int64], n_keys: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct keys, all below a number, ascending, and the place of each key among them."""
    if n_keys > MOST_KEYS:
        found: tuple[NDArray[np.int64], NDArray[np.int64]] = np.unique(keys, return_inverse=True)
        return found
    distinct = np.flatnonzero(np.bincount(keys, minlength=n_keys))
    place = np.empty(n_keys, np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[keys]


def pairs_of_votes(panel: Panel, rows: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of both votes of each pair of votes on the same row, the source of the smaller number first.

    Args:
        panel: V votes.
        rows: [R] those that are looked at.
    """
    n_votes = np.bincount(panel.items, minlength=panel.n_rows)
    starts = n_votes.cumsum() - n_votes
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for size in np.unique(n_votes[rows & (n_votes > 1)]):
        at = starts[rows & (n_votes == size)][:, None]
        left, right = np.triu_indices(size, 1)
        firsts.append((at + left).ravel())
        seconds.append((at + right).ravel())
    return np.concatenate(firsts), np.concatenate(seconds)
