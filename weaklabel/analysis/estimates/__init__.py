"""Accuracies, rates and balances with intervals, from few known labels and the soft labels of all items.

proportion  the interval: Wilson's score interval, narrowed by what soft labels predict
estimators  accuracy, class balance, recall and precision, the difference of two labelings; labels that a width needs
sequence    an interval that stays valid when it is looked at after every label
"""

from weaklabel.analysis.estimates.estimators import (
    ClassRates,
    Estimate,
    estimate_accuracy,
    estimate_balance,
    estimate_difference,
    estimate_rates,
    labels_needed,
)
from weaklabel.analysis.estimates.sequence import ConfidenceSequence

__all__ = [
    "ClassRates",
    "ConfidenceSequence",
    "Estimate",
    "estimate_accuracy",
    "estimate_balance",
    "estimate_difference",
    "estimate_rates",
    "labels_needed",
]
