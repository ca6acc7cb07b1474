"""Limits: what is too large or stays too long is refused, and the rest goes on."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from weaklabel_protocol.v1 import labels_pb2, models_pb2, operations_pb2, projects_pb2, votes_pb2

MAX_STREAMS = 6


@pytest.fixture(scope="module")
def small(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with low limits, for the tests of this file."""
    environment = {
        "WEAKLABEL_MAX_LABEL_CELLS": "100",
        "WEAKLABEL_MAX_STREAMS": str(MAX_STREAMS),
        "WEAKLABEL_MAX_CONCURRENT_RPCS": "4",
        "WEAKLABEL_PEER_SHARE": "1",
        "WEAKLABEL_STREAM_IDLE_SECONDS": "2",
    }
    with serving(tmp_path_factory.mktemp("small"), environment) as server:
        yield server


def test_too_many_soft_labels(small: Any, harness: Any) -> None:
    parent = small.create_project([f"class {index}" for index in range(5)])
    codes = np.tile(np.array([[0, 0, 1], [1, 1, 1]], np.int8), (10, 1))
    small.upload(parent, codes)
    model = small.fit(parent).model  # 20 items x 5 classes are 100
    small.upload(parent, codes[[0] * 21])
    fit = models_pb2.FitModelRequest(parent=parent)
    failure = harness.failure_of(lambda: small.models.FitModel(fit))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LABELS_TOO_LARGE")
    assert failure.message.startswith("21 items x 5 classes are more than the 100 cells")
    listed = small.operations.ListOperations(operations_pb2.ListOperationsRequest(parent=parent)).operations
    assert len(listed) == 1
    assert small.fit(parent, votes_version=1).model

    def predict(rows: int) -> Any:
        votes = harness.tensor(np.zeros((rows, 3)))
        return small.labels.Predict(labels_pb2.PredictRequest(model=model, votes=votes))

    assert predict(20).probabilities.rows == 20
    failure = harness.failure_of(lambda: predict(21))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LABELS_TOO_LARGE")


def test_a_limit_that_is_lower_after_a_restart(start: Any, serving: Any, simulated: Any) -> None:
    """The fit was accepted, but what begins it is another server."""
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    server.kill()
    with serving(server.process.data_dir, {"WEAKLABEL_MAX_LABEL_CELLS": "799"}) as lowered:
        error = lowered.wait(name).error
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert error.message.startswith("400 items x 2 classes are more than the 799 cells")


def test_idle_streams_leave_room_and_are_ended(small: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated(items=40)
    parent = small.create_project()
    parts = list(harness.upload_messages(parent, codes, upload_id=str(uuid.uuid4()), chunk_rows=20))
    queues = [SimpleQueue[Any]() for _ in range(MAX_STREAMS)]
    streams = [small.votes.UploadVotes(iter(queue.get, None)) for queue in queues]
    begin = time.monotonic()
    for index, (queue, stream) in enumerate(zip(queues, streams, strict=True)):
        other = next(harness.upload_messages(parent, codes))
        queue.put(parts[0] if index == 0 else other)
        next(stream)
    queues[0].put(parts[1])
    assert next(streams[0]).committed_rows == 20

    def refused(call: Any) -> None:
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        assert failure.retry_seconds == 1

    refused(lambda: list(small.votes.UploadVotes(iter(parts))))
    refused(lambda: list(small.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent))))
    wait = operations_pb2.WaitOperationRequest(name=f"{parent}/operations/none")
    refused(lambda: small.operations.WaitOperation(wait))
    for _ in range(20):
        small.projects.ListProjects(projects_pb2.ListProjectsRequest())
        health: Any = health_pb2_grpc.HealthStub(small.channel)
        health.Check(health_pb2.HealthCheckRequest())

    for stream in streams:
        failure = harness.failure_of(lambda: next(stream))  # noqa: B023
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert time.monotonic() - begin >= 2
    for queue in queues:
        queue.put(None)
    # The places are free again, and the upload goes on where it stopped.
    answers = list(small.votes.UploadVotes(iter([parts[0], *parts[2:]])))
    assert [answer.committed_rows for answer in answers] == [20, 40, 40]
    np.testing.assert_array_equal(small.read_votes(parent), codes)
    assert "Traceback" not in small.process.log()


def test_a_prediction_stream_may_pause_but_not_stay_idle(small: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated(items=20)
    parent = small.create_project()
    small.upload(parent, codes)
    request = labels_pb2.PredictStreamRequest(model=small.fit(parent).model, votes=harness.tensor(codes[:1]))
    queue = SimpleQueue[Any]()
    stream = small.labels.PredictStream(iter(queue.get, None))
    for _ in range(3):  # longer than the limit in all, never at once
        queue.put(request)
        next(stream)
        time.sleep(0.9)
    failure = harness.failure_of(lambda: next(stream))
    assert failure.info.reason == "STREAM_IDLE"
    queue.put(None)


def test_streams_of_clients_that_hung_up_hold_no_place(small: Any, harness: Any, simulated: Any) -> None:
    parent = small.create_project()
    small.upload(parent, simulated()[0])
    health: Any = health_pb2_grpc.HealthStub(small.channel)
    for _ in range(2 * MAX_STREAMS):
        watched = health.Watch(health_pb2.HealthCheckRequest())
        next(watched)
        watched.cancel()
        with contextlib.suppress(grpc.RpcError):
            reading = small.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent))
            next(reading)
            reading.cancel()
    harness.until(lambda: len(small.read_votes(parent)) == 400)


def test_what_is_old_is_forgotten_while_the_server_runs(start: Any, harness: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEAKLABEL_KEEP_DAYS", "1e-6")
    monkeypatch.setenv("WEAKLABEL_CLEAN_SECONDS", "0.1")
    server = start()
    parent = server.create_project()
    opening = list(harness.upload_messages(parent, np.zeros((3, 1)), finish=False))
    assert list(server.votes.UploadVotes(iter(opening)))[-1].committed_rows == 3
    request = projects_pb2.CreateProjectRequest(
        project_id="forgotten", classes=["a", "b"], request_id=str(uuid.uuid4())
    )
    server.projects.CreateProject(request)

    def is_forgotten() -> bool:
        try:
            server.projects.CreateProject(request)
        except grpc.RpcError as error:
            call: Any = error
            return bool(call.code() == grpc.StatusCode.ALREADY_EXISTS)
        return False

    harness.until(is_forgotten)
    harness.until(lambda: next(server.votes.UploadVotes(iter(opening[:1]))).committed_rows == 0)
