"""How many independent votes a set of sources is worth, by their common errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import stdtrit

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.families import read_families
from weaklabel.side_information.gold import as_gold
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes import Votes, check_votes

MOST_SOURCES = 2_000
"""Matrices of all pairs are held in memory."""
GROUPS = 20
"""Groups of items that the jackknife leaves out, one after the other."""
LEVEL = 0.9
DENSE = 0.05
"""Share of filled cells from which on dense products are faster than sparse ones."""
DENSE_CELLS = 4_000_000
SHOWN = 3
"""Sources that are named at either end, in words."""


@dataclass(frozen=True, eq=False)
class EffectiveVotes:
    """How many independent votes sources are worth; see `effective_votes`. `print` says it in words.

    Sources without a vote on an item with a label are left out of all of it.
    """

    number: float
    """Independent sources whose mean error would vary as much, between 1 and M."""
    interval: tuple[float, float]
    """90 % interval of the number, over the items: soft labels are taken as given."""
    n_sources: int
    """M."""
    n_items: int
    """Items with a label and a vote."""
    by: Literal["gold", "soft labels"]
    sources: tuple[str, ...]
    """M names, in the order of `pairs`."""
    without: dict[str, float]
    """By source, the number of the others together. Above `number`: the mean of all is worth more without it."""
    families: dict[str, float]
    """By family, the number of its sources alone; empty where no families are given."""
    correlation: float
    """Mean of `pairs` over the pairs of different sources; NaN where no pair has one."""
    pairs: NDArray[np.float64]
    """[M, M] correlation of the errors of two sources on the items that both vote on.

    NaN where there are none, or one of the two is always right or always wrong on them.
    """

    def __str__(self) -> str:
        low, high = self.interval
        noun = "source" if self.n_sources == 1 else "sources"
        text = (
            f"{self.n_sources} {noun}, worth {self.number:.1f} independent votes "
            f"({LEVEL:.0%} interval {low:.1f} to {high:.1f}), by {self.by} of {self.n_items:,} items"
        ).replace("%", " %", 1)
        if self.n_sources > 1:
            ordered = [f"{name!r}: {number:.1f}" for name, number in sorted(self.without.items(), key=lambda x: x[1])]
            if len(ordered) > 2 * SHOWN:
                ordered[SHOWN:-SHOWN] = ["..."]
            text += "; without " + ", ".join(ordered)
        if self.families:
            text += "; families alone: " + ", ".join(f"{name!r}: {one:.1f}" for name, one in self.families.items())
        if self.by == "soft labels":
            text += (
                ". Errors that most sources share look like truth to votes alone, so the number is rather an upper "
                "bound: 50 gold labels tell"
            )
        return text + "."


class _Cells(NamedTuple):
    """Votes on items with a label."""

    items: NDArray[np.int32]
    """[V]"""
    sources: NDArray[np.int64]
    """[V]"""
    labels: NDArray[np.int32]
    """[V]"""
    right: NDArray[np.float64]
    """[V] probability that the vote is right."""


class _Tables(NamedTuple):
    """The same votes as tables of J items, or of A answers: different labels that an item was given."""

    there: csr_array
    """[J, M] 1 where there is a vote."""
    wrong: csr_array
    """[J, M] probability that it is wrong."""
    alike: csr_array
    """[A, M] root of the probability that the answer is right, at those who gave it."""
    asked: NDArray[np.int64]
    """[A] item of each answer."""

    def of(self, items: NDArray[np.bool_]) -> _Tables:
        """Those of some of the J items; answers keep the numbers of theirs."""
        return _Tables(self.there[items], self.wrong[items], self.alike[items[self.asked]], self.asked)


class _Sums(NamedTuple):
    """Sums over items that both sources of a pair vote on, [M, M] each."""

    shared: NDArray[np.float64]
    """Items."""
    wrong: NDArray[np.float64]
    """Expected errors of the first source."""
    both: NDArray[np.float64]
    """Expected items on which both are wrong."""

    def without(self, other: _Sums) -> _Sums:
        return _Sums(self.shared - other.shared, self.wrong - other.wrong, self.both - other.both)

    def rates(self) -> NDArray[np.float64]:
        """[M, M] error rate of the first source on the shared items."""
        return self.wrong / np.maximum(self.shared, 1)

    def covariance(self) -> NDArray[np.float64]:
        """[M, M] covariance of the errors; 0 where no item is shared."""
        rates = self.rates()
        return self.both / np.maximum(self.shared, 1) - rates * rates.T


def effective_votes(
    votes: Votes,
    labels: ArrayLike,
    *,
    families: Mapping[str, str] | None = None,
    sources: Sequence[str] | None = None,
) -> EffectiveVotes:
    """The number of independent sources whose mean error varies as much as that of these.

    With e_m = 1 where source m is wrong: `M sum_m var(e_m) / sum_mn cov(e_m, e_n)`, the design effect of Kish (Survey
    Sampling, 1965, section 8.2) turned round. M sources of equal accuracy and pairwise correlation rho of their errors
    are worth M / (1 + (M - 1) rho); nine language models as judges were found to be worth about two (arXiv:2605.29800).
    A covariance is taken over the items that both sources vote on, and is 0 where there are none. The number is held
    between 1 and M: above M, where errors avoid each other, or where covariances of different items add up to less
    than nothing, it is M. Where no vote is wrong nothing is known: the number is M, its interval 1 to M.

    By gold, an error is seen. By soft labels it is expected: of two votes both are wrong with probability
    `1 - p(s_m) - p(s_n)`, and `1 - p(s_m)` where they are the same. Errors that most sources share look like truth to
    soft labels made of votes alone, which then say more independent votes than there are.

    The interval: a jackknife over 20 random groups of items, in the logarithm, by Student's t.

    Args:
        votes: N items, M sources (at most 2,000), K classes; plain votes only.
        labels: gold [N], with -1 for items to leave out, or soft labels [N, K], whose rows sum to one.
        families: family by name of a source, for the number of each family; sources that are not named have none.
        sources: names of the sources to look at; all where not given.

    Raises:
        InvalidArgumentError: for candidate sets or soft votes, more than 2,000 sources, labels that do not fit the
            votes, no vote on an item with a label, or a family of an unknown source.
        InvalidVotesError: for a name in `sources` that is unknown or given twice.

    Examples:
        Two copies and a third source that errs apart from them:

        >>> import numpy as np
        >>> from weaklabel import Votes
        >>> votes = Votes.from_dense(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]]), n_classes=2)
        >>> round(effective_votes(votes, [1, 1, 1, 1]).number, 2)
        2.45
        >>> effective_votes(votes, [1, 1, 1, 1], sources=["source_0", "source_1"]).number
        1.0
    """
    if not check_votes(votes).is_plain:
        raise InvalidArgumentError(
            "plain votes only: a candidate set or a soft vote is not simply wrong", field="votes"
        )
    read_families(families, votes.source_names)
    if sources is not None:
        votes = votes.select_sources(sources)
    if votes.n_sources > MOST_SOURCES:
        raise InvalidArgumentError(
            f"at most {MOST_SOURCES:,} sources can be compared with each other, got {votes.n_sources:,}: name some in "
            "sources",
            field="votes",
        )
    by: Literal["gold", "soft labels"] = "soft labels" if _are_soft(labels) else "gold"
    cells, voting = _judged(votes, labels)
    names = tuple(votes.source_names[source] for source in voting)
    n_sources = len(names)
    tables = _tables(cells, n_sources)
    sums = _sums(tables)
    covariance = sums.covariance()
    variance, rows = covariance.diagonal(), covariance.sum(1)
    total, spread = float(covariance.sum()), float(variance.sum())
    rest = [
        _held(n_sources - 1, spread - own, total - 2 * row + own) if n_sources > 1 else 0.0
        for own, row in zip(variance.tolist(), rows.tolist(), strict=True)
    ]
    family = np.array([(families or {}).get(name, "") for name in names])
    blocks = {one: np.flatnonzero(family == one) for one in dict.fromkeys((families or {}).values())}
    pairs = _correlations(sums, covariance)
    apart = pairs[np.triu_indices(n_sources, 1)]
    return EffectiveVotes(
        number=_held(n_sources, spread, total),
        interval=_interval(tables, sums),
        n_sources=n_sources,
        n_items=tables.there.shape[0],
        by=by,
        sources=names,
        without=dict(zip(names, rest, strict=True)),
        families={
            one: _held(len(at), float(variance[at].sum()), float(covariance[np.ix_(at, at)].sum()))
            for one, at in blocks.items()
            if len(at)
        },
        correlation=float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan"),
        pairs=pairs,
    )


def _judged(votes: Votes, labels: ArrayLike) -> tuple[_Cells, NDArray[np.int64]]:
    """The votes on items with a label, with sources renumbered, and the sources that have some."""
    items, sources, codes = votes.triples()
    if _are_soft(labels):
        right = _soft_labels(labels, votes)[items, codes]
    else:
        truth = as_gold(labels, votes)[items]
        known = truth >= 0
        items, sources, codes = items[known], sources[known], codes[known]
        right = (codes == truth[known]).astype(np.float64)
    if not len(items):
        raise InvalidArgumentError("there is no vote on an item with a label", field="labels")
    voting, renumbered = np.unique(sources, return_inverse=True)
    return _Cells(items, renumbered.astype(np.int64), codes, right), voting.astype(np.int64)


def _are_soft(labels: ArrayLike) -> bool:
    """Whether labels are soft ones [N, K], and not gold [N] or a column of it."""
    return np.ndim(labels) == 2 and np.shape(labels)[1] > 1


def _soft_labels(labels: ArrayLike, votes: Votes) -> NDArray[np.float64]:
    soft = read_numbers(labels, "labels", votes.n_items, votes.item_ids)
    if soft.shape != (votes.n_items, votes.n_classes):
        raise InvalidArgumentError(
            f"labels must be gold [{votes.n_items}] or soft labels [{votes.n_items}, {votes.n_classes}], got shape "
            f"{soft.shape}",
            field="labels",
        )
    if not (np.isfinite(soft).all() and (soft >= 0).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
        raise InvalidArgumentError("soft labels must lie in [0, 1], and rows sum to one", field="labels")
    return np.minimum(soft, 1)


def _tables(cells: _Cells, n_sources: int) -> _Tables:
    def table(rows: NDArray[np.integer], values: NDArray[np.float64], n_rows: int) -> csr_array:
        return csr_array((values, (rows, cells.sources)), (n_rows, n_sources))

    judged, at = np.unique(cells.items, return_inverse=True)
    answers, answer = np.unique(
        cells.items.astype(np.int64) * (int(cells.labels.max()) + 1) + cells.labels, return_inverse=True
    )
    asked = np.zeros(len(answers), np.int64)
    asked[answer] = at
    return _Tables(
        there=table(at, np.ones(len(at)), len(judged)),
        wrong=table(at, 1 - cells.right, len(judged)),
        alike=table(answer, np.sqrt(cells.right), len(answers)),
        asked=asked,
    )


def _sums(tables: _Tables) -> _Sums:
    shared, errors = _products(tables.there, tables.there), _products(tables.wrong, tables.there)
    return _Sums(shared=shared, wrong=errors, both=errors + errors.T - shared + _products(tables.alike, tables.alike))


def _products(left: csr_array, right: csr_array) -> NDArray[np.float64]:
    """[M, M] left' right, dense block by block where most cells are filled."""
    n_rows, n_sources = left.shape
    if left.nnz < DENSE * n_rows * n_sources:
        return np.asarray((left.T @ right).toarray(), np.float64)
    step, total = max(1, DENSE_CELLS // n_sources), np.zeros((n_sources, n_sources))
    for start in range(0, n_rows, step):
        total += left[start : start + step].toarray().T @ right[start : start + step].toarray()
    return total


def _uncapped(n_sources: int, spread: float, total: float) -> float:
    """The number; M² at most, where covariances nearly cancel; M where no source has an error that varies."""
    if spread <= 0:
        return float(n_sources)
    return n_sources * spread / max(total, spread / n_sources)


def _held(n_sources: int, spread: float, total: float) -> float:
    return float(np.clip(_uncapped(n_sources, spread, total), 1, n_sources))


def _interval(tables: _Tables, sums: _Sums) -> tuple[float, float]:
    n_items, n_sources = tables.there.shape

    def logarithm(of: _Sums) -> float:
        covariance = of.covariance()
        return float(np.log(_uncapped(n_sources, float(covariance.trace()), float(covariance.sum()))))

    n_groups = min(GROUPS, n_items)
    if n_groups < 2 or not (sums.covariance().diagonal() > 0).any():
        return 1.0, float(n_sources)
    group = np.random.default_rng(0).permutation(n_items) % n_groups
    left_out = [logarithm(sums.without(_sums(tables.of(group == one)))) for one in range(n_groups)]
    error = float(np.std(left_out)) * (n_groups - 1) ** 0.5  # sqrt((G - 1) / G * sum of squares)
    middle, reach = logarithm(sums), float(stdtrit(n_groups - 1, (1 + LEVEL) / 2)) * error
    low, high = np.clip(np.exp([middle - reach, middle + reach]), 1, n_sources).tolist()
    return low, high


def _correlations(sums: _Sums, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    rates = sums.rates()
    variance = np.maximum(rates * (1 - rates), 0)
    scale = np.sqrt(variance * variance.T)
    unseen = scale <= 1e-12
    return np.where(unseen, np.nan, np.clip(covariance / np.where(unseen, 1, scale), -1, 1))
