"""Features beside votes: what p(class | features) adds to each item's prior, and how far it is trusted.

The evidence of the votes says, for each item and class, how likely its votes are. From it the end model is trained
(`weaklabel.model.features.classifier`), and by it the end model is judged, on items that it did not see: where
features predict the votes no better than the class balance does, they change nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax

from weaklabel.model.features.classifier import Classifier, ClassifierSettings, cross_fit
from weaklabel.side_information.features import Features

LEAST_GAIN = 6.0
"""Nats of held-out likelihood that features must gain before they count; of useless ones, 19 in 20 gain less than 2."""


class FeatureModel(NamedTuple):
    """p(class | features) as the label model uses it."""

    classifier: Classifier
    log_balance: NDArray[np.float32]
    """[K] logarithm of its mean over the items with votes."""
    strength: float
    """In [0, 1]: how far it is trusted; 0 for features that say nothing."""
    votes_power: float = 1.0
    """In [0, 1]: power of the votes beside it."""

    def offset(self, features: Features) -> NDArray[np.float32]:
        """[N, K] what features add to the log-prior of items that have votes."""
        return self._offset(self.classifier.log_proba(features))

    def log_proba(self, features: Features) -> NDArray[np.float32]:
        """[N, K] log p(class | features) for items without votes: uniform where features are not trusted."""
        return self._alone(self.classifier.log_proba(features))

    def _offset(self, log_p: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self.strength * (log_p - self.log_balance), np.float32)

    def _alone(self, log_p: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(log_softmax(self.strength * log_p, axis=1), np.float32)


class FeatureFit(NamedTuple):
    """Features fitted to the evidence of votes."""

    model: FeatureModel
    offset: NDArray[np.float32]
    """[N, K] `FeatureModel.offset` of the training items, by models that did not see their votes."""
    log_proba: NDArray[np.float32]
    """[N, K] `FeatureModel.log_proba` of them, likewise."""
    gain: float
    """Log-likelihood of the votes of held-out items under p(class | features), less that under the class balance."""


def fit_features(
    features: Features,
    evidence: NDArray[np.float32],
    weight: NDArray[np.float32],
    settings: ClassifierSettings | None = None,
    *,
    seed: int = 0,
) -> FeatureFit:
    """Trains p(class | features) on the evidence of votes, and measures how far to trust it.

    The strength s is the power of p(class | features), against the class balance, under which held-out votes are
    likeliest, at most 1; and it shrinks to 0 where their log-likelihood gains less than a few nats in all:
    s max(0, 1 - 6 / gain). Useless features gain nothing.

    Args:
        features: [N, D] finite.
        evidence: [N, K] log-likelihood of each item's votes in each class, up to a constant per row.
            `relative_evidence` makes it of soft labels; for candidate sets it is log(candidates + a small leak).
        weight: [N] of each item; 0 for those without votes, which are predicted only.
        settings: constants of the end model.
        seed: of all that is drawn.
    """
    fitted = cross_fit(features, evidence, weight, settings or ClassifierSettings(), seed=seed)
    voted = weight > 0
    log_p, log_likelihoods, counts = (part[voted].astype(np.float64) for part in (fitted.out_of_fold, evidence, weight))
    log_balance = np.log(balance(log_likelihoods, counts))

    def likelihood(power: float) -> float:
        prior = log_softmax(log_balance + power * (log_p - log_balance), axis=1)
        return float(counts @ logsumexp(prior + log_likelihoods, axis=1))

    from scipy.optimize import minimize_scalar  # only here: fits without features need not wait for it

    optimum = minimize_scalar(lambda power: -likelihood(power), bounds=(0, 1), method="bounded")
    power, gain = float(optimum.x), -float(optimum.fun) - likelihood(0.0)
    strength = power * max(0.0, 1 - LEAST_GAIN / gain) if gain > 0 else 0.0
    mean = counts @ np.exp(log_p) / max(counts.sum(), 1e-9) if len(log_p) else np.full(evidence.shape[1], 1.0)
    model = FeatureModel(fitted.classifier, np.log(mean).astype(np.float32), strength)
    return FeatureFit(model, model._offset(fitted.out_of_fold), model._alone(fitted.out_of_fold), gain)


def relative_evidence(soft_labels: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.float32]:
    """[N, K] evidence that stands behind soft labels: their logarithm, less that of their mean.

    With no features to tell items apart, its likelihood is largest at that mean: training on it leaves the class
    balance where the label model has put it.

    Args:
        soft_labels: [N, K] rows sum to one.
        weight: [N] of each item; 0 for those without votes.
    """
    labels = np.clip(np.asarray(soft_labels, np.float64), 1e-12, None)
    mean = weight @ labels / max(float(weight.sum()), 1e-9)
    return np.asarray(np.log(labels) - np.log(np.maximum(mean, 1e-12)), np.float32)


def balance(evidence: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.float64]:
    """[K] class balance under which the votes are likeliest, by EM: what one knows who sees no features."""
    shares = np.full(evidence.shape[1], 1 / evidence.shape[1])
    for _ in range(200):
        before = shares
        joint = softmax(np.log(shares) + evidence, axis=1)
        shares = np.clip(weight @ joint / max(float(weight.sum()), 1e-9), 1e-6, None)
        shares /= shares.sum()
        if np.abs(shares - before).max() < 1e-6:
            break
    return shares
