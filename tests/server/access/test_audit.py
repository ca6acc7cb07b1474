"""Who changed what: in the store with the change, and exported as JSON lines."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from weaklabel.cli.main import app
from weaklabel_protocol.v1 import operations_pb2, projects_pb2, side_data_pb2
from weaklabel_server.admin import audit as admin
from weaklabel_server.caller import Caller, acting
from weaklabel_server.store import projects
from weaklabel_server.store.access import audit
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.dialects.faults import ConflictError

SERVICE = "weaklabel.v1."


def _trail(secured: Any, token: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in admin.export(secured.process.data_dir)]
    return [line for line in lines if line["token_id"] == token.split("_")[1]]


@pytest.fixture
def trailing(secured: Any) -> tuple[Any, str]:
    return secured, secured.token("admin:trail*")


def _create(secured: Any, token: str, project: str, request_id: str = "", classes: Any = ("x", "y")) -> Any:
    request = projects_pb2.CreateProjectRequest(project_id=project, classes=classes, request_id=request_id)
    return secured.call(f"/{SERVICE}ProjectService/CreateProject", token, request.SerializeToString())


def test_changes_and_attempts(trailing: tuple[Any, str], harness: Any) -> None:
    secured, token = trailing
    request_id = str(uuid.uuid4())
    for _ in range(2):  # repeated, it changes nothing more
        assert _create(secured, token, "trail-1", request_id).code == "OK"
    assert _create(secured, token, "trail-1").code == "ALREADY_EXISTS"
    assert _create(secured, token, "other").code == "PERMISSION_DENIED"
    parent = "projects/trail-1"
    upload = [one.SerializeToString() for one in harness.upload_messages(parent, np.zeros((3, 2), np.int8))]
    assert secured.call(f"/{SERVICE}VoteService/UploadVotes", token, *upload).code == "OK"
    kind, rows = side_data_pb2.SIDE_DATA_KIND_GOLD, side_data_pb2.SideRows(gold=harness.tensor([[0]], "<i4"))
    side = [one.SerializeToString() for one in harness.side_messages(parent, kind, (1, rows))]
    assert secured.call(f"/{SERVICE}SideDataService/UploadSideData", token, *side).code == "OK"
    cancel = operations_pb2.CancelOperationRequest(name=f"{parent}/operations/none").SerializeToString()
    assert secured.call(f"/{SERVICE}OperationService/CancelOperation", token, cancel).code == "NOT_FOUND"
    get = projects_pb2.GetProjectRequest(name=parent).SerializeToString()
    assert secured.call(f"/{SERVICE}ProjectService/GetProject", token, get).code == "OK"  # which changes nothing
    trail = _trail(secured, token)
    assert [(line["method"].removeprefix(SERVICE), line["resource"], line["code"]) for line in trail] == [
        ("ProjectService/CreateProject", parent, "OK"),
        ("ProjectService/CreateProject", parent, "ALREADY_EXISTS"),
        ("ProjectService/CreateProject", "projects/other", "PERMISSION_DENIED"),
        ("VoteService/UploadVotes", parent, "OK"),
        ("SideDataService/UploadSideData", parent, "OK"),
        ("OperationService/CancelOperation", f"{parent}/operations/none", "NOT_FOUND"),
    ]
    assert trail[0]["request_id"] == request_id
    assert all(line["token_name"] == "a test" and line["peer"].startswith("ipv4:127.0.0.1:") for line in trail)
    times = [datetime.fromisoformat(line["time"]) for line in trail]
    assert times == sorted(times)
    assert abs(times[0] - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_note_is_made_with_the_change_or_not_at_all(tmp_path: Any) -> None:
    database = Database(sqlite_url(tmp_path))
    try:
        with acting(Caller(token_id="t", method="m")), pytest.raises(ConflictError), database.write() as tx:  # noqa: PT012
            projects.create(tx, "gone", ["x", "y"])
            audit.record(tx)
            tx.exec_driver_sql("INSERT INTO usages VALUES (999, 0)")
        with database.read() as tx:
            assert list(audit.events(tx)) == []
    finally:
        database.close()


def test_the_export(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of time, more than a page, what cannot be a line, and what is too old."""
    monkeypatch.setattr(audit, "_PAGE", 3)
    database = Database(sqlite_url(tmp_path))
    begin = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
    try:
        for second in range(10):
            monkeypatch.setattr(audit, "now_micros", lambda second=second: begin + second * 1_000_000)
            with acting(Caller(resource=f"{second}\nforged\0")) as caller, database.write() as tx:
                audit.write(tx, caller, "OK")
        with database.write() as tx:
            audit.remove_old(tx, begin + 1_000_000)
    finally:
        database.close()
    command = ["admin", "audit", "export", "--data-dir", str(tmp_path)]
    lines = [json.loads(line) for line in CliRunner().invoke(app, command).stdout.splitlines()]
    assert [line["resource"] for line in lines] == [f"{second}\nforged\ufffd" for second in range(1, 10)]
    bounds = ["--since", "2023-11-14T22:13:22", "--until", "2023-11-14T22:13:25Z"]
    output = tmp_path / "trail.jsonl"
    assert CliRunner().invoke(app, [*command, *bounds, "--output", str(output)]).exit_code == 0
    times = [json.loads(line)["time"] for line in output.read_text().splitlines()]
    assert times == [f"2023-11-14T22:13:2{second}.000000+00:00" for second in (2, 3, 4)]


def test_the_command_line_stands_in_the_trail(secured: Any) -> None:
    token = secured.token("read:*")
    resource = f"tokens/{token.split('_')[1]}"
    lines = [json.loads(line) for line in admin.export(secured.process.data_dir)]
    (line,) = [line for line in lines if line["resource"] == resource]
    assert (line["method"], line["token_name"], line["code"]) == ("admin tokens create", "admin", "OK")
    assert line["peer"].startswith("local:")
