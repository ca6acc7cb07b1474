"""Bad requests: a precise code, a reason for programs, the field at fault, and the server goes on."""

import uuid
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_protocol.v1 import (
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    side_data_pb2,
    sources_pb2,
    tensor_pb2,
    votes_pb2,
)

Chunk = votes_pb2.UploadVotesChunk
Call = Callable[[], Any]
INT8, INT32, FLOAT32 = tensor_pb2.DATA_TYPE_INT8, tensor_pb2.DATA_TYPE_INT32, tensor_pb2.DATA_TYPE_FLOAT32


def dense(rows: int, columns: int, data: bytes, data_type: int = INT8) -> votes_pb2.DenseVotes:
    votes = tensor_pb2.Tensor(rows=rows, columns=columns, data=data)
    votes.data_type = data_type  # type: ignore[assignment]  # numbers that are no data type, too
    return votes_pb2.DenseVotes(votes=votes)


def sparse(triples: list[list[int]], data_type: int = INT32) -> votes_pb2.SparseVotes:
    data = np.array(triples, "<i4")
    made = tensor_pb2.Tensor(rows=len(data), columns=data.shape[1], data=data.tobytes())
    made.data_type = data_type  # type: ignore[assignment]
    return votes_pb2.SparseVotes(triples=made)


@pytest.fixture(scope="module")
def parent(server: Any) -> str:
    name: str = server.create_project()
    return name


@pytest.fixture(scope="module")
def model(server: Any, simulated: Any) -> str:
    """A model of sources "source 0" ... "source 4"."""
    project = server.create_project()
    server.upload(project, simulated()[0])
    name: str = server.fit(project).model
    return name


GOOD = b"\x00\x01\x00\x01"  # two rows of two sources
BAD_CHUNKS = {
    "no rows": (Chunk(rows=0, dense=dense(0, 2, b"")), "chunk.rows", "1 to 65536 rows, got 0"),
    "too many rows": (Chunk(rows=65_537, dense=dense(65_537, 2, bytes(131_074))), "chunk.rows", "got 65537"),
    "a huge number of rows": (Chunk(rows=2**32 - 1, dense=dense(2**32 - 1, 2, b"\0")), "chunk.rows", "got 4294967295"),
    "a huge tensor": (Chunk(rows=2, dense=dense(2**32 - 1, 2, b"\0")), "chunk.dense.votes.rows", "got 4294967295"),
    "huge columns": (Chunk(rows=2, dense=dense(2, 2**32 - 1, b"\0")), "chunk.dense.votes.columns", "got 4294967295"),
    "rows that differ": (Chunk(rows=3, dense=dense(2, 2, GOOD)), "chunk.dense.votes.rows", "as the chunk, 3, got 2"),
    "columns that differ": (Chunk(rows=2, dense=dense(2, 3, GOOD)), "chunk.dense.votes.columns", "2 sources, got 3"),
    "too few bytes": (Chunk(rows=2, dense=dense(2, 2, b"\0\0\0")), "chunk.dense.votes.data", "3 bytes"),
    "too many bytes": (Chunk(rows=2, dense=dense(2, 2, GOOD + b"\0")), "chunk.dense.votes.data", "5 bytes"),
    "floats": (Chunk(rows=1, dense=dense(1, 2, bytes(8), FLOAT32)), "chunk.dense.votes.data_type", "FLOAT32"),
    "no type": (Chunk(rows=2, dense=dense(2, 2, GOOD, 0)), "chunk.dense.votes.data_type", "UNSPECIFIED"),
    "an unknown type": (Chunk(rows=2, dense=dense(2, 2, GOOD, 77)), "chunk.dense.votes.data_type", "77"),
    "a label too high": (
        Chunk(rows=2, dense=dense(2, 2, b"\x00\x01\x00\x09")),
        "chunk.dense.votes.data",
        "row 1, column 1 (source 'b'): label 9 is outside 0..1",
    ),
    "a label too low": (Chunk(rows=2, dense=dense(2, 2, b"\x00\xfd\x00\x01")), "chunk.dense.votes.data", "label -3"),
    "no votes": (Chunk(rows=2), "chunk.votes", "one of dense and sparse"),
    "too few ids": (Chunk(rows=2, item_ids=["x"], dense=dense(2, 2, GOOD)), "chunk.item_ids", "2 rows, got 1"),
    "an id twice": (Chunk(rows=2, item_ids=["x", "x"], dense=dense(2, 2, GOOD)), "chunk.item_ids[1]", '"x"'),
    "an empty id": (Chunk(rows=2, item_ids=["x", ""], dense=dense(2, 2, GOOD)), "chunk.item_ids[1]", "1 to 255"),
    "a long id": (Chunk(rows=2, item_ids=["x" * 256, "y"], dense=dense(2, 2, GOOD)), "chunk.item_ids[0]", "1 to 255"),
    "a triple's row": (Chunk(rows=2, sparse=sparse([[2, 0, 0]])), "chunk.sparse.triples.data", "row 2 is outside 0..1"),
    "a triple's column": (
        Chunk(rows=2, sparse=sparse([[0, 0, 0], [0, 2, 0]])),
        "chunk.sparse.triples.data",
        "triple 1",
    ),
    "a negative column": (Chunk(rows=2, sparse=sparse([[0, -1, 0]])), "chunk.sparse.triples.data", "column -1"),
    "a triple's label": (Chunk(rows=2, sparse=sparse([[1, 1, 2]])), "chunk.sparse.triples.data", "(row 1, source 'b')"),
    "pairs": (Chunk(rows=2, sparse=sparse([[0, 0]])), "chunk.sparse.triples.columns", "got 2"),
    "short triples": (Chunk(rows=2, sparse=sparse([[0, 0, 0]], INT8)), "chunk.sparse.triples.data_type", "INT8"),
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_bad_chunks(server: Any, harness: Any, parent: str, case: str) -> None:
    chunk, field, fragment = BAD_CHUNKS[case]
    opening = next(harness.upload_messages(parent, np.zeros((2, 2)), sources=["a", "b"]))
    failure = harness.failure_of(
        lambda: list(server.votes.UploadVotes(iter([opening, votes_pb2.UploadVotesRequest(chunk=chunk)])))
    )
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(failure.violations) == [field]
    assert fragment in failure.violations[field]
    # Nothing of it was kept.
    assert next(server.votes.UploadVotes(iter([opening]))).committed_rows == 0


def opened(**fields: Any) -> list[votes_pb2.UploadVotesRequest]:
    values = {"upload_id": str(uuid.uuid4()), "sources": ["a"], **fields}
    return [votes_pb2.UploadVotesRequest(open=votes_pb2.UploadVotesOpen(**values))]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"parent": "spam"}, "open.parent"),
        ({"upload_id": "7"}, "open.upload_id"),
        ({"sources": []}, "open.sources"),
        ({"sources": ["a", "b", "a"]}, "open.sources[2]"),
        ({"sources": [""]}, "open.sources[0]"),
        ({"sources": ["s" * 256]}, "open.sources[0]"),
        ({"sources": ["a\0b"]}, "open.sources[0]"),
        ({"sources": [str(index) for index in range(10_001)]}, "open.sources"),
        ({"content_digest": bytes(65)}, "open.content_digest"),
    ],
)
def test_bad_openings(server: Any, harness: Any, parent: str, fields: dict[str, Any], field: str) -> None:
    messages = opened(**{"parent": parent, **fields})
    failure = harness.failure_of(lambda: list(server.votes.UploadVotes(iter(messages))))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(failure.violations) == [field]


def test_bad_order_of_an_upload(server: Any, harness: Any, parent: str) -> None:
    def failure(*messages: votes_pb2.UploadVotesRequest) -> Any:
        return harness.failure_of(lambda: list(server.votes.UploadVotes(iter(messages))))

    def chunk(row_offset: int) -> votes_pb2.UploadVotesRequest:
        votes = dense(2, 1, b"\0\1")
        return votes_pb2.UploadVotesRequest(chunk=Chunk(row_offset=row_offset, rows=2, dense=votes))

    def finish(total_rows: int) -> votes_pb2.UploadVotesRequest:
        return votes_pb2.UploadVotesRequest(finish=votes_pb2.UploadVotesFinish(total_rows=total_rows))

    opening = opened(parent=parent)[0]
    assert list(failure(chunk(0)).violations) == ["open"]
    assert list(failure(finish(0)).violations) == ["open"]
    assert list(failure(opening, opening).violations) == ["open"]
    assert list(failure(opening, votes_pb2.UploadVotesRequest()).violations) == ["message"]
    assert list(failure(opening, finish(0)).violations) == ["finish.total_rows"]

    gap = failure(opening, chunk(0), chunk(3))
    assert (gap.code, gap.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ROW_OFFSET_MISMATCH")
    assert gap.info.metadata["committed_rows"] == "2"
    assert list(gap.violations) == ["chunk.row_offset"]
    assert failure(opening, chunk(1)).info.reason == "ROW_OFFSET_MISMATCH"  # half old, half new
    assert failure(opening, chunk(2**64 - 1)).info.reason == "ROW_OFFSET_MISMATCH"
    for total_rows in (1, 3, 2**64 - 1):
        short = failure(opening, finish(total_rows))
        assert (short.code, short.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ROW_COUNT_MISMATCH")

    other = votes_pb2.UploadVotesRequest()
    other.CopyFrom(opening)
    other.open.sources[0] = "another"
    reused = failure(other)
    assert (reused.code, reused.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_ID_REUSED")
    assert list(reused.violations) == ["open.sources"]


def test_named_and_numbered_items_do_not_mix(server: Any, harness: Any) -> None:
    codes = np.zeros((2, 1), np.int8)
    for first, second in ((None, ["x", "y"]), (["x", "y"], None)):
        parent = server.create_project()
        server.upload(parent, codes, items=first)
        failure = harness.failure_of(lambda: server.upload(parent, codes, items=second))  # noqa: B023
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ITEM_NAMING_MIXED")
        assert list(failure.violations) == ["chunk.item_ids"]
        assert server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project.votes_version == 1


def test_an_item_in_two_chunks_of_an_upload(server: Any, harness: Any) -> None:
    parent = server.create_project()
    codes = np.zeros((4, 1), np.int8)
    failure = harness.failure_of(lambda: server.upload(parent, codes, items=["a", "b", "c", "a"], chunk_rows=2))
    assert failure.violations == {"chunk.item_ids": 'item "a" is in rows 0 and 3 of the upload'}
    assert server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project.item_count == 0


def test_all_faults_of_a_new_project_at_once(server: Any, harness: Any) -> None:
    request = projects_pb2.CreateProjectRequest(project_id="No!", classes=["a", "", "a", "b\0", "c" * 256])
    failure = harness.failure_of(lambda: server.projects.CreateProject(request))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert list(failure.violations) == ["project_id", *(f"classes[{index}]" for index in range(1, 5))]


@pytest.mark.parametrize("project_id", ["", "-a", "A", "a b", "a/b", "a" * 64, "a\n"])
def test_project_ids(server: Any, harness: Any, project_id: str) -> None:
    request = projects_pb2.CreateProjectRequest(project_id=project_id, classes=["a", "b"])
    assert list(harness.failure_of(lambda: server.projects.CreateProject(request)).violations) == ["project_id"]


def test_unknown_names(server: Any, harness: Any, parent: str) -> None:
    tensor = harness.tensor([[0]])
    no = "projects/none"
    calls: list[tuple[Call, str]] = [
        (lambda: server.projects.GetProject(projects_pb2.GetProjectRequest(name=no)), "PROJECT"),
        (lambda: server.projects.DeleteProject(projects_pb2.DeleteProjectRequest(name=no)), "PROJECT"),
        (lambda: server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=no)), "PROJECT"),
        (lambda: server.sources.GetSource(sources_pb2.GetSourceRequest(name=f"{parent}/sources/x")), "SOURCE"),
        (lambda: server.sources.DeleteSource(sources_pb2.DeleteSourceRequest(name=f"{parent}/sources/x")), "SOURCE"),
        (lambda: list(server.votes.UploadVotes(iter(opened(parent=no)))), "PROJECT"),
        (lambda: list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=no))), "PROJECT"),
        (lambda: server.models.FitModel(models_pb2.FitModelRequest(parent=no)), "PROJECT"),
        (lambda: server.models.ListModels(models_pb2.ListModelsRequest(parent=no)), "PROJECT"),
        (lambda: server.models.GetModel(models_pb2.GetModelRequest(name=f"{parent}/models/x")), "MODEL"),
        (lambda: server.models.GetModel(models_pb2.GetModelRequest(name=f"{parent}/models/latest")), "MODEL"),
        (lambda: server.models.DeleteModel(models_pb2.DeleteModelRequest(name=f"{parent}/models/x")), "MODEL"),
        (
            lambda: server.operations.GetOperation(operations_pb2.GetOperationRequest(name=f"{parent}/operations/x")),
            "OPERATION",
        ),
        (
            lambda: server.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=f"{parent}/operations/x")),
            "OPERATION",
        ),
        (
            lambda: list(
                server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=f"{parent}/operations/x"))
            ),
            "OPERATION",
        ),
        (
            lambda: server.operations.CancelOperation(
                operations_pb2.CancelOperationRequest(name=f"{parent}/operations/x")
            ),
            "OPERATION",
        ),
        (lambda: server.operations.ListOperations(operations_pb2.ListOperationsRequest(parent=no)), "PROJECT"),
        (
            lambda: server.labels.Predict(labels_pb2.PredictRequest(model=f"{parent}/models/latest", votes=tensor)),
            "MODEL",
        ),
        (
            lambda: server.labels.NextToLabel(labels_pb2.NextToLabelRequest(model=f"{parent}/models/latest", n=1)),
            "MODEL",
        ),
        (
            lambda: list(server.labels.ReadSoftLabels(labels_pb2.ReadSoftLabelsRequest(model=f"{no}/models/latest"))),
            "PROJECT",
        ),
    ]
    for call, what in calls:
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.NOT_FOUND, f"{what}_NOT_FOUND"), failure.message


@pytest.mark.parametrize("name", ["", "spam", "projects/", "projects/a/b", "/projects/a", "sources/a"])
def test_malformed_names(server: Any, harness: Any, name: str) -> None:
    calls: list[tuple[Call, str]] = [
        (lambda: server.projects.GetProject(projects_pb2.GetProjectRequest(name=name)), "name"),
        (lambda: server.sources.GetSource(sources_pb2.GetSourceRequest(name=name)), "name"),
        (lambda: server.models.GetModel(models_pb2.GetModelRequest(name=name)), "name"),
        (lambda: server.models.FitModel(models_pb2.FitModelRequest(parent=name)), "parent"),
        (lambda: server.labels.Predict(labels_pb2.PredictRequest(model=name)), "model"),
        (lambda: server.labels.NextToLabel(labels_pb2.NextToLabelRequest(model=name, n=1)), "model"),
    ]
    for call, field in calls:
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert list(failure.violations) == [field]


def test_an_empty_project(server: Any, harness: Any) -> None:
    parent = server.create_project()
    for call in (
        lambda: server.models.FitModel(models_pb2.FitModelRequest(parent=parent)),
        lambda: list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent))),
    ):
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_VOTES")


def test_a_version_that_is_not_there(server: Any, harness: Any) -> None:
    parent = server.create_project()
    server.upload(parent, np.zeros((2, 2), np.int8))
    for version in (2, 2**64 - 1):
        failure = harness.failure_of(
            lambda: server.models.FitModel(models_pb2.FitModelRequest(parent=parent, votes_version=version))  # noqa: B023
        )
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.NOT_FOUND, "VOTES_VERSION_NOT_FOUND")


def test_a_taken_name(server: Any, harness: Any, parent: str) -> None:
    request = projects_pb2.CreateProjectRequest(project_id=parent.split("/")[1], classes=["a", "b"])
    failure = harness.failure_of(lambda: server.projects.CreateProject(request))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.ALREADY_EXISTS, "PROJECT_EXISTS")


def test_bad_predictions(server: Any, harness: Any, model: str) -> None:
    def failure(**fields: Any) -> Any:
        return harness.failure_of(lambda: server.labels.Predict(labels_pb2.PredictRequest(model=model, **fields)))

    assert list(failure(votes=harness.tensor([[0, 0, 0]])).violations) == ["votes.columns"]
    assert list(failure(votes=tensor_pb2.Tensor()).violations) == ["votes.rows"]
    too_low = failure(votes=harness.tensor([[0, 0, -3, 0, 0]]))
    assert "row 0, column 2 (source 'source 2'): label -3" in too_low.violations["votes.data"]
    unknown = failure(sources=["source 1", "who"], votes=harness.tensor([[0, 0]]))
    assert (unknown.code, unknown.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MODEL_SOURCES_UNKNOWN")
    assert list(unknown.violations) == ["sources[1]"]
    assert list(failure(sources=["source 1", "source 1"], votes=harness.tensor([[0, 0]])).violations) == ["sources[1]"]

    weighed = side_data_pb2.SideRows(gold_weight=harness.tensor([[1]], "<f4"))
    assert list(failure(votes=harness.tensor([[0, 0, 0, 0, 0]]), side=weighed).violations) == ["side.gold_weight"]

    good = labels_pb2.PredictStreamRequest(model=model, votes=harness.tensor([[0, 0, 0, 0, 0]]))
    later = labels_pb2.PredictStreamRequest(model="projects/p/models/m", votes=good.votes)
    stream = harness.failure_of(lambda: list(server.labels.PredictStream(iter([good, later]))))
    assert list(stream.violations) == ["model"]
    beyond = labels_pb2.ReadSoftLabelsRequest(model=model, row_offset=2**64 - 1)
    assert list(harness.failure_of(lambda: list(server.labels.ReadSoftLabels(beyond))).violations) == ["row_offset"]
    latest = models_pb2.DeleteModelRequest(name=model.rpartition("/")[0] + "/latest")
    assert list(harness.failure_of(lambda: server.models.DeleteModel(latest)).violations) == ["name"]


METHODS = [
    ("ProjectService/CreateProject", "unary_unary"),
    ("VoteService/UploadVotes", "stream_stream"),
    ("VoteService/ReadVotes", "unary_stream"),
    ("LabelService/Predict", "unary_unary"),
    ("LabelService/PredictStream", "stream_stream"),
    ("LabelService/NextToLabel", "unary_unary"),
    ("RecordService/PredictRecordsStream", "stream_stream"),
    ("RecordService/InspectModel", "unary_unary"),
    ("RecordService/ScoreRecords", "unary_unary"),
]


@pytest.mark.parametrize(("method", "kind"), METHODS)
def test_garbage_bytes(server: Any, harness: Any, method: str, kind: str) -> None:
    send = getattr(server.channel, kind)(f"/weaklabel.v1.{method}", None, None)
    for garbage in (b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", np.random.default_rng(0).bytes(10_000)):
        request = iter([garbage]) if kind == "stream_stream" else garbage
        failure = harness.failure_of(lambda: drain(send(request), kind))  # noqa: B023
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert server.create_project()


def drain(answer: Any, kind: str) -> Any:
    return answer if kind == "unary_unary" else list(answer)


def test_an_unknown_method_and_a_message_too_large(server: Any, harness: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.channel.unary_unary("/weaklabel.v1.ProjectService/Nothing", None, None)(b"")
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.UNIMPLEMENTED
    limit = 4 * 1024 * 1024
    request = labels_pb2.PredictRequest(votes=tensor_pb2.Tensor(data=bytes(limit)))
    stream = labels_pb2.PredictStreamRequest(votes=request.votes)
    for call in (lambda: server.labels.Predict(request), lambda: list(server.labels.PredictStream(iter([stream])))):
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
        assert failure.info.metadata["limit"] == str(limit)
        assert int(failure.info.metadata["bytes"]) == request.ByteSize()
        assert "WEAKLABEL_MAX_MESSAGE_BYTES" in failure.message
        assert failure.retry_seconds is None
    # Of what is four times as large gRPC itself reads no more than its length.
    request.votes.data = bytes(4 * limit)
    with pytest.raises(grpc.RpcError) as caught:
        server.labels.Predict(request)
    call = caught.value
    assert call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in call.details()
    assert server.create_project()


def test_the_log_tells_of_bad_requests_without_tracebacks(server: Any, harness: Any) -> None:
    metadata = (("x-request-id", "find-me"),)
    request = projects_pb2.GetProjectRequest(name="projects/none")
    harness.failure_of(lambda: server.projects.GetProject(request, metadata=metadata))
    line = harness.until(lambda: next((line for line in server.process.log().splitlines() if "find-me" in line), None))
    assert "method=/weaklabel.v1.ProjectService/GetProject code=NOT_FOUND reason=PROJECT_NOT_FOUND" in line
    assert "Traceback" not in server.process.log()
