"""What a fitted label model says of itself, as attributes."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaklabel._html import PREVIEW_ROWS, Markup, element, joined, shortened, table
from weaklabel.errors import NotFittedError
from weaklabel.model.fitted import Fitted
from weaklabel.model.report.diagnostics import Diagnostics


class OfVotes(Protocol):
    """What every fit keeps of its votes."""

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""

    @property
    def class_balance(self) -> NDArray[np.float64]:
        """[K]."""

    @property
    def coverage(self) -> NDArray[np.float64]:
        """[M]."""


State = TypeVar("State", bound=OfVotes)


class AttributesOfVotes(Generic[State]):
    """Attributes that both models have after a fit; before it, they raise `NotFittedError`."""

    classes: tuple[str, ...]
    _state: State | None

    @property
    def _fitted(self) -> State:
        if self._state is None:
            raise NotFittedError("the model is not fitted: call fit(votes) first")
        return self._state

    def __sklearn_is_fitted__(self) -> bool:
        return self._state is not None

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

    def _repr_html_(self) -> str:
        if self._state is None:
            return element("p", repr(self))
        return joined([element("p", repr(self)), self._balance(), self._sources()])

    def _balance(self) -> Markup:
        shares = [
            [shortened(name), f"{100 * share:.1f} %"]
            for name, share in zip(self.classes[:PREVIEW_ROWS], self.class_balance.tolist(), strict=False)
        ]
        return table(f"Class balance{_more(len(self.classes))}", ["class", "estimated share"], shares)

    def _sources(self) -> Markup:
        columns = self._source_columns()
        names = [shortened(name) for name in self.source_names[:PREVIEW_ROWS]]
        lines = list(zip(names, *columns.values(), strict=False))
        return table(f"Sources{_more(len(self.source_names))}", ["source", *columns], lines)

    def _source_columns(self) -> dict[str, list[str]]:
        """Cells of the first sources, by the title of the column."""
        return {"coverage": [f"{100 * share:.1f} %" for share in self.coverage[:PREVIEW_ROWS].tolist()]}


class FittedAttributes(AttributesOfVotes[Fitted]):
    """Attributes of `LabelModel` that need a fit; before it, they raise `NotFittedError`."""

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
    def source_accuracy(self) -> NDArray[np.float64]:
        """[M] estimated share of each source's votes that are right."""
        return self._fitted.source_accuracy

    @property
    def source_accuracy_interval(self) -> NDArray[np.float64]:
        """[M, 2] interval that holds each source's accuracy with 90 % probability, if sources are independent."""
        return self._fitted.source_accuracy_interval

    @property
    def confusion_matrices(self) -> NDArray[np.float32] | None:
        """[M, K, K] P(vote | class) of each source: vote on the second axis, class on the last.

        None of a model with one accuracy per source, see `source_accuracy`.
        """
        confusion = self._fitted.params.sources.confusion
        return None if confusion is None else np.asarray(confusion, np.float32)

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

    def _repr_html_(self) -> str:
        html = super()._repr_html_()
        return html if self._state is None else joined([Markup(html), self.diagnostics._repr_html_()])

    def _source_columns(self) -> dict[str, list[str]]:
        accuracy, interval = self.source_accuracy[:PREVIEW_ROWS], self.source_accuracy_interval[:PREVIEW_ROWS]
        return super()._source_columns() | {
            "estimated accuracy": [f"{100 * one:.1f} %" for one in accuracy.tolist()],
            "90 % interval": [f"{100 * low:.1f} to {100 * high:.1f}" for low, high in interval.tolist()],
        }


def _more(number: int) -> str:
    return f" (the first {PREVIEW_ROWS} of {number:,})" if number > PREVIEW_ROWS else ""
