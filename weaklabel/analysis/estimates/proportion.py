"""The share of right ones among those that count, with an interval, when a proxy of both is known of every item.

The interval inverts a score test, as Wilson's does (1927, doi:10.1080/01621459.1927.10502953). The known labels say how
often a proxy is off, and the proxy says what the items without labels are like: prediction-powered inference
(Angelopoulos et al. 2023, arXiv:2301.09633), with the weight of the proxy fitted (arXiv:2311.01453; a control variate).
What the proxy explains leaves the variance of Wilson's interval; without labels that it explains, it is Wilson's.

Shapes: N items, G of them with a known label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

PRIOR_LABELS = 20.0
"""Labels that the belief counts for, that a proxy is worth its face value. Chosen on simulations, with `CAUTION`, so
that intervals cover at few labels too; the tests draw others."""
CAUTION = 2.0
"""Share of the variance, times G, that a proxy has to explain before it counts: it is chosen after looking."""


class Sample(NamedTuple):
    """What is known of a proportion: of G items with labels, and by proxy of all N."""

    hits: NDArray[np.float64]
    """[G] in [0, 1], whether each is right; 0 where it does not count."""
    counts: NDArray[np.float64]
    """[G] 0 or 1, whether each counts."""
    weight: NDArray[np.float64]
    """[G] how many items each stands for; the mean is one."""
    hits_expected: NDArray[np.float64]
    """[N] the proxy of being right."""
    counts_expected: NDArray[np.float64]
    """[N] the proxy of counting."""
    labeled: NDArray[np.intp]
    """[G] which of the N items have labels."""


class Proportion(NamedTuple):
    """An estimate of a proportion, and what its interval is made of."""

    value: float
    low: float
    high: float
    size: float
    """Labels that it is worth: those that count, less what unequal weights cost."""
    unexplained: float
    """Share of the variance that the proxy leaves: 1 where it is of no use."""


def estimate(sample: Sample, confidence: float) -> Proportion:
    """The estimate, and its interval; 0 to 1 where no item with a label counts."""
    weight = sample.weight
    size = float(weight.sum() ** 2 / (weight**2).sum())
    share = weight / weight.sum()
    hits, counts = share @ sample.hits, share @ sample.counts
    if counts <= 0:
        return Proportion(value=float("nan"), low=0.0, high=1.0, size=0.0, unexplained=1.0)
    plain = hits / counts
    scores = sample.hits - plain * sample.counts
    expected = sample.hits_expected - plain * sample.counts_expected
    factor, unexplained = _control(scores, expected, share, sample.labeled, size)
    if factor:
        hits -= factor * _gap(sample.hits_expected, sample.labeled, share)
        adjusted = counts - factor * _gap(sample.counts_expected, sample.labeled, share)
        if adjusted > 0:
            size *= adjusted**2 / counts**2
            counts = adjusted
    left = min(unexplained + (1 - unexplained) * len(scores) / len(expected), 1.0)
    value = float(np.clip(hits / counts, 0, 1))
    worth = size * min(float(share @ sample.counts), 1.0)
    low, high = score_interval(value, worth, left, confidence)
    return Proportion(value=value, low=low, high=high, size=worth, unexplained=left)


def score_interval(value: float, size: float, unexplained: float, confidence: float) -> tuple[float, float]:
    """All p for which (value - p)² <= z² unexplained p (1 - p) / size: Wilson's interval where `unexplained` is 1."""
    if size <= 0:
        return 0.0, 1.0
    mass = float(ndtri(0.5 + confidence / 2)) ** 2 * unexplained / size
    middle = (2 * value + mass) / (2 * (1 + mass))
    half = np.sqrt(max(middle**2 - value**2 / (1 + mass), 0.0))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def _control(
    scores: NDArray[np.float64],
    expected: NDArray[np.float64],
    share: NDArray[np.float64],
    labeled: NDArray[np.intp],
    size: float,
) -> tuple[float, float]:
    """The weight of the proxy, by a ridge regression towards 1, and the share of the variance that it leaves.

    0 and 1 where it explains no more than chance does.
    """
    n_labels, spread = len(scores), float(expected.var())
    own, proxy = scores - share @ scores, expected[labeled] - share @ expected[labeled]
    variance = float(share @ own**2)
    if variance <= 1e-12 or spread <= 1e-12 or n_labels < 3:
        return 0.0, 1.0
    prior = PRIOR_LABELS / n_labels * spread
    factor = (float(share @ (own * proxy)) + prior) / (float(share @ proxy**2) + prior)
    left = float(share @ (own - factor * proxy) ** 2) / variance
    # A regression takes a degree of freedom, as far as it is not the prior's.
    fitted = n_labels / (n_labels + PRIOR_LABELS)
    unexplained = left * (n_labels - 1) / (n_labels - 1 - fitted) + CAUTION / size
    return (0.0, 1.0) if unexplained >= 1 else (factor, unexplained)


def _gap(proxy: NDArray[np.float64], labeled: NDArray[np.intp], share: NDArray[np.float64]) -> float:
    """How much larger the proxy is where there are labels."""
    return float(share @ proxy[labeled] - proxy.mean())
