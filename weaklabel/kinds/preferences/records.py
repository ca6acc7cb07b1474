"""What a fit to comparisons reads, and what it yields. Shapes: C comparisons, I items, J judges, P pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.gold.correction import Gold

LEFT, RIGHT, TIE = 0, 1, 2
"""Outcomes of a comparison, and columns of probabilities."""


class Rankings(NamedTuple):
    """N rankings of three items or more, M at most; every pair of each is one of the comparisons, too."""

    items: NDArray[np.int32]
    """[N, M] items of each, the best first; -1 after the last."""
    judge: NDArray[np.int32]
    """[N] judge."""
    weight: NDArray[np.float32]
    """[N] how many rankings each stands for."""
    slot_left: NDArray[np.int64]
    """[C] place of the left item in `items`, row after row; -1 of a comparison that belongs to no ranking."""
    slot_right: NDArray[np.int64]
    """[C] that of the right item."""

    def of_rows(self, rows: NDArray[Any]) -> Rankings:
        """Of some of the comparisons, in another order."""
        return self._replace(slot_left=self.slot_left[rows], slot_right=self.slot_right[rows])


class Comparisons(NamedTuple):
    """Comparisons by number; left and right are as they were given."""

    left: NDArray[np.int32]
    """[C] item."""
    right: NDArray[np.int32]
    """[C] item."""
    judge: NDArray[np.int32]
    """[C] judge."""
    outcome: NDArray[np.int8]
    """[C] 0 where left wins, 1 where right does, 2 for a tie."""
    first: NDArray[np.int8]
    """[C] 1 where left was shown first, -1 where right was, 0 where that is not known."""
    weight: NDArray[np.float32]
    """[C] how many comparisons each stands for."""
    item_names: tuple[str, ...]
    """I names."""
    judge_names: tuple[str, ...]
    """J names."""
    rankings: Rankings | None = None
    """Which comparisons make a ranking together; None where none do."""


class Fitted(NamedTuple):
    """What a fit yields; how judges answer is explained in `weaklabel.kinds.preferences.fitting`."""

    scores: NDArray[np.float64]
    """[I] posterior mean of the scores; they sum to zero in each component."""
    variance: NDArray[np.float64]
    """[I] posterior variance of the score."""
    covariance: NDArray[np.float64]
    """[I] mean posterior covariance of two scores of the item's component."""
    component: NDArray[np.int64]
    """[I] number of the connected component of each item: items that are compared, directly or by way of others."""
    n_comparisons: NDArray[np.float64]
    """[I] weight of the comparisons of each item."""
    spread: NDArray[np.float64]
    """[] prior variance of the scores."""
    skill: NDArray[np.float64]
    """[J] log-odds of the better item per unit of score difference; 1 is expected, below 0 is adversarial."""
    skill_variance: NDArray[np.float64]
    """[J] its posterior variance."""
    bias: NDArray[np.float64]
    """[J] log-odds of the item that is shown first."""
    bias_variance: NDArray[np.float64]
    """[J] its posterior variance."""
    tie: NDArray[np.float64]
    """[J] log-weight of a tie, where that of either of two equal items is 0; 0 without ties."""
    typical_tie: NDArray[np.float64]
    """[] its mean over the judges."""
    n_judged: NDArray[np.float64]
    """[J] weight of the comparisons of each judge."""
    n_ordered: NDArray[np.float64]
    """[J] weight of those whose order is known."""
    accuracy: NDArray[np.float64]
    """[J] expected share of each judge's winners that are right; a tie counts half."""
    doubt: NDArray[np.float64]
    """[] in [0, 1]: 0 where judges err independently, 1 where that is refuted or cannot be tested."""
    residual: NDArray[np.float64]
    """[] root mean square of the correlations of what two judges answer beyond the scores, less that of replicates."""
    pairs: NDArray[np.int64]
    """[P, 2] the pairs of the fit, the smaller number first, ascending."""
    proba: NDArray[np.float64]
    """[P, 2 or 3] probabilities of their outcomes, corrected by gold where there is some."""
    objective: NDArray[np.float64]
    """[T] evidence lower bound per comparison, in nats."""
    converged: bool
    gold: Gold | None


def empty_comparisons(items: tuple[str, ...], judges: tuple[str, ...]) -> Comparisons:
    """No comparison of these items by these judges."""
    none = np.empty(0, np.int32)
    return Comparisons(
        left=none,
        right=none,
        judge=none,
        outcome=none.astype(np.int8),
        first=none.astype(np.int8),
        weight=none.astype(np.float32),
        item_names=items,
        judge_names=judges,
    )
