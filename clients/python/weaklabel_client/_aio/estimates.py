"""Estimates with intervals, from few known labels and the soft labels of all items."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import Iterable
from typing import Any

from weaklabel_client._aio.asking import Asking
from weaklabel_client._results.estimates import ClassRates, Estimate


class Estimates(Asking):
    """The methods of a client that estimate."""

    async def estimate_accuracy(
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
        """How many of some labels are right: weaklabel.analysis.estimate_accuracy by stored soft labels of a model."""
        ask = await self._ask(project, model, items, gold=gold, labels=labels, gold_weight=gold_weight)
        return await self._connection.perform(ask.accuracy(confidence), timeout)

    async def estimate_difference(
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
        """By how much labels are more accurate than others, -1 to 1: weaklabel.analysis.estimate_difference."""
        ask = await self._ask(project, model, items, gold=gold, labels=labels, others=others, gold_weight=gold_weight)
        return await self._connection.perform(ask.difference(confidence), timeout)

    async def estimate_balance(
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
        """The share of each of the K classes among the items: weaklabel.analysis.estimate_balance."""
        ask = await self._ask(project, model, items, gold=gold, gold_weight=gold_weight)
        return await self._connection.collect(ask.balance(confidence), timeout)

    async def estimate_rates(
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
        """Recall, specificity and precision of labels for each of the K classes: weaklabel.analysis.estimate_rates."""
        ask = await self._ask(project, model, items, gold=gold, labels=labels, gold_weight=gold_weight)
        return await self._connection.collect(ask.rates(confidence), timeout)

    async def labels_needed(
        self, project: str, estimate: Estimate, width: float, *, timeout: float | None = None
    ) -> int:
        """How many known labels an interval as narrow as `width` takes, those there are included."""
        ask = await self._ask(project)
        return await self._connection.perform(ask.labels_needed(estimate, width), timeout)
