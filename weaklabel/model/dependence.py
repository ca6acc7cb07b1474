"""How far sources err together beyond what their accuracies explain: measured against a simulated twin of the data.

Votes drawn from the fitted model, on the same pattern of who votes where, are independent given the label; they show
how much correlation of errors the model finds where there is none. What the real votes show beyond that is dependence.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model.devices import at_once
from weaklabel.votes import Votes

MOST_ROWS = 4000
"""More distinct rows than this are sampled."""
SIMULATED_PAIRS = 1_000_000
"""Pairs of votes in the twins: the standard error of a correlation is about one over the root."""
SIMULATED_CELLS = 20_000_000
"""Votes x K in the twins: where classes are many, fewer twins must do."""
MOST_TWINS = 400
MOST_CELLS = 10_000_000
"""Of rows x M x K in memory."""
FEWEST_ROWS = 50
CROWD = 1000
"""With more sources, twins are drawn vote by vote: then the order of items and sources counts, as noise."""


def excess_correlation(
    votes: Votes,
    weight: NDArray[np.float64],
    confusion: NDArray[np.float64],
    log_prior: NDArray[np.float64],
    seed: int,
) -> float:
    """Correlation of the errors of two sources on one item, less that of simulated twins.

    Args:
        votes: U distinct rows; one source out of each group of copies.
        weight: [U] how many items have the row.
        confusion: [M, K, K] probability of each vote (second axis) in each class (last axis).
        log_prior: [K] as it enters the posterior.
        seed: of the sample of rows and of the twin.

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
    # Votes only, row after row: silent cells and rows add nothing to any sum below.
    if n_sources > CROWD:
        cells = (part.astype(np.int64) for part in votes.select_items(kept).triples())
        (cell_rows, cell_sources, given), n_rows, weight = cells, len(kept), weight[kept]
    else:
        dense = votes.select_items(kept).to_dense().astype(np.int64)
        codes, weight, order = _in_canonical_order(dense, weight[kept])
        confusion, n_rows = confusion[order], len(codes)
        cell_rows, cell_sources = np.nonzero(codes >= 0)
        given = codes[cell_rows, cell_sources]
    of_cell = cell_rows * n_sources + cell_sources  # in what is drawn for every cell, voted or not
    voting, starts, cell_rows = np.unique(cell_rows, return_index=True, return_inverse=True)
    weight, votes_a_row = weight[voting], np.diff(np.append(starts, len(cell_rows)))
    log_confusion = np.log(confusion).reshape(-1, n_classes)
    below = confusion.cumsum(1).transpose(0, 2, 1).reshape(-1, n_classes)  # [source and class, vote]
    right_of = np.einsum("mkk->mk", confusion).reshape(-1)
    of_source = cell_sources * n_classes

    def posterior(votes: NDArray[np.int64]) -> NDArray[np.float64]:
        ends, shape = np.append(starts, len(votes)), (len(starts), len(log_confusion))
        shown = sp.csr_array((np.ones(len(votes)), of_source + votes, ends), shape=shape)
        return np.asarray(softmax(log_prior + shown @ log_confusion, axis=1))

    def pair_sums(votes: NDArray[np.int64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over pairs of votes: of the products of residuals, and of their standard deviations."""
        called = labels.argmax(1)[cell_rows]
        right = right_of[of_source + called]
        residual = (votes == called) - right
        deviation = np.sqrt(np.maximum(right * (1 - right), 1e-9))
        totals, squares = (
            [np.add.reduceat(x, starts) for x in terms]
            for terms in ((residual, deviation), (residual**2, deviation**2))
        )
        return np.array([(weight * (total**2 - square)).sum() for total, square in zip(totals, squares, strict=True)])

    labels = posterior(given)
    real, twins = pair_sums(given, labels), np.zeros(2)
    cumulated, n_pairs = labels.cumsum(1), max(int((votes_a_row * (votes_a_row - 1) // 2).sum()), 1)
    n_twins = min(1 + SIMULATED_PAIRS // n_pairs, MOST_TWINS, 1 + SIMULATED_CELLS // max(len(cell_rows) * n_classes, 1))

    def draws() -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        for _ in range(n_twins):
            truths = rng.random((n_rows, 1))[voting]
            yield truths, rng.random(len(given)) if n_sources > CROWD else rng.random(n_rows * n_sources)[of_cell]

    def of_twin(drawn: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.float64]:
        truth = (cumulated > drawn[0]).argmax(1)
        twin = (below[of_source + truth[cell_rows]] < drawn[1][:, None]).sum(1)
        twin = np.minimum(twin, n_classes - 1)
        return pair_sums(twin, posterior(twin))

    for sums in at_once(of_twin, draws()):
        twins += sums
    if min(real[1], twins[1]) <= 1e-6:
        return 0.0
    return float(real[0] / real[1] - twins[0] / twins[1])


def _in_canonical_order(
    codes: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Distinct rows, their weight, and the order of the columns: the same however items and sources were ordered.

    Twins are drawn cell by cell, so that another order would draw others.
    """
    n_classes = int(codes.max(initial=0)) + 1
    by_class = np.stack([weight @ (codes == k) for k in range(-1, n_classes)])
    order = np.lexsort(by_class)
    rows, inverse = np.unique(codes[:, order], axis=0, return_inverse=True)
    return rows, np.bincount(inverse.reshape(-1), weight).astype(np.float64), order
