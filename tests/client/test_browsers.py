"""gRPC-Web through Envoy, as deploy/envoy.yaml has it, against a real server."""

import http.client
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weaklabel_client import Client
from weaklabel_protocol.v1 import operations_pb2, projects_pb2

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
ORIGIN = "https://labels.example"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def proxy(shared_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an Envoy in front of the server; of the file only addresses are changed."""
    if shutil.which("envoy") is None:
        pytest.skip("envoy is not installed")
    port, text = free_port(), CONFIGURATION.read_text()
    text = text.replace("0.0.0.0, port_value: 8080", f"127.0.0.1, port_value: {port}")
    text = text.replace("port_value: 50051", f"port_value: {shared_server.address.rpartition(':')[2]}")
    file = tmp_path_factory.mktemp("envoy") / "envoy.yaml"
    file.write_text(text)
    process = subprocess.Popen(["envoy", "-c", str(file), "--use-dynamic-base-id", "-l", "error"])
    for _ in range(200):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


def call(port: int, method: str, request: bytes) -> tuple[http.client.HTTPResponse, list[bytes], dict[str, str]]:
    """A call as a browser makes it: the response, its messages, and the trailers, which gRPC-Web has in the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "origin": ORIGIN}
    connection.request("POST", f"/weaklabel.v1.{method}", struct.pack(">BI", 0, len(request)) + request, headers)
    response = connection.getresponse()
    body, messages, trailers = response.read(), [], dict(response.headers)
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        part, body = body[5 : 5 + size], body[5 + size :]
        if flags & 0x80:
            trailers |= dict(re.findall(r"([\w-]+): ?(.*)\r\n", part.decode()))
        else:
            messages.append(part)
    connection.close()
    return response, messages, trailers


def test_a_browser_calls(proxy: int, shared_server: Any, project: str) -> None:
    request = projects_pb2.CreateProjectRequest(project_id=project, classes=["ham", "spam"])
    response, messages, trailers = call(proxy, "ProjectService/CreateProject", request.SerializeToString())
    assert trailers["grpc-status"] == "0"
    assert projects_pb2.CreateProjectResponse.FromString(messages[0]).project.name == f"projects/{project}"
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "grpc-status-details-bin" in response.headers["access-control-expose-headers"]
    with Client(shared_server.address) as client:
        assert client.get_project(project).classes == ("ham", "spam")


def test_a_browser_follows_a_fit(proxy: int, shared_server: Any, project: str) -> None:
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["ham", "spam"])
        client.upload_votes(project, [[0, 1], [1, 1], [0, 0]])
        operation = client.fit(project)
    request = operations_pb2.WatchOperationRequest(name=operation.name)
    _, messages, trailers = call(proxy, "OperationService/WatchOperation", request.SerializeToString())
    assert trailers["grpc-status"] == "0"
    assert operations_pb2.WatchOperationResponse.FromString(messages[-1]).operation.done


def test_errors_reach_a_browser(proxy: int) -> None:
    request = projects_pb2.GetProjectRequest(name="projects/nobody-has-this")
    _, _, trailers = call(proxy, "ProjectService/GetProject", request.SerializeToString())
    assert trailers["grpc-status"] == "5"
    assert trailers["grpc-status-details-bin"]


def test_other_origins_are_not_let_in(proxy: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        headers = {"origin": origin, "access-control-request-method": "POST"}
        connection.request("OPTIONS", "/weaklabel.v1.ProjectService/GetProject", headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.headers.get("access-control-allow-origin") == allowed
    connection.close()
