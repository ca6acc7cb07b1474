"""Majority vote: the baseline that a label model has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.model.calibration.decision import TieBreakPolicy, decide
from weaklabel.model.class_names import class_names
from weaklabel.votes import Votes, as_votes


class MajorityVote:
    """Shares of the votes on each item; uniform where there are none.

    Example:
        >>> import numpy as np
        >>> MajorityVote(n_classes=2).predict_proba(np.array([[0, 1, 1], [-1, -1, -1]]))
        array([[0.33333334, 0.6666667 ],
               [0.5       , 0.5       ]], dtype=float32)
    """

    def __init__(self, n_classes: int | None = None, *, classes: Sequence[str] | None = None, seed: int = 0) -> None:
        """Takes the number of classes or their names; `seed` breaks ties where asked to."""
        self.classes = class_names(n_classes, classes)
        self.seed = seed

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    def fit(self, votes: Votes | ArrayLike) -> Self:
        """Nothing to learn; checks the votes, so that the two models can be exchanged."""
        as_votes(votes, self.n_classes)
        return self

    def predict_proba(self, votes: Votes | ArrayLike) -> NDArray[np.float32]:
        """[N, K] shares of the votes."""
        counts = as_votes(votes, self.n_classes).counts()
        total = counts.sum(1, keepdims=True)
        return np.where(total > 0, counts / np.maximum(total, 1), 1 / self.n_classes).astype(np.float32)

    def predict(self, votes: Votes | ArrayLike, tie_break_policy: TieBreakPolicy = "abstain") -> NDArray[np.int32]:
        """[N] the class with most votes; see `LabelModel.predict` for ties."""
        return decide(self.predict_proba(votes), tie_break_policy, self.seed)
