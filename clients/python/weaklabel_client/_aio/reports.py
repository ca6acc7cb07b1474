"""What the client tells of models and votes."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy.typing as npt

from weaklabel_client._aio.asking import Asking
from weaklabel_client._inputs.choices import Unseen
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.selection import Selection
from weaklabel_client._protocol import calls, model_calls
from weaklabel_client._protocol.analysis_calls import USUAL, positive_class
from weaklabel_client._results.analysis import (
    ConfusionMatrices,
    Diagnostics,
    EffectiveVotes,
    Explanation,
    PairwiseAgreement,
    Scores,
    SourceSummary,
)
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.inspection import (
    ScoreTable,
)


class Reports(Asking):
    """The methods of a client that tell of models and votes."""

    async def source_summary(
        self,
        project: str,
        *,
        gold: Any = None,
        model: str | None = None,
        votes_version: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourceSummary:
        """How each source votes, and how often it is right: weaklabel.source_summary."""
        job = model_calls.source_summary(
            project, votes_version, (await self._uploaded(project, items, gold=gold)).names, model
        )
        return await self._connection.collect(job, timeout)

    async def pairwise_agreement(
        self, project: str, *, votes_version: int | None = None, timeout: float | None = None
    ) -> PairwiseAgreement:
        """How far each two sources agree, raw and beyond chance: weaklabel.analysis.pairwise_agreement."""
        return await self._connection.collect(model_calls.pairwise_agreement(project, votes_version), timeout)

    async def effective_votes(
        self,
        project: str,
        gold: Any = None,
        *,
        families: Mapping[str, str] | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> EffectiveVotes:
        """How many independent votes the sources are worth: LabelModel.effective_votes of the votes of its fit."""
        job = model_calls.effective_votes(
            project, model, (await self._uploaded(project, items, gold=gold)).names, families
        )
        return await self._connection.collect(job, timeout)

    async def confusion_matrices(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> ConfusionMatrices:
        """P(vote | class) of each source: LabelModel.confusion_matrices. Model.sources has intervals."""
        return await self._connection.collect(model_calls.confusion_matrices(project, model), timeout)

    async def diagnostics(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Diagnostics:
        """All that a fit says about itself: LabelModel.diagnostics."""
        found = await self._connection.perform(calls.get_model(project, model), timeout)
        return await self._connection.perform(model_calls.diagnostics(project, found), timeout)

    async def evaluate(
        self,
        project: str,
        gold: Any,
        *,
        positive: int | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Scores:
        """How good the soft labels of a model are on items with known labels: weaklabel.analysis.evaluate."""
        names = (await self._uploaded(project, items, gold=gold)).names
        return await self._connection.perform(model_calls.evaluate(project, model, names, positive), timeout)

    @overload
    async def score(
        self,
        project: str,
        gold: Any,
        metric: str = ...,
        *,
        metrics: None = ...,
        positive: int | str | None = ...,
        model: str | None = ...,
        items: Iterable[str] | None = ...,
        timeout: float | None = ...,
    ) -> float: ...

    @overload
    async def score(
        self,
        project: str,
        gold: Any,
        metric: str = ...,
        *,
        metrics: Sequence[str],
        positive: int | str | None = ...,
        model: str | None = ...,
        items: Iterable[str] | None = ...,
        timeout: float | None = ...,
    ) -> dict[str, float]: ...

    async def score(
        self,
        project: str,
        gold: Any,
        metric: str = "accuracy",
        *,
        metrics: Sequence[str] | None = None,
        positive: int | str | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> float | dict[str, float]:
        """How good the stored labels of a model are on the items with gold: LabelModel.score."""
        wanted = [metric] if metrics is None else metrics
        chosen = positive_class(positive, await self._classes(project) if isinstance(positive, str) else ())
        ask = await self._ask(project, model, items, gold=gold)
        table = await self._connection.collect(ask.scores(wanted, chosen), timeout)
        found = {name: float(values[0]) for name, values in table.scores.items()}
        return found[metric] if metrics is None else found

    async def score_by(
        self,
        project: str,
        gold: Any,
        by: Any,
        *,
        metrics: Sequence[str] = USUAL,
        positive: int | str | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> ScoreTable:
        """Scores of slices of the items with gold: LabelModel.score_by of the stored labels of a model."""
        chosen = positive_class(positive, await self._classes(project) if isinstance(positive, str) else ())
        ask = await self._ask(project, model, items, gold=gold, by=by)
        return await self._connection.collect(ask.scores(metrics, chosen), timeout)

    async def explain(
        self,
        project: str,
        items: Iterable[str] | Iterable[int] | str | int | None = None,
        *,
        votes: npt.ArrayLike | None = None,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> list[Explanation]:
        """Why soft labels are what they are: contributions of the class balance and each vote, in log-odds."""
        if (items is None) == (votes is None):
            raise ValueError("items: either items of the project or votes are explained")
        if items is not None:
            asked = model_calls.explain_items(project, model, Selection(items))
        else:
            rows = await self._rows(project, votes, codebook)
            asked = model_calls.explain_votes(
                project, model, rows, rows.sources if sources is None else sources, unseen
            )
        return [one for call in asked for one in await self._connection.perform(call, timeout)]

    async def _rows(self, project: str, votes: Any, codebook: Codebook | None) -> PredictRows:
        """New votes, with the number of classes where that is needed to read them."""
        rows = PredictRows(votes, codebook)
        if rows.needs_classes():
            rows.resolve(len((await self._connection.perform(calls.get_project(project))).classes))
        return rows
