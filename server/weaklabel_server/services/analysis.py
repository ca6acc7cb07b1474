"""weaklabel.v1.AnalysisService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

from weaklabel_protocol.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    estimates_pb2,
    inspection_pb2,
    label_errors_pb2,
)
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.analysis.analyst import Analyst
from weaklabel_server.jobs.analysis.lasting import Gone
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.jobs.workers.reports import LabelErrorsJob
from weaklabel_server.messages.analysis import estimates, inspection, summaries
from weaklabel_server.messages.analysis.label_errors import label_error_messages
from weaklabel_server.messages.checks import side_data_id
from weaklabel_server.messages.models import read_families

M = TypeVar("M", bound=Message)

_CONTESTED = 20
_DRAWS = 1000


class AnalysisService(analysis_pb2_grpc.AnalysisServiceServicer):
    """Reports on votes and models."""

    def __init__(self, analyst: Analyst, predictor: Predictor, *, max_message_bytes: int) -> None:
        self._analyst = analyst
        self._predictor = predictor  # for what takes no time
        self._max_message_bytes = max_message_bytes

    async def ReadSourceSummary(
        self, request: analysis_pb2.ReadSourceSummaryRequest, context: Context
    ) -> AsyncIterator[analysis_pb2.ReadSourceSummaryResponse]:
        project_id = names.parse_project(request.parent, field="parent")
        gold = _gold(request.gold, project_id)
        if request.model:
            _check_parent(request.model, project_id)

        def summarize() -> list[analysis_pb2.ReadSourceSummaryResponse]:
            model = self._analyst.load(request.model) if request.model else None
            version, summary, n_classes = self._analyst.source_summary(
                project_id, request.votes_version, gold=gold, model=model
            )
            return list(summaries.summary_messages(version, summary, n_classes, self._max_message_bytes))

        async with self._analyst.place():
            for message in await self._analyst.run(summarize):
                yield message

    async def ReadPairwiseAgreement(
        self, request: analysis_pb2.ReadPairwiseAgreementRequest, context: Context
    ) -> AsyncIterator[analysis_pb2.ReadPairwiseAgreementResponse]:
        project_id = names.parse_project(request.parent, field="parent")
        async with self._analyst.place():
            found = await self._analyst.run(self._analyst.pairwise_agreement, project_id, request.votes_version)
            for message in summaries.agreement_messages(*found, self._max_message_bytes):
                yield message

    async def ReadEffectiveVotes(
        self, request: analysis_pb2.ReadEffectiveVotesRequest, context: Context
    ) -> AsyncIterator[analysis_pb2.ReadEffectiveVotesResponse]:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = _gold(request.gold, project_id)
        families = read_families(request.families, field="families")
        async with self._analyst.place():
            model = await self._analyst.run(self._analyst.load, request.model)
            effective = await self._analyst.run(self._analyst.effective_votes, model, gold=gold, families=families)
            for message in summaries.effective_votes_messages(model.name, effective, self._max_message_bytes):
                yield message

    async def ReadConfusionMatrices(
        self, request: analysis_pb2.ReadConfusionMatricesRequest, context: Context
    ) -> AsyncIterator[analysis_pb2.ReadConfusionMatricesResponse]:
        async with self._analyst.place():
            model = await self._predictor.run(self._analyst.load, request.model)
            matrices = model.label_model.confusion_matrices
            if matrices is None:
                raise ServiceError(
                    Reason.NO_CONFUSION_MATRICES,
                    "the model has one accuracy a source, and no confusion matrices",
                    metadata={"model": model.name},
                )
            sources = model.label_model.source_names
            for message in summaries.confusion_messages(model.name, sources, matrices, self._max_message_bytes):
                yield message

    async def GetDiagnostics(
        self, request: analysis_pb2.GetDiagnosticsRequest, context: Context
    ) -> analysis_pb2.GetDiagnosticsResponse:
        def read() -> analysis_pb2.GetDiagnosticsResponse:
            model: LoadedModel = self._analyst.load(request.model)
            fitted = model.label_model
            return analysis_pb2.GetDiagnosticsResponse(
                model=model.name,
                diagnostics=summaries.diagnostics_message(fitted.diagnostics, fitted.source_names),
                feature_strength=fitted.feature_strength,
            )

        return await self._predictor.run(read)

    async def Evaluate(self, request: analysis_pb2.EvaluateRequest, context: Context) -> analysis_pb2.EvaluateResponse:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = side_data_id(request.gold, project_id, field="gold")
        positive = request.positive if request.HasField("positive") else None

        def evaluate() -> analysis_pb2.EvaluateResponse:
            model = self._analyst.load(request.model)
            scores, label_accuracy = self._analyst.evaluate(model, gold=gold, positive=positive)
            return analysis_pb2.EvaluateResponse(
                model=model.name,
                accuracy=scores.accuracy,
                f1=scores.f1,
                nll=scores.nll,
                brier=scores.brier,
                ece=scores.ece,
                item_count=scores.n_items,
                label_accuracy=label_accuracy,
            )

        async with self._analyst.place():
            return await self._analyst.run(evaluate)

    def ReadScores(
        self, request: inspection_pb2.ReadScoresRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadScoresResponse]:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = side_data_id(request.gold, project_id, field="gold")
        by = inspection.read_by(request, project_id)
        positive = request.positive if request.HasField("positive") else None

        def read(model: LoadedModel) -> Iterator[inspection_pb2.ReadScoresResponse]:
            found = self._analyst.inspection.scores(model, gold, request.metrics, positive, by)
            return inspection.score_messages(model.name, found, request.metrics, self._max_message_bytes)

        return self._report_on(request.model, read)

    # Estimates

    async def GetAccuracyEstimate(
        self, request: estimates_pb2.GetAccuracyEstimateRequest, context: Context
    ) -> estimates_pb2.GetAccuracyEstimateResponse:
        known, project_id = estimates.read_known(request)
        labels = estimates.read_labels(request, project_id)

        def estimate() -> estimates_pb2.GetAccuracyEstimateResponse:
            model = self._analyst.load(request.model)
            accuracy = estimates.estimate_message(self._analyst.estimates.accuracy(model, known, labels))
            return estimates_pb2.GetAccuracyEstimateResponse(model=model.name, accuracy=accuracy)

        async with self._analyst.place():
            return await self._analyst.run(estimate)

    async def GetDifferenceEstimate(
        self, request: estimates_pb2.GetDifferenceEstimateRequest, context: Context
    ) -> estimates_pb2.GetDifferenceEstimateResponse:
        known, project_id = estimates.read_known(request)
        labels = estimates.read_labels(request, project_id)
        others = estimates.read_labels_of(request.others, project_id, field="others")

        def estimate() -> estimates_pb2.GetDifferenceEstimateResponse:
            model = self._analyst.load(request.model)
            difference = estimates.estimate_message(self._analyst.estimates.difference(model, known, labels, others))
            return estimates_pb2.GetDifferenceEstimateResponse(model=model.name, difference=difference)

        async with self._analyst.place():
            return await self._analyst.run(estimate)

    def ReadBalanceEstimates(
        self, request: estimates_pb2.ReadBalanceEstimatesRequest, context: Context
    ) -> AsyncIterator[estimates_pb2.ReadBalanceEstimatesResponse]:
        known, _ = estimates.read_known(request)

        def read(model: LoadedModel) -> Iterator[estimates_pb2.ReadBalanceEstimatesResponse]:
            shares = self._analyst.estimates.balance(model, known)
            return estimates.balance_messages(model.name, shares, self._max_message_bytes)

        return self._report_on(request.model, read)

    def ReadRateEstimates(
        self, request: estimates_pb2.ReadRateEstimatesRequest, context: Context
    ) -> AsyncIterator[estimates_pb2.ReadRateEstimatesResponse]:
        known, project_id = estimates.read_known(request)
        labels = estimates.read_labels(request, project_id)

        def read(model: LoadedModel) -> Iterator[estimates_pb2.ReadRateEstimatesResponse]:
            rates = self._analyst.estimates.rates(model, known, labels)
            return estimates.rate_messages(model.name, rates, self._max_message_bytes)

        return self._report_on(request.model, read)

    async def GetLabelsNeeded(
        self, request: estimates_pb2.GetLabelsNeededRequest, context: Context
    ) -> estimates_pb2.GetLabelsNeededResponse:
        names.parse_project(request.parent, field="parent")

        def count() -> estimates_pb2.GetLabelsNeededResponse:
            estimate = estimates.read_estimate(request.estimate, field="estimate")
            needed = self._analyst.estimates.labels_needed(estimate, request.width)
            return estimates_pb2.GetLabelsNeededResponse(label_count=needed)

        return await self._predictor.run(count)

    # Inspection

    async def GetReliability(
        self, request: inspection_pb2.GetReliabilityRequest, context: Context
    ) -> inspection_pb2.GetReliabilityResponse:
        project_id = names.parse_project(request.parent, field="parent")
        metric = inspection.read_coefficient(request.coefficient, field="coefficient")

        def measure() -> inspection_pb2.GetReliabilityResponse:
            version, found = self._analyst.inspection.reliability(
                project_id,
                request.votes_version,
                metric,
                confidence=request.confidence or estimates.CONFIDENCE,
                n_bootstrap=request.bootstrap_draws if request.HasField("bootstrap_draws") else _DRAWS,
                seed=request.seed,
            )
            return inspection.reliability_message(version, found)

        async with self._analyst.place():
            return await self._analyst.run(measure)

    def ReadSourcePairs(
        self, request: inspection_pb2.ReadSourcePairsRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadSourcePairsResponse]:
        gold = _gold(request.gold, names.parse_model(request.model, field="model").project_id)

        def read(model: LoadedModel) -> Iterator[inspection_pb2.ReadSourcePairsResponse]:
            found = self._analyst.inspection.pairs(model, gold)
            return inspection.pair_messages(model.name, *found, self._max_message_bytes)

        return self._report_on(request.model, read)

    def ReadSourceConfusions(
        self, request: inspection_pb2.ReadSourceConfusionsRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadSourceConfusionsResponse]:
        gold = _gold(request.gold, names.parse_model(request.model, field="model").project_id)
        sources = inspection.read_sources(request.sources, field="sources")

        def read(model: LoadedModel) -> Iterator[inspection_pb2.ReadSourceConfusionsResponse]:
            found = self._analyst.inspection.confusions(model, gold, sources)
            return inspection.confusion_messages(model.name, found, self._max_message_bytes)

        return self._report_on(request.model, read)

    def ReadContestedItems(
        self, request: inspection_pb2.ReadContestedItemsRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadContestedItemsResponse]:
        project_id = names.parse_project(request.parent, field="parent")
        if request.model:
            _check_parent(request.model, project_id)
        n = request.item_limit or _CONTESTED

        def read() -> Iterator[inspection_pb2.ReadContestedItemsResponse]:
            model = self._analyst.load(request.model) if request.model else None
            found = self._analyst.inspection.contested(project_id, request.votes_version, model, n)
            return inspection.contested_messages(*found, self._max_message_bytes)

        return self._report(read)

    def ReadMistakes(
        self, request: inspection_pb2.ReadMistakesRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadMistakesResponse]:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = _gold(request.gold, project_id)
        by = inspection.read_by(request, project_id)

        def read(model: LoadedModel) -> Iterator[inspection_pb2.ReadMistakesResponse]:
            found = self._analyst.inspection.mistakes(model, gold, request.source, by)
            return inspection.mistake_messages(model.name, found, self._max_message_bytes)

        return self._report_on(request.model, read)

    # What fits models

    def ReadLeaveOneOut(
        self, request: inspection_pb2.ReadLeaveOneOutRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ReadLeaveOneOutResponse]:
        project_id, _ = names.parse_model(request.model, field="model")
        gold = _gold(request.gold, project_id)
        sources = inspection.read_sources(request.sources, field="sources")

        def read(gone: Gone) -> Iterator[inspection_pb2.ReadLeaveOneOutResponse]:
            lasting = self._analyst.lasting
            found = lasting.leave_one_out(request.model, gone, sources=sources, gold=gold, refit=not request.keep_fit)
            return inspection.leave_one_out_messages(*found, self._max_message_bytes)

        return self._lasting_report(project_id, read)

    def ReadLabelErrors(
        self, request: label_errors_pb2.ReadLabelErrorsRequest, context: Context
    ) -> AsyncIterator[label_errors_pb2.ReadLabelErrorsResponse]:
        project_id = names.parse_project(request.parent, field="parent")
        labels = estimates.read_labels_of(request.labels, project_id, field="labels")
        if labels.model_id:
            raise invalid("labels.model", "those of a model are made of the votes: labels of a source, or side data")
        asked = LabelErrorsJob(
            project_id=project_id,
            votes_version=request.votes_version,
            labels=labels,
            gold=_gold(request.gold, project_id),
            families=read_families(request.families, field="families"),
            seed=request.seed,
        )

        def read(gone: Gone) -> Iterator[label_errors_pb2.ReadLabelErrorsResponse]:
            return label_error_messages(self._analyst.lasting.label_errors(asked, gone), self._max_message_bytes)

        return self._lasting_report(project_id, read)

    def _report_on(self, model: str, make: Callable[[LoadedModel], Iterator[M]]) -> AsyncIterator[M]:
        """The messages of a report on a model."""
        return self._report(lambda: make(self._analyst.load(model)))

    async def _report(self, make: Callable[[], Iterator[M]]) -> AsyncIterator[M]:
        """Makes a report in its turn, and its messages as they are sent."""
        async with self._analyst.place():
            async for message in _each(await self._analyst.run(make)):
                yield message

    async def _lasting_report(self, project_id: str, make: Callable[[Gone], Iterator[M]]) -> AsyncIterator[M]:
        """The same of a report that fits models."""
        async with self._analyst.lasting_place(project_id) as project:
            async for message in _each(await self._analyst.run_lasting(project, make)):
                yield message


async def _each(messages: Iterator[M]) -> AsyncIterator[M]:
    """Messages, each of which is made in a thread: of many rows it takes a moment, for which no call should wait."""
    while (message := await asyncio.to_thread(next, messages, None)) is not None:
        yield message


def _gold(name: str, project_id: str) -> str | None:
    """The id of side data; None where a request names none."""
    return side_data_id(name, project_id, field="gold") if name else None


def _check_parent(model: str, project_id: str) -> None:
    """Refuses a model of another project."""
    if names.parse_model(model, field="model").project_id != project_id:
        raise invalid("model", f'a model of "{names.format_project(project_id)}", got "{model}"')
