"""The main job through a real server: votes in, a model, soft labels out."""

from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import LabelModel
from weaklabel_protocol.v1 import (
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    sources_pb2,
    tensor_pb2,
    votes_pb2,
)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_upload_fit_and_read(server: Any, simulated: Any, sparse: bool, named: bool) -> None:
    codes, truth = simulated()
    codes[3, 2] = -2  # a source that failed
    parent = server.create_project()
    items = [f"item/{row} é" for row in range(len(codes))] if named else None

    answers = server.upload(parent, codes, items=items, sparse=sparse, chunk_rows=150)
    assert [answer.committed_rows for answer in answers] == [0, 150, 300, 400, 400]
    assert [answer.finished for answer in answers] == [False] * 4 + [True]
    assert answers[-1].votes_version == 1
    np.testing.assert_array_equal(server.read_votes(parent), codes)
    project = server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project
    assert (project.item_count, project.source_count, project.votes_version) == (400, 5, 1)

    operation = server.fit(parent)
    assert operation.WhichOneof("result") == "model", operation
    assert operation.progress.stage == operations_pb2.FIT_STAGE_DONE
    model = server.models.GetModel(models_pb2.GetModelRequest(name=f"{parent}/models/latest")).model
    assert model.name == operation.model
    assert (model.votes_version, model.item_count, model.converged) == (1, 400, True)
    assert model.iteration_count == len(model.objective) == operation.progress.iteration
    assert [estimate.source for estimate in model.sources] == [f"source {column}" for column in range(5)]
    assert sum(model.class_balance) == pytest.approx(1)

    probabilities, labels, ids = server.read_soft_labels(model.name)
    assert probabilities.dtype == np.float32
    assert labels.dtype == np.int32
    assert ids == (items or [])
    # The same votes through the library in this process: the service must add nothing and lose nothing.
    local = LabelModel(n_classes=2).fit(np.maximum(codes, -1))
    expected, expected_labels = local.label(np.maximum(codes, -1))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(labels[:, 0], expected_labels)
    assert (probabilities.argmax(1) == truth).mean() > 0.85

    part, _, part_ids = server.read_soft_labels(model.name, row_offset=100, row_limit=7)
    np.testing.assert_array_equal(part, probabilities[100:107])
    assert part_ids == (items or [])[100:107]


@pytest.mark.parametrize("named", [False, True])
def test_reading_goes_on_behind_the_last_row(server: Any, harness: Any, simulated: Any, named: bool) -> None:
    """A client that lost its connection after the last chunk asks for the rest: there is none."""
    count = 30 if named else 65_536  # the end in the middle of a stored chunk, and at the end of one
    codes, _ = simulated(items=count)
    parent = server.create_project()
    server.upload(parent, codes, items=[f"i{row}" for row in range(count)] if named else None)
    model = server.fit(parent).model
    for row_limit in (0, 5):
        soft = labels_pb2.ReadSoftLabelsRequest(model=model, row_offset=count, row_limit=row_limit)
        (labels,) = server.labels.ReadSoftLabels(soft)
        assert (labels.model, labels.row_offset, list(labels.item_ids)) == (model, count, [])
        assert harness.matrix(labels.probabilities).shape == (0, 2)
        assert harness.matrix(labels.labels).shape == (0, 1)
        request = votes_pb2.ReadVotesRequest(parent=parent, row_offset=count, row_limit=row_limit)
        (votes,) = server.votes.ReadVotes(request)
        assert (votes.votes_version, votes.row_offset, list(votes.item_ids)) == (1, count, [])
        assert harness.matrix(votes.votes).shape == (0, 5)
    for call in (
        lambda: list(server.labels.ReadSoftLabels(labels_pb2.ReadSoftLabelsRequest(model=model, row_offset=count + 1))),
        lambda: list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent, row_offset=count + 1))),
    ):
        failure = harness.failure_of(call)
        assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
        assert list(failure.violations) == ["row_offset"]


def test_predict(server: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated()
    parent = server.create_project()
    server.upload(parent, codes)
    model = server.fit(parent).model
    stored, stored_labels, _ = server.read_soft_labels(model)

    request = labels_pb2.PredictRequest(model=f"{parent}/models/latest", votes=harness.tensor(codes[:50], "<i4"))
    answer = server.labels.Predict(request)
    assert answer.model == model
    np.testing.assert_allclose(harness.matrix(answer.probabilities), stored[:50], atol=1e-6)
    np.testing.assert_array_equal(harness.matrix(answer.labels), stored_labels[:50])

    # Columns by name, in another order; a source that is left out abstains.
    order = [4, 0, 2]
    silent = np.where(np.isin(np.arange(5), order), codes[:50], -1)
    named = labels_pb2.PredictRequest(
        model=model, sources=[f"source {column}" for column in order], votes=harness.tensor(codes[:50, order])
    )
    whole = labels_pb2.PredictRequest(model=model, votes=harness.tensor(silent))
    np.testing.assert_array_equal(
        harness.matrix(server.labels.Predict(named).probabilities),
        harness.matrix(server.labels.Predict(whole).probabilities),
    )

    # A source that failed is as silent as one that abstains.
    failed = labels_pb2.PredictRequest(model=model, votes=harness.tensor(np.where(silent == -1, -2, silent)))
    assert server.labels.Predict(failed) == server.labels.Predict(whole)

    stream = server.labels.PredictStream(
        labels_pb2.PredictStreamRequest(model=model if at == 0 else "", votes=harness.tensor(codes[at : at + 90]))
        for at in range(0, 400, 90)
    )
    answers = list(stream)
    assert [bool(one.model) for one in answers] == [True] + [False] * 4
    np.testing.assert_allclose(
        np.concatenate([harness.matrix(one.probabilities) for one in answers]), stored, atol=1e-6
    )


def test_versions_of_votes(server: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated(items=60, sources=3)
    parent = server.create_project()
    server.upload(parent, codes, sources=["a", "b", "c"])
    first = server.fit(parent)
    better = 1 - np.maximum(codes[:40, 1:2], 0)
    assert server.upload(parent, better, sources=["b"])[-1].votes_version == 2
    second = codes.copy()
    second[:40, 1] = better[:, 0]
    np.testing.assert_array_equal(server.read_votes(parent), second)
    np.testing.assert_array_equal(server.read_votes(parent, votes_version=1), codes)

    deleted = server.sources.DeleteSource(sources_pb2.DeleteSourceRequest(name=f"{parent}/sources/a"))
    assert deleted.votes_version == 3
    np.testing.assert_array_equal(server.read_votes(parent), second[:, 1:])
    np.testing.assert_array_equal(server.read_votes(parent, votes_version=2), second)
    listed = server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=parent)).sources
    assert [(one.display_name, one.votes_version) for one in listed] == [("b", 2), ("c", 1)]

    # Uploaded again, the source begins anew: nothing of what it said before comes back.
    assert server.upload(parent, codes[:10, :1], sources=["a"])[-1].votes_version == 4
    newest = np.full((60, 3), -1)
    newest[:, :2] = second[:, 1:]
    newest[:10, 2] = codes[:10, 0]
    np.testing.assert_array_equal(server.read_votes(parent), newest)

    # A fit on an old version is the fit that was made then, to the bit.
    again = server.fit(parent, votes_version=1)
    np.testing.assert_array_equal(server.read_soft_labels(again.model)[0], server.read_soft_labels(first.model)[0])


def test_items_by_name_in_any_order(server: Any) -> None:
    parent = server.create_project()
    server.upload(parent, np.array([[0], [1], [0]]), sources=["a"], items=["x", "y", "z"])
    server.upload(parent, np.array([[1], [1], [0]]), sources=["b"], items=["z", "new", "x"])
    answers = list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent)))
    assert list(answers[0].item_ids) == ["x", "y", "z", "new"]
    assert list(answers[0].sources) == ["a", "b"]
    np.testing.assert_array_equal(server.read_votes(parent), [[0, 0], [1, -1], [0, 1], [-1, 1]])


def test_silence_takes_a_vote_back(server: Any) -> None:
    parent = server.create_project()
    server.upload(parent, np.ones((4, 2), np.int8))
    server.upload(parent, np.full((3, 2), -1), sparse=True)
    np.testing.assert_array_equal(server.read_votes(parent), [[-1, -1]] * 3 + [[1, 1]])


def test_progress_is_watched(server: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    seen = [
        answer.operation for answer in server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=name))
    ]
    stages = [operation.progress.stage for operation in seen]
    assert stages == sorted(stages)
    assert [operation.done for operation in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1].progress.iteration > 0
    assert seen[-1].progress.max_iterations == 200
    assert seen[-1].end_time.ToNanoseconds() >= seen[-1].create_time.ToNanoseconds()


def test_options_of_a_fit(server: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    options = models_pb2.FitOptions(max_iterations=1, seed=2**64 - 1)
    operation = server.fit(parent, options=options)
    model = server.models.GetModel(models_pb2.GetModelRequest(name=operation.model)).model
    assert (model.iteration_count, model.converged) == (1, False)


def test_messages_stay_below_the_limit(server: Any) -> None:
    """600 classes: a full chunk of soft labels would be 157 MB; long ids of items count as well."""
    rng = np.random.default_rng(0)
    parent = server.create_project([f"class {index}" for index in range(600)])
    codes = rng.integers(-1, 100, (9000, 3)).astype(np.int8)
    items = [f"{row:0250d}" for row in range(9000)]
    server.upload(parent, codes, items=items, chunk_rows=5000)
    votes = list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent)))
    assert [answer.votes.data_type for answer in votes] == [tensor_pb2.DATA_TYPE_INT16] * len(votes)
    np.testing.assert_array_equal(server.read_votes(parent), codes)
    operation = server.fit(parent, options=models_pb2.FitOptions(max_iterations=2))
    probabilities, _, ids = server.read_soft_labels(operation.model)
    assert probabilities.shape == (9000, 600)
    assert ids == items


def test_delete(server: Any, harness: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    model = server.fit(parent).model
    predict = labels_pb2.PredictRequest(model=model, votes=harness.tensor([[0, 0, 0, 0, 0]]))
    server.labels.Predict(predict)
    newest = labels_pb2.PredictRequest(model=f"{parent}/models/latest", votes=predict.votes)
    assert server.labels.Predict(newest).model == model
    second = server.fit(parent).model
    assert server.labels.Predict(newest).model == second  # although the first is in memory
    server.models.DeleteModel(models_pb2.DeleteModelRequest(name=second))
    assert server.labels.Predict(newest).model == model
    server.models.DeleteModel(models_pb2.DeleteModelRequest(name=model))
    for request in (predict, newest):
        failure = harness.failure_of(lambda: server.labels.Predict(request))  # noqa: B023
        assert failure.info.reason == "MODEL_NOT_FOUND"
    server.projects.DeleteProject(projects_pb2.DeleteProjectRequest(name=parent))
    failure = harness.failure_of(lambda: server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)))
    assert failure.code == grpc.StatusCode.NOT_FOUND
