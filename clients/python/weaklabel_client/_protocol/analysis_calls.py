"""What is asked of the votes by estimates, inspection and label errors: requests, and what is made of the responses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.report_data import ReportData
from weaklabel_client._protocol import rpcs
from weaklabel_client._protocol.calls import Call, source_families
from weaklabel_client._protocol.report_job import ReportJob
from weaklabel_client._protocol.resource_names import model_name, project_name, side_data_name
from weaklabel_client._results.estimates import ClassRates, Estimate
from weaklabel_client._results.inspection import (
    ContestedItems,
    LeaveOneOut,
    Mistakes,
    Reliability,
    ScoreTable,
    SourceConfusions,
    SourcePairs,
)
from weaklabel_client._results.label_errors import LabelIssues
from weaklabel_protocol.v1 import estimates_pb2, inspection_pb2, label_errors_pb2

AlphaMetric = Literal["nominal", "ordinal", "interval"]
"""How far apart two classes are: differ or not; by the votes between them; by their numbers."""
USUAL = ("accuracy", "f1_macro", "nll", "brier", "ece")
"""Metrics of scores by slices where none are named."""

_COEFFICIENTS: dict[str, inspection_pb2.ReliabilityCoefficient] = {
    "nominal": inspection_pb2.RELIABILITY_COEFFICIENT_UNSPECIFIED,
    "ordinal": inspection_pb2.RELIABILITY_COEFFICIENT_ALPHA_ORDINAL,
    "interval": inspection_pb2.RELIABILITY_COEFFICIENT_ALPHA_INTERVAL,
    "fleiss": inspection_pb2.RELIABILITY_COEFFICIENT_FLEISS_KAPPA,
}


class Ask:
    """The calls about one project."""

    def __init__(self, project: str, model: str | None, data: ReportData | None = None) -> None:
        """Asks nothing yet.

        Args:
            project: The project.
            model: A model of it; the newest where None.
            data: What was given, uploaded.
        """
        self._project = project
        self._model = model
        self._data = data or ReportData(None)

    # Estimates

    def accuracy(self, confidence: float) -> Call[Estimate]:
        """How many labels are right."""
        request = estimates_pb2.GetAccuracyEstimateRequest(
            labels=self._data.labels("labels"), **self._known(confidence)
        )
        return Call(rpcs.GET_ACCURACY_ESTIMATE, request, lambda answer: Estimate.from_message(answer.accuracy))

    def difference(self, confidence: float) -> Call[Estimate]:
        """By how much labels are more accurate than others."""
        request = estimates_pb2.GetDifferenceEstimateRequest(
            labels=self._data.labels("labels"), others=self._data.labels("others"), **self._known(confidence)
        )
        return Call(rpcs.GET_DIFFERENCE_ESTIMATE, request, lambda answer: Estimate.from_message(answer.difference))

    def balance(self, confidence: float) -> ReportJob[Any, Any, list[Estimate]]:
        """The share of each class."""
        request = estimates_pb2.ReadBalanceEstimatesRequest(**self._known(confidence))
        return ReportJob(
            rpcs.READ_BALANCE_ESTIMATES,
            request,
            lambda parts: [Estimate.from_message(one) for part in parts for one in part.shares],
        )

    def rates(self, confidence: float) -> ReportJob[Any, Any, list[ClassRates]]:
        """How each class is predicted."""
        request = estimates_pb2.ReadRateEstimatesRequest(labels=self._data.labels("labels"), **self._known(confidence))
        return ReportJob(
            rpcs.READ_RATE_ESTIMATES,
            request,
            lambda parts: [ClassRates.from_message(one) for part in parts for one in part.rates],
        )

    def labels_needed(self, estimate: Estimate, width: float) -> Call[int]:
        """How many known labels an interval takes."""
        request = estimates_pb2.GetLabelsNeededRequest(
            parent=project_name(self._project), estimate=estimate.to_message(), width=width
        )
        return Call(rpcs.GET_LABELS_NEEDED, request, lambda answer: int(answer.label_count))

    # Inspection

    def reliability(
        self, metric: str, confidence: float, n_bootstrap: int, seed: int, votes_version: int | None
    ) -> Call[Reliability]:
        """How far all sources agree beyond chance; "fleiss" for Fleiss' kappa.

        Raises:
            ValueError: There is no such metric, or a negative number.
        """
        if metric not in _COEFFICIENTS:
            raise ValueError(f"metric: one of {', '.join(get_args(AlphaMetric))} is expected, got {metric!r}")
        if n_bootstrap < 0:
            raise ValueError(f"n_bootstrap: a number from 0 on is expected, got {n_bootstrap}")
        request = inspection_pb2.GetReliabilityRequest(
            parent=project_name(self._project),
            votes_version=votes_version or 0,
            coefficient=_COEFFICIENTS[metric],
            confidence=_given(confidence),
            bootstrap_draws=n_bootstrap,
            seed=seed,
        )
        return Call(rpcs.GET_RELIABILITY, request, Reliability.from_message)

    def pairs(self) -> ReportJob[Any, Any, SourcePairs]:
        """Agreement and dependence of each two sources."""
        request = inspection_pb2.ReadSourcePairsRequest(**self._judged())
        by_gold = bool(request.gold)
        return ReportJob(
            rpcs.READ_SOURCE_PAIRS, request, lambda parts: SourcePairs.from_messages(parts, by_gold=by_gold)
        )

    def confusions(
        self, sources: Iterable[str] | None, classes: tuple[str, ...]
    ) -> ReportJob[Any, Any, SourceConfusions]:
        """How often each source votes for each class."""
        judged = self._judged()
        request = inspection_pb2.ReadSourceConfusionsRequest(sources=_sources(sources), **judged)
        by: Literal["gold", "soft labels"] = "gold" if judged["gold"] else "soft labels"
        return ReportJob(
            rpcs.READ_SOURCE_CONFUSIONS, request, lambda parts: SourceConfusions.from_messages(parts, by, classes)
        )

    def contested(
        self, n: int, votes_version: int | None, classes: tuple[str, ...]
    ) -> ReportJob[Any, Any, ContestedItems]:
        """Items that sources fight over; without a model where none is named.

        Raises:
            ValueError: For n below 1.
        """
        if n < 1:
            raise ValueError(f"n: at least 1 is expected, got {n}")
        request = inspection_pb2.ReadContestedItemsRequest(
            parent=project_name(self._project),
            votes_version=votes_version or 0,
            model="" if self._model is None else model_name(self._project, self._model),
            item_limit=n,
        )
        with_model = self._model is not None
        return ReportJob(
            rpcs.READ_CONTESTED_ITEMS,
            request,
            lambda parts: ContestedItems.from_messages(parts, classes, with_model=with_model),
        )

    def mistakes(self, source: str) -> ReportJob[Any, Any, Mistakes]:
        """Where a source is wrong."""
        judged = self._judged()
        request = inspection_pb2.ReadMistakesRequest(source=source, by=self._data.by, **judged)
        by: Literal["gold", "soft labels"] = "gold" if judged["gold"] else "soft labels"
        return ReportJob(rpcs.READ_MISTAKES, request, lambda parts: Mistakes.from_messages(parts, source, by))

    def leave_one_out(self, sources: Iterable[str] | None, *, refit: bool) -> ReportJob[Any, Any, LeaveOneOut]:
        """How many labels flip without each source."""
        request = inspection_pb2.ReadLeaveOneOutRequest(sources=_sources(sources), keep_fit=not refit, **self._judged())
        return ReportJob(
            rpcs.READ_LEAVE_ONE_OUT, request, lambda parts: LeaveOneOut.from_messages(parts, refitted=refit)
        )

    def scores(self, metrics: Sequence[str], positive: int | None) -> ReportJob[Any, Any, ScoreTable]:
        """Scores of all items with gold, and of slices.

        Raises:
            ValueError: The metrics are one text.
        """
        if isinstance(metrics, str):
            raise ValueError(f"metrics: a list of names is expected, got the text {metrics!r}")
        request = inspection_pb2.ReadScoresRequest(
            metrics=metrics, positive=positive, by=self._data.by, **self._judged()
        )
        return ReportJob(rpcs.READ_SCORES, request, lambda parts: ScoreTable.from_messages(parts, tuple(metrics)))

    # Label errors

    def label_errors(
        self, families: Mapping[str, str] | None, seed: int, votes_version: int | None, classes: tuple[str, ...]
    ) -> ReportJob[Any, Any, LabelIssues]:
        """Which labels are probably wrong."""
        request = label_errors_pb2.ReadLabelErrorsRequest(
            parent=project_name(self._project),
            votes_version=votes_version or 0,
            labels=self._data.labels("labels"),
            gold=self._name("gold"),
            families=source_families(families),
            seed=seed,
        )
        return ReportJob(rpcs.READ_LABEL_ERRORS, request, lambda parts: LabelIssues.from_messages(parts, classes))

    def _known(self, confidence: float) -> dict[str, Any]:
        return self._judged() | {"gold_weight": self._name("gold_weight"), "confidence": _given(confidence)}

    def _judged(self) -> dict[str, Any]:
        return {"model": model_name(self._project, self._model), "gold": self._name("gold")}

    def _name(self, what: str) -> str:
        name = self._data.name(what)
        return side_data_name(self._project, name) if name else ""


def positive_class(positive: int | str | None, classes: Sequence[str]) -> int | None:
    """The index of the positive class, given by name or index.

    Raises:
        ValueError: It is no class.
    """
    if isinstance(positive, str):
        if positive not in classes:
            raise ValueError(f"positive: a class, by name or index, is expected, got {positive!r}")
        return list(classes).index(positive)
    if positive is not None and positive < 0:
        raise ValueError(f"positive: a class, by name or index, is expected, got {positive!r}")
    return positive


def _given(confidence: float) -> float:
    """A confidence that is said; 0 would mean that none is.

    Raises:
        ValueError: It is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: above 0 and below 1 is expected, got {confidence}")
    return confidence


def _sources(sources: Iterable[str] | None) -> tuple[str, ...]:
    return () if sources is None else names(sources, None, "sources")
