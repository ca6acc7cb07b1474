"""Sources that copy each other: found before EM, because a fit follows copies and cannot be repaired afterwards.

Agreement alone does not tell: accurate, independent sources agree nearly always. So the agreement of a pair is compared
with what its other voters and its own confusion matrices lead to expect of it, item by item, the pair itself left out.
The copy rate is the agreement beyond that, in shares of what there could be. Difficult items raise the rates of all
pairs, so that a pair is judged beside the others. Columns that are identical are copies where chance does not explain
it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.dependence.panel import MOST_TABLE, Panel, numbered, pairs_of_votes, rough_fit
from weaklabel.model.numerics.weighted_gram import filled_in, weighted_gram
from weaklabel.model.settings import Settings
from weaklabel.votes import Votes

FIRST_PAIRS, MOST_PAIRS = 2**16, 2**20
"""Pairs of votes x classes that are looked at first, and where some pair may be of copies."""
FIRST_SHARED = 40
"""Items, on average, of each pair of sources that are looked at first, at least."""
DOUBTFUL = 0.25
"""Copy rate, less so many standard errors, beyond the median, of pairs that may be: ..."""
DOUBTFUL_ERRORS = 2.0
"""... of many pairs, some are one off."""
SHARED_ITEMS = 25
"""A pair with fewer items in common cannot be judged by its agreement."""
PRIOR_AGREEMENTS = 5.0
"""Agreements that could have been seen beyond those expected, and were not."""
SURE = 3.0
"""Standard errors that are taken off a copy rate."""
SPREADS = 5.0
"""Beyond the median of all pairs, in median absolute deviations, a rate is one of copies ..."""
WIDTH = 0.15
"""... wholly from so much more on."""
SUSPECTED, SUSPECTED_WIDTH = 0.2, 0.3
"""Beyond the median, and the width, of rates at which sources cannot vouch for each other in the rough fit."""
ROUNDS = 4
ROUGH_ITERATIONS, ROUGH_HOLD = 2, 0.4
IDENTICAL_VOTES = 10
"""Columns that agree in every vote and abstain may be copies from so many votes on ..."""
IDENTICAL_LOG_ODDS = 12.0
"""... if that is less likely by chance than exp(-12)."""
SILENCED = 1e6
"""On the diagonal of the scores: the source's votes weigh nothing."""
MOST_SOURCES = 3000
"""Above, the [M, M] tables are not worth their memory."""
FEW_ROWS = 256
"""Distinct rows in which columns mostly differ."""
MOST_ROWS = 16_384
"""More distinct rows than this are sampled, ..."""
MOST_CELLS = 2**24
"""... and more rows times symbols."""


class Copies(NamedTuple):
    """What the votes say of copies."""

    scores: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other: symmetric, in [0, 1], zero on the diagonal."""
    likeliest: float
    """The largest copy rate of pairs that are not taken for copies; 1 where no pair can be judged."""


def find_copies(panel: Panel, unipolarity: NDArray[np.float64], settings: Settings) -> Copies:
    """Pairs of sources that agree more than the other sources explain.

    Args:
        panel: sampled votes.
        unipolarity: [M] how far each source is unipolar: such sources agree wherever they vote, which says nothing.
        settings: constants.
    """
    n_sources = panel.n_sources
    small = 3 <= n_sources <= MOST_SOURCES and n_sources * panel.n_classes**2 <= MOST_TABLE
    if not small or len(panel.items) == 0:
        return Copies(sp.csr_array((n_sources, n_sources)), 1.0)
    most = MOST_PAIRS // panel.n_classes
    first = max(FIRST_PAIRS // panel.n_classes, FIRST_SHARED * n_sources * (n_sources - 1) // 2)
    found = _judged(panel, unipolarity, settings, min(first, most))
    if found is None:
        found = _judged(panel, unipolarity, settings, most, last=True)
    assert found is not None
    return found


def _judged(
    panel: Panel, unipolarity: NDArray[np.float64], settings: Settings, most_pairs: int, last: bool = False
) -> Copies | None:
    """Copies, by so many pairs of votes; None where more should be looked at."""
    n_sources = panel.n_sources
    nothing = Copies(sp.csr_array((n_sources, n_sources)), 1.0)
    first, second, all_seen = _pairs(panel, most_pairs)
    times = panel.times_of_votes[first]
    keys, place = numbered(panel.sources[first] * n_sources + panel.sources[second], n_sources**2)
    judged = np.bincount(place, times, len(keys)) >= SHARED_ITEMS
    if not judged.any():
        return nothing
    kept = judged[place]
    first, second, times, place = first[kept], second[kept], times[kept], (judged.cumsum() - 1)[place[kept]]
    one, other = np.divmod(keys[judged], n_sources)
    n_shared, agreed = (
        np.bincount(place, values, len(one))
        for values in (times, times * (panel.labels[first] == panel.labels[second]))
    )
    generative = (1 - unipolarity[one]) * (1 - unipolarity[other])
    compared = generative > 0.5

    scores = suspected = rate = np.zeros(len(one))
    for round_number in range(ROUNDS):
        weights = panel.weights_beside(_symmetric(suspected, one, other, n_sources))
        agreement = _expected_agreement(panel, settings, first, second, one, other, place, weights)
        expected = np.bincount(place, agreement * times, len(one))
        possible = n_shared - expected + PRIOR_AGREEMENTS
        rate = (agreed - expected) / possible
        error = np.sqrt(np.maximum(agreed * (n_shared - agreed), 0) / n_shared) / possible
        median = float(np.median(rate[compared])) if compared.any() else 0.0
        spread = float(np.median(np.abs(rate[compared] - median))) if compared.any() else 0.0
        least = max(settings.copy_rate, median + SPREADS * spread)
        sure = rate - SURE * error
        scores = np.clip((sure - least) / WIDTH, 0, 1) * generative
        suspected = np.clip((sure - median - SUSPECTED) / SUSPECTED_WIDTH, 0, 1) * generative
        by_chance = np.sqrt(np.maximum(expected * (n_shared - expected), 0) / n_shared) / possible
        if not (last or all_seen) and ((rate - DOUBTFUL_ERRORS * by_chance - median) * generative > DOUBTFUL).any():
            return None
        if not scores.any() and not (round_number < 2 and suspected.any()):
            break
    likeliest = float((rate * (1 - scores) * generative).max())
    return Copies(_symmetric(scores, one, other, n_sources), likeliest)


def _pairs(panel: Panel, most_pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Places of both votes of each pair of votes on a row; of as many rows as are looked at, and whether of all.

    Rows are looked at from one end: their order is one of hashes.
    """
    n_votes = np.bincount(panel.items, minlength=panel.n_rows)
    looked_at = (n_votes * (n_votes - 1) // 2).cumsum() <= most_pairs
    first, second = pairs_of_votes(panel, looked_at)
    return first, second, bool(looked_at.all())


def _expected_agreement(
    panel: Panel,
    settings: Settings,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    place: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[P] probability that both votes of a pair agree, given the other votes on the item."""
    fit = rough_fit(panel, settings, ROUGH_ITERATIONS, ROUGH_HOLD, weights)
    agreeing, total = np.zeros(len(first), np.float32), np.zeros(len(first), np.float32)
    rows, exponents = panel.items[first], None if (weights == 1).all() else weights.astype(np.float32)
    for posterior, confusion in zip(fit.posterior, fit.confusion, strict=True):
        of_votes = confusion[panel.labels, panel.sources]
        of_votes = of_votes if exponents is None else of_votes**exponents
        others = posterior[rows] / (of_votes[first] * of_votes[second])
        agreeing += others * (confusion[:, one] * confusion[:, other]).sum(0)[place]
        total += others
    return np.asarray(agreeing / np.maximum(total, 1e-30), np.float64)


def _symmetric(
    scores: NDArray[np.float64], one: NDArray[np.int64], other: NDArray[np.int64], n_sources: int
) -> sp.csr_array[np.float64]:
    found = scores > 0
    values, rows, columns = scores[found], one[found], other[found]
    shape = (n_sources, n_sources)
    half = sp.csr_array((values, (rows, columns)), shape=shape)
    return sp.csr_array(half + half.T)


def identical_columns(
    votes: Votes, weight: NDArray[np.float64], unipolarity: NDArray[np.float64]
) -> sp.csr_array[np.float64]:
    """Pairs of sources that are equal in every vote and abstain, where chance does not explain it.

    Args:
        votes: U distinct rows, of classes and candidate sets.
        weight: [U] how many items have the row.
        unipolarity: [M] how far each source is unipolar: then abstaining together is agreement as well.

    Returns:
        [M, M] of 0 and 1, symmetric, zero on the diagonal.
    """
    n_rows, n_sources, n_symbols = votes.n_items, votes.n_sources, votes.n_classes + len(votes.symbols)
    nothing = sp.csr_array((n_sources, n_sources))
    if not 3 <= n_sources <= MOST_SOURCES:
        return nothing
    most_rows = min(MOST_ROWS, MOST_CELLS // n_symbols)
    if n_rows > FEW_ROWS and not _some_identical(votes.select_items(np.arange(0, n_rows, n_rows // FEW_ROWS))):
        return nothing
    if n_rows > most_rows:
        sampled = np.sort(np.random.default_rng(0).choice(n_rows, most_rows, replace=False))
        return identical_columns(votes.select_items(sampled), weight[sampled], unipolarity)
    rows, sources, labels = votes.triples()
    if len(rows) == 0:
        return nothing
    place = rows.astype(np.int64) * n_symbols + labels
    number = _numbers_of_columns(sources, place, n_sources, n_rows * n_symbols)
    same = (number[:, None] == number[None]) & (number[:, None] >= 0)
    np.fill_diagonal(same, False)
    if not same.any():
        return nothing
    one_hot = sp.csr_array((np.ones(len(rows), bool), (place, sources)), shape=(n_rows * n_symbols, n_sources))
    fired = sp.csr_array((np.ones(len(rows), bool), (rows, sources)), shape=(n_rows, n_sources))
    together = weighted_gram(filled_in(fired), weight)
    agreed = weighted_gram(filled_in(one_hot), np.repeat(weight, n_symbols))
    n_votes = np.diag(together)
    same &= together >= IDENTICAL_VOTES
    alone = n_votes[:, None] + n_votes[None] - 2 * together
    return sp.csr_array((same & _improbable(same, agreed, together, alone, unipolarity)).astype(np.float64))


def _some_identical(votes: Votes) -> bool:
    """Whether some columns are equal, or have no vote."""
    rows, sources, labels = votes.triples()
    n_symbols = votes.n_classes + len(votes.symbols)
    number = _numbers_of_columns(
        sources, rows.astype(np.int64) * n_symbols + labels, votes.n_sources, votes.n_items * n_symbols
    )
    return len(np.unique(number[number >= 0])) < votes.n_sources


def _numbers_of_columns(
    sources: NDArray[np.int32], cells: NDArray[np.int64], n_sources: int, n_cells: int
) -> NDArray[np.int64]:
    """[M] a number that equal columns share, -1 for those of no vote, from the sources and cells [V] of the votes."""
    # Two sums over a column's cells, with random factors: equal for equal columns, and for hardly any others.
    factors = np.random.default_rng(0).random((2, n_cells))
    marks = np.stack([np.bincount(sources, factor[cells], minlength=n_sources) for factor in factors])
    voting = np.flatnonzero(np.bincount(sources, minlength=n_sources))
    number = np.full(n_sources, -1)
    number[voting] = np.unique(np.round(marks[:, voting], 6), axis=1, return_inverse=True)[1].ravel()
    return number


def without_sources(scores: sp.csr_array[np.float64], silenced: NDArray[np.bool_]) -> sp.csr_array[np.float64]:
    """The scores, with some sources [M] silenced: their votes weigh nothing."""
    if not silenced.any():
        return scores
    heard = sp.diags_array((~silenced).astype(np.float64))
    return sp.csr_array(heard @ scores @ heard + sp.diags_array(np.where(silenced, SILENCED, 0.0)))


def with_families(
    scores: sp.csr_array[np.float64], families: NDArray[np.int32], least: float
) -> sp.csr_array[np.float64]:
    """The scores, with a least one for sources of one family, such as prompts of one model.

    Args:
        scores: [M, M] of `find_copies`.
        families: [M] number of each source's family, -1 for none.
        least: score.
    """
    same = (families[:, None] == families[None]) & (families[:, None] >= 0)
    np.fill_diagonal(same, False)
    return sp.csr_array(np.maximum(scores.toarray(), least * same))


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
