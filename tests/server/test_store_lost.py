"""What a running server says and does when its disk or its store is not what it was."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def health_is(server: Any, status: int) -> Callable[[], bool]:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service="weaklabel.v1.VoteService")
    return lambda: bool(stub.Check(request).status == status)


def seconds_until(harness: Any, condition: Callable[[], bool]) -> float:
    begin = time.monotonic()
    harness.until(condition)
    return time.monotonic() - begin


def test_a_folder_that_is_deleted_under_a_server(start: Any, harness: Any, simulated: Any, tmp_path: Path) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    server.upload(parent, codes)
    data_dir, aside = server.process.data_dir, tmp_path / "aside"
    data_dir.rename(aside)
    failure = harness.failure_of(lambda: server.upload(parent, codes))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_LOST")
    # 0.4 s between two looks; the rest is the machine's.
    assert seconds_until(harness, health_is(server, NOT_SERVING)) < 10.0
    failure = harness.failure_of(lambda: server.read_votes(parent))
    assert failure.info.reason == "STORE_LOST"
    # Another store in its place is not taken for it.
    data_dir.mkdir()
    shutil.copy(aside / "weaklabel.db", data_dir)
    assert harness.failure_of(server.create_project).info.reason == "STORE_LOST"
    shutil.rmtree(data_dir)
    # Back again, so is the server.
    aside.rename(data_dir)
    harness.until(health_is(server, SERVING))
    assert server.upload(parent, codes)[-1].votes_version == 2
    shutil.rmtree(data_dir)
    harness.until(health_is(server, NOT_SERVING))
    assert server.terminate() == 0
    assert "Traceback" not in server.process.log()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leaves no byte of a disk."""
    rest = disk / "rest"
    with rest.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return rest


def test_an_operation_ends_although_the_disk_is_full(
    small_disk: Path, serving: Callable[..., Any], simulated: Any, harness: Any, tmp_path: Path
) -> None:
    environment = {"WEAKLABEL_COMPILE_CACHE": "off"}
    data_dir = small_disk / "data"
    with serving(data_dir, environment) as server:
        parent = server.create_project()
        codes, _ = simulated()
        server.upload(parent, codes)
        # The first fit loads JAX, which takes long enough to fill the disk in.
        names = [server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name for _ in range(2)]
        watched = server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=names[0]))
        reading = operations_pb2.FIT_STAGE_READING
        next(one for one in watched if one.operation.progress.stage >= reading)
        rest = fill(small_disk)
        for call in (server.create_project, lambda: server.upload(parent, codes)):
            failure = harness.failure_of(call)
            assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        # One that waits is cancelled; the one that runs ends with what the store said.
        server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=names[1]))
        ends = [server.wait(name) for name in names]
        assert [end.error.code for end in ends] == [8, 1]
        assert "disk of the" in ends[0].error.message
        assert [server.wait(name) for name in names] == ends
        rest.unlink()

        with closing(sqlite3.connect(data_dir / "weaklabel.db")) as database:
            query = "SELECT count(*) FROM operations WHERE NOT done"
            harness.until(lambda: database.execute(query).fetchone() == (0,))
        assert server.fit(parent).model
    # Killed and started again, it says the same.
    with serving(data_dir, environment) as server:
        assert [server.wait(name).error.code for name in names] == [8, 1]
        server.projects.DeleteProject(projects_pb2.DeleteProjectRequest(name=parent))
        assert "Traceback" not in server.process.log()
