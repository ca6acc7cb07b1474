"""How many independent votes a set of sources is worth, by their common errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from weaklabel.analysis.common_errors import CommonErrors, Sums, are_soft, common_errors
from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.families import read_families
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

MOST_SOURCES = 2_000
"""Matrices of all pairs are held in memory."""
GROUPS = 20
"""Groups of items that the jackknife leaves out, one after the other."""
LEVEL = 0.9
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

    def to_pandas(self) -> pd.DataFrame:
        """A line for each two sources whose errors can be compared: source, other, correlation.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        at, other = np.nonzero(np.triu(np.isfinite(self.pairs), 1))
        names = np.array(self.sources, object)
        columns = {"source": names[at], "other": names[other], "correlation": self.pairs[at, other]}
        frame: pd.DataFrame = pandas().DataFrame(columns)
        return frame

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
    found = common_errors(votes, labels, GROUPS)
    names = tuple(votes.source_names[source] for source in found.voting.tolist())
    return _effective(found, names, families or {}, "soft labels" if are_soft(labels) else "gold")


def _effective(
    found: CommonErrors, names: tuple[str, ...], families: Mapping[str, str], by: Literal["gold", "soft labels"]
) -> EffectiveVotes:
    """The number for M named sources, for each family, and without each source."""
    n_sources, sums = len(names), found.total()
    covariance = sums.covariance()
    variance, rows = covariance.diagonal(), covariance.sum(1)
    total, spread = float(covariance.sum()), float(variance.sum())
    rest = [
        _held(n_sources - 1, spread - own, total - 2 * row + own) if n_sources > 1 else 0.0
        for own, row in zip(variance.tolist(), rows.tolist(), strict=True)
    ]
    family = np.array([families.get(name, "") for name in names])
    blocks = {one: np.flatnonzero(family == one) for one in dict.fromkeys(families.values())}
    pairs = _correlations(sums, covariance)
    apart = pairs[np.triu_indices(n_sources, 1)]
    return EffectiveVotes(
        number=_held(n_sources, spread, total),
        interval=_interval(found, sums),
        n_sources=n_sources,
        n_items=found.n_items,
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


def _uncapped(n_sources: int, spread: float, total: float) -> float:
    """The number; M² at most, where covariances nearly cancel; M where no source has an error that varies."""
    if spread <= 0:
        return float(n_sources)
    return n_sources * spread / max(total, spread / n_sources)


def _held(n_sources: int, spread: float, total: float) -> float:
    return float(np.clip(_uncapped(n_sources, spread, total), 1, n_sources))


def _interval(found: CommonErrors, sums: Sums) -> tuple[float, float]:
    n_sources, n_groups = len(found.voting), len(found.groups)

    def logarithm(of: Sums) -> float:
        covariance = of.covariance()
        return float(np.log(_uncapped(n_sources, float(covariance.trace()), float(covariance.sum()))))

    if n_groups < 2 or not (sums.covariance().diagonal() > 0).any():
        return 1.0, float(n_sources)
    left_out = [logarithm(sums.without(one)) for one in found.groups]
    error = float(np.std(left_out)) * (n_groups - 1) ** 0.5  # sqrt((G - 1) / G * sum of squares)
    middle, reach = logarithm(sums), float(stdtrit(n_groups - 1, (1 + LEVEL) / 2)) * error
    low, high = np.clip(np.exp([middle - reach, middle + reach]), 1, n_sources).tolist()
    return low, high


def _correlations(sums: Sums, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    rates = sums.rates()
    variance = np.maximum(rates * (1 - rates), 0)
    scale = np.sqrt(variance * variance.T)
    unseen = scale <= 1e-12
    return np.where(unseen, np.nan, np.clip(covariance / np.where(unseen, 1, scale), -1, 1))
