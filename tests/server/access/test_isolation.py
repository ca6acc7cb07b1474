"""What one token learns of the projects and calls of another: nothing."""

import base64
import json
import uuid
from typing import Any

import pytest

from weaklabel_protocol.v1 import models_pb2, operations_pb2, projects_pb2, sources_pb2, votes_pb2

PROJECTS = "/weaklabel.v1.ProjectService/"


@pytest.fixture(scope="module")
def teams(secured: Any) -> dict[str, str]:
    made = {team: secured.token(f"admin:{team}-*") for team in ("red", "re_d", "blue")}
    made |= {"both": secured.token("read:red-0", "write:blue-*"), "root": secured.token("admin:*")}
    for team in ("red", "re_d", "blue"):
        for index in range(3):
            assert _create(secured, made[team], f"{team}-{index}").code == "OK"
    assert _create(secured, made["root"], "rexd-0").code == "OK"
    return made


def _create(secured: Any, token: str, project: str, request_id: str = "", classes: Any = ("x", "y")) -> Any:
    request = projects_pb2.CreateProjectRequest(project_id=project, classes=classes, request_id=request_id)
    return secured.call(PROJECTS + "CreateProject", token, request.SerializeToString())


def _listed(secured: Any, token: str, size: int = 0, page: str = "") -> tuple[list[str], str]:
    request = projects_pb2.ListProjectsRequest(page_size=size, page_token=page)
    answer = secured.call(PROJECTS + "ListProjects", token, request.SerializeToString())
    response = projects_pb2.ListProjectsResponse.FromString(answer.messages[0])
    return [project.name.removeprefix("projects/") for project in response.projects], response.next_page_token


def test_a_listing_holds_what_the_token_knows_of(secured: Any, teams: dict[str, str]) -> None:
    assert _listed(secured, teams["red"]) == (["red-0", "red-1", "red-2"], "")
    assert _listed(secured, teams["re_d"]) == (["re_d-0", "re_d-1", "re_d-2"], "")  # "_" is not any character
    assert _listed(secured, teams["both"]) == (["blue-0", "blue-1", "blue-2", "red-0"], "")
    assert {"red-0", "re_d-0", "blue-0"} <= set(_listed(secured, teams["root"], 1000)[0])


def test_pages_tell_nothing(secured: Any, teams: dict[str, str]) -> None:
    """Not in their sizes, nor by a token, which may be forged."""
    seen, page = _listed(secured, teams["red"], 2)
    assert seen == ["red-0", "red-1"]
    assert json.loads(base64.urlsafe_b64decode(page))[1] == "red-1"
    assert _listed(secured, teams["red"], 2, page) == (["red-2"], "")
    assert _listed(secured, teams["red"], 3) == (["red-0", "red-1", "red-2"], "")  # full, and no sign of more
    forged = base64.urlsafe_b64encode(json.dumps(["projects", "a"]).encode()).decode()
    assert _listed(secured, teams["red"], 1, forged)[0] == ["red-0"]


def test_request_ids_are_of_the_token(secured: Any, teams: dict[str, str]) -> None:
    request_id = str(uuid.uuid4())
    first = _create(secured, teams["red"], "red-a", request_id)
    assert first.code == "OK"
    assert _create(secured, teams["red"], "red-a", request_id).messages == first.messages
    # Of another token it is another id: it is neither found in use, nor answered with what came before.
    assert _create(secured, teams["blue"], "blue-a", request_id).code == "OK"
    again = _create(secured, teams["root"], "red-a", request_id)
    assert (again.code, again.reason) == ("ALREADY_EXISTS", "PROJECT_EXISTS")
    reused = _create(secured, teams["red"], "red-b", request_id)
    assert reused.reason == "REQUEST_ID_REUSED"


def test_references_to_what_is_foreign_say_nothing_of_it(secured: Any, teams: dict[str, str]) -> None:
    seen = []
    for project in ("blue-0", "blue-9"):
        side = models_pb2.SideInformation(gold=f"projects/{project}/sideData/{uuid.UUID(int=1)}")
        request = models_pb2.FitModelRequest(parent="projects/red-0", side=side)
        answer = secured.call("/weaklabel.v1.ModelService/FitModel", teams["red"], request.SerializeToString())
        assert answer.code == "INVALID_ARGUMENT"
        seen.append(str(answer).replace(project, "PROJECT"))
    assert seen[0] == seen[1]


def test_a_stream_cannot_move_to_a_foreign_project(secured: Any, teams: dict[str, str], harness: Any) -> None:
    mine, theirs = (
        next(harness.upload_messages(f"projects/{project}", harness.matrix(harness.tensor([[0], [1]]))))
        for project in ("red-1", "blue-1")
    )
    upload = "/weaklabel.v1.VoteService/UploadVotes"
    answer = secured.call(upload, teams["red"], mine.SerializeToString(), theirs.SerializeToString())
    assert (answer.reason, answer.metadata) == ("PROJECT_NOT_FOUND", {"project": "blue-1"})
    (opened,) = answer.messages
    assert votes_pb2.UploadVotesResponse.FromString(opened).upload_id == mine.open.upload_id
    # An upload id is one of its project: in another project it is another upload.
    theirs.open.upload_id = mine.open.upload_id
    fresh = secured.call(upload, teams["blue"], theirs.SerializeToString())
    assert votes_pb2.UploadVotesResponse.FromString(fresh.messages[0]).committed_rows == 0


def test_what_is_asked_of_other_kinds(secured: Any, teams: dict[str, str]) -> None:
    """Sources, operations and the like of a foreign project, by names that exist or not."""
    for path, request in [
        ("SourceService/ListSources", sources_pb2.ListSourcesRequest(parent="projects/blue-0")),
        ("OperationService/ListOperations", operations_pb2.ListOperationsRequest(parent="projects/blue-0")),
        ("OperationService/GetOperation", operations_pb2.GetOperationRequest(name="projects/blue-0/operations/x")),
    ]:
        answer = secured.call(f"/weaklabel.v1.{path}", teams["red"], request.SerializeToString())
        assert (answer.reason, answer.metadata) == ("PROJECT_NOT_FOUND", {"project": "blue-0"})
        assert answer.message == 'there is no project "blue-0"'
