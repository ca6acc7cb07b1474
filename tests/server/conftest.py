"""A channel to a real server with the stubs, and what a client in another language would write itself."""

import importlib.util
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from numpy.typing import NDArray

from weaklabel_protocol.v1 import (
    labels_pb2,
    labels_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    projects_pb2,
    projects_pb2_grpc,
    side_data_pb2,
    side_data_pb2_grpc,
    sources_pb2_grpc,
    tensor_pb2,
    votes_pb2,
    votes_pb2_grpc,
)

SECONDS = 60


class Server:
    """A server process, and the stubs to call it."""

    def __init__(self, process: Any) -> None:
        self.process = process  # a ServerProcess of tests/conftest.py
        self.channel = grpc.insecure_channel(process.address)
        self.projects = projects_pb2_grpc.ProjectServiceStub(self.channel)
        self.sources = sources_pb2_grpc.SourceServiceStub(self.channel)
        self.votes = votes_pb2_grpc.VoteServiceStub(self.channel)
        self.models = models_pb2_grpc.ModelServiceStub(self.channel)
        self.operations = operations_pb2_grpc.OperationServiceStub(self.channel)
        self.labels = labels_pb2_grpc.LabelServiceStub(self.channel)
        self.side_data = side_data_pb2_grpc.SideDataServiceStub(self.channel)

    def kill(self) -> None:
        """As when the machine's memory runs out: no chance to tidy up."""
        self.process.kill()
        self.channel.close()

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        status: int = self.process.terminate()
        self.channel.close()
        return status

    # ----------------------------------------------------------- short forms

    def create_project(self, classes: Sequence[str] = ("ham", "spam")) -> str:
        project_id = f"p{uuid.uuid4().hex[:12]}"
        request = projects_pb2.CreateProjectRequest(project_id=project_id, classes=classes)
        project: projects_pb2.Project = self.projects.CreateProject(request, timeout=SECONDS).project
        return project.name

    def upload(self, parent: str, codes: NDArray[Any], **options: Any) -> list[votes_pb2.UploadVotesResponse]:
        return list(self.votes.UploadVotes(iter(upload_messages(parent, codes, **options)), timeout=SECONDS))

    def upload_side(self, parent: str, kind: int, *values: Any, **options: Any) -> Any:
        """Uploads side data, a chunk a value; returns the answers."""
        return list(self.side_data.UploadSideData(iter(side_messages(parent, kind, *values, **options))))

    def fit(self, parent: str, **fields: Any) -> operations_pb2.Operation:
        """Fits and waits for the end."""
        request = models_pb2.FitModelRequest(parent=parent, **fields)
        return self.wait(self.models.FitModel(request, timeout=SECONDS).operation.name)

    def wait(self, name: str) -> operations_pb2.Operation:
        request = operations_pb2.WaitOperationRequest(name=name)
        operation: operations_pb2.Operation = self.operations.WaitOperation(request, timeout=SECONDS).operation
        assert operation.done, operation
        return operation

    def read_votes(self, parent: str, **fields: Any) -> NDArray[Any]:
        answers = list(self.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent, **fields), timeout=SECONDS))
        return np.concatenate([matrix(answer.votes) for answer in answers])

    def read_soft_labels(self, model: str, **fields: Any) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
        """Probabilities, labels, item ids."""
        request = labels_pb2.ReadSoftLabelsRequest(model=model, **fields)
        answers = list(self.labels.ReadSoftLabels(request, timeout=SECONDS))
        return (
            np.concatenate([matrix(answer.probabilities) for answer in answers]),
            np.concatenate([matrix(answer.labels) for answer in answers]),
            [one for answer in answers for one in answer.item_ids],
        )


_NUMPY = {
    tensor_pb2.DATA_TYPE_INT8: "<i1",
    tensor_pb2.DATA_TYPE_INT16: "<i2",
    tensor_pb2.DATA_TYPE_INT32: "<i4",
    tensor_pb2.DATA_TYPE_FLOAT32: "<f4",
}


def tensor(array: Any, dtype: str = "<i1") -> tensor_pb2.Tensor:
    """A tensor as the contract describes it, written without the product's codec."""
    made = np.ascontiguousarray(array, dtype)
    data_type = next(key for key, value in _NUMPY.items() if value == dtype)
    return tensor_pb2.Tensor(data_type=data_type, rows=made.shape[0], columns=made.shape[1], data=made.tobytes())


def matrix(message: tensor_pb2.Tensor) -> NDArray[Any]:
    """The other way round."""
    return np.frombuffer(message.data, _NUMPY[message.data_type]).reshape(message.rows, message.columns)


def upload_messages(
    parent: str,
    codes: NDArray[Any],
    *,
    sources: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    upload_id: str | None = None,
    digest: bytes = b"",
    chunk_rows: int = 65_536,
    sparse: bool = False,
    finish: bool = True,
) -> Iterator[votes_pb2.UploadVotesRequest]:
    """What a client sends to upload codes [N, M]."""
    names = sources or [f"source {column}" for column in range(codes.shape[1])]
    opening = votes_pb2.UploadVotesOpen(
        parent=parent, upload_id=upload_id or str(uuid.uuid4()), sources=names, content_digest=digest
    )
    yield votes_pb2.UploadVotesRequest(open=opening)
    for start in range(0, len(codes), chunk_rows):
        part = codes[start : start + chunk_rows]
        chunk = votes_pb2.UploadVotesChunk(
            row_offset=start, rows=len(part), item_ids=items[start : start + chunk_rows] if items else ()
        )
        if sparse:
            row, column = np.nonzero(part != -1)
            triples = np.stack([row, column, part[row, column]], axis=1)
            chunk.sparse.triples.CopyFrom(tensor(triples, "<i4"))
        else:
            chunk.dense.votes.CopyFrom(tensor(part))
        yield votes_pb2.UploadVotesRequest(chunk=chunk)
    if finish:
        yield votes_pb2.UploadVotesRequest(finish=votes_pb2.UploadVotesFinish(total_rows=len(codes)))


def side_messages(
    parent: str,
    kind: int,
    *values: tuple[int, side_data_pb2.SideRows],
    items: Sequence[str] = (),
    side_data_id: str | None = None,
    digest: bytes = b"",
    finish: bool = True,
) -> Iterator[side_data_pb2.UploadSideDataRequest]:
    """What a client sends to upload side data, given as chunks of so many rows."""
    opening = side_data_pb2.UploadSideDataOpen(
        parent=parent, side_data_id=side_data_id or str(uuid.uuid4()), content_digest=digest
    )
    opening.kind = kind  # type: ignore[assignment]  # numbers that are no kind, too
    yield side_data_pb2.UploadSideDataRequest(open=opening)
    start = 0
    for rows, content in values:
        chunk = side_data_pb2.UploadSideDataChunk(
            row_offset=start, rows=rows, item_ids=items[start : start + rows], values=content
        )
        yield side_data_pb2.UploadSideDataRequest(chunk=chunk)
        start += rows
    if finish:
        yield side_data_pb2.UploadSideDataRequest(finish=side_data_pb2.UploadSideDataFinish(total_rows=start))


class Failure:
    """A failed call as Google's own decoder of rich errors reads it."""

    def __init__(self, error: grpc.RpcError) -> None:
        call: Any = error
        self.code: grpc.StatusCode = call.code()
        self.message: str = call.details()
        status = rpc_status.from_call(call)
        assert status is not None, call
        assert status.code == self.code.value[0]
        assert status.message == self.message
        self.info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(self.info)
        assert self.info.domain == "weaklabel"
        self.violations: dict[str, str] = {}
        self.retry_seconds: float | None = None
        for detail in status.details[1:]:
            faults, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                self.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
                continue
            assert detail.Unpack(faults)
            self.violations |= {fault.field: fault.description for fault in faults.field_violations}


def failure_of(call: Callable[[], Any]) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return Failure(caught.value)


class Harness:
    """What tests use of this file: importlib mode lets them not import it."""

    tensor = staticmethod(tensor)
    matrix = staticmethod(matrix)
    upload_messages = staticmethod(upload_messages)
    side_messages = staticmethod(side_messages)
    failure_of = staticmethod(failure_of)

    @staticmethod
    def until(condition: Callable[[], Any]) -> Any:
        """Polls until the condition holds."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.01)
        raise TimeoutError


@pytest.fixture(scope="session")
def harness() -> type[Harness]:
    return Harness


@pytest.fixture(scope="session")
def server(shared_server: Any) -> Iterator[Server]:
    """One server for all tests that need no server of their own; each makes its own project."""
    shared = Server(shared_server)
    yield shared
    shared.channel.close()


@pytest.fixture
def start(start_server: Callable[..., Any]) -> Iterator[Callable[..., Server]]:
    """Starts a server; called again after its end, it starts on the same data."""
    started: list[Server] = []

    def start_one(*options: str) -> Server:
        if started:
            started[0].process.start()
        started.append(Server(started[0].process if started else start_server(*options)))
        return started[-1]

    yield start_one
    for one in started:
        one.channel.close()


@pytest.fixture(scope="session")
def serving(shared_server: Any) -> Callable[[Path, dict[str, str]], AbstractContextManager[Server]]:
    """Makes a context with a server on some data and with an environment of its own."""

    @contextmanager
    def serve(data_dir: Path, environment: dict[str, str]) -> Iterator[Server]:
        process = type(shared_server)(data_dir, environment=environment)
        process.start()
        server = Server(process)
        try:
            yield server
        finally:
            server.kill()

    return serve


def _simulated(items: int = 400, sources: int = 5, seed: int = 0) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, items)
    right = rng.random((items, sources)) < 0.8
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random((items, sources)) < 0.3, -1, votes).astype(np.int8), truth.astype(np.int8)


@pytest.fixture(scope="session")
def simulated() -> Callable[..., tuple[NDArray[np.int8], NDArray[np.int8]]]:
    """Makes votes [N, M] of sources that are right in 80 % of their votes, and the truth [N]."""
    return _simulated


def _postgres_module() -> Any:
    """tests/server/postgres.py: importlib mode lets tests not import it by name."""
    specification = importlib.util.spec_from_file_location("postgres_of_tests", Path(__file__).with_name("postgres.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running PostgreSQL that tests share; each makes its own database."""
    with _postgres_module().running() as cluster:
        yield cluster


@pytest.fixture
def address() -> Iterator[Callable[[int], Any]]:
    """Makes a port that leads to another one, and can be sent elsewhere."""
    with ExitStack() as stack:
        module = _postgres_module()
        yield lambda port: stack.enter_context(module.address(port))


@pytest.fixture
def own_postgres() -> Iterator[Any]:
    """A PostgreSQL for one test that stops it."""
    with _postgres_module().running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def database_urls(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes the URL of a new database: of "sqlite" or "postgresql"."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('store') / 'weaklabel.db'}"
        url: str = request.getfixturevalue("postgres").new_database()
        return url

    return make


@pytest.fixture(scope="session")
def postgres_sql(request: pytest.FixtureRequest) -> Callable[[Any, str], str]:
    """Runs a statement in the PostgreSQL database of a store, past the store; {name} in it is that of the database."""

    def run(database: Any, statement: str) -> str:
        name = database._engine.url.database
        answer: str = request.getfixturevalue("postgres").sql(name, statement.replace("{name}", name))
        return answer

    return run
