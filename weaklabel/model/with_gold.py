"""A fit to votes alone, corrected by gold: soft labels, and what is reported of sources and classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import inputs_of
from weaklabel.model.gold.fitting import fit_gold
from weaklabel.model.gold.regression import Labels
from weaklabel.model.report.agreement import of_votes
from weaklabel.model.report.findings import chance_of
from weaklabel.model.report.intervals import beta_interval, votes_worth
from weaklabel.model.report.on_gold import corrected, judged, with_accuracies
from weaklabel.model.settings import Settings
from weaklabel.side_information.gold import KnownLabels
from weaklabel.votes import Votes
from weaklabel.votes.by_source import votes_by_class

FEW_VOTES = 10.0
"""Votes that what the votes say of a source's accuracy is worth beside gold, where independence is refuted."""


def learn_from_gold(
    fitted: Fitted, votes: Votes, soft: NDArray[np.float32], known: KnownLabels, settings: Settings, seed: int
) -> Fitted:
    """The fit, with what gold makes of its soft labels.

    Args:
        fitted: to the votes alone.
        votes: the G items with gold.
        soft: [G, K] their soft labels by the votes alone.
        known: their labels.
        settings: constants.
        seed: of the folds.
    """
    n_classes, weight = votes.n_classes, known.weight
    effective = weight.sum() ** 2 / (weight**2).sum()  # Kish's size: labels of unlike weights are worth fewer
    offset = np.zeros(n_classes)
    if known.by_class:
        drawn = np.bincount(known.labels, minlength=n_classes) + 1
        offset = np.log(drawn / drawn.sum()) - np.log(np.maximum(fitted.class_balance, 1e-6))
    labels = Labels(
        targets=known.targets(n_classes, soft),
        weight=weight * effective / weight.sum(),
        offset=offset,
        sets=known.sets(),
        worth=None if known.allowed is None else known.worth(n_classes),
    )
    return fitted._replace(gold=fit_gold(inputs_of(soft, votes), labels, settings, seed))


def report_with_gold(
    fitted: Fitted,
    votes: Votes,
    soft: NDArray[np.float32],
    of_gold: Votes,
    soft_of_gold: NDArray[np.float32],
    known: KnownLabels,
) -> Fitted:
    """The fit, whose class balance, accuracies and risk are those of corrected soft labels and of gold.

    What the soft labels say of a source's accuracy is a prior Beta distribution, worth as many votes as its interval
    without gold is, or `FEW_VOTES` where independence is refuted; the source's votes on items with gold are counted.

    Args:
        fitted: to votes alone.
        votes: a sample of N items.
        soft: [N, K] their corrected soft labels.
        of_gold: the G items with gold.
        soft_of_gold: [G, K] their corrected soft labels.
        known: their labels.
    """
    voted = votes.counts().sum(1) > 0
    n_sources = votes.n_sources
    total = soft[voted].astype(np.float64).sum(0) + 1
    agreement = of_votes(votes, np.ones(votes.n_items), soft)
    fitted = fitted._replace(
        class_balance=total / total.sum(),
        diagnostics=corrected(fitted.diagnostics, agreement, votes.n_items, round(known.worth(votes.n_classes).sum())),
    )
    if not votes.is_plain or not of_gold.is_plain:
        return fitted
    rows, sources, labels = votes.triples()
    counts = votes_by_class(votes)
    n_votes = counts.sum(1)
    right = np.bincount(sources, soft[rows, labels], n_sources)
    expected = np.where(n_votes > 0, right / np.maximum(n_votes, 1), fitted.source_accuracy)
    mass, doubt = votes_worth(fitted.source_accuracy_interval), fitted.diagnostics.doubt
    mass = np.minimum(mass, mass ** (1 - doubt) * FEW_VOTES**doubt)
    rows, sources, labels = of_gold.triples()
    weight = known.weight / known.weight.mean()
    targets = known.targets(votes.n_classes, soft_of_gold)
    n_gold = np.bincount(sources, weight[rows], n_sources)
    found = np.bincount(sources, weight[rows] * targets[rows, labels], n_sources)
    accuracy = (mass * expected + found) / (mass + n_gold)
    intervals = beta_interval(accuracy, mass + n_gold)
    diagnostics = with_accuracies(
        fitted.diagnostics,
        votes.source_names,
        intervals,
        chance_of(counts.astype(np.float64), fitted.class_balance),
        judged(of_gold, known.labels),
    )
    return fitted._replace(source_accuracy=accuracy, source_accuracy_interval=intervals, diagnostics=diagnostics)
