"""Several server processes on one PostgreSQL database: any answers, each operation ends once, nothing is lost."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2


@pytest.fixture
def replica(tmp_path: Path, serving: Callable[..., Any]) -> Iterator[Callable[[str], Any]]:
    """Starts a server on a database."""
    contexts: list[Any] = []

    def start(url: str) -> Any:
        environment = {"WEAKLABEL_DATABASE_URL": url, "WEAKLABEL_LEASE_SECONDS": "2"}
        contexts.append(serving(tmp_path / f"replica{len(contexts)}", environment))
        return contexts[-1].__enter__()

    yield start
    for context in contexts:
        context.__exit__(None, None, None)


def fit(server: Any, parent: str, **fields: Any) -> str:
    return str(server.models.FitModel(models_pb2.FitModelRequest(parent=parent, **fields)).operation.name)


def listed(server: Any, parent: str) -> list[str]:
    return [one.name for one in server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models]


@pytest.mark.slow
def test_two_replicas(postgres: Any, replica: Callable[[str], Any], simulated: Any, harness: Any) -> None:
    url = postgres.new_database()
    with ThreadPoolExecutor(2) as pool:  # both migrate the empty database
        first, second = pool.map(replica, [url, url])
    codes, _ = simulated()
    parent = first.create_project()
    first.upload(parent, codes)
    np.testing.assert_array_equal(second.read_votes(parent), codes)

    # One request id on both at once: one effect, one answer.
    request_id = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda n: fit([first, second][n % 2], parent, request_id=request_id), range(8)))
    (name,) = names
    # What one runs, the other waits for.
    done = second.wait(name)
    assert done.model
    assert first.wait(name) == done

    # Versions of uploads that finish at the same time on both.
    start = threading.Barrier(6)

    def upload(number: int) -> int:
        start.wait()
        answers = [first, second][number % 2].upload(parent, codes, sources=[f"s{number}-{one}" for one in range(5)])
        return int(answers[-1].votes_version)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(upload, range(6))) == [2, 3, 4, 5, 6, 7]

    # Cancelled by the other.
    running = fit(first, parent)
    second.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=running))
    assert first.wait(running).WhichOneof("result") in ("error", "model")

    # Fits of two replicas, one of which is killed: each operation ends once, with one model.
    before = listed(second, parent)
    names = {fit([first, second][seed % 2], parent, options=models_pb2.FitOptions(seed=seed)) for seed in range(6)}
    first.kill()
    made = [second.wait(one) for one in names]
    assert all(one.model for one in made), made
    assert len({one.model for one in made}) == len(names)
    assert sorted(listed(second, parent)) == sorted([*before, *(one.model for one in made)])


def test_a_database_that_restarts_and_one_that_is_another(
    own_postgres: Any, replica: Callable[[str], Any], harness: Any
) -> None:
    url = own_postgres.new_database("restarted")
    server = replica(url)
    parent = server.create_project()
    health: Any = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="weaklabel.v1.ProjectService")
    statuses = health_pb2.HealthCheckResponse

    def is_status(status: int) -> Callable[[], bool]:
        return lambda: bool(health.Check(request).status == status)

    harness.until(is_status(statuses.SERVING))
    own_postgres.stop("immediate")
    failure = harness.failure_of(server.create_project)
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    harness.until(is_status(statuses.NOT_SERVING))
    own_postgres.start()
    harness.until(is_status(statuses.SERVING))
    assert server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project.name == parent
    assert server.create_project()

    own_postgres.sql("postgres", "DROP DATABASE restarted WITH (FORCE)")
    own_postgres.sql("postgres", "CREATE DATABASE restarted")
    harness.until(is_status(statuses.NOT_SERVING))
    failure = harness.failure_of(server.create_project)
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_LOST")
    assert "Traceback" not in server.process.log()
