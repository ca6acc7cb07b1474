"""How far all sources agree beyond chance, as one number with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.frames import pandas
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pandas as pd

Metric = Literal["nominal", "ordinal", "interval"]
"""How far apart two classes are: differ or not; by the votes between them; by their numbers."""
BLOCK_CELLS = 4_000_000
MOST_GROUPS = 10_000
"""Up to so many items are drawn one by one in the bootstrap; of more, so many random groups, ..."""
FEWEST_GROUPS = 200
"""... or fewer where there are many classes."""
GROUP_CELLS = 4_000_000
DRAWN_AT_ONCE = 100


@dataclass(frozen=True)
class Reliability:
    """Agreement of all sources beyond chance. It prints as "0.743 [0.458, 0.942]"."""

    value: float
    """1 for full agreement, 0 for that of chance; NaN where all votes on these items are for one class."""
    low: float
    high: float
    confidence: float
    """Of the interval, a percentile bootstrap over items; NaN ends where a draw has votes for one class only."""
    n_items: int
    """Items with two votes or more: the others say nothing of agreement."""
    n_votes: int
    """On these items."""
    coefficient: str
    """Its name."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_pandas(self) -> pd.DataFrame:
        """One line.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        frame: pd.DataFrame = pandas().DataFrame([asdict(self)])
        return frame


class _Groups(NamedTuple):
    """Items that the bootstrap draws together."""

    counts: NDArray[np.float64]
    """[G, K] votes for each class."""
    apart: NDArray[np.float64]
    """[G] sum over items of what two of their votes differ by, over all ordered pairs, by the votes less one."""


def krippendorff_alpha(
    votes: Votes,
    metric: Metric = "nominal",
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Reliability:
    """Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability"): any sources, any votes missing.

    alpha = 1 - observed / expected disagreement of two votes, on one item and on any. Items with one vote are left
    out. Below 0.667 he advises against any conclusion from a single source's votes, above 0.8 he relies on them; many
    votes an item make up for much.

    Args:
        votes: N items, M sources, K classes; plain votes only.
        metric: "nominal", classes without an order; "ordinal", classes in the order of their indices, as far apart as
            there are votes between them; "interval", as far apart as their indices.
        confidence: of the interval.
        n_bootstrap: draws of items with replacement, 0 for no interval. Distances of the ordinal metric are held.
        seed: of the draws.

    Raises:
        InvalidVotesError: for candidate sets and soft votes, and if no item has two votes.
        InvalidArgumentError: for another metric, a confidence outside (0, 1) and a negative number of draws.
    """
    if metric not in get_args(Metric):
        raise InvalidArgumentError(
            f"metric must be one of {', '.join(get_args(Metric))}, got {metric!r}", field="metric"
        )
    place = None if metric == "nominal" else _places(votes, metric)
    return _reliability(
        votes, place, f"Krippendorff's alpha, {metric}", confidence, n_bootstrap, seed, without_replacement=True
    )


def fleiss_kappa(votes: Votes, *, confidence: float = 0.95, n_bootstrap: int = 1000, seed: int = 0) -> Reliability:
    """Fleiss' kappa (1971, doi:10.1037/h0031619): the same number of votes on each item, of whatever sources.

    Args:
        votes: N items, M sources, K classes; plain votes only. Items without a vote are left out.
        confidence: of the interval.
        n_bootstrap: draws of items with replacement, 0 for no interval.
        seed: of the draws.

    Raises:
        InvalidVotesError: for candidate sets and soft votes, and if items differ in the number of their votes: then
            `krippendorff_alpha` is what to ask.
        InvalidArgumentError: for a confidence outside (0, 1) and a negative number of draws.
    """
    numbers = np.unique(np.bincount(_plain(votes).triples()[0], minlength=votes.n_items))
    numbers = numbers[numbers > 0]
    if len(numbers) > 1:
        raise InvalidVotesError(
            f"Fleiss' kappa needs the same number of votes on each item, and there are {numbers[0]} to {numbers[-1]}: "
            "krippendorff_alpha(votes) takes any number",
            field="votes",
        )
    return _reliability(votes, None, "Fleiss' kappa", confidence, n_bootstrap, seed, without_replacement=False)


def _reliability(
    votes: Votes,
    place: NDArray[np.float64] | None,
    coefficient: str,
    confidence: float,
    n_bootstrap: int,
    seed: int,
    *,
    without_replacement: bool,
) -> Reliability:
    """The coefficient of classes that stand at places [K], or that differ or not, where None."""
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 < confidence < 1:
        raise InvalidArgumentError(f"confidence must be in (0, 1), got {confidence!r}", field="confidence")
    n_bootstrap = check_count(n_bootstrap, "n_bootstrap", 0, InvalidArgumentError)
    rng = np.random.default_rng(seed)
    groups, n_items = _groups(votes, place, rng)
    if not n_items:
        raise InvalidVotesError("agreement needs items with two votes or more, and there is none", field="votes")
    value = _coefficient(groups.counts.sum(0)[None], groups.apart.sum()[None], place, without_replacement)
    low = high = float("nan")
    if n_bootstrap:
        drawn = [
            _coefficient(weights @ groups.counts, weights @ groups.apart, place, without_replacement)
            for weights in _draws(n_bootstrap, len(groups.apart), rng)
        ]
        low, high = np.quantile(np.concatenate(drawn), [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Reliability(
        value=float(value[0]),
        low=low,
        high=high,
        confidence=float(confidence),
        n_items=n_items,
        n_votes=round(float(groups.counts.sum())),
        coefficient=coefficient,
    )


def _draws(number: int, n_groups: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """[B, G] how often each group is drawn, some draws at a time."""
    for start in range(0, number, DRAWN_AT_ONCE):
        picked = rng.integers(0, n_groups, (min(DRAWN_AT_ONCE, number - start), n_groups))
        picked += np.arange(len(picked))[:, None] * n_groups
        weights = np.bincount(picked.reshape(-1), minlength=picked.size)
        yield weights.reshape(picked.shape).astype(np.float64)


def _plain(votes: Votes) -> Votes:
    if not check_votes(votes).is_plain:
        raise InvalidVotesError(
            "agreement is of votes for one class each, without candidate sets and soft votes", field="votes"
        )
    return votes


def _pairable(votes: Votes) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Positions [n] and counts [n, K] of items with two votes or more, block by block."""
    step = max(1, BLOCK_CELLS // _plain(votes).n_classes)
    for start in range(0, votes.n_items, step):
        stop = min(start + step, votes.n_items)
        whole = stop - start == votes.n_items
        counts = (votes if whole else votes.select_items(np.arange(start, stop))).counts()
        kept = np.flatnonzero(counts.sum(1) > 1)
        yield start + kept, counts[kept].astype(np.float64)


def _places(votes: Votes, metric: Metric) -> NDArray[np.float64]:
    """[K] where classes stand. By ranks: two classes are as far apart as the votes between them and half of theirs,
    which is Krippendorff's ordinal distance. Centred, since squares of large numbers would be rounded.
    """
    if metric == "interval":
        return np.arange(_plain(votes).n_classes, dtype=np.float64) - (votes.n_classes - 1) / 2
    total = np.zeros(votes.n_classes)
    for _, counts in _pairable(votes):
        total += counts.sum(0)
    rank = np.cumsum(total) - total / 2
    return np.asarray((rank - total.sum() / 2) / max(float(total.sum()), 1.0))


def _groups(votes: Votes, place: NDArray[np.float64] | None, rng: np.random.Generator) -> tuple[_Groups, int]:
    """Items as groups to draw, and the number of items."""
    most = max(FEWEST_GROUPS, min(MOST_GROUPS, GROUP_CELLS // _plain(votes).n_classes))
    n_groups = min(votes.n_items, most)
    group = np.arange(votes.n_items) if votes.n_items <= most else rng.permutation(votes.n_items) % n_groups
    counts, apart, size = np.zeros((n_groups, votes.n_classes)), np.zeros(n_groups), np.zeros(n_groups, np.int64)
    for at, of_items in _pairable(votes):
        number = of_items.sum(1)
        own = _disagreement(of_items, place) / (number - 1)
        apart += np.bincount(group[at], own, n_groups)
        size += np.bincount(group[at], minlength=n_groups)
        for k in range(votes.n_classes):
            counts[:, k] += np.bincount(group[at], of_items[:, k], n_groups)
    kept = size > 0
    return _Groups(counts[kept], apart[kept]), int(size.sum())


def _disagreement(counts: NDArray[np.float64], place: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """[n] what two votes differ by, summed over the ordered pairs of votes that are counted [n, K]."""
    number = counts.sum(1)
    if place is None:
        return np.asarray(number**2 - np.einsum("ik,ik->i", counts, counts))
    squares: NDArray[np.float64] = number * (counts @ place**2) - (counts @ place) ** 2
    return 2 * squares.clip(0.0)


def _coefficient(
    counts: NDArray[np.float64],
    apart: NDArray[np.float64],
    place: NDArray[np.float64] | None,
    without_replacement: bool,
) -> NDArray[np.float64]:
    """[B] the coefficient, of votes for each class [B, K] and the disagreement on items [B]."""
    number = counts.sum(1)
    pairs = number * (number - 1 if without_replacement else number)
    expected = _disagreement(counts, place) / pairs
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(expected > 1e-15, 1 - apart / number / expected, np.nan))
