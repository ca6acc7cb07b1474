"""From the start to the end of the process: health, reflection, cancelling, draining, and what forbids a start."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from weaklabel_protocol.v1 import labels_pb2, models_pb2, operations_pb2, votes_pb2

SERVICES = [
    *("Analysis", "Label", "Model", "Operation", "Project", "Prompt", "Record", "Release", "SideData", "Source", "Vote")
]
WEAKLABEL = Path(sys.executable).with_name("weaklabel")


def run_serve(*options: str) -> "subprocess.CompletedProcess[str]":
    """Runs a server that is expected not to start."""
    return subprocess.run([WEAKLABEL, "serve", *options], capture_output=True, text=True, timeout=60, check=False)


def test_health_of_each_service(server: Any, harness: Any) -> None:
    health: Any = health_pb2_grpc.HealthStub(server.channel)
    for service in ["", *(f"weaklabel.v1.{name}Service" for name in SERVICES)]:
        # Some of them need libraries that take seconds to load.
        request = health_pb2.HealthCheckRequest(service=service)
        harness.until(lambda: health.Check(request).status == health_pb2.HealthCheckResponse.SERVING)  # noqa: B023
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="other"))
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_describes_the_contract(server: Any) -> None:
    """Enough for a client in any language to be made of: each service, its file, and the files that it needs."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    listed = next(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")])))
    names = [service.name for service in listed.list_services_response.service]
    assert [name for name in sorted(names) if name.startswith("weaklabel.")] == [
        f"weaklabel.v1.{name}Service" for name in SERVICES
    ]
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="weaklabel.v1.VoteService")
    content = next(stub.ServerReflectionInfo(iter([request]))).file_descriptor_response.file_descriptor_proto[0]
    file = descriptor_pb2.FileDescriptorProto.FromString(content)
    assert [method.name for method in file.service[0].method] == ["UploadVotes", "ReadVotes"]
    assert list(file.dependency) == ["weaklabel/v1/symbols.proto", "weaklabel/v1/tensor.proto"]


def test_serves_soon_and_says_where(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAKLABEL_WARM_UP", "on")
    server = start("--log-format", "json")
    health: Any = health_pb2_grpc.HealthStub(server.channel)
    statuses = health_pb2.HealthCheckResponse
    # What needs no JAX is served while it loads; then the server as a whole is.
    whole = health.Watch(health_pb2.HealthCheckRequest())
    assert next(whole).status == statuses.NOT_SERVING
    uploads = health_pb2.HealthCheckRequest(service="weaklabel.v1.VoteService")
    assert health.Check(uploads).status == statuses.SERVING
    assert server.create_project()
    assert next(whole).status == statuses.SERVING
    whole.cancel()
    assert server.terminate() == 0
    ready, *lines = [line for line in server.process.log().splitlines() if "listening on" in line or line[0] == "{"]
    assert ready == f"weaklabel 0.1.0 listening on {server.process.address}, data in {server.process.data_dir}"
    assert not server.process.address.endswith(":0")
    records = [json.loads(line) for line in lines]
    assert any(one.get("method") == "/grpc.health.v1.Health/Check" and one["code"] == "OK" for one in records)


def test_without_a_warm_up_all_is_served_and_loaded_when_it_is_needed(start: Any, harness: Any, simulated: Any) -> None:
    server = start()
    health: Any = health_pb2_grpc.HealthStub(server.channel)
    whole = health.Watch(health_pb2.HealthCheckRequest())
    assert any(one.status == health_pb2.HealthCheckResponse.SERVING for one in whole)
    whole.cancel()
    process = Path(f"/proc/{server.process.process.pid}")
    started = [task / "children" for task in (process / "task").iterdir()]
    assert "".join(path.read_text() for path in started) == ""  # no worker
    assert "jaxlib" not in (process / "maps").read_text()
    parent = server.create_project()
    codes, _ = simulated()
    server.upload(parent, codes)
    request = labels_pb2.PredictRequest(model=server.fit(parent).model, votes=harness.tensor(codes[:7]))
    assert server.labels.Predict(request).probabilities.rows == 7
    assert "jaxlib" in (process / "maps").read_text()


def test_drains_on_sigterm(start: Any, harness: Any, simulated: Any, monkeypatch: Any) -> None:
    codes, _ = simulated()
    monkeypatch.setenv("WEAKLABEL_GRACE_SECONDS", "1")
    server = start()
    parent = server.create_project()
    statuses: SimpleQueue[int] = SimpleQueue()

    def watch() -> None:
        stub: Any = health_pb2_grpc.HealthStub(server.channel)
        with contextlib.suppress(grpc.RpcError):  # the end of the server
            for answer in stub.Watch(health_pb2.HealthCheckRequest()):
                statuses.put(answer.status)

    watching = threading.Thread(target=watch)
    watching.start()
    harness.until(lambda: statuses.get(timeout=20) == health_pb2.HealthCheckResponse.SERVING)
    messages = SimpleQueue[Any]()
    upload_id = str(uuid.uuid4())
    parts = list(harness.upload_messages(parent, codes, upload_id=upload_id, chunk_rows=100))
    responses = server.votes.UploadVotes(iter(messages.get, None))
    for part in parts[:2]:
        messages.put(part)
        answer = next(responses)
    assert answer.committed_rows == 100

    server.process.process.send_signal(signal.SIGTERM)
    assert statuses.get(timeout=20) == health_pb2.HealthCheckResponse.NOT_SERVING
    # A call in flight may end: the upload goes on and is acknowledged.
    for part in parts[2:]:
        messages.put(part)
        answer = next(responses)
    assert answer.finished
    messages.put(None)
    assert list(responses) == []
    assert server.terminate() == 0
    watching.join(20)
    assert not watching.is_alive()
    assert "Traceback" not in server.process.log()
    server = start()
    assert server.read_votes(parent).shape == codes.shape


def test_new_calls_are_answered_while_load_balancers_take_notice(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEAKLABEL_DRAIN_SECONDS", "2")
    server = start()
    health: Any = health_pb2_grpc.HealthStub(server.channel)
    statuses = health.Watch(health_pb2.HealthCheckRequest())
    next(one for one in statuses if one.status == health_pb2.HealthCheckResponse.SERVING)
    server.process.process.send_signal(signal.SIGTERM)
    assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        server.create_project()
        time.sleep(0.05)
    statuses.cancel()  # else the server would wait for it
    assert server.terminate() == 0


def test_an_idle_stream_does_not_keep_the_server(start: Any, harness: Any, simulated: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEAKLABEL_GRACE_SECONDS", "0.5")
    server = start()
    parent = server.create_project()
    messages = SimpleQueue[Any]()
    responses = server.votes.UploadVotes(iter(messages.get, None))
    messages.put(next(harness.upload_messages(parent, simulated()[0])))
    next(responses)
    server.process.process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.RpcError) as caught:
        next(responses)
    call: Any = caught.value
    assert call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    messages.put(None)
    assert server.process.process.wait(60) == 0
    server.terminate()  # it has ended; its log is read to the end
    assert "Traceback" not in server.process.log()


def test_a_fit_that_a_drain_interrupts_is_run_again(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    watched = server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=name))
    next(watched)
    assert server.terminate() == 0
    assert "Traceback" not in server.process.log()
    server = start()
    assert server.wait(name).model


def test_cancel(start: Any, harness: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    # JAX is not loaded yet, so the first fit takes seconds and the second waits for its turn.
    running, queued = (
        server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name for _ in range(2)
    )
    for name in (queued, running):
        server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
        server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    get = server.operations.GetOperation(operations_pb2.GetOperationRequest(name=queued)).operation
    assert get.done  # at once, although the one before it still runs
    for name in (queued, running):
        operation = server.wait(name)
        assert operation.WhichOneof("result") == "error"
        assert operation.error.code == grpc.StatusCode.CANCELLED.value[0]
        assert operation.error.details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    assert not server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models
    assert server.fit(parent).model  # and the next is not hindered
    assert server.terminate() == 0


def test_wait_ends_with_its_timeout(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated(items=100_000, sources=40)[0])
    name = server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
    request = operations_pb2.WaitOperationRequest(name=name)
    request.timeout.FromMilliseconds(1)
    assert not server.operations.WaitOperation(request).operation.done
    # A deadline of the call ends the waiting in time for an answer.
    assert not server.operations.WaitOperation(
        operations_pb2.WaitOperationRequest(name=name), timeout=1.5
    ).operation.done


def test_one_server_a_data_directory(start: Any) -> None:
    server = start()
    second = run_serve("--listen", "127.0.0.1:0", "--data-dir", str(server.process.data_dir))
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == f"weaklabel serve: another server has the data directory {server.process.data_dir}\n"


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run_serve("--listen", listen, "--data-dir", str(tmp_path))
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"weaklabel serve: cannot listen on {listen}:")
    assert "Traceback" not in result.stderr


def test_a_port_of_another_server(server: Any, tmp_path: Path) -> None:
    """Shared, each of the two would get some of the calls."""
    result = run_serve("--listen", server.process.address, "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert f"cannot listen on {server.process.address}:" in result.stderr.splitlines()[-1]


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run_serve("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "file" / "data"))
    assert result.returncode == 1
    assert result.stderr.startswith("weaklabel serve: cannot write to the data directory")
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "weaklabel.db").write_bytes(b"no database at all" * 1000)
    result = run_serve("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"weaklabel serve: cannot open {tmp_path}:")
    assert "Traceback" not in result.stderr


def test_other_machines_are_kept_out_by_default(tmp_path: Path) -> None:
    result = run_serve("--listen", "0.0.0.0:0", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert "there is no TLS" in result.stderr
    assert "--insecure" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_hangs_up_leaves_no_traceback(start: Any, harness: Any, simulated: Any) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    messages = SimpleQueue[Any]()
    responses = server.votes.UploadVotes(iter(messages.get, None))
    messages.put(next(harness.upload_messages(parent, codes)))
    next(responses)
    responses.cancel()
    messages.put(None)
    server.upload(parent, codes)
    watched = server.operations.WatchOperation(
        operations_pb2.WatchOperationRequest(
            name=server.models.FitModel(models_pb2.FitModelRequest(parent=parent)).operation.name
        )
    )
    next(watched)
    watched.cancel()
    ended = ("WatchOperation code=CANCELLED", "VoteService/UploadVotes code=OK")
    harness.until(lambda: all(line in server.process.log() for line in ended))
    assert server.terminate() == 0
    assert "Traceback" not in server.process.log()


def test_an_address_that_is_none(tmp_path: Path) -> None:
    result = run_serve("--listen", "127.0.0.1", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    expected = (
        'listen (option --listen): "127.0.0.1" is not HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051, nor unix:PATH'
    )
    assert result.stderr == f"weaklabel serve: {expected}\n"


def test_votes_pb2_is_what_reflection_serves(server: Any) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    request = reflection_pb2.ServerReflectionRequest(file_by_filename="weaklabel/v1/votes.proto")
    content = next(stub.ServerReflectionInfo(iter([request]))).file_descriptor_response.file_descriptor_proto[0]
    assert content == votes_pb2.DESCRIPTOR.serialized_pb
