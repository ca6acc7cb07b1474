"""What is predicted of items: a t distribution each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, stdtr, stdtrit

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.numbers.settings import DEGREES_OF_FREEDOM


@dataclass(frozen=True, eq=False)
class NumericDistribution:
    """Predictive distribution of N items: location + scale * t, with `df` degrees of freedom."""

    location: NDArray[np.float64]
    """[N] mean and median."""
    scale: NDArray[np.float64]
    """[N] positive."""
    df: float = DEGREES_OF_FREEDOM

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """[N] for one probability in (0, 1); [N, Q] for several.

        Raises:
            InvalidArgumentError: for probabilities outside (0, 1).
        """
        p = np.asarray(probability, np.float64)
        if not ((p > 0) & (p < 1)).all():
            raise InvalidArgumentError(f"probabilities must be in (0, 1), got {probability!r}", field="probability")
        unit = stdtrit(self.df, p)
        if p.ndim == 0:
            return np.asarray(self.location + self.scale * unit)
        return np.asarray(self.location[:, None] + self.scale[:, None] * unit)

    def interval(self, coverage: float) -> NDArray[np.float64]:
        """[N, 2] central intervals that hold the value with probability `coverage`."""
        if isinstance(coverage, bool) or not isinstance(coverage, (int, float, np.number)) or not 0 < coverage < 1:
            raise InvalidArgumentError(f"coverage must be in (0, 1), got {coverage!r}", field="coverage")
        return self.quantile([(1 - float(coverage)) / 2, (1 + float(coverage)) / 2])

    def cdf(self, value: ArrayLike) -> NDArray[np.float64]:
        """[N] probability that each item's value is at most `value`, one number or [N]."""
        return np.asarray(stdtr(self.df, (np.asarray(value, np.float64) - self.location) / self.scale))

    def log_density(self, value: ArrayLike) -> NDArray[np.float64]:
        """[N] log density at `value`, one number or [N]."""
        z = (np.asarray(value, np.float64) - self.location) / self.scale
        return np.asarray(self._log_unit_density(z) - np.log(self.scale))

    def crps(self, value: ArrayLike) -> NDArray[np.float64]:
        """[N] continuous ranked probability score at `value`: in units of the values, less is better.

        The closed form of the t distribution, Jordan, Krüger and Lerch 2019, doi:10.18637/jss.v090.i12.
        """
        z = (np.asarray(value, np.float64) - self.location) / self.scale
        df = self.df
        inside = z * (2 * stdtr(df, z) - 1) + 2 * np.exp(self._log_unit_density(z)) * (df + z**2) / (df - 1)
        constant = 2 * np.sqrt(df) / (df - 1) * np.exp(betaln(0.5, df - 0.5) - 2 * betaln(0.5, df / 2))
        return np.asarray(self.scale * (inside - constant))

    def sample(self, n: int, seed: int = 0) -> NDArray[np.float64]:
        """[n, N] draws, each item's apart from the others'."""
        return self.location + self.scale * np.random.default_rng(seed).standard_t(self.df, (n, len(self.location)))

    def _log_unit_density(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        df = self.df
        return np.asarray(-(df + 1) / 2 * np.log1p(z**2 / df) - 0.5 * np.log(df) - betaln(0.5, df / 2))

    def __len__(self) -> int:
        return len(self.location)
