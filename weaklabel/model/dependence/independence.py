"""Whether votes refute that sources err independently: a posterior predictive check (Gelman, Meng and Stern 1996).

Votes drawn from a rough fit, on the same pattern of who votes where, are independent given the label. Refitted, they
show what correlation of errors a fit finds where there is none; what the real votes show beyond that is dependence.
Copies are left out: they are known, and counted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.dependence.panel import MOST_TABLE, Panel, RoughFit, numbered, pairs_of_votes, rough_fit, softmax
from weaklabel.model.settings import Settings

REPLICATES = 6
"""Of the check, at most: ..."""
FIRST_REPLICATES, REFUTED = 2, 4.0
"""... fewer, where one shows that independence stands, or two that it is refuted by so many times what a pair's
correlation may be."""
CORRELATION_REPLICATES = 2
"""Of the mean correlation."""
ITERATIONS = 20
"""Of the fit, and of those to replicates."""
LARGE_TABLES = 2**16
"""M x K x K, above which iterations are half as many."""
SURE = 3.0
"""Standard deviations among the replicates that are taken off what is seen ..."""
UNSEEN = 0.25
"""... and the share of the sampling variance of a pair's correlation that is added: what could not be seen."""


class Independence(NamedTuple):
    """How far independence is refuted, and what follows for the fit."""

    doubt: float
    """In [0, 1]: 0 where conditional independence stands, 1 where it is refuted or cannot be tested."""
    hold: float
    """Weight of the vote-share prior in the responsibilities of EM."""
    correlation: float
    """Mean correlation of the errors of two sources on an item, beyond that of the replicates."""
    residual: float
    """Root mean square of the residual correlations of pairs of sources, beyond that of the replicates."""
    effective_sources: float
    """Number of sources, those that copy each other counted once."""


def check_independence(
    panel: Panel,
    settings: Settings,
    *,
    copies: sp.csr_array[np.float64],
    likeliest_copy: float,
    mean_unipolarity: float,
    seed: int,
) -> Independence:
    """The check, and what follows from it.

    Args:
        panel: sampled votes.
        settings: constants.
        copies: [M, M] how surely each pair of sources copies each other.
        likeliest_copy: the largest copy rate of pairs that are not taken for copies.
        mean_unipolarity: of the votes: how far sources are read discriminatively, which the check knows nothing of.
        seed: of the replicates.
    """
    voting = np.bincount(panel.sources, minlength=panel.n_sources) > 0
    total = float((voting / (1 + np.asarray(copies.sum(1)).ravel())).sum())
    if not 0 < panel.n_sources * panel.n_classes**2 <= MOST_TABLE or total == 0:
        hold = settings.least_hold
        return Independence(doubt=1.0, hold=hold, correlation=0.0, residual=0.0, effective_sources=total)
    rng, pairs = np.random.default_rng(seed), _Pairs(panel, copies)
    few = untestable(total, panel.n_classes)
    residual = _residual_correlation(panel, pairs, settings, copies, rng)
    correlation = _mean_correlation(panel, pairs, settings, copies, rng)
    doubt = float(np.clip((residual - settings.residual_ignored) / settings.residual_ignored, 0, 1))
    alone = not (pairs.copied == 0).any()
    suspicion = float(np.clip((likeliest_copy - settings.suspected_copy) / settings.suspected_copy, 0, 1))
    suspicion = 1.0 if alone else suspicion
    doubt, unseen = max(doubt, few * suspicion), few * suspicion
    held = float(np.clip(settings.hold_gain * correlation + unseen, settings.least_hold, 1))
    return Independence(
        doubt=doubt,
        hold=held * (mean_unipolarity + (1 - mean_unipolarity) * doubt),
        correlation=correlation,
        residual=residual,
        effective_sources=total,
    )


def untestable(n_sources: float, n_classes: int) -> float:
    """How far the independence of so few sources cannot be tested, in [0, 1].

    1 where one confusion matrix per source and a class balance have as many parameters as there are vote patterns, so
    that any votes fit; falling with the cube of their ratio.
    """
    n_sources = min(n_sources, 40.0)  # more would overflow, and are 0 all the same
    parameters = n_sources * n_classes * (n_classes - 1) + n_classes - 1
    return float(min(1.0, parameters / max(min(float(n_classes), 1e6) ** n_sources - 1, 1e-9)) ** 3)


class _Pairs:
    """Pairs of sources that vote on items together, and sums over these items."""

    def __init__(self, panel: Panel, copies: sp.csr_array[np.float64]) -> None:
        """Of a panel, and of its replicates: those of dense votes may have other rows, the others have the same."""
        n_sources = panel.n_sources
        self._first = self._second = self._place = np.empty(0, np.int64)
        if panel.is_dense:
            together = panel.dense().T @ (panel.dense() * panel.times[:, None].astype(np.float32))
            self.one, self.other = np.nonzero(np.triu(together, 1))
            self.n_shared = together[self.one, self.other].astype(np.float64)
        else:
            self._first, self._second = pairs_of_votes(panel, np.ones(panel.n_rows, bool))
            keys = panel.sources[self._first] * n_sources + panel.sources[self._second]
            pairs, self._place = numbered(keys, n_sources**2)
            self.one, self.other = np.divmod(pairs, n_sources)
            shared = np.bincount(self._place, panel.times_of_votes[self._first], len(pairs))
            self.n_shared = shared.astype(np.float64)
        self.copied = np.zeros(len(self.one))
        """[P] how surely each pair copies each other."""
        if copies.nnz and len(self.one):
            self.copied = np.asarray(copies.tocsr()[self.one, self.other], np.float64).ravel()

    def squared_correlations(
        self, panel: Panel, residuals: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[P] each pair's squared correlation of residuals [V], and the weight that it has by their variances."""
        squares = residuals**2
        if panel.is_dense:
            voted, of_votes, of_squares = panel.dense(), panel.dense(residuals), panel.dense(squares)
            times = panel.times[:, None].astype(np.float32)
            products = (of_votes.T @ (of_votes * times))[self.one, self.other]
            variances = of_squares.T @ (voted * times)
            scale = np.sqrt(variances[self.one, self.other] * variances[self.other, self.one])
        else:
            products, one, other = (
                np.bincount(self._place, values, len(self.one))
                for values in (
                    residuals[self._first] * residuals[self._second],
                    squares[self._first],
                    squares[self._second],
                )
            )
            scale = np.sqrt(one * other)
        return np.asarray((products / np.maximum(scale, 1e-9)) ** 2, np.float64), np.asarray(scale, np.float64)

    def total(self, panel: Panel, values: NDArray[np.float64]) -> float:
        """Sum over pairs of votes of the products of their values [V], copies left out."""
        if not self.copied.any():
            of_rows = np.bincount(panel.items, values, minlength=panel.n_rows)
            return float((of_rows**2) @ panel.times - (values**2) @ panel.times_of_votes) / 2
        products: NDArray[Any]
        if panel.is_dense:
            of_votes = panel.dense(values)
            products = (of_votes.T @ (of_votes * panel.times[:, None].astype(np.float32)))[self.one, self.other]
        else:
            products = np.bincount(self._place, values[self._first] * values[self._second], len(self.one))
        return float(products @ (1 - self.copied))


def _residual_correlation(
    panel: Panel,
    pairs: _Pairs,
    settings: Settings,
    copies: sp.csr_array[np.float64],
    rng: np.random.Generator,
) -> float:
    """Root of the mean squared residual correlation of pairs of sources, beyond that of the replicates."""
    large = panel.n_sources * panel.n_classes**2 > LARGE_TABLES
    apart = (pairs.copied == 0) & (pairs.n_shared > 1)

    def of(votes: Panel) -> tuple[float, NDArray[np.float64], RoughFit]:
        weights = votes.weights_beside(copies)
        fit = rough_fit(votes, settings, ITERATIONS // (2 if large else 1), 0.0, weights)
        squared, weight = pairs.squared_correlations(votes, _residuals(votes, fit))
        weight = weight * apart
        return float(weight @ squared / max(weight.sum(), 1e-9)), weight, fit

    seen, weight, fit = of(panel)
    ignored, refuted = settings.residual_ignored**2, (2 * settings.residual_ignored) ** 2
    unseen = UNSEEN * _sampling_variance(weight, pairs.n_shared, panel.sampled)
    replicates, drawn = _replicates(panel, fit, rng), list[float]()
    while len(drawn) < REPLICATES:
        drawn.append(of(next(replicates))[0])
        # The largest of six numbers is less than SURE standard deviations above their mean: nothing could be beyond.
        if seen <= drawn[-1] or seen - np.mean(drawn) + unseen <= ignored:
            return float(np.sqrt(unseen))
        beyond = seen - np.max(drawn)
        if len(drawn) == FIRST_REPLICATES and (unseen >= refuted or beyond > REFUTED * max(refuted, np.max(drawn))):
            break
    beyond = seen - float(np.mean(drawn)) - SURE * float(np.std(drawn, ddof=1))
    return float(np.sqrt(max(beyond, 0) + unseen))


def _sampling_variance(weight: NDArray[np.float64], n_shared: NDArray[np.float64], sampled: float) -> float:
    """Mean sampling variance of the correlation of pairs [P] by their weights.

    Where items were sampled: that of all items, or the sampling error of the mean over pairs where that is more.
    """
    total = max(weight.sum(), 1e-9)
    variance = float(weight @ (1 / np.maximum(n_shared, 1))) / total
    if sampled < 1:
        variance *= max(sampled, min(1.0, float(np.sqrt(2 * (weight @ weight)) / total)))
    return float(variance)


def _residuals(panel: Panel, fit: RoughFit) -> NDArray[np.float64]:
    """[V] probability that the vote is wrong, less what the source's confusion matrix expects."""
    of_item, right = fit.responsibilities, np.einsum("kkm->km", fit.confusion)
    if panel.is_dense:
        right_votes = (of_item.T @ right)[panel.items, panel.sources]
    else:
        right_votes = np.zeros(len(panel.items), np.float32)
        for of_class, right_of_class in zip(of_item, right, strict=True):
            right_votes += of_class[panel.items] * right_of_class[panel.sources]
    return np.asarray(right_votes - of_item[panel.labels, panel.items], np.float64)


def _replicates(panel: Panel, fit: RoughFit, rng: np.random.Generator) -> Iterator[Panel]:
    """Votes drawn from the fit, on the same pattern, again and again."""
    apart = panel.apart()
    posterior = fit.posterior.cumsum(0).repeat(panel.times.astype(np.int64), axis=1)
    confusion = fit.confusion.cumsum(1).transpose(1, 0, 2).reshape(panel.n_classes, -1)
    while True:
        cells = _draw(posterior, rng)[apart.items] * panel.n_sources + apart.sources
        uniform, labels = rng.random(len(cells), np.float32), np.zeros(len(cells), np.int64)
        for of_class in confusion[:-1]:
            labels += uniform > of_class[cells]
        votes = apart._replace(labels=labels)
        yield votes if apart is panel else votes.together()


def _draw(cumulated: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """[R] classes, from cumulated probabilities [K, R]."""
    return np.asarray((rng.random(cumulated.shape[1], np.float32) > cumulated[:-1]).sum(0))


def _mean_correlation(
    panel: Panel,
    pairs: _Pairs,
    settings: Settings,
    copies: sp.csr_array[np.float64],
    rng: np.random.Generator,
) -> float:
    """Correlation of errors over all pairs of votes on an item, beyond that of replicates; an error is a vote unlike
    the likeliest class of two one-coin steps.
    """
    n_classes, n_sources = panel.n_classes, panel.n_sources
    n_votes = np.bincount(panel.sources, panel.times_of_votes, n_sources)

    def fit(votes: Panel) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        weights, times = votes.weights_beside(copies), votes.times_of_votes
        tally, mass = votes.tally(weights), settings.share_prior_mass
        labels = ((tally + mass / n_classes) / (tally.sum(0) + mass)).astype(np.float32)
        accuracy = np.empty(0)
        for _ in range(2):
            right = np.bincount(votes.sources, labels[votes.labels, votes.items] * times, n_sources)
            expected = settings.accuracy_mass
            overall = (right.sum() + expected * settings.accuracy_mean) / (n_votes.sum() + expected)
            accuracy = np.clip((right + expected * overall) / (n_votes + expected), 0.02, 0.999)
            gain = np.log(accuracy * (n_classes - 1) / (1 - accuracy))
            labels = votes.tally(gain[votes.sources] * weights).astype(np.float32)
            softmax(labels)
        return labels, accuracy

    def correlation(votes: Panel, labels: NDArray[np.float32]) -> float:
        wrong = (votes.labels != labels.argmax(0)[votes.items]).astype(float)
        share = (np.bincount(votes.sources, wrong * votes.times_of_votes, n_sources) + 0.5) / (n_votes + 1)
        residual, deviation = wrong - share[votes.sources], np.sqrt(share * (1 - share))[votes.sources]
        return pairs.total(votes, residual) / max(pairs.total(votes, deviation), 1e-9)

    labels, accuracy = fit(panel)
    apart = panel.apart()
    shares = np.bincount(panel.labels, panel.times_of_votes, n_classes) + 0.5
    cumulated_shares = (shares / shares.sum()).cumsum()[:-1]
    cumulated = np.repeat(labels, panel.times.astype(np.int64), axis=1).cumsum(0)
    drawn = []
    for _ in range(CORRELATION_REPLICATES):
        truth = _draw(cumulated, rng)[apart.items]
        other = np.searchsorted(cumulated_shares, rng.random(len(truth)))
        other = np.where(other == truth, (other + rng.integers(1, n_classes, len(truth))) % n_classes, other)
        right = rng.random(len(truth)) < accuracy[apart.sources]
        votes = apart._replace(labels=np.where(right, truth, other))
        votes = votes if apart is panel else votes.together()
        drawn.append(correlation(votes, fit(votes)[0]))
    return correlation(panel, labels) - float(np.mean(drawn))
