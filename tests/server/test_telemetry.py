"""Metrics, traces and logs of a real server, as those who read them get them."""

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client.parser import text_string_to_metric_families

from weaklabel_protocol.v1 import models_pb2, models_pb2_grpc, projects_pb2, projects_pb2_grpc
from weaklabel_server.app import App, StartError
from weaklabel_server.caller import Caller, acting
from weaklabel_server.config import ServerConfig
from weaklabel_server.interceptors.access_log import AccessEntry
from weaklabel_server.telemetry.tracing import Tracing

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
DEPLOYMENT = ROOT / "docs" / "deployment.md"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def samples(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def test_metrics_of_a_server_that_works(start: Callable[..., Any], harness: Any, simulated: Callable[..., Any]) -> None:
    port = free_port()
    server = start("--metrics-listen", str(port))
    project = server.create_project()
    server.upload(project, simulated()[0])
    server.fit(project)
    harness.failure_of(lambda: server.projects.GetProject(projects_pb2.GetProjectRequest(name="projects/none")))

    def value(name: str, **labels: str) -> float:
        return samples(port).get((name, frozenset(labels.items())), 0.0)

    harness.until(lambda: value("weaklabel_operations_total", kind="fit", outcome="succeeded") == 1)
    service = "weaklabel.v1.ProjectService"
    assert value("weaklabel_calls_total", method=f"{service}/CreateProject", code="OK") == 1
    assert value("weaklabel_calls_total", method=f"{service}/GetProject", code="NOT_FOUND") == 1
    assert value("weaklabel_call_seconds_count", method=f"{service}/GetProject") == 1
    assert value("weaklabel_calls_refused_total", reason="PROJECT_NOT_FOUND") == 1
    # 400 rows of 5 votes, a byte each.
    assert 2000 < value("weaklabel_received_bytes_total", method="weaklabel.v1.VoteService/UploadVotes") < 3000
    assert value("weaklabel_operation_seconds_count", kind="fit") == 1
    assert value("weaklabel_operations_open", kind="fit", state="running") == 0
    assert value("weaklabel_calls_in_flight", kind="stream") == 0
    assert value("weaklabel_store_answers") == 1
    files = sum(path.stat().st_size for path in server.process.data_dir.glob("weaklabel.db*") if "shm" not in path.name)
    assert value("weaklabel_database_bytes") == pytest.approx(files, rel=0.1)
    names = {name for name, _ in samples(port)}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            used = re.findall(r"\b(?:weaklabel|process)_\w+", target["expr"])
            assert used, panel["title"]
            # Those with labels are there from the first fault on.
            assert set(used) - names <= {"weaklabel_store_faults_total"}, panel["title"]
    documented = set(re.findall(r"`(weaklabel_\w+)`", DEPLOYMENT.read_text().partition("## Metrics")[2]))
    plain = {re.sub("_(bucket|count|sum|created)$", "", name) for name in names if name.startswith("weaklabel_")}
    assert documented - {"weaklabel_store_faults_total"} == plain - {"weaklabel_store_faults_total"}
    project_id = project.removeprefix("projects/")
    assert project_id not in repr(samples(port))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/other", timeout=10)


async def test_metrics_are_off_unless_told_and_need_a_free_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        app = App(ServerConfig(listen="127.0.0.1:0", data_dir=tmp_path / "data", metrics_listen=listen))
        with pytest.raises(StartError, match=f"metrics_listen: cannot listen on {listen}"):
            await app.start()
    assert ServerConfig().metrics_listen is None


async def test_spans_of_calls_and_fits_are_in_the_trace_of_the_caller(tmp_path: Path, simulated: Any) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = App(
        ServerConfig(listen="127.0.0.1:0", data_dir=tmp_path / "data", drain_seconds=0, warm_up=False),
        [Tracing(provider)],
    )
    await app.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
            projects = projects_pb2_grpc.ProjectServiceStub(channel)
            metadata = (("traceparent", f"00-{TRACE}-{SPAN}-01"), ("x-request-id", "mine"))
            request = projects_pb2.CreateProjectRequest(project_id="secret-name", classes=["a", "b"])
            await projects.CreateProject(request, metadata=metadata)
            models = models_pb2_grpc.ModelServiceStub(channel)
            with pytest.raises(grpc.RpcError):
                await models.FitModel(models_pb2.FitModelRequest(parent="projects/none"))
    finally:
        await app.stop()
    created, refused = exporter.get_finished_spans()
    assert created.name == "weaklabel.v1.ProjectService/CreateProject"
    assert f"{created.context.trace_id:032x}" == TRACE
    assert created.parent is not None
    assert f"{created.parent.span_id:016x}" == SPAN
    told = dict(created.attributes or {})
    assert (told["rpc.system"], told["rpc.grpc.status_code"], told["weaklabel.request_id"]) == ("grpc", 0, "mine")
    assert "secret-name" not in created.to_json()
    assert refused.parent is None
    assert dict(refused.attributes or {})["weaklabel.reason"] == "PROJECT_NOT_FOUND"
    assert refused.status.status_code is StatusCode.UNSET  # the caller's fault


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """What an OpenTelemetry collector receives."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        for one in request.resource_spans:
            self.resources.append({each.key: each.value.string_value for each in one.resource.attributes})
            self.spans += [span for scope in one.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


def test_spans_reach_the_collector_that_the_standard_variables_name(
    serving: Callable[..., Any], tmp_path: Path, simulated: Any
) -> None:
    collector = Collector()
    receiver = grpc.server(futures.ThreadPoolExecutor(2))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(collector, receiver)
    port = receiver.add_insecure_port("127.0.0.1:0")
    receiver.start()
    with serving(tmp_path / "data", {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}) as server:
        project = server.create_project()
        server.upload(project, simulated()[0])
        server.fit(project)
        assert server.terminate() == 0  # what was not sent yet is sent now
    receiver.stop(0)
    spans = {span.name: span for span in collector.spans}
    asked, fit = spans["weaklabel.v1.ModelService/FitModel"], spans["fit"]
    assert (fit.trace_id, fit.parent_span_id) == (asked.trace_id, asked.span_id)
    assert {one.key: one.value.string_value for one in fit.attributes}["weaklabel.outcome"] == "succeeded"
    assert collector.resources[0]["service.name"] == "weaklabel"


@pytest.mark.parametrize(("package", "setting"), [("prometheus_client", "metrics"), ("opentelemetry.sdk", "tracing")])
async def test_extras_that_are_missing_are_named(
    package: str, setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith((package, f"weaklabel_server.telemetry.{setting}"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    options: dict[str, Any] = {"metrics": {"metrics_listen": "0"}, "tracing": {"tracing": "on"}}[setting]
    app = App(ServerConfig(listen="127.0.0.1:0", data_dir=tmp_path / "data", **options))
    with pytest.raises(StartError, match=rf'pip install "weaklabel-server\[{setting}\]"'):
        await app.start()


def test_the_json_log_names_call_token_and_error(start: Callable[..., Any], harness: Any) -> None:
    server = start("--log-format", "json", "--no-reflection")
    metadata = (("x-request-id", "find-me"),)
    request = projects_pb2.GetProjectRequest(name="projects/none")
    harness.failure_of(lambda: server.projects.GetProject(request, metadata=metadata))

    def line() -> Any:
        found = [json.loads(one) for one in server.process.log().splitlines() if "find-me" in one]
        return found[0] if found else None

    told = harness.until(line)
    assert told["resource"] == "projects/none"
    assert (told["code"], told["reason"]) == ("NOT_FOUND", "PROJECT_NOT_FOUND")
    assert (told["token_id"], told["error_id"]) == ("", "")


def test_the_access_log_names_the_token_and_the_error(caplog: pytest.LogCaptureFixture) -> None:
    entry = AccessEntry("/a/b", "ipv4:1.2.3.4:5", [])
    with caplog.at_level("INFO", "weaklabel_server.access"), acting(Caller(token_id="t1")):
        result = entry.write("INTERNAL", "INTERNAL", "e1")
    told: Any = caplog.records[0]
    assert (told.token_id, told.error_id, told.reason, result.reason) == ("t1", "e1", "INTERNAL", "INTERNAL")


@pytest.mark.parametrize(("option", "code"), [((), "OK"), (("--no-reflection",), "UNIMPLEMENTED")])
def test_reflection_is_a_setting(start: Callable[..., Any], option: tuple[str, ...], code: str) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    stub: Any = reflection_pb2_grpc.ServerReflectionStub(start(*option).channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    try:
        assert next(call).list_services_response.service
        found = "OK"
    except grpc.RpcError as error:
        found = error.code().name
    assert found == code
    assert not ServerConfig(listen="0.0.0.0:1").offers_reflection


def run_weaklabel(*arguments: str) -> Any:
    command = [str(Path(sys.executable).with_name("weaklabel")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_admin_health(server: Any) -> None:
    done = run_weaklabel("admin", "health", "--address", server.process.address)
    assert (done.returncode, done.stdout.strip()) in ((0, "SERVING"), (1, "NOT_SERVING"))
    unknown = run_weaklabel("admin", "health", "--address", server.process.address, "--service", "none")
    assert unknown.returncode == 1
    assert "NOT_FOUND" in unknown.stderr
    gone = run_weaklabel("admin", "health", "--address", f"127.0.0.1:{free_port()}", "--timeout", "2")
    assert gone.returncode == 1
    assert "UNAVAILABLE" in gone.stderr
