"""What sources do, one by one and two by two; labels that may be wrong."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import Iterable, Mapping
from typing import Any

from weaklabel_client._aio.asking import Asking
from weaklabel_client._protocol.analysis_calls import AlphaMetric
from weaklabel_client._results.inspection import (
    ContestedItems,
    LeaveOneOut,
    Mistakes,
    Reliability,
    SourceConfusions,
    SourcePairs,
)
from weaklabel_client._results.label_errors import LabelIssues


class Inspection(Asking):
    """The methods of a client that look closer."""

    async def krippendorff_alpha(
        self,
        project: str,
        metric: AlphaMetric = "nominal",
        *,
        confidence: float = 0.95,
        n_bootstrap: int = 1000,
        seed: int = 0,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> Reliability:
        """How far all sources agree beyond chance: weaklabel.analysis.krippendorff_alpha."""
        call = (await self._ask(project)).reliability(metric, confidence, n_bootstrap, seed, votes_version)
        return await self._connection.perform(call, timeout)

    async def fleiss_kappa(
        self,
        project: str,
        *,
        confidence: float = 0.95,
        n_bootstrap: int = 1000,
        seed: int = 0,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> Reliability:
        """The same where each item has as many votes: weaklabel.analysis.fleiss_kappa."""
        call = (await self._ask(project)).reliability("fleiss", confidence, n_bootstrap, seed, votes_version)
        return await self._connection.perform(call, timeout)

    async def source_pairs(
        self,
        project: str,
        gold: Any = None,
        *,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourcePairs:
        """Agreement and dependence of each two sources: weaklabel.analysis.source_pairs."""
        ask = await self._ask(project, model, items, gold=gold)
        return await self._connection.collect(ask.pairs(), timeout)

    async def source_confusions(
        self,
        project: str,
        gold: Any = None,
        *,
        sources: Iterable[str] | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourceConfusions:
        """What each source says of each class, with intervals: weaklabel.analysis.source_confusions."""
        ask = await self._ask(project, model, items, gold=gold)
        return await self._connection.collect(ask.confusions(sources, await self._classes(project)), timeout)

    async def contested_items(
        self,
        project: str,
        n: int = 20,
        *,
        model: str | None = None,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> ContestedItems:
        """Items that sources fight over: weaklabel.analysis.contested_items."""
        ask = await self._ask(project, model)
        return await self._connection.collect(ask.contested(n, votes_version, await self._classes(project)), timeout)

    async def where_wrong(
        self,
        project: str,
        source: str,
        gold: Any = None,
        *,
        by: Any = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Mistakes:
        """Where a source is wrong: on which classes, and in which slices: weaklabel.analysis.where_wrong."""
        ask = await self._ask(project, model, items, gold=gold, by=by)
        return await self._connection.collect(ask.mistakes(source), timeout)

    async def leave_one_source_out(
        self,
        project: str,
        *,
        sources: Iterable[str] | None = None,
        gold: Any = None,
        refit: bool = True,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> LeaveOneOut:
        """How many labels flip without each source: weaklabel.analysis.leave_one_source_out."""
        ask = await self._ask(project, model, items, gold=gold)
        return await self._connection.collect(ask.leave_one_out(sources, refit=refit), timeout)

    async def label_errors(
        self,
        project: str,
        labels: Any,
        *,
        gold: Any = None,
        families: Mapping[str, str] | None = None,
        seed: int = 0,
        votes_version: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> LabelIssues:
        """Which labels are probably wrong, by what the sources say: weaklabel.label_errors.label_errors."""
        ask = await self._ask(project, None, items, gold=gold, labels=labels)
        return await self._connection.collect(
            ask.label_errors(families, seed, votes_version, await self._classes(project)), timeout
        )
