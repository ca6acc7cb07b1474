"""What a fitted label model says of itself, as attributes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import NotFittedError
from weaklabel.model.fitted import Fitted
from weaklabel.model.report.diagnostics import Diagnostics


class FittedAttributes:
    """Attributes of `LabelModel` that need a fit; before it, they raise `NotFittedError`."""

    _state: Fitted | None

    @property
    def _fitted(self) -> Fitted:
        if self._state is None:
            raise NotFittedError("the model is not fitted: call fit(votes) first")
        return self._state

    @property
    def n_iter(self) -> int:
        """Number of EM iterations."""
        return self._fitted.n_iter

    @property
    def converged(self) -> bool:
        """Whether EM converged before `max_iter`."""
        return self._fitted.converged

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] log marginal likelihood of the votes per item, in nats, after each iteration.

        It rises with each iteration where sources are read generatively, except for 1e-4 nats after a longer step of a
        large fit; where they are read discriminatively it mostly does.
        """
        return self._fitted.objective

    @property
    def class_balance(self) -> NDArray[np.float64]:
        """[K] estimated share of each class among the items with votes."""
        return self._fitted.class_balance

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""
        return self._fitted.source_names

    @property
    def coverage(self) -> NDArray[np.float64]:
        """[M] share of the items on which each source voted."""
        return self._fitted.coverage

    @property
    def source_accuracy(self) -> NDArray[np.float64]:
        """[M] estimated share of each source's votes that are right."""
        return self._fitted.source_accuracy

    @property
    def source_accuracy_interval(self) -> NDArray[np.float64]:
        """[M, 2] interval that holds each source's accuracy with 90 % probability, if sources are independent."""
        return self._fitted.source_accuracy_interval

    @property
    def diagnostics(self) -> Diagnostics:
        """What is doubtful about the fit, as data and, by `print`, in plain words."""
        return self._fitted.diagnostics

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the fit, in plain words."""
        return tuple(finding.message for finding in self._fitted.diagnostics.findings)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the G groups of the fit; empty without groups."""
        return self._fitted.group_names

    @property
    def group_balance(self) -> NDArray[np.float64] | None:
        """[G, K] estimated class balance of each group; None without groups."""
        return self._fitted.group_balance

    @property
    def feature_strength(self) -> float | None:
        """How far features are trusted, in [0, 1]: 0 where they say nothing; None without features."""
        return None if self._fitted.features is None else self._fitted.features.strength
