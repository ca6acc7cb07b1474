"""Every RPC of the contract x {no token, malformed, expired, revoked, wrong scope, wrong project, right}, over TLS."""

import base64
import importlib
import pkgutil
import time
import uuid
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import weaklabel_protocol.v1
from weaklabel_protocol.v1 import projects_pb2
from weaklabel_server.access.rules import RULES
from weaklabel_server.admin import tokens

# Written by hand, from the contract: what is in neither of these reads.
ADMIN = {"CreateProject", "DeleteProject", "ImportProject"}
WRITE = {
    *("UploadVotes", "UploadSideData", "DeleteSource", "DeleteSideData", "DeleteModel", "UploadModel"),
    *("FitModel", "StopFollowing", "RunPrompts", "CancelOperation", "UploadRecords", "DeleteRecordSet"),
}
COLLECTIONS = {
    **dict.fromkeys(("GetSource", "DeleteSource"), "sources"),
    **dict.fromkeys(("GetSideData", "DeleteSideData"), "sideData"),
    **dict.fromkeys(("GetRecordSet", "DeleteRecordSet", "ReadRecords"), "recordSets"),
    "GetPromptRun": "promptRuns",
    **dict.fromkeys(("GetOperation", "WaitOperation", "WatchOperation", "CancelOperation"), "operations"),
    **dict.fromkeys(("GetModel", "DeleteModel", "ReadSoftLabels", "Predict", "PredictStream", "NextToLabel"), "models"),
    **dict.fromkeys(("DownloadModel", "GetSoftLabels", "Explain", "PredictSet"), "models"),
    **dict.fromkeys(("ReadEffectiveVotes", "ReadConfusionMatrices", "GetDiagnostics", "Evaluate", "GetCard"), "models"),
    **dict.fromkeys(("GetAccuracyEstimate", "GetDifferenceEstimate", "ReadBalanceEstimates"), "models"),
    **dict.fromkeys(("ReadRateEstimates", "ReadSourcePairs", "ReadSourceConfusions", "ReadMistakes"), "models"),
    **dict.fromkeys(("ReadLeaveOneOut", "ReadScores", "ReadLabelTable", "PredictRecords"), "models"),
    **dict.fromkeys(("PredictRecordsStream", "InspectModel", "ScoreRecords"), "models"),
}


def _methods() -> list[MethodDescriptor]:
    """Of every service of every file of the contract."""
    found = []
    for module in pkgutil.iter_modules(weaklabel_protocol.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"weaklabel_protocol.v1.{module.name}").DESCRIPTOR
            found += [method for service in file.services_by_name.values() for method in service.methods]
    return found


METHODS = {method.name: method for method in _methods()}


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _request(method: MethodDescriptor, project: str) -> bytes:
    """A request about a project, or about something in it that is not there."""
    request: Any = message_factory.GetMessageClass(method.input_type)()
    name = f"projects/{project}"
    if method.name in COLLECTIONS:
        name += f"/{COLLECTIONS[method.name]}/none"
    if method.name.startswith("Upload"):
        request.open.parent = name
    elif method.name == "ImportProject":
        request.open.name = name
    elif method.name == "CreateProject":
        request.project_id = project
    elif method.name != "ListProjects":
        fields = [field.name for field in method.input_type.fields if field.name in ("name", "parent", "model")]
        field = fields[0]  # where a report on a project may name a model, too, the project stands first
        setattr(request, field, name)
    return bytes(request.SerializeToString())


def _scope(method: str) -> str:
    return "admin" if method in ADMIN else "write" if method in WRITE else "read"


@pytest.fixture(scope="session")
def holders(secured: Any) -> dict[str, str]:
    """Tokens by what they are for."""
    made = {scope: secured.token(f"{scope}:team-a-*") for scope in ("read", "write", "admin")}
    made |= {"foreign": secured.token("admin:team-b-*", "admin:team"), "root": secured.token("admin:*")}
    made["expired"] = secured.token("admin:*", days=0)
    made["revoked"] = secured.token("admin:*")
    tokens.revoke(secured.process.data_dir, made["revoked"].split("_")[1])
    for name in METHODS:
        request = projects_pb2.CreateProjectRequest(project_id=f"team-a-{name.lower()}", classes=["x", "y"])
        answer = secured.call(_path(METHODS["CreateProject"]), made["root"], request.SerializeToString())
        assert answer.code == "OK", answer
    return made


def test_every_rpc_has_a_scope() -> None:
    assert {path for path in RULES if path.startswith("/weaklabel.")} == {_path(one) for one in METHODS.values()}
    assert all(rule.scope for path, rule in RULES.items() if "Health" not in path)


@pytest.mark.parametrize("name", METHODS)
def test_without_a_token_that_holds(secured: Any, holders: dict[str, str], name: str) -> None:
    path, request = _path(METHODS[name]), _request(METHODS[name], f"team-a-{name.lower()}")
    good = holders["root"]
    other_secret = good[:-6] + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:6]
    unknown_id = good.replace(good.split("_")[1], "0123456789ab")
    for token, cause in [
        (None, "missing"),
        ("", "malformed"),
        ("wl_", "malformed"),
        (good[:-1], "malformed"),
        (f"{good}0", "malformed"),
        (other_secret, "unknown"),
        (unknown_id, "unknown"),
        (holders["expired"], "expired"),
        (holders["revoked"], "revoked"),
    ]:
        answer = secured.call(path, token, request)
        assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED"), (token, answer)
        assert answer.metadata == {"cause": cause}
        assert not answer.messages


@pytest.mark.parametrize("name", sorted(ADMIN | WRITE))
def test_with_too_low_a_scope(secured: Any, holders: dict[str, str], name: str) -> None:
    request = _request(METHODS[name], f"team-a-{name.lower()}")
    for scope in ("read", "write") if name in ADMIN else ("read",):
        answer = secured.call(_path(METHODS[name]), holders[scope], request)
        assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
        assert answer.metadata["scope"] == _scope(name)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"ListProjects"}))
def test_a_foreign_project_cannot_be_told_from_none(secured: Any, holders: dict[str, str], name: str) -> None:
    there, not_there = f"team-a-{name.lower()}", f"team-c-{name.lower()}"
    seen = []
    for project in (there, not_there):
        answer = secured.call(_path(METHODS[name]), holders["foreign"], _request(METHODS[name], project))
        assert answer.code == ("PERMISSION_DENIED" if name == "CreateProject" else "NOT_FOUND")
        assert not answer.messages
        seen.append(str(answer).replace(project, "PROJECT"))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", METHODS)
def test_with_the_right_token(secured: Any, holders: dict[str, str], name: str) -> None:
    project = f"team-a-{name.lower()}"
    answer = secured.call(_path(METHODS[name]), holders[_scope(name)], _request(METHODS[name], project))
    assert answer.code not in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL", "UNKNOWN", "UNIMPLEMENTED"), answer
    assert answer.reason != "PROJECT_NOT_FOUND"


def test_names_that_are_none_reach_nothing(secured: Any, holders: dict[str, str]) -> None:
    for name in ("", "projects", "projects/", "projects//models/x", "team-a-getmodel", "x/team-a-getmodel/models/y"):
        request: Any = message_factory.GetMessageClass(METHODS["GetModel"].input_type)(name=name)
        answer = secured.call(_path(METHODS["GetModel"]), holders["read"], request.SerializeToString())
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD"), name


def test_health_needs_no_token_and_reflection_does(secured: Any, holders: dict[str, str]) -> None:
    check = health_pb2.HealthCheckRequest(service="weaklabel.v1.ProjectService").SerializeToString()
    answer = secured.call("/grpc.health.v1.Health/Check", None, check)
    assert health_pb2.HealthCheckResponse.FromString(answer.messages[0]).status == 1
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    listing = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    assert secured.call(path, None, listing).code == "UNAUTHENTICATED"
    assert b"weaklabel.v1.LabelService" in secured.call(path, holders["foreign"], listing).messages[0]


def test_a_refusal_takes_as_long_whether_the_project_is_there_or_not(secured: Any, holders: dict[str, str]) -> None:
    method = METHODS["GetModel"]
    took = {}
    for project in ("team-a-getmodel", "team-c-getmodel") * 2:  # the first round is to warm up
        request = _request(method, project)
        times = []
        for _ in range(30):
            begin = time.perf_counter()
            secured.call(_path(method), holders["foreign"], request)
            times.append(time.perf_counter() - begin)
        took[project] = sorted(times)[len(times) // 2]
    there, not_there = took.values()
    assert 1 / 3 < there / not_there < 3
