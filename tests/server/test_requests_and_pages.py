"""Request ids and pagination, as the contract promises them."""

import base64
import json
import uuid
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2, sources_pb2


def test_a_repeated_request_is_answered_as_the_first_time(server: Any, harness: Any) -> None:
    project_id, request_id = f"p{uuid.uuid4().hex[:12]}", str(uuid.uuid4())
    request = projects_pb2.CreateProjectRequest(project_id=project_id, classes=["a", "b"], request_id=request_id)
    first = server.projects.CreateProject(request)
    assert server.projects.CreateProject(request) == first
    request.request_id = request_id.upper()
    assert server.projects.CreateProject(request) == first

    request.classes.append("c")
    failure = harness.failure_of(lambda: server.projects.CreateProject(request))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert list(failure.violations) == ["request_id"]
    # Another method with the same id is another request as well.
    fit = models_pb2.FitModelRequest(parent=first.project.name, request_id=request_id)
    server.upload(first.project.name, np.zeros((3, 2), np.int8))
    assert harness.failure_of(lambda: server.models.FitModel(fit)).info.reason == "REQUEST_ID_REUSED"


def test_a_repeated_fit_and_delete_have_their_effect_once(server: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated()[0], sources=list("abcde"))
    fit = models_pb2.FitModelRequest(parent=parent, request_id=str(uuid.uuid4()))
    names = {server.models.FitModel(fit).operation.name for _ in range(3)}
    assert len(names) == 1
    server.wait(names.pop())
    assert len(server.operations.ListOperations(operations_pb2.ListOperationsRequest(parent=parent)).operations) == 1

    delete = sources_pb2.DeleteSourceRequest(name=f"{parent}/sources/c", request_id=str(uuid.uuid4()))
    assert [server.sources.DeleteSource(delete).votes_version for _ in range(2)] == [2, 2]


def test_a_failed_request_is_not_kept(server: Any, harness: Any) -> None:
    """The caller may put right what was missing and try again with the same id."""
    parent = server.create_project()
    fit = models_pb2.FitModelRequest(parent=parent, request_id=str(uuid.uuid4()))
    assert harness.failure_of(lambda: server.models.FitModel(fit)).info.reason == "NO_VOTES"
    server.upload(parent, np.array([[0, 0], [1, 1], [0, 0]], np.int8))
    server.wait(server.models.FitModel(fit).operation.name)


@pytest.mark.parametrize(
    "request_id",
    [
        *("x", "7"),
        "c9ddbf8c-e65a-11f1-b1bb-02fc00000001",  # of version 1
        "{d1c0b0ab-acee-498d-85d9-ad66fede1c97}",
        "019dd8f1e7df47a5949a86e2ef0fbe0b",
    ],
)
def test_a_request_id_is_a_uuid4(server: Any, harness: Any, request_id: str) -> None:
    request = projects_pb2.CreateProjectRequest(project_id="never", classes=["a", "b"], request_id=request_id)
    failure = harness.failure_of(lambda: server.projects.CreateProject(request))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert list(failure.violations) == ["request_id"]


def test_pages(server: Any) -> None:
    parent = server.create_project()
    names = [f"s{index:02}/% é" for index in range(12)]
    server.upload(parent, np.zeros((2, 12), np.int8), sources=names)
    found, token, pages = [], "", 0
    while pages == 0 or token:
        request = sources_pb2.ListSourcesRequest(parent=parent, page_size=5, page_token=token)
        answer = server.sources.ListSources(request)
        found += answer.sources
        token, pages = answer.next_page_token, pages + 1
    assert (pages, [source.display_name for source in found]) == (3, names)
    # A name that came back is a name that goes in, whatever characters it holds.
    for source in found:
        assert source.name.count("/") == 3
        assert server.sources.GetSource(sources_pb2.GetSourceRequest(name=source.name)).source == source

    exact = server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=parent, page_size=12))
    assert exact.next_page_token == ""
    assert (
        len(server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=parent, page_size=2**31 - 1)).sources)
        == 12
    )


def test_newest_first(server: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    made = [server.fit(parent) for _ in range(3)]
    for service, request, field in (
        (server.models.ListModels, models_pb2.ListModelsRequest, "models"),
        (server.operations.ListOperations, operations_pb2.ListOperationsRequest, "operations"),
    ):
        first = service(request(parent=parent, page_size=2))
        second = service(request(parent=parent, page_size=2, page_token=first.next_page_token))
        listed = [one.name for answer in (first, second) for one in getattr(answer, field)]
        expected = [one.model if field == "models" else one.name for one in made]
        assert listed == expected[::-1]
        assert second.next_page_token == ""


def test_all_projects_are_listed_by_id(server: Any) -> None:
    made = {server.create_project() for _ in range(3)}
    names, token = [], ""
    while True:
        answer = server.projects.ListProjects(projects_pb2.ListProjectsRequest(page_size=2, page_token=token))
        names += [project.name for project in answer.projects]
        token = answer.next_page_token
        if not token:
            break
    assert names == sorted(names)
    assert made <= set(names)


def encoded(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def test_bad_pages(server: Any, harness: Any) -> None:
    parent, other = server.create_project(), server.create_project()
    for name in (parent, other):
        server.upload(name, np.zeros((2, 3), np.int8))

    def failure(**fields: Any) -> Any:
        request = sources_pb2.ListSourcesRequest(**{"parent": parent, **fields})
        found = harness.failure_of(lambda: server.sources.ListSources(request))
        assert found.code == grpc.StatusCode.INVALID_ARGUMENT
        return found

    assert list(failure(page_size=-1).violations) == ["page_size"]
    token = server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=parent, page_size=1)).next_page_token
    forged = [encoded([f"{parent}/sources", key]) for key in ("x", 2**70, -1, True, None, [1])]
    for bad in ("garbage", "é", "AAAA", token[:-2], token + "x", encoded({}), encoded([]), *forged):
        assert list(failure(page_token=bad).violations) == ["page_token"], bad
    assert list(failure(parent=other, page_token=token).violations) == ["page_token"]
    models = models_pb2.ListModelsRequest(parent=parent, page_token=token)
    assert list(harness.failure_of(lambda: server.models.ListModels(models)).violations) == ["page_token"]
