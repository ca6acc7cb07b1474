"""Reports, labels of named items and models as files, by the stubs: what is refused, and how answers are cut."""

import hashlib
import io
import itertools
import json
import os
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import LabelModel, Votes
from weaklabel_protocol.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    labels_pb2,
    models_pb2,
    side_data_pb2,
)

Selection = labels_pb2.ItemSelection
NAMES = [f"mail {row}" for row in range(400)]


def reports(server: Any) -> analysis_pb2_grpc.AnalysisServiceStub:
    return analysis_pb2_grpc.AnalysisServiceStub(server.channel)


@pytest.fixture(scope="module")
def fitted(server: Any, simulated: Any) -> tuple[str, str]:
    """A project of 400 named items, and its model."""
    parent = server.create_project()
    server.upload(parent, simulated()[0], items=NAMES)
    return parent, server.fit(parent).model


@pytest.fixture(scope="module")
def unnamed(server: Any, simulated: Any) -> tuple[str, str]:
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    return parent, server.fit(parent).model


def file_of(seed: int = 0, sources: int = 5) -> bytes:
    votes = np.random.default_rng(seed).integers(0, 2, (60, sources))
    names = [f"source {column}" for column in range(sources)]
    model = LabelModel(classes=["ham", "spam"], seed=seed).fit(Votes.from_dense(votes, n_classes=2, sources=names))
    return model.to_bytes()


def upload(parent: str, data: bytes, pieces: int = 3, **fields: Any) -> Iterator[models_pb2.UploadModelRequest]:
    fields.setdefault("content_digest", hashlib.sha256(data).digest())
    yield models_pb2.UploadModelRequest(open=models_pb2.UploadModelOpen(parent=parent, **fields))
    step = -(-len(data) // pieces)
    for start in range(0, len(data), step):
        yield models_pb2.UploadModelRequest(data=data[start : start + step])


def test_named_items_are_read_in_their_order(server: Any, harness: Any, fitted: tuple[str, str]) -> None:
    _, model = fitted
    soft, labels, _ = server.read_soft_labels(model)
    wanted = [399, 3, 3, 70]
    items = Selection(item_ids=[NAMES[place] for place in wanted])
    answer = server.labels.GetSoftLabels(labels_pb2.GetSoftLabelsRequest(model=model, items=items))
    np.testing.assert_array_equal(harness.matrix(answer.probabilities), soft[wanted])
    np.testing.assert_array_equal(harness.matrix(answer.labels), labels[wanted])
    streamed = server.read_soft_labels(model, items=items)
    np.testing.assert_array_equal(streamed[0], soft[wanted])
    assert streamed[2] == list(items.item_ids)
    part = server.read_soft_labels(model, items=Selection(positions=wanted), row_offset=1, row_limit=2)
    np.testing.assert_array_equal(part[0], soft[[3, 3]])
    assert part[2] == [NAMES[3], NAMES[3]]
    none = server.read_soft_labels(model, items=Selection(positions=wanted), row_offset=4)
    assert none[0].shape == (0, 2)


def test_items_of_a_later_version_are_not_those_of_the_model(server: Any, harness: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated(items=30)[0], items=NAMES[:30])
    model = server.fit(parent).model
    server.upload(parent, simulated(items=2)[0], items=["new 0", "new 1"])
    for items in (Selection(item_ids=["mail 1", "new 1", "no"]), Selection(positions=[0, 30, 31])):
        request = labels_pb2.GetSoftLabelsRequest(model=model, items=items)
        failure = harness.failure_of(lambda request=request: server.labels.GetSoftLabels(request))
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND")
        assert failure.message.endswith("is not among the 30 items of the model, nor are 1 others")


@pytest.mark.parametrize(
    ("items", "field"),
    [
        (Selection(), "items"),
        (Selection(item_ids=["mail 1"], positions=[1]), "items"),
        (Selection(positions=range(65_537)), "items"),
    ],
)
def test_selections_that_are_none(server: Any, harness: Any, fitted: tuple[str, str], items: Any, field: str) -> None:
    request = labels_pb2.GetSoftLabelsRequest(model=fitted[1], items=items)
    failure = harness.failure_of(lambda: server.labels.GetSoftLabels(request))
    assert (failure.info.reason, list(failure.violations)) == ("INVALID_FIELD", [field])


def test_ids_in_a_project_without_and_long_ids(
    server: Any, harness: Any, unnamed: tuple[str, str], fitted: tuple[str, str]
) -> None:
    request = labels_pb2.GetSoftLabelsRequest(model=unnamed[1], items=Selection(item_ids=["a"]))
    failure = harness.failure_of(lambda: server.labels.GetSoftLabels(request))
    assert failure.violations == {"items.item_ids": "this project names its items by position"}
    request = labels_pb2.GetSoftLabelsRequest(model=fitted[1], items=Selection(item_ids=["x" * 100_000]))
    failure = harness.failure_of(lambda: server.labels.GetSoftLabels(request))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert len(failure.message) < 300
    huge = labels_pb2.GetSoftLabelsRequest(model=fitted[1], items=Selection(positions=[2**64 - 1]))
    assert harness.failure_of(lambda: server.labels.GetSoftLabels(huge)).info.reason == "ITEM_NOT_FOUND"


def test_numbers_that_are_no_choice_are_refused(server: Any, harness: Any, fitted: tuple[str, str]) -> None:
    votes = harness.tensor(np.zeros((2, 5)))
    for field in ("tie_break_policy", "unseen"):
        request = labels_pb2.PredictRequest(model=fitted[1], votes=votes)
        setattr(request, field, 9)
        assert list(harness.failure_of(lambda request=request: server.labels.Predict(request)).violations) == [field]
    first = labels_pb2.PredictStreamRequest(model=fitted[1], votes=votes)
    other = labels_pb2.PredictStreamRequest(votes=votes, unseen=labels_pb2.UNSEEN_SOURCES_IGNORE)
    failure = harness.failure_of(lambda: list(server.labels.PredictStream(iter([first, other]))))
    assert list(failure.violations) == ["unseen"]


def test_explain_and_sets_check_their_requests(server: Any, harness: Any, fitted: tuple[str, str]) -> None:
    model, votes = fitted[1], harness.tensor(np.zeros((65, 5)))
    cases = {
        "votes": labels_pb2.ExplainRequest(model=model),
        "votes.rows": labels_pb2.ExplainRequest(model=model, votes=votes),
        "items": labels_pb2.ExplainRequest(model=model, items=Selection(positions=range(65))),
    }
    for field, request in cases.items():
        failure = harness.failure_of(lambda request=request: server.labels.Explain(request))
        assert (failure.info.reason, list(failure.violations)) == ("INVALID_FIELD", [field])
    both = labels_pb2.ExplainRequest(model=model, votes=votes, items=Selection(positions=[1]))
    assert harness.failure_of(lambda: server.labels.Explain(both)).violations
    for coverage in (0.0, 1.0, float("nan")):
        asked = labels_pb2.PredictSetRequest(model=model, votes=votes, coverage=coverage)
        failure = harness.failure_of(lambda asked=asked: server.labels.PredictSet(asked))
        assert list(failure.violations) == ["coverage"]
    missing = labels_pb2.PredictSetRequest(model=model, coverage=0.5)
    assert list(harness.failure_of(lambda: server.labels.PredictSet(missing)).violations) == ["votes"]


def test_reports_keep_to_their_project(server: Any, harness: Any, fitted: tuple[str, str], unnamed: Any) -> None:
    parent, model = fitted
    gold = server.upload_side(
        unnamed[0],
        side_data_pb2.SIDE_DATA_KIND_GOLD,
        (3, side_data_pb2.SideRows(gold=harness.tensor([[0], [1], [1]]))),
    )[-1].name
    stub = reports(server)
    for request, call, field in (
        (analysis_pb2.ReadSourceSummaryRequest(parent=parent, gold=gold), stub.ReadSourceSummary, "gold"),
        (analysis_pb2.ReadSourceSummaryRequest(parent=parent, model=unnamed[1]), stub.ReadSourceSummary, "model"),
        (analysis_pb2.ReadEffectiveVotesRequest(model=model, gold=gold), stub.ReadEffectiveVotes, "gold"),
    ):
        failure = harness.failure_of(lambda request=request, call=call: list(call(request)))
        assert list(failure.violations) == [field]
    failure = harness.failure_of(lambda: stub.Evaluate(analysis_pb2.EvaluateRequest(model=model, gold=gold)))
    assert list(failure.violations) == ["gold"]
    assert stub.Evaluate(analysis_pb2.EvaluateRequest(model=unnamed[1], gold=gold)).item_count == 3


@pytest.mark.slow
def test_matrices_are_cut_to_the_size_of_messages(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of 64 KiB, and names that fill them: every row arrives once, in order."""
    monkeypatch.setenv("WEAKLABEL_MAX_MESSAGE_BYTES", str(2**16))
    server = start()
    parent = server.create_project([f"class {k}" for k in range(12)])
    sources = [f"{column} {'é' * 200}" for column in range(140)]
    rng = np.random.default_rng(0)
    votes = rng.integers(-1, 12, (60, 140)).astype(np.int8)
    server.upload(parent, votes, sources=sources, chunk_rows=20)
    model = server.fit(parent).model
    stub = reports(server)

    parts = list(stub.ReadConfusionMatrices(analysis_pb2.ReadConfusionMatricesRequest(model=model)))
    assert len(parts) > 1
    assert [part.row_offset for part in parts] == np.cumsum([0, *(part.rows.rows for part in parts[:-1])]).tolist()
    assert [one for part in parts for one in part.sources] == sources
    assert sum(part.rows.rows for part in parts) == 1680
    rows = np.concatenate([np.frombuffer(part.rows.data, "<f4").reshape(-1, 12) for part in parts])
    np.testing.assert_allclose(rows.reshape(140, 12, 12).sum(1), 1, atol=1e-4)

    pairs = list(stub.ReadPairwiseAgreement(analysis_pb2.ReadPairwiseAgreementRequest(parent=parent)))
    assert len(pairs) > 1
    assert [one for part in pairs for one in part.sources] == sources
    items = np.concatenate([np.frombuffer(part.items.data, "<i4").reshape(-1, 140) for part in pairs])
    there = (votes >= 0).astype(int)
    np.testing.assert_array_equal(items, there.T @ there)

    lines = list(stub.ReadSourceSummary(analysis_pb2.ReadSourceSummaryRequest(parent=parent)))
    assert len(lines) > 1
    assert [line.source for part in lines for line in part.lines] == sources
    assert [part.votes_version for part in lines] == [1] + [0] * (len(lines) - 1)
    assert all(part.ByteSize() <= 2**16 for part in (*parts, *pairs, *lines))

    many = labels_pb2.ExplainRequest(model=model, items=Selection(positions=range(4)))
    with pytest.raises(grpc.RpcError) as caught:
        server.labels.Explain(many)
    failed: Any = caught.value
    assert failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "ask for fewer items" in failed.details()
    one = labels_pb2.ExplainRequest(model=model, items=Selection(positions=[0]))
    assert len(server.labels.Explain(one).explanations) == 1


def test_uploads_that_are_none(server: Any, harness: Any) -> None:
    parent, data = server.create_project(), file_of()
    opening, *rest = upload(parent, data)

    def refused(*messages: models_pb2.UploadModelRequest) -> Any:
        return harness.failure_of(lambda: server.models.UploadModel(iter(messages)))

    assert list(refused().violations) == ["open"]
    assert list(refused(*rest).violations) == ["open"]
    assert list(refused(opening, opening).violations) == ["message"]
    assert list(refused(opening, models_pb2.UploadModelRequest()).violations) == ["message"]
    assert list(refused(opening, *rest[:-1]).violations) == ["open.content_digest"]
    assert list(refused(*upload(parent, data, content_digest=b"x")).violations) == ["open.content_digest"]
    assert list(refused(*upload("spam", data)).violations) == ["open.parent"]
    assert refused(*upload(parent, data, votes_version=0)).info.reason == "NO_VOTES"
    assert refused(*upload(parent, data, votes_version=4)).info.reason == "VOTES_VERSION_NOT_FOUND"
    assert refused(*upload(parent, data, request_id="1")).violations
    assert not server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models


def test_a_repeated_upload_is_one_model(server: Any, harness: Any) -> None:
    parent, request_id = server.create_project(), str(uuid.uuid4())
    first = server.models.UploadModel(upload(parent, file_of(), request_id=request_id))
    again = server.models.UploadModel(upload(parent, file_of(), pieces=1, request_id=request_id))
    assert again == first
    assert len(server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models) == 1
    other = upload(parent, file_of(seed=1), request_id=request_id)
    failure = harness.failure_of(lambda: server.models.UploadModel(other))
    assert failure.info.reason == "REQUEST_ID_REUSED"


def test_an_uploaded_model_survives_a_kill(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    data = file_of()
    model = server.models.UploadModel(upload(parent, data, votes_version=1)).model
    before = server.read_soft_labels(model.name)[0]
    server.kill()
    server = start()
    np.testing.assert_array_equal(server.read_soft_labels(model.name)[0], before)
    pieces = list(server.models.DownloadModel(models_pb2.DownloadModelRequest(name=f"{parent}/models/latest")))
    assert (pieces[0].name, pieces[0].total_bytes) == (model.name, len(data))
    assert b"".join(piece.data for piece in pieces) == data
    assert server.models.GetModel(models_pb2.GetModelRequest(name=model.name)).model == model


def test_few_reports_are_made_at_a_time(server: Any, harness: Any, fitted: tuple[str, str]) -> None:
    """Each keeps its place for a second or more, one after the other: of nine at once the ninth is refused."""
    request = labels_pb2.ExplainRequest(model=fitted[1], items=Selection(positions=range(64)))
    calls = [server.labels.Explain.future(request) for _ in range(9)]
    try:
        ended = harness.until(lambda: [call for call in calls if call.done() and call.exception() is not None])
        failure = harness.failure_of(ended[0].result)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ANALYSES")
        assert failure.retry_seconds == 1
        # What takes no time is answered beside them.
        asked = analysis_pb2.GetDiagnosticsRequest(model=fitted[1])
        assert reports(server).GetDiagnostics(asked, timeout=5).model == fitted[1]
        assert not all(call.done() for call in calls)
    finally:
        for call in calls:
            call.cancel()


def _damaged(data: bytes) -> Iterator[bytes]:
    """The file with one value changed at a time: every one of the header, and every array in several ways."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = {name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
    header = json.loads(arrays.pop("header").tobytes())

    def packed(header: dict[str, Any], arrays: dict[str, Any]) -> bytes:
        made = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(made, header=text, **arrays)
        return made.getvalue()

    odd: tuple[Any, ...] = (None, "x\n", -1, 2**70, float("nan"), [], {}, [["a"]], True)
    for key, inner in [(None, key) for key in header] + [("diagnostics", key) for key in header["diagnostics"]]:
        for value in odd:
            copy = json.loads(json.dumps(header))
            (copy if key is None else copy[key])[inner] = value
            yield packed(copy, arrays)
    for name, array in arrays.items():
        changes = [array.astype(complex), array[..., None], np.full_like(array, 1)]
        if array.dtype.kind == "f":
            changes += [np.full_like(array, np.inf), np.full_like(array, 3e38), np.full_like(array, -3e38)]
        for changed in changes:
            yield packed(header, arrays | {name: changed})
        yield packed(header, {key: value for key, value in arrays.items() if key != name})


def test_no_damaged_model_is_an_internal_error(server: Any, harness: Any) -> None:
    """Each is refused as what the caller sent, or is a model that can be told of and predicts.

    Every fifth way to damage one; all of them, in some 20 s, with WEAKLABEL_TEST_STRIDE=1.
    """
    parent = server.create_project()
    votes = harness.tensor([[0, 1, -1, 0, 1], [1, 1, 1, 1, 1]])
    n_refused = n_taken = 0
    stride = int(os.environ.get("WEAKLABEL_TEST_STRIDE", "5"))
    for data in itertools.islice(_damaged(file_of()), 0, None, stride):
        try:
            model = server.models.UploadModel(upload(parent, data)).model
        except grpc.RpcError as error:
            failed: Any = error
            assert failed.code() is grpc.StatusCode.INVALID_ARGUMENT, failed.details()
            n_refused += 1
        else:
            answer = server.labels.Predict(labels_pb2.PredictRequest(model=model.name, votes=votes))
            np.testing.assert_allclose(harness.matrix(answer.probabilities).sum(1), 1, atol=1e-3)
            reports(server).GetDiagnostics(analysis_pb2.GetDiagnosticsRequest(model=model.name))
            n_taken += 1
    assert n_refused > 20
    assert n_taken > 0
    models = server.models.ListModels(models_pb2.ListModelsRequest(parent=parent, page_size=1000)).models
    assert len(models) == n_taken


@pytest.mark.slow
def test_readers_that_leave_give_their_places_back(server: Any, harness: Any) -> None:
    """Readers of 48 MB that take one message each keep all places, until they go."""
    parent = server.create_project()
    server.upload(parent, np.random.default_rng(0).integers(0, 2, (4, 2000)).astype(np.int8))
    request = analysis_pb2.ReadPairwiseAgreementRequest(parent=parent)
    # with the probe, gRPC takes in as much ahead of the reader as loopback brings: whole reports
    options = [("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(server.process.address, options) as channel:
        read = analysis_pb2_grpc.AnalysisServiceStub(channel).ReadPairwiseAgreement
        readers = [read(request) for _ in range(8)]
        for reader in readers:
            next(reader)
        assert harness.failure_of(lambda: next(read(request))).info.reason == "TOO_MANY_ANALYSES"
        for reader in readers:
            reader.cancel()

        def answered() -> bool:
            again = [read(request) for _ in range(8)]
            try:
                return all(next(reader) for reader in again)
            except grpc.RpcError:
                return False
            finally:
                for reader in again:
                    reader.cancel()

        harness.until(answered)  # all eight
