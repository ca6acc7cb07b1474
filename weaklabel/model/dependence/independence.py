"""Whether votes refute that sources err independently: a posterior predictive check (Gelman, Meng and Stern 1996).

Votes drawn from a rough fit, on the same pattern of who votes where, are independent given the label. Refitted, they
show what correlation of errors a fit finds where there is none; what the real votes show beyond that is dependence.
Copies are left out: they are known, and counted once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model.dependence.panel import MOST_TABLE, Panel, RoughFit, rough_fit
from weaklabel.model.settings import Settings

REPLICATES = 6
"""Of the check, at most: ..."""
FIRST_REPLICATES, REFUTED = 2, 4.0
"""... so many show whether independence clearly stands, or is refuted by so many times what a pair's correlation may
be."""
CORRELATION_REPLICATES = 2
"""Of the mean correlation."""
ITERATIONS = 20
"""Of the fit, and of those to replicates."""
LARGE_TABLES = 2**17
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
    rng, weights = np.random.default_rng(seed), panel.weights_beside(copies)
    few = untestable(float(voting.sum()), panel.n_classes)
    residual = _residual_correlation(panel, settings, copies, weights, rng)
    correlation = _mean_correlation(panel, settings, copies, weights, rng)
    doubt = float(np.clip((residual - settings.residual_ignored) / settings.residual_ignored, 0, 1))
    suspicion = float(np.clip((likeliest_copy - settings.suspected_copy) / settings.suspected_copy, 0, 1))
    doubt = max(doubt, few * suspicion)
    held = float(np.clip(settings.hold_gain * correlation + few, settings.least_hold, settings.most_hold))
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


def _residual_correlation(
    panel: Panel,
    settings: Settings,
    copies: sp.csr_array[np.float64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Root of the mean squared residual correlation of pairs of sources, beyond that of the replicates."""
    large = panel.n_sources * panel.n_classes**2 > LARGE_TABLES
    shared = (panel.matrix().T @ panel.matrix()).tocoo()
    apart = shared.row != shared.col
    if copies.nnz:
        copied = copies.tocsr()[shared.row, shared.col]
        apart &= np.asarray(copied).ravel() == 0
    apart &= shared.data > 1

    def of(votes: Panel) -> tuple[float, float, RoughFit]:
        fit = rough_fit(votes, settings, ITERATIONS // (2 if large else 1), 0.0, weights)
        residuals = _residuals(votes, fit)
        of_votes, squares = votes.matrix(residuals), votes.matrix(residuals**2)
        products = _on(of_votes.T @ of_votes, shared)
        variance = _on((squares.T @ votes.matrix()), shared)
        scale = np.sqrt(variance * _on((votes.matrix().T @ squares), shared))
        kept = apart & (scale > 0)
        weight = scale[kept]
        total = max(weight.sum(), 1e-9)
        squared = float((weight * (products[kept] / weight) ** 2).sum() / total)
        return squared, float((weight / shared.data[kept]).sum() / total), fit

    seen, sampling, fit = of(panel)
    drawn: list[float] = []
    while len(drawn) < REPLICATES:
        drawn.append(of(_drawn(panel, fit, rng))[0])
        if len(drawn) == FIRST_REPLICATES:
            stands = seen < np.mean(drawn)
            refuted = seen - np.max(drawn) > REFUTED * max((2 * settings.residual_ignored) ** 2, np.max(drawn))
            if stands or refuted:
                break
    beyond = seen - float(np.mean(drawn)) - SURE * float(np.std(drawn, ddof=1))
    return float(np.sqrt(max(beyond, 0) + UNSEEN * sampling))


def _on(product: sp.sparray, pattern: sp.coo_array[np.float64]) -> NDArray[np.float64]:
    """Entries of a product at the places of another of the same pattern."""
    return np.asarray(sp.csr_array(product)[pattern.row, pattern.col], np.float64).ravel()


def _residuals(panel: Panel, fit: RoughFit) -> NDArray[np.float64]:
    """[V] probability that the vote is wrong, less what the source's confusion matrix expects."""
    of_item = fit.responsibilities[panel.items]
    right = np.einsum("mkk->mk", fit.confusion)[panel.sources]
    wrong = 1 - np.take_along_axis(of_item, panel.labels[:, None], 1).ravel()
    return np.asarray(wrong - (of_item * (1 - right)).sum(1))


def _drawn(panel: Panel, fit: RoughFit, rng: np.random.Generator) -> Panel:
    """Votes drawn from the fit, on the same pattern."""
    last = panel.n_classes - 1
    truth = (rng.random(panel.n_items)[:, None] > fit.posterior.cumsum(1)).sum(1).clip(0, last)
    below = fit.confusion.cumsum(1)[panel.sources, :, truth[panel.items]]
    return panel._replace(labels=(rng.random(len(panel.items))[:, None] > below).sum(1).clip(0, last))


def _mean_correlation(
    panel: Panel,
    settings: Settings,
    copies: sp.csr_array[np.float64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Correlation of errors over all pairs of votes on an item, beyond that of replicates; an error is a vote unlike
    the likeliest class of two one-coin steps.
    """
    n_classes, n_items, n_sources = panel.n_classes, panel.n_items, panel.n_sources
    n_votes = np.bincount(panel.sources, minlength=n_sources).astype(np.float64)

    def fit(votes: Panel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        tally, mass = votes.tally(weights), settings.share_prior_mass
        labels = (tally + mass / n_classes) / (tally.sum(1, keepdims=True) + mass)
        accuracy = np.empty(0)
        for _ in range(2):
            right = np.bincount(votes.sources, labels[votes.items, votes.labels], minlength=n_sources)
            expected = settings.accuracy_mass
            overall = (right.sum() + expected * settings.accuracy_mean) / (n_votes.sum() + expected)
            accuracy = np.clip((right + expected * overall) / (n_votes + expected), 0.02, 0.999)
            gain = np.log(accuracy * (n_classes - 1) / (1 - accuracy))
            labels = softmax(votes.tally(gain[votes.sources] * weights), axis=1)
        return labels, accuracy

    def correlation(votes: Panel, labels: NDArray[np.float64]) -> float:
        wrong = (votes.labels != labels.argmax(1)[votes.items]).astype(float)
        share = (np.bincount(votes.sources, wrong, minlength=n_sources) + 0.5) / (n_votes + 1)
        residual, deviation = wrong - share[votes.sources], np.sqrt(share * (1 - share))[votes.sources]
        return _over_pairs(votes, residual, copies) / max(_over_pairs(votes, deviation, copies), 1e-9)

    labels, accuracy = fit(panel)
    shares = (np.bincount(panel.labels, minlength=n_classes) + 0.5) / (len(panel.labels) + 0.5 * n_classes)
    cumulated, drawn = labels.cumsum(1), []
    for _ in range(CORRELATION_REPLICATES):
        truth = (rng.random(n_items)[:, None] > cumulated).sum(1).clip(0, n_classes - 1)[panel.items]
        other = rng.choice(n_classes, size=len(truth), p=shares)
        other = np.where(other == truth, (other + rng.integers(1, n_classes, len(truth))) % n_classes, other)
        votes = panel._replace(labels=np.where(rng.random(len(truth)) < accuracy[panel.sources], truth, other))
        drawn.append(correlation(votes, fit(votes)[0]))
    return correlation(panel, labels) - float(np.mean(drawn))


def _over_pairs(panel: Panel, values: NDArray[np.float64], copies: sp.csr_array[np.float64]) -> float:
    """Sum over pairs of votes on an item of the products of their values; pairs of copies are left out."""
    total = np.bincount(panel.items, values, minlength=panel.n_items)
    pairs = float(total @ total - values @ values)
    if copies.nnz:
        of_sources = panel.matrix(values)
        pairs -= float((of_sources.T @ of_sources).multiply(copies).sum())
    return pairs
