"""Features beside votes: what p(class | features) adds to each item's prior, and how far it is trusted.

The evidence of the votes says, for each item and class, how likely its votes are. From it the end model is trained
(`weaklabel.model.features.classifier`), and by it the end model is judged, on items that it did not see: where
features predict the votes no better than the class balance does, they change nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from weaklabel.model.features.classifier import ClassifierSettings, cross_fit
from weaklabel.model.features.evidence import Evidence, balance
from weaklabel.model.features.network import Classifier
from weaklabel.side_information.features import Features

LEAST_GAIN = 6.0
"""Nats of held-out likelihood that features must gain before they count; of useless ones, 19 in 20 gain less than 2."""


class FeatureModel(NamedTuple):
    """p(class | features) as the label model uses it."""

    classifier: Classifier
    log_balance: NDArray[np.float32]
    """[K] logarithm of the class balance that it stands in for."""
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
    """Log-likelihood of the votes of held-out items by p(class | features) of that power, less that by the balance."""

    def beside(self, balance: NDArray[np.floating], unipolarity: float) -> FeatureFit:
        """The same beside soft labels of this class balance [K], for which that of the features may stand in.

        Votes of unipolar sources say little of the balance, so that the features' own is kept: the log-prior of an item
        is (1 - s) log balance + s log p(class | features). Of other sources it is that of the votes, which features
        move as their mean does not.

        Args:
            balance: [K] of the soft labels.
            unipolarity: of the votes, on the mean.
        """
        votes = np.log(np.maximum(balance, 1e-12))
        own = self.model.log_balance
        log_balance = np.asarray(unipolarity * votes + (1 - unipolarity) * own, np.float32)
        offset = np.asarray(self.offset + self.model.strength * (own - log_balance), np.float32)
        return self._replace(model=self.model._replace(log_balance=log_balance), offset=offset)


class _Judged(NamedTuple):
    """Predictions, and what they are judged by: n items of which something is known."""

    log_p: NDArray[np.float64]
    """[n, K]"""
    evidence: NDArray[np.float64]
    """[n, K]"""
    weight: NDArray[np.float64]
    """[n]"""
    log_balance: NDArray[np.float64]
    """[K] of the class balance under which the evidence is likeliest."""

    @classmethod
    def of(cls, log_p: NDArray[np.float32], evidence: NDArray[np.float32], weight: NDArray[np.float32]) -> _Judged:
        """Of N items."""
        p, told, counts = (part[weight > 0].astype(np.float64) for part in (log_p, evidence, weight))
        return cls(p, told, counts, np.log(balance(told, counts)))

    def likelihood(self, power: float) -> float:
        """Log-likelihood with the prior balance^(1 - t) p(class | features)^t of the power t, in nats."""
        prior = log_softmax(self.log_balance + power * (self.log_p - self.log_balance), axis=1)
        return float(self.weight @ logsumexp(prior + self.evidence, axis=1))


def fit_features(
    features: Features, evidence: Evidence, settings: ClassifierSettings | None = None, *, seed: int = 0
) -> FeatureFit:
    """Trains p(class | features) on the evidence of votes, and measures how far to trust it.

    The strength s is the power t of p(class | features), against the class balance, under which held-out votes are
    likeliest, at most 1; and it shrinks to 0 where all votes of items that the models were not told of gain less than a
    few nats of log-likelihood by it: t max(0, 1 - 6 / gain). Useless features gain nothing.

    Args:
        features: [N, D] finite.
        evidence: of N items.
        settings: constants of the end model.
        seed: of all that is drawn.
    """
    fitted = cross_fit(features, evidence, settings or ClassifierSettings(), seed=seed)
    voted = evidence.weight > 0
    held = _Judged.of(fitted.out_of_fold, evidence.held, evidence.held_weight)
    known = _Judged.of(fitted.out_of_fold, evidence.known, evidence.weight)

    from scipy.optimize import minimize_scalar  # only here: fits without features need not wait for it

    power = float(minimize_scalar(lambda power: -held.likelihood(power), bounds=(0, 1), method="bounded").x)
    gain = known.likelihood(power) - known.likelihood(0.0)
    strength = power * max(0.0, 1 - LEAST_GAIN / gain) if gain > 0 else 0.0
    model = FeatureModel(fitted.classifier, _mean(fitted.out_of_fold[voted], evidence.weight[voted]), strength)
    return FeatureFit(model, model._offset(fitted.out_of_fold), model._alone(fitted.out_of_fold), gain)


def _mean(log_p: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """[K] logarithm of the mean probabilities; of no items, 0."""
    if not len(log_p):
        return np.zeros(log_p.shape[1], np.float32)
    return np.asarray(np.log(weight @ np.exp(log_p.astype(np.float64)) / weight.sum()), np.float32)
