"""What gold shows of a model that has not seen it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.model import Diagnostics, LabelModel
from weaklabel.model.report.findings import chance_of
from weaklabel.model.report.on_gold import beside_gold, judged
from weaklabel.votes import Votes
from weaklabel.votes.by_source import votes_by_class
from weaklabel.votes.conversion import plain_part


def has_seen_gold(model: LabelModel) -> bool:
    """Whether known labels took part in the fit, so that scores against them flatter."""
    return model._fitted.gold is not None


def diagnostics_beside(
    model: LabelModel, votes: Votes, truth: NDArray[np.int32], interval: NDArray[np.float64]
) -> Diagnostics:
    """The diagnostics of a fit, with what gold shows of the sources unless the fit has seen gold.

    Args:
        model: fitted.
        votes: N items of M sources that the model knows.
        truth: [N] classes, -1 where unknown.
        interval: [M, 2] of the accuracies of these sources by the model.
    """
    if has_seen_gold(model):
        return model.diagnostics
    plain = plain_part(votes)
    known = truth[truth >= 0]
    balance = np.bincount(known, minlength=votes.n_classes) + 1.0
    chance = chance_of(votes_by_class(plain).astype(np.float64), balance / balance.sum())
    on_gold = judged(plain, truth)
    return beside_gold(model.diagnostics, votes.source_names, interval, chance, on_gold, len(known))
