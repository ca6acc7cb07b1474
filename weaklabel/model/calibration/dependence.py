"""How far sources err together beyond what their accuracies explain: measured against parametric bootstrap replicates.

Votes drawn from the fitted model, on the same pattern of who votes where, are independent given the label; they show
how much correlation of errors the model finds where there is none. What the real votes show beyond that is dependence.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics.devices import at_once
from weaklabel.model.params import Params
from weaklabel.model.preparation.prepare import Prepared
from weaklabel.model.settings import Settings
from weaklabel.votes import Votes
from weaklabel.votes.conversion import plain_part

MOST_ROWS = 4000
"""More distinct rows than this are sampled."""
SIMULATED_PAIRS = 1_000_000
"""Pairs of votes in the replicates: the standard error of a correlation is about one over the root."""
SIMULATED_CELLS = 20_000_000
"""Votes x K in the replicates: where classes are many, fewer must do."""
SURE = 4.0
"""Standard errors."""
MOST_REPLICATES = 400
MOST_CELLS = 10_000_000
"""Of rows x M x K in memory."""
CELLS_AT_ONCE = 2**18
"""Of replicates that are drawn together: few enough for the cache, enough that threads do not wait for each other."""
ONE_BY_ONE = 4
"""Groups of replicates that are drawn before it is seen whether many are needed."""
FEWEST_ROWS = 50
MOSTLY_UNIPOLAR = 0.95
"""Above this mean unipolarity all safeguards are in force anyway, and dependence need not be measured."""
CROWD = 1000
"""With more sources, replicates are drawn vote by vote: then the order of items and sources counts, as noise."""


def excess_correlation(
    votes: Votes,
    weight: NDArray[np.float64],
    confusion: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    seed: int,
    ignored: float = -np.inf,
) -> float:
    """Correlation of the errors of two sources on one item, less that of parametric bootstrap replicates.

    Args:
        votes: U distinct rows; one source out of each group of copies.
        weight: [U] how many items have the row.
        confusion: [M, K, K] probability of each vote (second axis) in each class (last axis).
        log_prior: [K] as it enters the posterior.
        seed: of the sample of rows and of the replicates.
        ignored: a correlation that is surely below need not be known any better, and costs fewer replicates.

    Returns:
        About 0 for independent sources; 0 where there is too little to tell.
    """
    n_sources, n_classes = votes.n_sources, votes.n_classes
    most = min(MOST_ROWS, MOST_CELLS // max(n_sources * n_classes, 1))
    if n_sources < 3 or most < FEWEST_ROWS or weight.sum() <= 0:
        return 0.0
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(weight)
    if len(kept) > most:
        kept = np.sort(rng.choice(votes.n_items, most, replace=False, p=weight / weight.sum()))
        weight = np.ones(votes.n_items)
    rows, sources, given, weight, order = _cells(votes.select_items(kept), weight[kept])
    confusion, n_rows = confusion[order], len(weight)
    if len(rows) == 0:
        return 0.0
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    voting, votes_a_row = rows[starts], np.diff(np.append(starts, len(rows)))
    pattern = _Pattern.of(weight[voting], votes_a_row, sources, confusion, log_prior)
    labels = softmax(pattern.log_joint(given[None])[0], axis=1)
    real, simulated = pattern.pair_sums(given[None], labels.argmax(1)[None]), np.zeros(2)
    cumulated = labels.cumsum(1)

    pairs, of_rows = votes_a_row * (votes_a_row - 1) // 2, pattern.weight
    n_pairs = max(int(pairs.sum()), 1)
    n_effective = float((pairs @ of_rows) ** 2 / max(pairs @ of_rows**2, 1e-9))  # as many, if all weighed the same
    n_replicates = min(
        1 + SIMULATED_PAIRS // n_pairs, MOST_REPLICATES, 1 + SIMULATED_CELLS // max(len(rows) * n_classes, 1)
    )
    n_cells, used = n_rows * n_sources, rows * n_sources + sources  # drawn for every cell, voted or not
    if n_sources > CROWD:
        n_cells, used = len(rows), np.arange(len(rows))
    together = max(CELLS_AT_ONCE // max(n_cells, len(rows) * n_classes, 1), 1)

    def draws() -> Iterator[NDArray[np.float64]]:
        for first in range(0, n_replicates, together):
            yield rng.random((min(together, n_replicates - first), n_rows + n_cells))

    def of_replicates(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        truth = _first_above(cumulated, drawn[:, :n_rows][:, voting])
        votes = pattern.drawn(truth, drawn[:, n_rows:][:, used])
        return pattern.pair_sums(votes, pattern.log_joint(votes).argmax(2))

    parts, excess, n_seen = draws(), 0.0, 0
    for sums in chain(map(of_replicates, islice(parts, ONE_BY_ONE)), at_once(of_replicates, parts)):
        simulated += sums
        n_seen = min(n_seen + together, n_replicates)
        if min(real[1], simulated[1]) <= 1e-6:
            continue
        excess = float(real[0] / real[1] - simulated[0] / simulated[1])
        if excess + SURE / np.sqrt(max(n_seen * n_effective, 1.0)) < ignored:
            break
    return excess


class _Pattern(NamedTuple):
    """Who votes where: R rows with V votes, row after row, of sources with known confusions. T draws at once."""

    weight: NDArray[np.float64]
    """[R]"""
    starts: NDArray[np.int64]
    """[R] first vote of each row."""
    rows: NDArray[np.int64]
    """[V] ascending."""
    first: NDArray[np.int64]
    """[V] place of each vote's source in the tables: class 0."""
    log_prior: NDArray[np.float64]
    """[K]"""
    log_confusion: NDArray[np.float64]
    """[M * K, K] of each source and vote, by class."""
    below: NDArray[np.float64]
    """[M * K, K] probability of a vote up to each, of each source and class."""
    right: NDArray[np.float64]
    """[M * K] probability of the right vote, of each source and class."""
    deviation: NDArray[np.float64]
    """[M * K] standard deviation of a vote's being right."""

    @classmethod
    def of(
        cls,
        weight: NDArray[np.float64],
        votes_a_row: NDArray[np.int64],
        sources: NDArray[np.int64],
        confusion: NDArray[np.float64],
        log_prior: NDArray[np.float64],
    ) -> Self:
        n_classes = confusion.shape[1]
        right = np.einsum("mkk->mk", confusion).ravel()
        return cls(
            weight=weight,
            starts=votes_a_row.cumsum() - votes_a_row,
            rows=np.repeat(np.arange(len(votes_a_row)), votes_a_row),
            first=sources * n_classes,
            log_prior=log_prior,
            log_confusion=np.log(confusion).reshape(-1, n_classes),
            below=confusion.cumsum(1).transpose(0, 2, 1).reshape(-1, n_classes),
            right=right,
            deviation=np.sqrt(np.maximum(right * (1 - right), 1e-9)),
        )

    def log_joint(self, votes: NDArray[np.int64]) -> NDArray[np.float64]:
        """[T, R, K] of votes [T, V]."""
        starts = np.arange(len(votes))[:, None] * votes.shape[1] + self.starts
        ends = np.append(starts.ravel(), votes.size)
        shape = (starts.size, len(self.log_confusion))
        shown = sp.csr_array((np.ones(votes.size), (self.first + votes).ravel(), ends), shape=shape)
        return np.asarray(self.log_prior + shown @ self.log_confusion).reshape(*starts.shape, -1)

    def drawn(self, truth: NDArray[np.int64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """[T, V] votes where the rows are of the classes [T, R], from uniform numbers [T, V]."""
        n_classes = len(self.log_prior)
        table = (self.first + truth[:, self.rows]) * n_classes
        return _rank(self.below, table, uniform, n_classes - 1, np.less)

    def pair_sums(self, votes: NDArray[np.int64], predicted: NDArray[np.intp]) -> NDArray[np.float64]:
        """[2] sums over pairs of votes in one row: of the products of residuals, and of their standard deviations.

        Args:
            votes: [T, V].
            predicted: [T, R] likeliest classes.
        """
        predicted = predicted[:, self.rows]
        place = self.first + predicted
        residual, deviation = (votes == predicted) - self.right[place], self.deviation[place]
        return np.array([self._over_pairs(values) for values in (residual, deviation)])

    def _over_pairs(self, values: NDArray[np.float64]) -> float:
        total = np.add.reduceat(values, self.starts, axis=1)
        alone = np.einsum("tv,tv,v->", values, values, self.weight[self.rows])
        return float(np.einsum("tr,tr,r->", total, total, self.weight) - alone)


def _first_above(ascending: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.int64]:
    """[T, R] the first place in each row [R, K] with a value above its limit [T, R], or 0."""
    n_rows, n_classes = ascending.shape
    place = _rank(ascending, np.arange(n_rows) * n_classes, limit, n_classes, np.less_equal)
    return np.where(place < n_classes, place, 0)


def _rank(
    ascending: NDArray[np.float64], start: NDArray[np.int64], limit: NDArray[np.float64], size: int, before: np.ufunc
) -> NDArray[np.int64]:
    """How many of the `size` values from each start on come before its limit: binary search, all limits at once."""
    values, rank = ascending.ravel(), np.zeros(limit.shape, np.int64)
    step = 1 << (size.bit_length() - 1)
    while step:
        tried = rank + step
        rank += step * (before(values[start + np.minimum(tried, size) - 1], limit) & (tried <= size))
        step >>= 1
    return rank


def _cells(
    votes: Votes, weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Votes only, row after row, since silent cells and rows add nothing to any sum: rows, sources and labels [V]; the
    weight of the rows; and the sources in the order in which they are numbered here.
    """
    if votes.n_sources > CROWD:
        rows, sources, given = (part.astype(np.int64) for part in votes.triples())
        return rows, sources, given, weight, np.arange(votes.n_sources)
    codes, weight, order = _in_canonical_order(votes.to_dense().astype(np.int64), weight)
    rows, sources = np.nonzero(codes >= 0)
    return rows, sources, codes[rows, sources], weight, order


def _in_canonical_order(
    codes: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Distinct rows, their weight, and the order of the columns: the same however items and sources were ordered.

    Replicates are drawn cell by cell, so that another order would draw others.
    """
    n_classes = int(codes.max(initial=0)) + 1
    by_class = np.stack([weight @ (codes == k) for k in range(-1, n_classes)])
    order = np.lexsort(by_class)
    ordered = codes[:, order]
    # Big-endian numbers that are not negative sort as their bytes do.
    spelled = np.ascontiguousarray(ordered + 1, ">u2").view(np.dtype((np.void, 2 * len(order)))).ravel()
    _, first, inverse = np.unique(spelled, return_index=True, return_inverse=True)
    return ordered[first], np.bincount(inverse.reshape(-1), weight).astype(np.float64), order


def measured_correlation(
    prepared: Prepared, unique: UniqueRows, params: Params, settings: Settings, seed: int
) -> float:
    """Excess correlation of a fit; 0 where it is not measured."""
    confusion = params.sources.confusion
    if confusion is None or prepared.mean_unipolarity >= MOSTLY_UNIPOLAR:
        return 0.0
    # One source of each group of copies: that copies err together is known already.
    copied = np.zeros(unique.votes.n_sources, bool)
    if prepared.copies.nnz:
        copied = np.asarray((np.tril(prepared.copies.toarray(), -1) > 0.5).any(axis=1))
    covered, plain = prepared.n_votes > 0, plain_part(unique.votes)
    if copied.any():
        plain = plain.select_sources([plain.source_names[source] for source in np.flatnonzero(~copied)])
    return excess_correlation(
        plain,
        np.where(covered, unique.weight, 0).astype(np.float64),
        np.asarray(confusion, np.float64)[~copied],
        np.asarray(params.labels.log_prior, np.float64),
        seed,
        settings.correlation_ignored,
    )
