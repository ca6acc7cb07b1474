"""What is asked of a fitted model, and of the votes: requests, and what is made of the responses."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.choices import unseen_number
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.selection import Selection, batches
from weaklabel_client._protocol import rpcs
from weaklabel_client._protocol.calls import Call, source_families
from weaklabel_client._protocol.report_job import ReportJob
from weaklabel_client._protocol.resource_names import model_name, project_name, side_data_name
from weaklabel_client._results.analysis import (
    ConfusionMatrices,
    Diagnostics,
    EffectiveVotes,
    Explanation,
    PairwiseAgreement,
    Scores,
    SourceSummary,
)
from weaklabel_client._results.cards import Card
from weaklabel_client._results.types import Model, SoftLabels
from weaklabel_protocol.tensors import from_tensor, sets_from_tensor
from weaklabel_protocol.v1 import analysis_pb2, labels_pb2, models_pb2, releases_pb2

MOST_EXPLAINED = 64  # items of a call


def soft_labels_of(project: str, model: str | None, selection: Selection) -> "SoftLabelCalls":
    """The calls that read the soft labels of some items."""
    return SoftLabelCalls(model_name(project, model), selection)


class SoftLabelCalls:
    """One call after the other: how many items fit into one is known after the first."""

    def __init__(self, model: str, selection: Selection) -> None:
        self._model = model
        self._selection = selection
        self._row = 0
        self._most = chunks.FEW_ROWS

    def next(self) -> Call[SoftLabels] | None:
        """The next call; None after the last."""
        if self._row == len(self._selection):
            return None
        items, count = self._selection.message(self._row, self._most)
        request = labels_pb2.GetSoftLabelsRequest(model=self._model, items=items)
        ids, start = self._selection.ids, self._row

        def read(response: labels_pb2.GetSoftLabelsResponse) -> SoftLabels:
            self._model = response.model  # "latest" stays the same model from now on
            self._row = start + count
            row_bytes = 4 * (response.probabilities.columns + 1)
            self._most = max(1, min(chunks.MAX_ROWS, chunks.MAX_BYTES // row_bytes))
            return SoftLabels(
                model=response.model,
                row_offset=start,
                items=None if ids is None else ids[start : start + count],
                probabilities=from_tensor(response.probabilities).copy(),
                labels=from_tensor(response.labels)[:, 0].copy(),
            )

        return Call(rpcs.GET_SOFT_LABELS, request, read)


def explain_items(project: str, model: str | None, selection: Selection) -> Iterator[Call[list[Explanation]]]:
    """The calls that explain some items of the project."""
    for items in batches(selection, MOST_EXPLAINED):
        request = labels_pb2.ExplainRequest(model=model_name(project, model), items=items)
        yield Call(rpcs.EXPLAIN, request, _explanations)


def explain_votes(
    project: str, model: str | None, rows: PredictRows, sources: Iterable[str] | None, unseen: str
) -> Iterator[Call[list[Explanation]]]:
    """The calls that explain new votes."""
    columns = () if sources is None else names(sources, rows.n_sources, "sources")
    for start in range(0, rows.n_rows, MOST_EXPLAINED):
        request = labels_pb2.ExplainRequest(
            model=model_name(project, model), sources=columns, unseen=unseen_number(unseen)
        )
        rows.put_votes(request, start, min(start + MOST_EXPLAINED, rows.n_rows))
        yield Call(rpcs.EXPLAIN, request, _explanations)


def _explanations(response: labels_pb2.ExplainResponse) -> list[Explanation]:
    classes = tuple(response.classes)
    return [Explanation.from_message(one, classes) for one in response.explanations]


def predict_set(
    project: str,
    model: str | None,
    rows: PredictRows,
    sources: Iterable[str] | None,
    coverage: float,
    unseen: str,
    n_classes: int,
) -> Iterator[Call[npt.NDArray[np.bool_]]]:
    """The calls that make sets of classes of new votes."""
    columns = () if sources is None else names(sources, rows.n_sources, "sources")
    start = 0
    while start < rows.n_rows:
        stop = min(start + chunks.MAX_ROWS, rows.n_rows)
        sizes = np.maximum(rows.row_bytes(start, stop), 4 * (n_classes + 1))
        stop = start + chunks.rows_that_fit(sizes, chunks.MAX_BYTES)
        request = labels_pb2.PredictSetRequest(
            model=model_name(project, model), sources=columns, coverage=coverage, unseen=unseen_number(unseen)
        )
        rows.put_votes(request, start, stop)
        yield Call(rpcs.PREDICT_SET, request, lambda response: sets_from_tensor(response.sets, n_classes))
        start = stop


def source_summary(
    project: str, votes_version: int | None, gold: Mapping[str, str], model: str | None
) -> ReportJob[Any, Any, SourceSummary]:
    """Reads a source summary; gold names side data, or nothing; model is one only where it is named."""
    request = analysis_pb2.ReadSourceSummaryRequest(
        parent=project_name(project),
        votes_version=votes_version or 0,
        gold=_gold(project, gold),
        model="" if model is None else model_name(project, model),
    )
    return ReportJob(rpcs.READ_SOURCE_SUMMARY, request, SourceSummary.from_messages)


def pairwise_agreement(project: str, votes_version: int | None) -> ReportJob[Any, Any, PairwiseAgreement]:
    """Reads how far sources agree."""
    request = analysis_pb2.ReadPairwiseAgreementRequest(parent=project_name(project), votes_version=votes_version or 0)
    return ReportJob(rpcs.READ_PAIRWISE_AGREEMENT, request, PairwiseAgreement.from_messages)


def effective_votes(
    project: str, model: str | None, gold: Mapping[str, str], families: Mapping[str, str] | None
) -> ReportJob[Any, Any, EffectiveVotes]:
    """Reads how many independent votes sources are worth."""
    request = analysis_pb2.ReadEffectiveVotesRequest(
        model=model_name(project, model), gold=_gold(project, gold), families=source_families(families)
    )
    return ReportJob(rpcs.READ_EFFECTIVE_VOTES, request, EffectiveVotes.from_messages)


def confusion_matrices(project: str, model: str | None) -> ReportJob[Any, Any, ConfusionMatrices]:
    """Reads the confusion matrices of a model."""
    request = analysis_pb2.ReadConfusionMatricesRequest(model=model_name(project, model))
    return ReportJob(rpcs.READ_CONFUSION_MATRICES, request, ConfusionMatrices.from_messages)


def diagnostics(project: str, model: Model) -> Call[Diagnostics]:
    """What the fit of a model says about itself."""
    sources = [estimate.source for estimate in model.sources]
    request = analysis_pb2.GetDiagnosticsRequest(model=model_name(project, model.name))
    return Call(rpcs.GET_DIAGNOSTICS, request, lambda response: Diagnostics.from_message(response, sources))


def evaluate(project: str, model: str | None, gold: Mapping[str, str], positive: int | None) -> Call[Scores]:
    """How good soft labels are."""
    request = analysis_pb2.EvaluateRequest(
        model=model_name(project, model), gold=_gold(project, gold), positive=positive
    )
    return Call(rpcs.EVALUATE, request, Scores.from_message)


def download_model(project: str, model: str | None) -> ReportJob[Any, Any, bytes]:
    """Reads the file of a model."""
    request = models_pb2.DownloadModelRequest(name=model_name(project, model))
    return ReportJob(rpcs.DOWNLOAD_MODEL, request, lambda parts: b"".join(part.data for part in parts))


def _gold(project: str, gold: Mapping[str, str]) -> str:
    return side_data_name(project, gold["gold"]) if gold else ""


def card(project: str, model: str | None, gold: Mapping[str, str], words: Mapping[str, Any]) -> Call[Card]:
    """Makes the card of a label set; gold names side data, or nothing, and words are fields of the request."""
    given = {name: value for name, value in words.items() if value}
    try:
        request = releases_pb2.GetCardRequest(
            model=model_name(project, model),
            gold=_gold(project, gold),
            **{**given, "creators": given.get("creators", ())},
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"of the words of a card, texts and mappings from text to text are expected: {error}"
        ) from None
    return Call(rpcs.GET_CARD, request, Card.from_message)
