"""Decision scores of items without votes: what the class balance and the silence of unipolar sources say of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.calibration.decision import TIE
from weaklabel.model.protocols import LabelSpace
from weaklabel.model.records import Profile
from weaklabel.model.settings import Settings


def silent_scores(
    labels: LabelSpace,
    profile: Profile,
    settings: Settings,
    unipolarity: float,
    votes_by_class: NDArray[np.float32] | None,
    n_uncovered: float,
) -> NDArray[np.float64]:
    """[K] score of each class where no source votes.

    Silence is viewed twice: with the items without votes spread evenly over the classes, and without them. Classes
    about as good as the best in both views share the score: a tie rather than a guess.

    Args:
        labels: what EM estimated.
        profile: what is known of sources and classes.
        settings: constants.
        unipolarity: mean of the votes.
        votes_by_class: [M, K] how often each source is expected to have voted in each class; None where unknown.
        n_uncovered: number of items without votes.
    """
    counts = np.asarray(profile.vote_counts, np.float64)
    n_classes = counts.shape[1]
    undecided = np.full(n_classes, 1 / n_classes)
    if np.count_nonzero(counts.sum(0)) < 2:  # a class that nobody else votes against says nothing of the others
        return undecided
    if np.count_nonzero(counts.sum(1)) < (settings.silent_sources + (unipolarity > 0.5)) * n_classes:
        return undecided
    totals = np.asarray(labels.class_totals, np.float64)
    views = np.tile((1 - unipolarity) * np.log(totals / totals.sum()), (2, 1))
    if votes_by_class is not None:
        fired = np.asarray(votes_by_class, np.float64)
        silence = np.asarray(profile.unipolarity, np.float64) * np.asarray(profile.independence, np.float64)
        for view, spread in zip(views, (n_uncovered / n_classes, 0.0), strict=True):
            n_class = totals + spread
            coverage = (fired + 2 * fired.sum(1, keepdims=True) / n_class.sum()) / (n_class + 2)
            view += (silence[:, None] * np.log(np.clip(1 - coverage, 1e-3, 1))).sum(0)
    best, worst = views.max(1, keepdims=True), views.min(1, keepdims=True)
    near = views >= best - np.maximum(TIE, settings.silent_range * (best - worst))
    likely = near.all(0) if near.all(0).any() else near.any(0)
    return np.asarray(likely / likely.sum())
