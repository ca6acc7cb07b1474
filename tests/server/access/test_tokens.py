"""The life of a token: made, rotated, revoked, by the command line beside a server that runs."""

import hashlib
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

import weaklabel_client
import weaklabel_client.aio
from weaklabel.cli.main import app
from weaklabel_protocol.v1 import operations_pb2, projects_pb2
from weaklabel_server.access import tokens as written
from weaklabel_server.admin import tokens
from weaklabel_server.admin.opening import AdminError
from weaklabel_server.caller import Scope

LIST = "/weaklabel.v1.ProjectService/ListProjects"


def _admin(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["admin", *arguments, "--data-dir", str(data_dir)])


def _code(secured: Any, token: str) -> str:
    code: str = secured.call(LIST, token, projects_pb2.ListProjectsRequest().SerializeToString()).code
    return code


def _until(secured: Any, token: str, code: str, seconds: float = 3.0) -> None:
    deadline = time.monotonic() + seconds
    while (got := _code(secured, token)) != code:
        assert time.monotonic() < deadline, got
        time.sleep(0.05)


def test_the_command_line(secured: Any) -> None:
    data_dir = secured.process.data_dir
    made = _admin(data_dir, "tokens", "create", "ci of team a", "--grant", "write:team-a-*", "--grant", "read:shared")
    assert made.exit_code == 0, made.stderr
    token = made.stdout.strip()
    _until(secured, token, "OK")
    listed = _admin(data_dir, "tokens", "list").stdout
    token_id, secret = token.split("_", 2)[1:]
    assert f"{token_id}\tvalid\tnever\tci of team a\twrite:team-a-* read:shared" in listed.splitlines()
    assert secret not in listed
    assert _admin(data_dir, "tokens", "revoke", token_id).exit_code == 0
    _until(secured, token, "UNAUTHENTICATED")
    assert f"{token_id}\trevoked" in _admin(data_dir, "tokens", "list").stdout
    refused = _admin(data_dir, "tokens", "create", "x", "--grant", "own:spam")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "read:, write: or admin:" in refused.stderr


def test_only_a_hash_is_stored_and_nothing_logged(secured: Any) -> None:
    token = secured.token("read:*")
    _until(secured, token, "OK")
    secret = token.split("_", 2)[2]
    folder = secured.process.data_dir
    contents = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert secret.encode() not in contents
    with closing(sqlite3.connect(folder / "weaklabel.db")) as database:
        (kept,) = database.execute(
            "SELECT secret_hash FROM tokens WHERE token_id = ?", [token.split("_")[1]]
        ).fetchone()
    assert kept == hashlib.sha256(secret.encode()).digest()
    assert secret not in secured.process.log()


def test_rotation_overlaps(secured: Any) -> None:
    data_dir, old = secured.process.data_dir, secured.token("read:*")
    _until(secured, old, "OK")
    token_id = old.split("_")[1]
    new = tokens.rotate(data_dir, token_id, overlap_hours=1, days=None)
    _until(secured, new, "OK")
    assert _code(secured, old) == "OK"
    newest = tokens.rotate(data_dir, token_id, overlap_hours=0, days=None)
    _until(secured, new, "UNAUTHENTICATED")
    assert (_code(secured, newest), _code(secured, old)) == ("OK", "UNAUTHENTICATED")
    tokens.revoke(data_dir, token_id)
    _until(secured, newest, "UNAUTHENTICATED")
    with pytest.raises(AdminError, match="say for how many days"):
        tokens.rotate(data_dir, secured.token("read:*", days=9).split("_")[1], overlap_hours=1, days=None)
    with pytest.raises(AdminError, match="was revoked"):
        tokens.rotate(data_dir, token_id, overlap_hours=1, days=None)


def test_the_secret_before_holds_no_longer_than_it_would_have(secured: Any) -> None:
    old = secured.token("read:*", days=0)
    tokens.rotate(secured.process.data_dir, old.split("_")[1], overlap_hours=24, days=1)
    assert _code(secured, old) == "UNAUTHENTICATED"


@pytest.mark.parametrize("method", ["WatchOperation", "WaitOperation"])
def test_a_long_call_ends_when_its_token_is_revoked(secured: Any, harness: Any, method: str) -> None:
    """Though nothing happens on it."""
    project = method.lower()
    root, watcher = secured.token("admin:*"), secured.token(f"read:{project}")
    with weaklabel_client.Client(secured.process.address, token=root, tls=secured.folder / "ca.pem") as client:
        client.create_project(project, ["x", "y"])
    name = _waiting_operation(secured, project)
    stub: Any = secured.channel.unary_stream(f"/weaklabel.v1.OperationService/{method}")
    call = stub(
        operations_pb2.WatchOperationRequest(name=name).SerializeToString(),  # that of the other has the same field
        metadata=(("authorization", f"Bearer {watcher}"),),
        timeout=30,
    )
    if method == "WatchOperation":
        next(call)
    threading.Timer(0.3, tokens.revoke, [secured.process.data_dir, watcher.split("_")[1]]).start()
    begin = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    failure = harness.failure_of(lambda: _raise(caught.value))
    assert (failure.code, failure.info.metadata["cause"]) == (grpc.StatusCode.UNAUTHENTICATED, "revoked")
    assert time.monotonic() - begin < 15  # of 30


def _raise(error: BaseException) -> None:
    raise error


def _waiting_operation(secured: Any, project: str) -> str:
    """An operation that is never run, written into the store behind the server's back."""
    with closing(sqlite3.connect(secured.process.data_dir / "weaklabel.db")) as database, database:
        database.execute(
            "INSERT INTO operations (project_key, operation_id, votes_version, options, stage, iteration,"
            " max_iterations, objective, change, starts, cancel_requested, done, create_time, owner)"
            " SELECT key, 'stuck', 1, ?, 'queued', 0, 0, 0, 0, 0, 0, 0, 0, 'another'"
            " FROM projects WHERE project_id = ?",
            ['{"seed": "0", "max_iterations": 0, "side": {}}', project],
        )
    return f"projects/{project}/operations/stuck"


async def test_both_clients(secured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS, the token of the environment, and errors of their own."""
    address, ca = secured.process.address, secured.folder / "ca.pem"
    monkeypatch.setenv("WEAKLABEL_TOKEN", secured.token("write:team-client"))
    with weaklabel_client.Client(address, tls=ca) as waiting:
        assert list(waiting.list_projects()) == []
        with pytest.raises(weaklabel_client.PermissionDenied, match="scope admin"):
            waiting.create_project("team-client", ["x", "y"])
        with pytest.raises(weaklabel_client.NotFound):
            waiting.get_project("other")
    async with weaklabel_client.aio.Client(address, tls=str(ca)) as client:
        assert [project async for project in client.list_projects()] == []
        with pytest.raises(weaklabel_client.PermissionDenied, match="scope admin"):
            await client.create_project("team-client", ["x", "y"])
    async with weaklabel_client.aio.Client(address, tls=ca, token="wl_none") as client:
        with pytest.raises(weaklabel_client.Unauthenticated, match="wl_ID_SECRET"):
            await client.get_project("other")


def test_grants() -> None:
    assert written.read_grant("write:team-a-*") == (Scope.WRITE, "team-a-*")
    for text in ("write", "write:", "own:x", "read:a*b", "read:**", "read:-a", "read:a/b", "read:A", "read:a b"):
        with pytest.raises(ValueError, match=r"grant begins|after the colon"):
            written.read_grant(text)
    grant = written.read_grant("read:team")
    assert [grant.holds_for(one) for one in ("team", "team-a", "tea")] == [True, False, False]
    prefix = written.read_grant("read:team*")
    assert [prefix.holds_for(one) for one in ("team", "team-a", "tea")] == [True, True, False]


def test_tokens_do_not_show_their_secret() -> None:
    token = written.new()
    assert token.secret not in f"{token} {token!r} {[token]}"
    assert written.read(token.written()) == token
    assert len({written.new().secret for _ in range(100)}) == 100
