"""A database that fails over to its standby under a server: what callers see, and that nothing acknowledged is lost."""

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from weaklabel_client import Client
from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2, votes_pb2

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SECONDS = 60


def health_is(server: Any, status: int) -> Callable[[], bool]:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="weaklabel.v1.VoteService")
    return lambda: bool(stub.Check(request).status == status)


class Uploads:
    """A caller that uploads votes without end, and repeats what was not acknowledged, by the same id."""

    def __init__(self, server: Any, harness: Any, seed: int) -> None:
        self._server = server
        self._harness = harness
        self._rng = np.random.default_rng(seed)
        self.parent: str = server.create_project()
        self.acknowledged: dict[int, Any] = {}
        """Votes by version."""
        self.failures: set[tuple[grpc.StatusCode, str, float | None]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            codes = self._rng.integers(-1, 2, (50, 4)).astype(np.int8)
            messages = list(self._harness.upload_messages(self.parent, codes, upload_id=str(uuid.uuid4())))
            while (version := self._upload(messages)) is None:
                time.sleep(0.05)
            assert version not in self.acknowledged
            self.acknowledged[version] = codes

    def _upload(self, messages: list[votes_pb2.UploadVotesRequest]) -> int | None:
        versions: list[int] = []

        def upload() -> None:
            answers = list(self._server.votes.UploadVotes(iter(messages), timeout=SECONDS))
            versions.append(answers[-1].votes_version)
            raise _AcknowledgedError

        try:
            failure = self._harness.failure_of(upload)
        except _AcknowledgedError:
            return versions[0]
        self.failures.add((failure.code, failure.info.reason, failure.retry_seconds))
        return None


class _AcknowledgedError(Exception):
    """The call did not fail."""


@pytest.fixture
def failing_over(
    own_postgres: Any, address: Callable[[int], Any], serving: Callable[..., Any], tmp_path: Path
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """A server, the address of its database, the primary and the standby."""
    leads = address(own_postgres.port)
    url = own_postgres.new_database("moved", port=leads.port)
    environment = {"WEAKLABEL_DATABASE_URL": url, "WEAKLABEL_LEASE_SECONDS": "2"}
    with own_postgres.standby() as standby, serving(tmp_path / "data", environment) as server:
        yield server, leads, own_postgres, standby


@pytest.mark.slow
def test_a_primary_that_dies(
    failing_over: Any, serving: Callable[..., Any], simulated: Any, harness: Any, tmp_path: Path
) -> None:
    server, leads, primary, standby = failing_over
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    assert server.fit(parent).model  # JAX is loaded
    callers = [Uploads(server, harness, seed) for seed in range(3)]
    harness.until(lambda: all(caller.acknowledged for caller in callers))
    options = [models_pb2.FitOptions(seed=seed) for seed in range(4)]
    fits = [
        server.models.FitModel(models_pb2.FitModelRequest(parent=parent, options=one)).operation.name for one in options
    ]
    running = operations_pb2.WatchOperationRequest(name=fits[0])
    next(one for one in server.operations.WatchOperation(running) if one.operation.progress.stage or one.operation.done)

    primary.kill()
    harness.until(health_is(server, NOT_SERVING))
    failure = harness.failure_of(server.create_project)
    assert (failure.code, failure.info.reason, failure.retry_seconds) == (
        grpc.StatusCode.UNAVAILABLE,
        "STORE_UNAVAILABLE",
        1.0,
    )
    assert "same request id" in failure.message
    # The address moves before the standby is promoted: it can be read, and takes no changes.
    leads.lead_to(standby.port)
    harness.until(lambda: "is a standby" in harness.failure_of(server.create_project).message)
    assert health_is(server, NOT_SERVING)()
    assert server.projects.GetProject(projects_pb2.GetProjectRequest(name=parent)).project.name == parent

    url = f"postgresql://{standby.user}@127.0.0.1:{leads.port}/moved"
    started = serving(tmp_path / "other", {"WEAKLABEL_DATABASE_URL": url})
    with pytest.raises(AssertionError, match="is a standby"), started:
        pass

    # The client waits, as it is told to.
    with Client(server.process.address) as client, ThreadPoolExecutor(1) as pool:
        patient = pool.submit(client.create_project, "patient", classes=["a", "b"], timeout=SECONDS)
        wait([patient], 0.5)
        assert not patient.done()
        counts = [len(caller.acknowledged) for caller in callers]
        standby.promote()
        assert patient.result(SECONDS).name == "projects/patient"
    harness.until(health_is(server, SERVING))
    harness.until(lambda: all(len(one.acknowledged) > before for one, before in zip(callers, counts, strict=True)))
    for caller in callers:
        caller.stop()
        assert caller.failures == {(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 1.0)}
        # No version is missing, and none is there that nobody was told of.
        assert sorted(caller.acknowledged) == list(range(1, len(caller.acknowledged) + 1))
        for version, codes in caller.acknowledged.items():
            np.testing.assert_array_equal(server.read_votes(caller.parent, votes_version=version), codes)
    ends = [server.wait(name) for name in fits]
    assert all(end.model for end in ends), ends
    listed = server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models
    assert len({end.model for end in ends}) == len(fits)
    assert len(listed) == len(fits) + 1
    assert "Traceback" not in server.process.log()

    # The old primary is back at the address, writable, and lacks what the new one has acknowledged.
    primary.start("-c synchronous_standby_names=''")
    leads.lead_to(primary.port)
    harness.until(lambda: harness.failure_of(server.create_project).info.reason == "STORE_LOST")
    failure = harness.failure_of(server.create_project)
    assert failure.code == grpc.StatusCode.UNAVAILABLE
    assert "older state of the database" in failure.message
    harness.until(health_is(server, NOT_SERVING))
    leads.lead_to(standby.port)
    harness.until(health_is(server, SERVING))
    assert server.upload(callers[0].parent, codes)[-1].votes_version == len(callers[0].acknowledged) + 1


_GONE = """
import socket, subprocess
from weaklabel_server.store.dialects import postgresql
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.create_server(("127.0.0.1", 0))
connection = postgresql._socket("127.0.0.1", listener.getsockname()[1], None)
other = listener.accept()[0]
subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
try:
    connection.recv(1)
except TimeoutError:
    print("noticed")
"""


@pytest.mark.slow
def test_a_machine_that_is_gone_without_a_word() -> None:
    """In a network of its own, whose one link is taken down under a connection on which an answer is awaited."""
    alone = ["unshare", "--net", "--"]
    try:
        subprocess.run([*alone, "ip", "link"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to make a network, and ip")
    done = subprocess.run([*alone, sys.executable, "-c", _GONE], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "noticed\n"
