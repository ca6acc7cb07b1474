"""No request takes more memory than MULTIPLE times its size, beside what any request may take."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_protocol.v1 import labels_pb2, models_pb2, prompts_pb2, side_data_pb2, votes_pb2

MULTIPLE = 64
BASE = 128 * 1024 * 1024
"""Bytes: what is compiled for new shapes, a block of rows that is computed, and what allocators keep."""


@pytest.fixture(scope="module")
def measured(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of its own, so that no other test's memory is counted."""
    with serving(tmp_path_factory.mktemp("measured"), {"WEAKLABEL_WARM_UP": "on"}) as server:
        yield server


def _status(server: Any, field: str) -> int:
    for line in Path(f"/proc/{server.process.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def _check(server: Any, request: Any, call: Callable[[], Any], *, what: str) -> Any:
    """Makes a call, which may fail, and compares the peak of the server's memory with the size of the request."""
    pid = server.process.process.pid
    before = _status(server, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    error = None
    try:
        answer = call()
    except grpc.RpcError as failure:
        answer, error = None, failure
    taken = _status(server, "VmHWM") - before
    size = request.ByteSize() if hasattr(request, "ByteSize") else request
    assert taken <= MULTIPLE * size + BASE, (what, size, taken)
    assert server.process.process.poll() is None
    return answer if error is None else error


def _bag(harness: Any, item_ids: list[str], sizes: list[int]) -> side_data_pb2.Bags:
    bags = side_data_pb2.Bags(
        sizes=harness.tensor(np.array(sizes)[:, None], "<i4"),
        item_ids=item_ids,
    )
    bags.kind = side_data_pb2.BAG_KIND_SAME_LABEL
    return bags


def _model(server: Any, codes: Any, **fields: Any) -> tuple[str, str]:
    parent = server.create_project()
    server.upload(parent, codes)
    operation = server.fit(parent, **fields)
    assert operation.model, operation.error
    return parent, operation.model


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="peaks of memory are measured by Linux")
@pytest.mark.slow
def test_texts_and_sparse_data(measured: Any, harness: Any, simulated: Any) -> None:
    parent, model = _model(measured, simulated()[0])
    predict = measured.labels.Predict
    votes = harness.tensor(np.zeros((60_000, 5)))

    for length in (20_000, 255):
        ids = [f"i{at}" for at in range(59_999)] + ["x" * length]
        side = side_data_pb2.SideRows(bags=_bag(harness, ids, [60_000]))
        request = labels_pb2.PredictRequest(model=model, votes=votes, side=side)
        failed = _check(measured, request, lambda: predict(request), what=f"ids of bags, one of {length}")  # noqa: B023
        assert failed.code() is grpc.StatusCode.INVALID_ARGUMENT

    groups = side_data_pb2.Groups(names=["a", "x" * 255], indices=harness.tensor(np.zeros((60_000, 1))))
    request = labels_pb2.PredictRequest(model=model, votes=votes, side=side_data_pb2.SideRows(groups=groups))
    _check(measured, request, lambda: predict(request), what="groups")

    members = np.arange(60_000)
    for kind in (side_data_pb2.BAG_KIND_AT_LEAST_ONE, side_data_pb2.BAG_KIND_SAME_LABEL):
        for sizes in ([60_000], [1] * 60_000):
            bags = side_data_pb2.Bags(
                sizes=harness.tensor(np.array(sizes)[:, None], "<i4"),
                items=harness.tensor(members[:, None], "<i4"),
                values=harness.tensor(np.ones((len(sizes), 1)), "<f4"),
            )
            bags.kind = kind
            request = labels_pb2.PredictRequest(model=model, votes=votes, side=side_data_pb2.SideRows(bags=bags))
            _check(measured, request, lambda: predict(request), what=f"{len(sizes)} bags of kind {kind}")  # noqa: B023

    repeated = votes_pb2.UploadVotesOpen(parent=parent, upload_id=str(uuid.uuid4()), sources=["a"] * 500_000)
    opening = votes_pb2.UploadVotesRequest(open=repeated)
    _check(measured, opening, lambda: list(measured.votes.UploadVotes(iter([opening]))), what="sources")
    chunk = votes_pb2.UploadVotesChunk(rows=3, item_ids=["a"] * 1_000_000)
    messages = [next(harness.upload_messages(parent, np.zeros((1, 1)))), votes_pb2.UploadVotesRequest(chunk=chunk)]
    _check(measured, messages[1], lambda: list(measured.votes.UploadVotes(iter(messages))), what="ids of a chunk")


def test_one_vote_of_many_cells(measured: Any, harness: Any) -> None:
    parent = measured.create_project()
    names = [f"s{at}" for at in range(10_000)]
    first = next(harness.upload_messages(parent, np.zeros((1, 1)), sources=names))
    chunk = votes_pb2.UploadVotesChunk(rows=65_536)
    chunk.sparse.triples.CopyFrom(harness.tensor([[3, 5, 1]], "<i4"))
    finish = votes_pb2.UploadVotesFinish(total_rows=65_536)
    messages = [first, votes_pb2.UploadVotesRequest(chunk=chunk), votes_pb2.UploadVotesRequest(finish=finish)]
    upload = lambda: list(measured.votes.UploadVotes(iter(messages)))  # noqa: E731
    _check(measured, first, upload, what="upload of one vote")
    request = votes_pb2.ReadVotesRequest(parent=parent, row_offset=3, row_limit=1)
    (answer,) = _check(measured, request, lambda: list(measured.votes.ReadVotes(request)), what="one row of it")
    assert np.flatnonzero(harness.matrix(answer.votes)[0] != -1).tolist() == [5]


@pytest.mark.slow
def test_few_votes_for_a_model_of_many_sources(measured: Any, harness: Any) -> None:
    rng = np.random.default_rng(0)
    few_steps = models_pb2.FitOptions(max_iterations=2)
    _, model = _model(measured, rng.integers(0, 2, (12, 800)).astype(np.int8), options=few_steps)
    request = labels_pb2.PredictRequest(
        model=model, sources=["source 7"], votes=harness.tensor(rng.integers(0, 2, (65_536, 1)))
    )
    answer = _check(measured, request, lambda: measured.labels.Predict(request), what="65,536 rows of 800 sources")
    assert answer.probabilities.rows == 65_536
    few = labels_pb2.PredictRequest(model=model, sources=["source 7"], votes=harness.tensor([[0], [1]]))
    expected = harness.matrix(measured.labels.Predict(few).probabilities)
    given = np.frombuffer(request.votes.data, np.int8)
    np.testing.assert_allclose(harness.matrix(answer.probabilities), expected[given], atol=1e-6)


@pytest.mark.slow
def test_empty_rows_of_many_features(measured: Any, harness: Any, simulated: Any) -> None:
    codes, truth = simulated(items=60)
    parent = measured.create_project()
    measured.upload(parent, codes)
    features = np.random.default_rng(1).normal(size=(60, 2_000)) + truth[:, None]
    rows = side_data_pb2.SideRows(features=harness.tensor(features, "<f4"))
    uploaded = measured.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_FEATURES, (60, rows))[-1]
    model = measured.fit(parent, side=models_pb2.SideInformation(features=uploaded.name)).model
    sparse = side_data_pb2.SparseRows(
        columns=2_000,
        lengths=harness.tensor(np.zeros((65_536, 1))),
        indices=harness.tensor(np.zeros((0, 1))),
        values=harness.tensor(np.zeros((0, 1)), "<f4"),
    )
    request = labels_pb2.PredictRequest(model=model, side=side_data_pb2.SideRows(sparse_features=sparse))
    answer = _check(measured, request, lambda: measured.labels.Predict(request), what="empty rows of 2,000 features")
    assert not isinstance(answer, grpc.RpcError), answer


def test_parameters_of_prompts(measured: Any) -> None:
    parent = measured.create_project()
    prompt = prompts_pb2.Prompt(name="a", model="m", template="t")
    prompt.parameters["a"] = [None] * 500_000
    request = prompts_pb2.PlanPromptsRequest(parent=parent, prompts=[prompt], items=f"{parent}/sideData/none")
    plan = measured.channel.unary_unary(
        "/weaklabel.v1.PromptService/PlanPrompts", prompts_pb2.PlanPromptsRequest.SerializeToString
    )
    _check(measured, request, lambda: plan(request), what="parameters")
