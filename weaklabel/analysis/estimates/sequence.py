"""An interval that stays valid however often it is looked at, so that one may stop when it is narrow enough.

Against each possible mean a capital is bet, hedged between both sides; what is left are the means against which no bet
has won 1 / alpha (Waudby-Smith and Ramdas 2024, doi:10.1093/jrsssb/qkad009: hedged capital, items drawn without
replacement). What a proxy predicts of an item is taken off its draw, by a factor that is fitted to the draws before, as
in prediction-powered inference (arXiv:2301.09633). By Ville's inequality the interval holds at all times together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.analysis.estimates.proportion import PRIOR_LABELS
from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.numbers import read_column

GRID = 1000
"""Means that are tested: those between two of them are in the interval where one of both is."""
MOST_BET = 0.5
"""Share of the largest bet that cannot lose everything."""


class ConfidenceSequence:
    """The share of N items that are right, from items drawn one after another, at random and without replacement.

    `update` takes one draw; `low` and `high` are valid after each of them together: with a probability of at least
    `confidence` the share is never outside, whenever one stops.

    Attributes:
        n_items: N.
        n_labels: number of draws so far.
        confidence: as given.
    """

    def __init__(self, n_items: int, *, proxy: ArrayLike | None = None, confidence: float = 0.95) -> None:
        """Begin without a draw.

        Args:
            n_items: N.
            proxy: [N] in [0, 1], how probably each item is right: for the accuracy of predictions, the soft labels'
                probability of the predicted class. Valid whatever they are; the better, the narrower the interval.
            confidence: above 0, below 1.

        Raises:
            InvalidArgumentError: for N below 1, a proxy of another shape or outside [0, 1], and confidence out of
                range.
        """
        if not n_items >= 1:
            raise InvalidArgumentError(f"n_items must be at least 1, got {n_items}", field="n_items")
        if not 0 < confidence < 1:
            raise InvalidArgumentError(f"confidence must be between 0 and 1, got {confidence}", field="confidence")
        self.n_items, self.confidence, self.n_labels = n_items, confidence, 0
        self._proxy = np.full(n_items, 0.5) if proxy is None else read_column(proxy, "proxy", n_items)
        if self._proxy.shape != (n_items,) or not ((self._proxy >= 0) & (self._proxy <= 1)).all():
            raise InvalidArgumentError(
                f"proxy must hold a number in [0, 1] for each of the {n_items} items", field="proxy"
            )
        self._spread, self._total = float(self._proxy.var()), float(self._proxy.sum())
        self._drawn = np.zeros(n_items, bool)
        self._means = np.linspace(0, 1, GRID + 1)
        self._log_capital = np.zeros((2, GRID + 1))
        self._kept = np.ones(GRID + 1, bool)
        self._right = self._seen = self._seen_seen = self._right_seen = 0.0  # sums over the draws
        self._squares = 0.25  # of the residuals: a prior draw of the variance of a coin

    def update(self, item: int, right: bool | float) -> None:
        """Takes a draw.

        Args:
            item: 0..N-1, drawn at random among those that were not drawn before.
            right: whether it is right, or in [0, 1] how far.

        Raises:
            InvalidArgumentError: for an item that is not there or was drawn before, and a value outside [0, 1].
        """
        if not (isinstance(item, (int, np.integer)) and 0 <= item < self.n_items):
            raise InvalidArgumentError(f"item must be in 0..{self.n_items - 1}, got {item!r}", field="item")
        if self._drawn[item]:
            raise InvalidArgumentError(f"item {item} was drawn before", field="item")
        if not 0 <= right <= 1:
            raise InvalidArgumentError(f"right must be in [0, 1], got {right!r}", field="right")
        right, seen = float(right), float(self._proxy[item])
        self._bet(right, seen)
        self._drawn[item] = True
        self.n_labels += 1
        self._right += right
        self._seen += seen
        self._seen_seen += seen * seen
        self._right_seen += right * seen
        least, wrong = self._right / self.n_items, (self.n_labels - self._right) / self.n_items  # these are certain
        self._kept &= self._log_capital.max(0) < np.log(2 / (1 - self.confidence))
        self._kept &= (self._means >= least - 1e-9) & (self._means <= 1 - wrong + 1e-9)

    @property
    def value(self) -> float:
        """The estimate: the mean of the draws, less what the proxy says that they are better than the rest."""
        if not self.n_labels:
            return float("nan")
        gap = self._seen / self.n_labels - self._total / self.n_items
        return float(np.clip(self._right / self.n_labels - self._factor() * gap, self.low, self.high))

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return max(self._ends()[0] - 1 / GRID, 0.0)

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return min(self._ends()[1] + 1 / GRID, 1.0)

    def __repr__(self) -> str:
        return (
            f"ConfidenceSequence({self.value:.3f} [{self.low:.3f}, {self.high:.3f}] at all times, "
            f"{self.n_labels:,} of {self.n_items:,} items)"
        )

    def _ends(self) -> tuple[float, float]:
        kept = self._means[self._kept]
        if not len(kept):  # between two means of the grid
            return (self._right / self.n_labels,) * 2
        return float(kept[0]), float(kept[-1])

    def _bet(self, right: float, seen: float) -> None:
        """Multiplies the capital against each mean by what a bet on this draw wins."""
        t, left = self.n_labels + 1, self.n_items - self.n_labels
        # What the next draw is on the mean, if the share of all items is that of the grid.
        expected = (self.n_items * self._means - self._right) / left
        of_proxy = (self._total - self._seen) / left
        possible = (expected >= -1e-9) & (expected <= 1 + 1e-9)
        expected = np.clip(expected, 0, 1)
        factor = self._factor()
        excess = right - expected - factor * (seen - of_proxy)
        size = np.sqrt(2 * np.log(2 / (1 - self.confidence)) / (self._squares * np.log(1 + t)))
        lowest, highest = expected + factor * (1 - of_proxy), 1 - expected + factor * of_proxy
        up = np.minimum(size, MOST_BET / np.maximum(lowest, 1e-9))
        down = np.minimum(size, MOST_BET / np.maximum(highest, 1e-9))
        won = np.log(np.maximum(np.stack([1 + up * excess, 1 - down * excess]), 1e-300))
        self._log_capital = np.where(possible, self._log_capital + won, np.inf)
        mean = (self._right + 0.5) / t
        self._squares += (right - mean - factor * (seen - of_proxy)) ** 2

    def _factor(self) -> float:
        """The weight of the proxy, in [0, 1], by a ridge regression of the draws so far towards 1."""
        if self._spread <= 1e-12:
            return 0.0
        n, prior = max(self.n_labels, 1), PRIOR_LABELS * self._spread
        shared = self._right_seen - self._right * self._seen / n
        own = self._seen_seen - self._seen * self._seen / n
        return float(np.clip((shared + prior) / (own + prior), 0, 1))
