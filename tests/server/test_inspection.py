"""Estimates, inspection and label errors by the stubs: what is refused and where, and how answers are cut."""

from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel.analysis import ContestedItems, Mistakes, SourceConfusions, SourcePairs
from weaklabel_client._results import inspection as results
from weaklabel_client._results.label_errors import LabelIssues
from weaklabel_protocol.v1 import (
    analysis_pb2_grpc,
    estimates_pb2,
    inspection_pb2,
    label_errors_pb2,
    side_data_pb2,
)
from weaklabel_server.messages.analysis import inspection as messages
from weaklabel_server.messages.analysis.label_errors import LabelErrors, label_error_messages

Given = estimates_pb2.GivenLabels
Slicing = inspection_pb2.Slicing
SMALL = 8_192
"""Bytes of a message, of which each may use 4,096 for its head."""


@pytest.fixture(scope="module")
def world(server: Any, harness: Any, simulated: Any) -> Any:
    """Two projects with a model and gold each, and texts in the first."""
    made = SimpleNamespace(stub=analysis_pb2_grpc.AnalysisServiceStub(server.channel))
    gold = (4, side_data_pb2.SideRows(gold=harness.tensor([[0], [1], [1], [-1]])))
    for name in ("own", "other"):
        parent = server.create_project()
        server.upload(parent, simulated()[0])
        uploaded = server.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_GOLD, gold)[-1].name
        setattr(made, name, SimpleNamespace(parent=parent, model=server.fit(parent).model, gold=uploaded))
    texts = side_data_pb2.Fields(items=[side_data_pb2.ItemFields(values={"text": "b"}) for _ in range(3)])
    rows = (3, side_data_pb2.SideRows(fields=texts))
    made.fields = server.upload_side(made.own.parent, side_data_pb2.SIDE_DATA_KIND_FIELDS, rows)[-1].name
    return made


def refusals(world: Any) -> list[tuple[Any, Any, str, str]]:
    """Method, request, reason and field at fault."""
    own, other, stub = world.own, world.other, world.stub
    accuracy, scores = estimates_pb2.GetAccuracyEstimateRequest, inspection_pb2.ReadScoresRequest
    errors, mistakes = label_errors_pb2.ReadLabelErrorsRequest, inspection_pb2.ReadMistakesRequest
    named: dict[str, Any] = {"model": own.model, "gold": own.gold}
    invalid = "INVALID_FIELD"
    return [
        (stub.GetAccuracyEstimate, accuracy(model=own.model), invalid, "gold"),
        (stub.GetAccuracyEstimate, accuracy(model=own.model, gold=other.gold), invalid, "gold"),
        (stub.GetAccuracyEstimate, accuracy(**named, gold_weight=own.gold), invalid, "gold_weight"),
        (stub.GetAccuracyEstimate, accuracy(**named, confidence=1), invalid, "confidence"),
        (stub.GetAccuracyEstimate, accuracy(**named, confidence=float("nan")), invalid, "confidence"),
        (stub.GetAccuracyEstimate, accuracy(**named, labels=Given()), invalid, "labels"),
        (stub.GetAccuracyEstimate, accuracy(**named, labels=Given(model=other.model)), invalid, "labels.model"),
        (stub.GetAccuracyEstimate, accuracy(**named, labels=Given(side_data=other.gold)), invalid, "labels.side_data"),
        (
            stub.GetAccuracyEstimate,
            accuracy(**named, labels=Given(side_data=world.fields)),
            invalid,
            "labels.side_data",
        ),
        (stub.GetDifferenceEstimate, estimates_pb2.GetDifferenceEstimateRequest(**named), invalid, "others"),
        (stub.GetLabelsNeeded, estimates_pb2.GetLabelsNeededRequest(parent=own.parent), invalid, "estimate.confidence"),
        (stub.GetReliability, reliability(own.parent, 9), invalid, "coefficient"),
        (stub.ReadScores, scores(**named), invalid, "metrics"),
        (stub.ReadScores, scores(**named, metrics=["f2"]), invalid, "metrics"),
        (stub.ReadScores, scores(**named, metrics=["f1"], positive=2), invalid, "positive"),
        (stub.ReadScores, scores(**named, metrics=["nll"], by=Slicing()), invalid, "by.side_data"),
        (stub.ReadScores, scores(**named, metrics=["nll"], by=sliced(world, ["x"])), invalid, "by.fields[0]"),
        (stub.ReadScores, scores(**named, metrics=["nll"], by=sliced(world, [], ["text"])), invalid, "by.numbers[0]"),
        (
            stub.ReadScores,
            scores(**named, metrics=["nll"], by=sliced(world, ["text"], ["y"])),
            invalid,
            "by.numbers[0]",
        ),
        (stub.ReadMistakes, mistakes(model=own.model, source="nobody"), invalid, "source"),
        (stub.ReadMistakes, mistakes(model=own.model, by=Slicing(side_data=other.gold)), invalid, "by.side_data"),
        (
            stub.ReadSourcePairs,
            inspection_pb2.ReadSourcePairsRequest(model=own.model, gold=other.gold),
            invalid,
            "gold",
        ),
        (stub.ReadSourceConfusions, confusions(own.model, ["source 0", "source 0"]), invalid, "sources[1]"),
        (stub.ReadContestedItems, contested(own.parent, model=other.model), invalid, "model"),
        (stub.ReadContestedItems, contested(own.parent, model=own.model, votes_version=7), invalid, "votes_version"),
        (stub.ReadContestedItems, contested(own.parent, votes_version=7), "VOTES_VERSION_NOT_FOUND", ""),
        (stub.ReadLeaveOneOut, inspection_pb2.ReadLeaveOneOutRequest(model="x"), invalid, "model"),
        (stub.ReadLabelErrors, errors(parent=own.parent), invalid, "labels"),
        (stub.ReadLabelErrors, errors(parent=own.parent, labels=Given(model=own.model)), invalid, "labels.model"),
        (stub.ReadLabelErrors, errors(parent=own.parent, labels=Given(source="nobody")), invalid, "labels.source"),
    ]


def reliability(parent: str, coefficient: int) -> inspection_pb2.GetReliabilityRequest:
    made = inspection_pb2.GetReliabilityRequest(parent=parent)
    made.coefficient = coefficient  # type: ignore[assignment]  # a number that is none
    return made


def sliced(world: Any, fields: list[str], numbers: list[str] | None = None) -> inspection_pb2.Slicing:
    return Slicing(side_data=world.fields, fields=fields, numbers=numbers or [])


def confusions(model: str, sources: list[str]) -> inspection_pb2.ReadSourceConfusionsRequest:
    return inspection_pb2.ReadSourceConfusionsRequest(model=model, sources=sources)


def contested(parent: str, **fields: Any) -> inspection_pb2.ReadContestedItemsRequest:
    return inspection_pb2.ReadContestedItemsRequest(parent=parent, **fields)


def test_what_is_refused_is_named_by_its_place(world: Any, harness: Any) -> None:
    for call, request, reason, field in refusals(world):

        def made(call: Any = call, request: Any = request) -> Any:
            answer = call(request, timeout=20)
            return list(answer) if hasattr(answer, "__next__") else answer

        failure = harness.failure_of(made)
        assert (failure.info.reason, list(failure.violations)) == (reason, [field] if field else []), request
        assert failure.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_predictions_and_fits_take_no_labels_of_somebody(server: Any, harness: Any, world: Any) -> None:
    from weaklabel_protocol.v1 import labels_pb2, models_pb2

    side = side_data_pb2.SideRows(labels=harness.tensor([[0]]))
    request = labels_pb2.PredictRequest(model=world.own.model, votes=harness.tensor(np.zeros((1, 5))), side=side)
    assert list(harness.failure_of(lambda: server.labels.Predict(request)).violations) == ["side.labels"]
    uploaded = server.upload_side(world.own.parent, side_data_pb2.SIDE_DATA_KIND_LABELS, (1, side))[-1].name
    fit = models_pb2.FitModelRequest(parent=world.own.parent, side=models_pb2.SideInformation(gold=uploaded))
    assert list(harness.failure_of(lambda: server.models.FitModel(fit)).violations) == ["side.gold"]


# ------------------------------------------------------------------- messages

NAMES = tuple(f"{place} {'é' * 100}" for place in range(40))
RNG = np.random.default_rng(0)


def checked(parts: Any) -> list[Any]:
    """Messages, of which there are several and none is too large."""
    listed = list(parts)
    assert len(listed) > 1
    assert max(part.ByteSize() for part in listed) <= SMALL
    return listed


def test_pairs_are_cut() -> None:
    first, second = np.triu_indices(len(NAMES), 1)
    n_pairs = len(first)
    pairs = SourcePairs(
        first=tuple(NAMES[at] for at in first),
        second=tuple(NAMES[at] for at in second),
        items=np.arange(n_pairs),
        agreement=RNG.random(n_pairs),
        kappa=np.full(n_pairs, np.nan),
        error_correlation=RNG.random(n_pairs),
        copies=RNG.random(n_pairs) < 0.5,
    )
    found = results.SourcePairs.from_messages(checked(messages.pair_messages("m", NAMES, pairs, SMALL)), by_gold=False)
    assert (found.first, found.second) == (pairs.first, pairs.second)
    np.testing.assert_array_equal(found.items, pairs.items)
    np.testing.assert_allclose(found.error_correlation, pairs.error_correlation, rtol=1e-6)
    np.testing.assert_array_equal(found.copies, pairs.copies)


def test_confusions_are_cut() -> None:
    values = {name: RNG.random((40, 7, 7)) for name in ("counts", "rates", "low", "high")}
    classes = tuple("abcdefg")
    made = SourceConfusions(sources=NAMES, classes=classes, by="gold", **values)
    parts = checked(messages.confusion_messages("m", made, SMALL))
    assert [part.row_offset for part in parts] == np.cumsum([0, *(part.rates.rows for part in parts[:-1])]).tolist()
    found = results.SourceConfusions.from_messages(parts, "gold", classes)
    assert found.sources == NAMES
    for name, expected in values.items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-6)


def test_items_lines_and_labels_are_cut() -> None:
    n = 300
    said = tuple({NAMES[at % 40]: "x", NAMES[(at + 1) % 40]: "y"} for at in range(n))
    made = ContestedItems(
        items=np.arange(n)[::-1],
        item_ids=None,
        classes=("x", "y"),
        first=np.zeros(n, np.int64),
        second=np.ones(n, np.int64),
        support=RNG.random((n, 2)),
        probability=None,
        votes=said,
    )
    ids = [f"mail {at}" for at in range(n)]
    parts = checked(messages.contested_messages(4, NAMES, made, ids, SMALL))
    assert [part.votes_version for part in parts] == [4] + [0] * (len(parts) - 1)
    found = results.ContestedItems.from_messages(parts, ("x", "y"), with_model=False)
    assert (found.votes, found.item_ids) == (said, tuple(ids))
    np.testing.assert_array_equal(found.items, made.items)
    np.testing.assert_array_equal(found.support, made.support)

    numbers = {name: RNG.random(n) for name in ("n_votes", "wrong", "rate", "low", "high")}
    lines = Mistakes(source="s", by="gold", columns=("c",) * n, values=tuple(ids), **numbers)
    told = results.Mistakes.from_messages(checked(messages.mistake_messages("m", lines, SMALL)), "s", "gold")
    assert told.values == tuple(ids)
    np.testing.assert_array_equal(told.low, lines.low)

    probability = RNG.random(n)
    probability[::7] = np.nan
    suspects = np.flatnonzero(probability > 0.5)
    errors = LabelErrors(
        votes_version=2,
        n_expected=1.5,
        probability=probability,
        given=np.where(np.isnan(probability), -1, 1).astype(np.int32),
        suggested=np.zeros(n, np.int32),
        reasons=[f"why {item}" for item in suspects],
        item_ids=ids,
    )
    issues = LabelIssues.from_messages(checked(label_error_messages(errors, SMALL)), ("x", "y"))
    np.testing.assert_array_equal(issues.probability, probability)
    assert (issues.votes_version, issues.n_expected, issues.item_ids) == (2, 1.5, tuple(ids))
    assert {one.item: one.reason for one in issues} == {int(item): f"why {item}" for item in suspects}
