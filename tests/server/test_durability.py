"""kill -9 at the worst moments: what was acknowledged is there after a restart, what was not is not half there."""

import contextlib
import sqlite3
import uuid
from queue import SimpleQueue
from typing import Any

import numpy as np

from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2, votes_pb2


def project_of(server: Any, parent: str) -> projects_pb2.Project:
    project: projects_pb2.Project = server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project
    return project


def test_killed_after_the_acknowledgment(start: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    upload_id = str(uuid.uuid4())
    items = [f"i{row}" for row in range(len(codes))]
    messages = SimpleQueue[Any]()
    responses = server.votes.UploadVotes(iter(messages.get, None))
    for message in harness.upload_messages(
        parent, codes, items=items, upload_id=upload_id, digest=b"content", chunk_rows=100
    ):
        messages.put(message)
        last = next(responses)
    server.kill()
    messages.put(None)
    assert last.finished

    server = start()
    assert project_of(server, parent).votes_version == 1
    np.testing.assert_array_equal(server.read_votes(parent), codes)
    # Repeated: by its id, and by its content under another id. Both times it is finished before a chunk is looked at.
    for again in (upload_id, str(uuid.uuid4())):
        answers = server.upload(parent, codes, items=items, upload_id=again, digest=b"content")
        assert all(answer.finished for answer in answers)
        assert {(answer.upload_id, answer.votes_version) for answer in answers} == {(upload_id, 1)}
    assert (project_of(server, parent).item_count, project_of(server, parent).votes_version) == (400, 1)

    model = server.fit(parent).model
    before = server.read_soft_labels(model)
    server.kill()
    server = start()
    after = server.read_soft_labels(f"{parent}/models/latest")
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], before[1])
    assert after[2] == items


def test_killed_in_the_middle_of_an_upload(start: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    parts = list(harness.upload_messages(parent, codes, digest=b"content", chunk_rows=100))
    messages = SimpleQueue[Any]()
    responses = server.votes.UploadVotes(iter(messages.get, None))
    for message in parts[:3]:  # opening and two chunks
        messages.put(message)
        answer = next(responses)
    assert answer.committed_rows == 200
    server.kill()
    messages.put(None)

    server = start()
    assert (project_of(server, parent).votes_version, project_of(server, parent).item_count) == (0, 0)
    failure = harness.failure_of(lambda: server.read_votes(parent))
    assert failure.info.reason == "NO_VOTES"
    # A new client with the same content, under another id, takes the upload up and sends what is missing.
    messages = SimpleQueue[Any]()
    responses = server.votes.UploadVotes(iter(messages.get, None))
    again = list(harness.upload_messages(parent, codes, digest=b"content", chunk_rows=100))
    messages.put(again[0])
    opened = next(responses)
    assert (opened.upload_id, opened.committed_rows) == (answer.upload_id, 200)
    for message in again[2:]:  # the second chunk once more, then the others
        messages.put(message)
    messages.put(None)
    assert [(one.committed_rows, one.finished) for one in responses] == [
        (200, False),
        (300, False),
        (400, False),
        (400, True),
    ]
    np.testing.assert_array_equal(server.read_votes(parent), codes)


def test_killed_during_a_fit(start: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    server.upload(parent, codes)
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    # The first fit of a process loads JAX, which takes long enough to be killed in.
    watched = server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=name))
    reading = operations_pb2.FIT_STAGE_READING
    assert not next(one.operation for one in watched if one.operation.progress.stage >= reading).done
    server.kill()

    server = start()
    operation = server.wait(name)
    assert operation.model, operation
    probabilities, _, _ = server.read_soft_labels(operation.model)
    assert probabilities.shape == (400, 2)
    listed = server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models
    assert [model.name for model in listed] == [operation.model]


def test_a_fit_that_kills_the_server_is_given_up(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    watched = server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=name))
    next(one for one in watched if one.operation.progress.stage >= operations_pb2.FIT_STAGE_READING)
    server.kill()
    # As after two more such ends; otherwise the server would never come to other work again.
    database = sqlite3.connect(server.process.data_dir / "weaklabel.db")
    with contextlib.closing(database), database:
        database.execute("UPDATE operations SET starts = 3 WHERE starts = 1")
        assert database.total_changes == 1
    server = start()
    operation = server.wait(name)
    assert operation.error.code == 13, operation
    assert "ended 3 times" in operation.error.message
    assert server.fit(parent).model


def test_cancelled_before_a_kill_stays_cancelled(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    server.kill()
    server = start()
    operation = server.wait(name)
    assert operation.error.code == 1, operation
    assert not server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models


def test_two_streams_of_one_upload(server: Any, harness: Any, simulated: Any) -> None:
    """The later opening wins: a client must not be kept out by what is left of its own broken connection."""
    codes, _ = simulated()
    parent = server.create_project()
    parts = list(harness.upload_messages(parent, codes, upload_id=str(uuid.uuid4()), chunk_rows=100))
    first_messages = SimpleQueue[Any]()
    first = server.votes.UploadVotes(iter(first_messages.get, None))
    first_messages.put(parts[0])
    next(first)
    first_messages.put(parts[1])
    assert next(first).committed_rows == 100

    second_messages = SimpleQueue[Any]()
    second = server.votes.UploadVotes(iter(second_messages.get, None))
    second_messages.put(parts[0])
    assert next(second).committed_rows == 100

    first_messages.put(parts[2])
    failure = harness.failure_of(lambda: next(first))
    assert (failure.code.name, failure.info.reason) == ("ABORTED", "UPLOAD_TAKEN_OVER")
    for message in parts[2:]:
        second_messages.put(message)
    second_messages.put(None)
    assert [answer.committed_rows for answer in second] == [200, 300, 400, 400]
    np.testing.assert_array_equal(server.read_votes(parent), codes)
    first_messages.put(None)


def test_content_that_changed_in_between_is_added_again(server: Any) -> None:
    parent = server.create_project()
    zeros, ones = np.zeros((5, 1), np.int8), np.ones((5, 1), np.int8)
    assert server.upload(parent, zeros, digest=b"zeros")[-1].votes_version == 1
    assert server.upload(parent, zeros, digest=b"zeros")[0].finished
    assert server.upload(parent, ones, digest=b"ones")[-1].votes_version == 2
    # The same content as the first, but no longer what the votes say.
    assert server.upload(parent, zeros, digest=b"zeros")[-1].votes_version == 3
    np.testing.assert_array_equal(server.read_votes(parent), zeros)


def test_an_upload_that_is_not_finished_is_not_seen(server: Any, harness: Any) -> None:
    parent = server.create_project()
    codes = np.zeros((5, 1), np.int8)
    upload_id = str(uuid.uuid4())
    answers = server.upload(parent, codes, upload_id=upload_id, finish=False)
    assert [answer.finished for answer in answers] == [False, False]
    assert project_of(server, parent).votes_version == 0
    opened = server.upload(parent, codes[:0], upload_id=upload_id, finish=False)
    assert [answer.committed_rows for answer in opened] == [5]
    finish = votes_pb2.UploadVotesRequest(finish=votes_pb2.UploadVotesFinish(total_rows=5))
    opening = next(harness.upload_messages(parent, codes, upload_id=upload_id))
    assert list(server.votes.UploadVotes(iter([opening, finish])))[-1].votes_version == 1
