"""The state machines behind the streams, one message at a time: what no server can be made to show at will."""

from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import Votes
from weaklabel_client import Aborted, DeadlineExceeded, InternalError, Unavailable, UploadInterrupted
from weaklabel_client._connection.backoff import Backoff
from weaklabel_client._inputs import chunks
from weaklabel_client._protocol import job as jobs
from weaklabel_client._protocol import predict_job, read_jobs, upload_jobs
from weaklabel_protocol.tensors import from_tensor, to_tensor
from weaklabel_protocol.v1 import labels_pb2, votes_pb2

UPLOAD_ID = "5d1d4c5e-5f5b-4a58-9c39-2b7c1a4f9e11"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> upload_jobs.UploadJob:
    """An upload of 100 rows in chunks of 10, ready to connect."""
    monkeypatch.setattr(chunks, "MAX_ROWS", 10)
    votes = np.arange(100).reshape(100, 1)
    upload, (block,) = upload_jobs.upload_votes("spam", votes, ["a"], None, None, UPLOAD_ID)
    upload.connected()
    assert not upload.is_hungry()
    (opening,) = upload.requests()
    assert opening.open.upload_id == UPLOAD_ID
    assert opening.open.content_digest == block.digest(["a"])
    list(upload.received(_acknowledged(0)))
    assert upload.is_hungry()
    upload.feed(block)
    return upload


def _acknowledged(rows: int, **rest: Any) -> votes_pb2.UploadVotesResponse:
    return votes_pb2.UploadVotesResponse(upload_id=UPLOAD_ID, committed_rows=rows, **rest)


def _offsets(job: upload_jobs.UploadJob) -> list[int | str]:
    return [
        request.chunk.row_offset if request.HasField("chunk") else str(request.WhichOneof("message"))
        for request in job.requests()
    ]


def test_no_more_chunks_go_ahead_than_the_window_holds(job: upload_jobs.UploadJob) -> None:
    assert _offsets(job) == [0, 10, 20, 30, 40, 50]
    assert _offsets(job) == []  # however slow the server is
    assert not job.is_hungry()
    (progress,) = job.received(_acknowledged(10))
    assert (progress.committed_rows, progress.total_rows) == (10, 100)
    assert _offsets(job) == [60]
    list(job.received(_acknowledged(40)))
    assert _offsets(job) == [70, 80, 90]
    assert not job.is_hungry()
    list(job.received(_acknowledged(50)))
    assert job.is_hungry()
    job.feed(None)
    assert _offsets(job) == ["finish"]
    assert job.sent_all
    assert not job.is_done()
    list(job.received(_acknowledged(100)))
    list(job.received(_acknowledged(100, finished=True, votes_version=7)))
    assert job.is_done()
    assert (job.result().votes_version, job.result().added) == (7, True)


def test_a_new_connection_goes_on_with_what_is_not_on_disk(job: upload_jobs.UploadJob) -> None:
    _offsets(job)
    list(job.received(_acknowledged(20)))
    _offsets(job)
    job.connected()
    assert _offsets(job) == ["open"]
    # Two more chunks had arrived, whose answers were lost.
    list(job.received(_acknowledged(40)))
    assert _offsets(job) == [40, 50, 60, 70, 80, 90]


def test_an_upload_taken_up_begins_in_the_middle_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_ROWS", 10)
    job = upload_jobs.UploadJob("spam", sources=["a"], upload_id=None)
    job.connected()
    list(job.requests())
    list(job.received(_acknowledged(25)))
    assert job.upload_id == UPLOAD_ID
    job.feed(np.zeros((20, 1), dtype=int))
    assert _offsets(job) == []
    assert job.is_hungry()
    job.feed(np.arange(20).reshape(20, 1))
    first, second = job.requests()
    assert (first.chunk.row_offset, first.chunk.rows) == (25, 10)
    assert from_tensor(first.chunk.dense.votes)[:, 0].tolist() == list(range(5, 15))
    assert (second.chunk.row_offset, second.chunk.rows) == (35, 5)


def test_rows_that_vanish_are_an_error(job: upload_jobs.UploadJob) -> None:
    _offsets(job)
    list(job.received(_acknowledged(20)))
    with pytest.raises(InternalError, match="had 20 rows of the upload and now has 10"):
        list(job.received(_acknowledged(10)))


def test_a_finished_upload_sends_nothing(job: upload_jobs.UploadJob) -> None:
    job.connected()
    assert _offsets(job) == ["open"]
    list(job.received(_acknowledged(100, finished=True, votes_version=3)))
    assert _offsets(job) == []
    assert job.is_done()
    assert job.sent_all
    assert not job.is_hungry()


def test_only_a_lost_server_another_caller_and_a_timeout_interrupt_an_upload(job: upload_jobs.UploadJob) -> None:
    fault = InternalError("a fault", reason="BUG")
    assert job.gave_up(fault) is fault
    for error in (Unavailable("gone"), Aborted("taken over"), DeadlineExceeded("late")):
        interrupted = job.gave_up(error)
        assert isinstance(interrupted, UploadInterrupted)
        assert interrupted.code is error.code


def test_a_gap_in_what_the_server_sends_is_an_error() -> None:
    job = read_jobs.ReadVotesJob("spam", None, 5, None)
    job.connected()
    (request,) = job.requests()
    assert (request.row_offset, request.row_limit) == (5, 0)
    chunk = to_tensor(np.zeros((3, 2), dtype=int))
    list(job.received(votes_pb2.ReadVotesResponse(votes_version=4, row_offset=5, sources=["a", "b"], votes=chunk)))
    job.connected()
    (request,) = job.requests()
    assert (request.row_offset, request.votes_version) == (7, 4)
    with pytest.raises(InternalError, match="row 8 where row 7 was due"):
        list(job.received(votes_pb2.ReadVotesResponse(votes_version=4, row_offset=8, votes=chunk)))


def test_a_read_goes_on_with_the_last_row_that_arrived() -> None:
    job = read_jobs.ReadSoftLabelsJob("spam", "m1", 0, None)

    def answer(*rows: int) -> list[tuple[int, tuple[str, ...] | None, list[int]]]:
        """Rows whose label is their number; returns what of them is new."""
        response = labels_pb2.ReadSoftLabelsResponse(
            row_offset=rows[0],
            item_ids=[f"i{row}" for row in rows],
            probabilities=to_tensor(np.full((len(rows), 2), 0.5)),
            labels=to_tensor(np.array(rows).reshape(-1, 1), np.int32),
        )
        return [(part.row_offset, part.items, part.labels.tolist()) for part in job.received(response)]

    def asked() -> int:
        job.connected()
        (request,) = job.requests()
        return int(request.row_offset)

    assert asked() == 0
    assert asked() == 0  # nothing had arrived
    assert answer(0, 1, 2) == [(0, ("i0", "i1", "i2"), [0, 1, 2])]
    assert asked() == 2
    assert answer(2, 3) == [(3, ("i3",), [3])]
    assert answer(4) == [(4, ("i4",), [4])]
    # These were all rows, and only the end of the stream was lost: no row 5 is asked for, and nothing comes twice.
    assert asked() == 4
    assert answer(4) == []
    job.ended()
    assert job.is_done()


def test_rows_that_were_not_asked_for_are_an_error() -> None:
    job = read_jobs.ReadVotesJob("spam", None, 0, 4)
    chunk = to_tensor(np.zeros((3, 2), dtype=int))
    list(job.received(votes_pb2.ReadVotesResponse(votes_version=1, votes=chunk)))
    job.connected()
    (request,) = job.requests()
    assert (request.row_offset, request.row_limit) == (2, 2)
    with pytest.raises(InternalError, match="1 rows more than it was asked for"):
        list(job.received(votes_pb2.ReadVotesResponse(votes_version=1, row_offset=2, votes=chunk)))


def test_chunks_name_the_same_sources() -> None:
    chunk = Votes.from_dense([[0, 1]], 2, sources=["a", "b"])
    turned = chunk.select_sources(["b", "a"])
    upload = upload_jobs.UploadJob("spam", sources=None, upload_id=None)
    upload.feed(chunk)
    assert next(upload.requests()).open.sources == ["a", "b"]
    predict = predict_job.PredictJob("spam", None, None)
    predict.feed(chunk)
    assert next(predict.requests()).sources == ["a", "b"]
    for feed in (upload.feed, predict.feed):
        with pytest.raises(ValueError, match="all chunks must name the same sources in the same order"):
            feed(turned)
    given = predict_job.PredictJob("spam", None, ["x", "y"])
    given.feed(turned)
    assert next(given.requests()).sources == ["x", "y"]


def test_predictions_of_many_classes_are_asked_for_in_small_chunks() -> None:
    job = predict_job.PredictJob("spam", None, None)
    job.connected()
    job.feed(np.zeros((100_000, 2), dtype=int))
    requests = list(job.requests())
    assert [request.votes.rows for request in requests] == [chunks.FEW_ROWS] * jobs.WINDOW
    assert [request.model for request in requests] == ["projects/spam/models/latest"] + [""] * 5
    answer = labels_pb2.PredictStreamResponse(
        model="projects/spam/models/m1",
        probabilities=to_tensor(np.full((chunks.FEW_ROWS, 1000), 1e-3)),
        labels=to_tensor(np.zeros((chunks.FEW_ROWS, 1), dtype=int), np.int32),
    )
    assert list(job.received(answer)) == []  # the block is not complete
    (request,) = job.requests()
    # An answer of so many rows and 1000 classes stays under 4 MiB.
    assert request.votes.rows == chunks.MAX_BYTES // 4004
    job.connected()
    again = list(job.requests())
    assert len(again) == jobs.WINDOW
    assert again[0].model == "projects/spam/models/m1"


def test_waits_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("weaklabel_client._connection.backoff.time.monotonic", lambda: now)
    backoff = Backoff(None, reconnect_timeout=10)
    lost = Unavailable("lost")
    waits = []
    while (wait := backoff.wait(lost)) is not None:
        waits.append(wait)
        now += wait
    assert now - 1000 <= 10
    assert all(low / 2 <= wait <= low for wait, low in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5], strict=False))
    backoff.progressed()
    assert backoff.wait(lost) is not None
    assert backoff.wait(InternalError("a fault", reason="BUG")) is None


def test_a_timeout_that_leaves_no_time_for_another_try_is_what_ended_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that passes while a message is being sent comes out of grpc as a fault of its own."""
    now = 1000.0
    monkeypatch.setattr("weaklabel_client._connection.backoff.time.monotonic", lambda: now)
    fault = InternalError('Internal error from Core: "Failed to send"')
    backoff = Backoff(0.5, reconnect_timeout=10)
    assert backoff.wait(fault) is not None
    now += 0.49
    assert backoff.wait(fault) is None
    job = upload_jobs.UploadJob("p", sources=["a"], upload_id=None)
    ended = job.gave_up(backoff.ended_by(fault))
    assert isinstance(ended, UploadInterrupted)
    assert ended.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "timeout of 0.5 s" in ended.message
    assert "Failed to send" in ended.message
    own = InternalError("a fault of the server", reason="BUG")
    assert backoff.wait(own) is None
    assert Backoff(0.5, 10).ended_by(own) is own
    assert backoff.ended_by(fault).__cause__ is fault
    for error in (Unavailable("lost"), Aborted("taken over", reason="UPLOAD_TAKEN_OVER")):
        backoff = Backoff(100, reconnect_timeout=0.01)
        assert backoff.wait(error) is None  # long before the timeout
        assert backoff.ended_by(error) is error
    taken = Aborted("taken over", reason="UPLOAD_TAKEN_OVER")
    now += 0.5
    assert Backoff(0.0, 10).ended_by(taken) is taken


def test_whoever_is_taken_over_waits_longer_each_time_also_after_progress() -> None:
    backoff = Backoff(None, reconnect_timeout=60)
    for longest in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]:
        wait = backoff.wait(Aborted("taken over"))
        assert wait is not None
        assert longest / 2 <= wait <= longest
        backoff.progressed()
    assert backoff.wait(Unavailable("lost")) == pytest.approx(0.075, abs=0.025)
