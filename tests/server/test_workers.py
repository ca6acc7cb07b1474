"""Fits in worker processes: what becomes of the server, its callers and other fits when a worker dies or hangs."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from weaklabel_protocol.v1 import models_pb2, operations_pb2
from weaklabel_server.jobs.workers import estimate, pool
from weaklabel_server.jobs.workers.frames import Frames

SOON = 2.0
"""Half of it is for machines that are busy with other tests."""


def workers(server: Any) -> list[int]:
    """The processes that a server has started and that have not ended."""
    found = []
    for task in Path(f"/proc/{server.process.process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += [int(child) for child in (task / "children").read_text().split()]
    return [process for process in found if state(process) not in ("Z", None)]


def state(process: int) -> str | None:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def the_worker(server: Any, harness: Any) -> int:
    """The worker that a server starts when it is warm; it runs, which its score shows, and so is in the pool."""

    def running() -> list[int]:
        scores = {process: Path(f"/proc/{process}/oom_score_adj") for process in workers(server)}
        return [process for process, score in scores.items() if score.read_text() == "700\n"]

    process: int = harness.until(running)[0]
    return process


def stop_worker(server: Any, harness: Any) -> int:
    """Stops the worker, so that it does and answers nothing, as in a loop without end; returns its process."""
    process = the_worker(server, harness)
    harness.until(lambda: workers(server) == [process])
    os.kill(process, signal.SIGSTOP)
    return process


def begin(server: Any, parent: str) -> str:
    name: str = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    return name


def get(server: Any, name: str) -> operations_pb2.Operation:
    operation: operations_pb2.Operation = server.operations.GetOperation(
        operations_pb2.GetOperationRequest(name=name)
    ).operation
    return operation


def reading(server: Any, harness: Any, name: str) -> None:
    """Waits until a worker has the fit."""
    harness.until(lambda: get(server, name).progress.stage != operations_pb2.FIT_STAGE_QUEUED)


def info_of(operation: operations_pb2.Operation) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    assert operation.error.details[0].Unpack(info)
    return info


@pytest.fixture(scope="module")
def enduring(serving: Any, tmp_path_factory: Any) -> Iterator[Any]:
    """A server that goes on through all that its workers meet."""
    with serving(tmp_path_factory.mktemp("workers"), {"WEAKLABEL_WARM_UP": "on"}) as server:
        yield server


@pytest.fixture
def project(enduring: Any, simulated: Any) -> tuple[Any, str]:
    parent = enduring.create_project()
    enduring.upload(parent, simulated()[0])
    return enduring, parent


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that a test starts have a worker from the start."""
    monkeypatch.setenv("WEAKLABEL_WARM_UP", "on")


@pytest.fixture
def own_project(warm: None, start: Any, simulated: Any) -> tuple[Any, str]:
    """On a server that ends in the test."""
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    return server, parent


def test_a_fit_whose_worker_is_killed_is_run_again(project: Any, harness: Any) -> None:
    server, parent = project
    worker = stop_worker(server, harness)
    name = begin(server, parent)
    reading(server, harness, name)
    os.kill(worker, signal.SIGKILL)
    assert server.wait(name).model
    assert "a worker died by signal SIGKILL" in server.process.log()
    assert worker not in workers(server)
    assert server.fit(parent).model


def test_a_worker_that_dies_idle_is_not_noticed(project: Any, harness: Any) -> None:
    server, parent = project
    assert server.fit(parent).model
    os.kill(the_worker(server, harness), signal.SIGKILL)
    assert server.fit(parent).model


def test_a_fit_that_ends_every_worker_ends_with_a_reason(project: Any, harness: Any) -> None:
    server, parent = project
    killed: set[int] = set()
    stop_worker(server, harness)
    name = begin(server, parent)
    reading(server, harness, name)
    while not get(server, name).done:
        # A new worker loads its libraries for a second before it begins, so that this comes in time.
        for process in set(workers(server)) - killed:
            os.kill(process, signal.SIGKILL)
            killed.add(process)
        time.sleep(0.02)
    operation = get(server, name)
    assert info_of(operation).reason == "OPERATION_CRASHES"
    assert operation.error.code == grpc.StatusCode.INTERNAL.value[0]
    assert "3 processes ended during this fit, the last by signal SIGKILL" in operation.error.message
    assert len(killed) == pool.MAX_ATTEMPTS
    assert server.fit(parent).model  # and others are not hindered


def test_a_fit_that_hangs_is_cancelled_within_a_second(project: Any, harness: Any) -> None:
    server, parent = project
    worker = stop_worker(server, harness)
    name = begin(server, parent)
    reading(server, harness, name)
    began = time.monotonic()
    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    operation = server.wait(name)
    assert time.monotonic() - began < SOON
    assert info_of(operation).reason == "OPERATION_CANCELLED"
    assert worker not in workers(server)
    assert server.fit(parent).model


def test_a_fit_in_its_iterations_is_cancelled_within_a_second(enduring: Any, harness: Any) -> None:
    server = enduring
    parent = server.create_project()
    server.upload(parent, np.random.default_rng(0).integers(0, 2, (60_000, 14)).astype(np.int8))  # no end in sight
    assert server.fit(parent).model  # compiled now, so that no step is long
    name = begin(server, parent)
    harness.until(lambda: get(server, name).progress.iteration)
    began = time.monotonic()
    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    operation = server.wait(name)
    assert time.monotonic() - began < SOON
    assert info_of(operation).reason == "OPERATION_CANCELLED"
    assert operation.progress.iteration > 0  # what it reached is kept


def test_a_fit_may_not_take_for_ever(warm: None, start: Any, harness: Any, simulated: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_FIT_SECONDS", "0.5")
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    stop_worker(server, harness)
    operation = server.wait(begin(server, parent))
    assert info_of(operation).reason == "FIT_TOO_LONG"
    assert operation.error.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert "WEAKLABEL_MAX_FIT_SECONDS" in operation.error.message


@pytest.mark.slow
def test_memory_that_runs_out_in_a_fit_has_a_reason(project: Any, harness: Any) -> None:
    resource = pytest.importorskip("resource")
    server, parent = project
    server.upload(parent, np.random.default_rng(0).integers(0, 2, (3_000_000, 5)).astype(np.int8))
    worker = the_worker(server, harness)
    assert server.fit(server_with_small_votes(server)).model
    in_use = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.prlimit(worker, resource.RLIMIT_AS, (in_use + (8 << 20), in_use + (8 << 20)))
    operation = server.wait(begin(server, parent))
    assert info_of(operation).reason == "OUT_OF_MEMORY", server.process.log()
    assert operation.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


def server_with_small_votes(server: Any) -> str:
    parent: str = server.create_project()
    server.upload(parent, np.array([[0, 1], [1, 1], [0, 0]], np.int8))
    return parent


def test_workers_end_with_a_server_that_is_killed(own_project: Any, harness: Any) -> None:
    server, parent = own_project
    worker = stop_worker(server, harness)  # which cannot notice anything itself
    reading(server, harness, begin(server, parent))
    server.kill()
    harness.until(lambda: state(worker) in ("Z", None))


def test_workers_end_with_a_server_that_drains(own_project: Any, harness: Any) -> None:
    server, parent = own_project
    worker = stop_worker(server, harness)
    reading(server, harness, begin(server, parent))
    began = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - began < 20  # not as long as a fit may take
    assert state(worker) in ("Z", None)
    assert "Traceback" not in server.process.log()


def test_a_small_fit_of_another_project_does_not_wait_for_a_burst(
    start: Any, harness: Any, simulated: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_FITS", "1")
    server = start()
    busy, other = server.create_project(), server.create_project()
    for parent in (busy, other):
        server.upload(parent, simulated()[0])
    burst = [begin(server, busy) for _ in range(6)]
    small = server.wait(begin(server, other))
    assert small.model
    assert small.end_time.ToNanoseconds() < server.wait(burst[2]).end_time.ToNanoseconds()
    assert server.wait(burst[-1]).model


def test_a_fit_that_needs_too_much_memory_is_refused(
    start: Any, harness: Any, simulated: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_FIT_MEMORY_BYTES", str(200 << 20))
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    failure = harness.failure_of(lambda: begin(server, parent))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "FIT_TOO_LARGE")
    assert failure.info.metadata["limit_bytes"] == str(200 << 20)
    assert int(failure.info.metadata["estimate_bytes"]) > 200 << 20
    assert failure.info.metadata["estimate_bytes"] in failure.message
    assert "400 items, 5 sources, 2 classes" in failure.message


@pytest.mark.slow
def test_the_memory_of_a_fit_is_estimated(enduring: Any, harness: Any) -> None:
    """One shape; benchmarks/fit_memory.py has many, up to 5,000,000 items."""
    parent = enduring.create_project()
    enduring.upload(parent, np.random.default_rng(0).integers(-1, 2, (300_000, 20)).astype(np.int8))
    enduring.fit(server_with_small_votes(enduring))
    os.kill(the_worker(enduring, harness), signal.SIGKILL)
    assert enduring.fit(parent, options=models_pb2.FitOptions(max_iterations=5)).model
    status = Path(f"/proc/{the_worker(enduring, harness)}/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    size = estimate.FitSize(items=300_000, sources=20, classes=2, votes=4_000_000)
    assert peak <= estimate.memory_bytes(size) <= 2 * peak


def test_the_queue_is_bounded(warm: None, start: Any, harness: Any, simulated: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_QUEUED_PROJECT_FITS", "2")
    monkeypatch.setenv("WEAKLABEL_MAX_QUEUED_FITS", "3")
    server = start()
    first, second, third = (server.create_project() for _ in range(3))
    for parent in (first, second, third):
        server.upload(parent, simulated()[0])
    stop_worker(server, harness)
    names = [begin(server, first), begin(server, first)]
    failure = harness.failure_of(lambda: begin(server, first))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert failure.retry_seconds == 2
    assert failure.message.startswith(f'2 fits of project "{first.partition("/")[2]}" wait or run')
    names.append(begin(server, second))
    failure = harness.failure_of(lambda: begin(server, third))
    assert failure.info.reason == "QUEUE_FULL"
    assert failure.message.startswith("3 fits of all projects wait or run")
    for name in names:
        server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
        server.wait(name)
    assert begin(server, third)


def test_when_a_worker_is_replaced() -> None:
    fresh = {"fits": 1, "resident_bytes": 300 << 20, "maps": 2000, "max_maps": 65_530}
    assert not pool.worn_out(**fresh)
    for name, value in (("fits", pool.MAX_FITS), ("resident_bytes", pool.MAX_RESIDENT_BYTES + 1), ("maps", 33_000)):
        assert pool.worn_out(**fresh | {name: value}), name


@pytest.mark.slow
def test_messages_arrive_whole_and_in_their_order() -> None:
    import socket

    left, right = (Frames(end) for end in socket.socketpair())
    large = {"text": "x" * 200_000}
    with Path(os.devnull).open("rb") as file:
        left.send({"number": 1})
        left.send({"number": 2}, file.fileno())
    assert right.receive(1) == {"number": 1}
    assert right.receive(1) == {"number": 2}
    descriptor = right.descriptors.popleft()
    assert Path(f"/proc/self/fd/{descriptor}").readlink() == Path(os.devnull)
    os.close(descriptor)
    assert right.receive(0.01) is None
    left.send(large)
    assert right.receive(1) == large
    left.close()
    with pytest.raises(EOFError):
        right.receive(1)
    right.close()
