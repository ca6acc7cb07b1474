"""What a model keeps of time: counts by block, and what is needed to go on from them.

Shapes: B blocks of time, M sources, K classes, R rows of the sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.drift.detection import Changes, fading
from weaklabel.model.labels.classes import ClassStatistics
from weaklabel.model.numerics.padding import single
from weaklabel.model.records import Profile


class Drift(NamedTuple):
    """The votes seen so far, as expected counts by block of time. Arrays of the host."""

    starts: NDArray[np.float64]
    """[B] earliest time of each block."""
    ends: NDArray[np.float64]
    """[B] latest time of each block."""
    middles: NDArray[np.float64]
    """[B] mean time of the items of each block."""
    items: NDArray[np.float64]
    """[B] items of each block."""
    counts: NDArray[np.float32]
    """[B, M, K, K] expected votes: vote on the third axis, class on the last."""
    class_totals: NDArray[np.float64]
    """[K] expected items of each class."""
    rates: NDArray[np.float64]
    """[M] see `Changes`."""
    segments: NDArray[np.int32]
    """[M, B] see `Changes`."""
    are_dates: NDArray[np.bool_]
    """Whether times are dates, in seconds since 1970."""
    are_calls: NDArray[np.bool_]
    """Whether times are the numbers of calls of `partial_fit`, because none were given."""
    smoothing: NDArray[np.float64]
    """[K] see `Prepared`, as the rest that is not explained."""
    hold: NDArray[np.float64]
    """Weight of the vote-share prior."""
    confusion_mass: NDArray[np.float64]
    error_mass: NDArray[np.float64]
    unipolarity: NDArray[np.float64]
    """[M]"""
    independence: NDArray[np.float64]
    """[M]"""
    log_share_balance: NDArray[np.float64]
    """[K]"""
    worth: NDArray[np.float64]
    """[M] observations of its skill that a vote of each source is worth."""
    sample: NDArray[np.int32]
    """[R, M] votes of a sample of the items, on which dependence is looked for again as items arrive."""
    sample_times: NDArray[np.float64]
    """[R]"""
    checked: NDArray[np.float64]
    """Items seen when dependence was looked for last."""

    @property
    def changes(self) -> Changes:
        """How the skill of each source changes."""
        return Changes(self.rates, self.segments)

    @property
    def profile(self) -> Profile:
        """What an M-step needs to know of sources and classes."""
        totals = self.counts.sum(0, dtype=np.float64)
        return Profile(
            confusion_mass=single(self.confusion_mass),
            error_mass=single(self.error_mass),
            vote_counts=single(totals.sum(2)),
            n_votes=single(totals.sum((1, 2))),
            unipolarity=single(self.unipolarity),
            independence=single(self.independence),
            log_share_balance=single(self.log_share_balance),
        )

    @property
    def label_statistics(self) -> ClassStatistics:
        """Of all items seen."""
        return ClassStatistics(single(self.class_totals))

    def faded(self) -> NDArray[np.float64]:
        """[B, M, K, K] the counts that tell the skills of each block: its own, and the others' as they fade."""
        return faded_counts(fading(self.changes, self.middles), self.counts)


def faded_counts(weights: NDArray[np.float64], counts: NDArray[np.float32]) -> NDArray[np.float64]:
    """[B, M, K, K] weighted sums over blocks.

    Args:
        weights: [M, B, C] of the counts of C blocks in those of B.
        counts: [C, M, K, K]
    """
    n_blocks, n_sources, n_classes, _ = counts.shape
    of_sources = counts.transpose(1, 0, 2, 3).reshape(n_sources, n_blocks, n_classes**2).astype(np.float64)
    summed = (weights @ of_sources).reshape(n_sources, weights.shape[1], n_classes, n_classes)
    return np.asarray(summed.transpose(1, 0, 2, 3))
