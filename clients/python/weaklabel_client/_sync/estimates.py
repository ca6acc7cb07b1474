"""Estimates with intervals, from few known labels and the soft labels of all items."""

from collections.abc import Iterable
from typing import Any

from weaklabel_client._results.estimates import ClassRates, Estimate
from weaklabel_client._sync.asking import Asking


class Estimates(Asking):
    """The methods of a client that estimate."""

    def estimate_accuracy(
        self,
        project: str,
        gold: Any,
        labels: Any = None,
        *,
        model: str | None = None,
        gold_weight: Any = None,
        confidence: float = 0.95,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Estimate:
        """How many of some labels are right: weaklabel.analysis.estimate_accuracy by stored soft labels of a model.

        Args:
            project: The project.
            gold: Known labels, as in fit; drawn at random, or by next_to_label.
            labels: Whose accuracy is wanted: class indices [N] of anybody, -1 for none, or a mapping from item ids, or
                side data of the kind "labels"; the name of a source, or a Source; a Model. The model itself by default.
            model: A model that was fitted without these known labels; the newest by default.
            gold_weight: How many items each known label stands for, as next_to_label gives it.
            confidence: Above 0, below 1.
            items: N ids of the items of arrays, for a project that names its items.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            ValueError: Gold or labels cannot be read.
            FailedPrecondition: The fit of the model has seen one of the known labels; reason GOLD_SEEN.
        """
        ask = self._ask(project, model, items, gold=gold, labels=labels, gold_weight=gold_weight)
        return self._connection.perform(ask.accuracy(confidence), timeout)

    def estimate_difference(
        self,
        project: str,
        gold: Any,
        labels: Any,
        others: Any,
        *,
        model: str | None = None,
        gold_weight: Any = None,
        confidence: float = 0.95,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Estimate:
        """By how much labels are more accurate than others, -1 to 1: weaklabel.analysis.estimate_difference.

        Args:
            project: The project.
            gold: See estimate_accuracy. Only known labels of items on which the two differ count.
            labels: The first labels, see estimate_accuracy; None for those of the model.
            others: The ones that they are compared with, of the same kinds.
            model: See estimate_accuracy.
            gold_weight: See estimate_accuracy.
            confidence: Above 0, below 1.
            items: See estimate_accuracy.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            ValueError: See estimate_accuracy.
            FailedPrecondition: See estimate_accuracy.
        """
        ask = self._ask(project, model, items, gold=gold, labels=labels, others=others, gold_weight=gold_weight)
        return self._connection.perform(ask.difference(confidence), timeout)

    def estimate_balance(
        self,
        project: str,
        gold: Any,
        *,
        model: str | None = None,
        gold_weight: Any = None,
        confidence: float = 0.95,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> list[Estimate]:
        """The share of each of the K classes among the items: weaklabel.analysis.estimate_balance.

        Arguments and errors are those of estimate_accuracy.
        """
        ask = self._ask(project, model, items, gold=gold, gold_weight=gold_weight)
        return self._connection.collect(ask.balance(confidence), timeout)

    def estimate_rates(
        self,
        project: str,
        gold: Any,
        labels: Any = None,
        *,
        model: str | None = None,
        gold_weight: Any = None,
        confidence: float = 0.95,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> list[ClassRates]:
        """Recall, specificity and precision of labels for each of the K classes: weaklabel.analysis.estimate_rates.

        Arguments and errors are those of estimate_accuracy.
        """
        ask = self._ask(project, model, items, gold=gold, labels=labels, gold_weight=gold_weight)
        return self._connection.collect(ask.rates(confidence), timeout)

    def labels_needed(self, project: str, estimate: Estimate, width: float, *, timeout: float | None = None) -> int:
        """How many known labels an interval as narrow as `width` takes, those there are included.

        It assumes that the value and the use of the soft labels stay as they are estimated.

        Raises:
            InvalidArgument: The width is not above 0, or the estimate rests on no label.
        """
        ask = self._ask(project)
        return self._connection.perform(ask.labels_needed(estimate, width), timeout)
