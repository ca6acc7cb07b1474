"""Sources that copy each other: found before EM, because a fit follows copies and cannot be repaired afterwards.

Agreement alone does not tell: accurate, independent sources agree nearly always. Copies share their ERRORS. Two equal
votes count as a shared error where the other sources of the row prefer a class that they exclude, and the score of a
pair is the share of such errors among shared errors and disagreements.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.numerics.weighted_gram import filled_in, weighted_gram
from weaklabel.votes import Votes

SHARED_ROWS = 25
"""A pair with fewer items in common cannot be judged by its errors."""
SURE, DOUBTFUL = 0.9, 0.8
"""Share of errors in common at which a pair counts as copies wholly, and not at all."""
PRIOR_DISAGREEMENTS = 2.0
JUDGED_VOTES = 4
"""Disagreements count on rows with so many votes: the two, and two to judge them by."""
IDENTICAL_VOTES = 10
"""Columns that agree in every vote and abstain may be copies from so many votes on ..."""
IDENTICAL_LOG_ODDS = 12.0
"""... if that is less likely by chance than exp(-12)."""
MOST_SOURCES = 3000
"""Above, the [M, M] tables are not worth their memory."""
MOST_ROWS = 16_384
"""More distinct rows than this are sampled, ..."""
MOST_CELLS = 2**24
"""... and more rows times symbols."""


def copy_scores(
    votes: Votes, weight: NDArray[np.float64], unipolarity: NDArray[np.float64]
) -> sp.csr_array[np.float64]:
    """How surely each pair of sources copies each other.

    Args:
        votes: U distinct rows, of classes and candidate sets.
        weight: [U] how many items have the row.
        unipolarity: [M] how far each source is unipolar: then abstaining apart is disagreement as well.

    Returns:
        [M, M], symmetric, in [0, 1], zero on the diagonal.
    """
    n_rows, n_sources, n_symbols = votes.n_items, votes.n_sources, votes.n_classes + len(votes.symbols)
    if not 3 <= n_sources <= MOST_SOURCES or votes.n_votes == 0:
        return sp.csr_array((n_sources, n_sources))
    most_rows = min(MOST_ROWS, MOST_CELLS // n_symbols)
    if n_rows > most_rows:
        sampled = np.sort(np.random.default_rng(0).choice(n_rows, most_rows, replace=False))
        return copy_scores(votes.select_items(sampled), weight[sampled], unipolarity)
    rows, sources, labels = votes.triples()
    judged = (np.bincount(rows, minlength=n_rows) >= JUDGED_VOTES).astype(float)
    place = rows.astype(np.int64) * n_symbols + labels
    shown = np.bincount(place, minlength=n_rows * n_symbols)
    cells = np.flatnonzero(shown)  # a row and a symbol that it has
    number = np.empty(len(shown), np.int32)
    number[cells] = np.arange(len(cells))
    one_hot = sp.csr_array((np.ones(len(rows), bool), (number[place], sources)), shape=(len(cells), n_sources))
    fired = sp.csr_array((np.ones(len(rows), bool), (rows, sources)), shape=(n_rows, n_sources))
    shown_by, fired_by = filled_in(one_hot), filled_in(fired)

    def by_symbol(row_weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(row_weight[cells // n_symbols])

    errors = _errors(shown.reshape(n_rows, n_symbols), votes.symbols.supports(), cells)
    shared_errors = weighted_gram(shown_by, by_symbol(weight) * errors)
    shared_rows = weighted_gram(fired_by, weight * judged)
    apart = shared_rows - weighted_gram(shown_by, by_symbol(weight * judged))
    together = weighted_gram(fired_by, weight)
    n_votes = np.diag(together)
    alone = n_votes[:, None] + n_votes[None] - 2 * together
    apart += np.outer(unipolarity, unipolarity) * alone
    share = shared_errors / (shared_errors + apart + PRIOR_DISAGREEMENTS)
    scores = np.clip((share - DOUBTFUL) / (SURE - DOUBTFUL), 0, 1) * (shared_rows >= SHARED_ROWS)

    agreed = weighted_gram(shown_by, by_symbol(weight))
    same = (alone == 0) & (together == agreed) & (together >= IDENTICAL_VOTES)
    np.fill_diagonal(same, False)
    if same.any():
        scores = np.where(same & _improbable(same, agreed, together, alone, unipolarity), 1, scores)
    np.fill_diagonal(scores, 0)
    return sp.csr_array(scores)


def with_families(
    scores: sp.csr_array[np.float64], families: NDArray[np.int32], least: float
) -> sp.csr_array[np.float64]:
    """The scores, with a least one for sources of one family, such as prompts of one model.

    Args:
        scores: [M, M] of `copy_scores`.
        families: [M] number of each source's family, -1 for none.
        least: score.
    """
    same = (families[:, None] == families[None]) & (families[:, None] >= 0)
    np.fill_diagonal(same, False)
    return sp.csr_array(np.maximum(scores.toarray(), least * same))


def _errors(shown: NDArray[np.int64], supports: NDArray[np.bool_], cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """[C] how far the others call two equal votes an error: more votes allow a class that these exclude (1), or as many
    (.5).

    Args:
        shown: [U, S] how often each row has each symbol.
        supports: [S, K] classes of each symbol.
        cells: [C] row * S + symbol of the votes in question.
    """
    n_classes, n_symbols = supports.shape[1], shown.shape[1]
    allowed = shown if n_symbols == n_classes else shown @ supports.astype(np.int64)  # [U, K] votes for each class
    rows, symbols = np.divmod(cells, n_symbols)
    best = allowed.argmax(1)
    highest, others = np.take_along_axis(allowed, best[:, None], 1).ravel(), allowed.copy()
    np.put_along_axis(others, best[:, None], -1, 1)
    within, beyond = np.empty(len(cells)), np.empty(len(cells))
    plain = symbols < n_classes  # for one class: the most of another
    row, label = rows[plain], symbols[plain]
    within[plain] = allowed[row, label]
    beyond[plain] = np.where(label == best[row], others.max(1)[row], highest[row])
    for at, members in enumerate(supports[n_classes:], n_classes):
        here = symbols == at
        row = rows[here]
        within[here] = allowed[row][:, members].max(1, initial=-1)
        beyond[here] = allowed[row][:, ~members].max(1, initial=-1)
    rest = within - 2
    errors = np.where(beyond > rest, 1.0, np.where(beyond == rest, 0.5, 0.0))
    return np.where((beyond >= 2) & (rest >= 0), errors, 0.0)


def _improbable(
    same: NDArray[np.bool_],
    agreed: NDArray[np.float64],
    together: NDArray[np.float64],
    alone: NDArray[np.float64],
    unipolarity: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """[M, M] whether identical columns are improbable, given how each source agrees with the different ones."""
    others = ~same
    np.fill_diagonal(others, False)
    agreement = ((agreed * others).sum(1) + 1) / ((together * others).sum(1) + 2)
    overlap = ((together * others).sum(1) + 1) / (((together + alone) * others).sum(1) + 2)
    expected = np.minimum(np.maximum(agreement, 0.5) * (1 - unipolarity) + unipolarity * overlap, 0.99)
    log_odds = -np.diag(together)[:, None] * np.log(np.maximum(expected[:, None], expected[None]))
    return np.asarray(log_odds > IDENTICAL_LOG_ODDS)
