"""The client for Node, built as its package is, against a real server."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, Votes
from weaklabel_client import Client

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("node_driver.mjs")
# Codes of npm that say that the registry cannot be reached. Any other failure is a fault of the package.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # it downloads and compiles

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, its dependencies installed from the lock and built."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing = "nodejs: node and npm are not installed"
        if "nodejs" in os.environ.get("WEAKLABEL_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    root = tmp_path_factory.mktemp("node")
    shutil.copytree(ROOT / "protos", root / "protos")
    folder = root / "clients" / "node"
    ignored = shutil.ignore_patterns("node_modules", "dist", "protos", "generated")
    shutil.copytree(ROOT / "clients" / "node", folder, ignore=ignored)
    for words in (["ci", "--prefer-offline", "--ignore-scripts", "--fetch-retries=1"], ["run", "build"]):
        try:
            done = subprocess.run([npm, *words], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            if words[0] != "ci":
                raise
            pytest.skip("the npm registry cannot be reached: no answer within 90 s")
        if code := next((code for code in UNREACHABLE if f"code {code}" in done.stderr), None):
            pytest.skip(f"the npm registry cannot be reached: {code}")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def start(package: Path) -> Start:
    """Starts a scenario of the driver."""

    def run(scenario: str, address: str, **given: Any) -> "subprocess.Popen[str]":
        command = ["node", str(DRIVER), str(package), scenario, address, json.dumps(given)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return run


def answer(process: "subprocess.Popen[str]") -> Any:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_votes_go_in_and_labels_come_out(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=(300, 1))
    votes = np.where(generator.random((300, 5)) < 0.7, truth, generator.integers(-1, 3, size=(300, 5)))
    items, sources = [f"mail {n}" for n in range(300)], [f"source {n}" for n in range(5)]
    classes = ["ham", "spam", "größe"]
    gold = np.where(np.arange(300) < 20, truth[:, 0], -1)
    found = answer(
        start(
            "mainPath",
            shared_server.address,
            project=project,
            classes=classes,
            sources=sources,
            items=items,
            votes=votes.tolist(),
            gold=[[items[n], int(gold[n])] for n in range(20)],
        )
    )
    own = LabelModel(classes=classes).fit(Votes.from_dense(votes, 3, sources=sources, items=items), gold=gold)
    assert found["name"] == f"projects/{project}"
    assert found["version"] == found["again"] == 1
    assert found["seen"][-1] == 300
    assert found["names"] == [found["model"]] == [found["soft"]["model"]]
    assert "DONE" in found["stages"]
    assert found["soft"]["items"] == items
    np.testing.assert_allclose(
        np.reshape(found["soft"]["probabilities"], (300, 3)), own.predict_proba(votes), atol=1e-5
    )
    np.testing.assert_array_equal(found["soft"]["labels"], own.predict(votes))
    np.testing.assert_allclose(found["predicted"]["probabilities"], own.predict_proba(votes[:5]).ravel(), atol=1e-5)
    streamed = [value for part in found["parts"] for value in part["probabilities"]]
    np.testing.assert_allclose(streamed, own.predict_proba(votes[:20]).ravel(), atol=1e-5)
    with Client(shared_server.address) as client:
        assert client.get_project(project).classes == tuple(classes)
        np.testing.assert_array_equal(client.read_votes(project).votes, votes)


def test_an_upload_outlives_a_killed_server(start: Start, server: Any) -> None:
    with Client(server.address) as client:
        client.create_project("big", classes=["a", "b"])
    rows, columns = 65_536 * 12, 8
    process = start("upload", server.address, project="big", rows=rows, columns=columns)
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["committedRows"] < 65_536:
        pass
    server.kill()
    time.sleep(0.5)
    server.start()
    assert answer(process) == {"version": 1}
    with Client(server.address) as client:
        held = client.read_votes("big").votes
    expected = ((np.arange(rows * columns, dtype=np.int64) * 7919) % 3 - 1).reshape(rows, columns)
    np.testing.assert_array_equal(held, expected)


def test_errors_say_what_was_wrong_and_where(start: Start, shared_server: Any, project: str) -> None:
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["a", "b"])
    found = answer(start("errors", shared_server.address, project=project))
    assert found["missing"]["ours"]
    assert (found["missing"]["code"], found["missing"]["reason"]) == ("NOT_FOUND", "PROJECT_NOT_FOUND")
    assert found["invalid"]["code"] == "INVALID_ARGUMENT"
    assert {one["field"] for one in found["invalid"]["violations"]} >= {"project_id"}
    assert found["votes"]["code"] == "INVALID_ARGUMENT"
    assert "label 9" in str(found["votes"])
    assert found["shape"] == {"ours": False, "message": "votes: row 1 has 2 votes, row 0 has 1"}
    assert found["early"]["code"] == "NOT_FOUND"
    assert found["stream"]["code"] == "NOT_FOUND"


def test_a_fit_is_cancelled(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(0)
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["a", "b"])
        client.upload_votes(project, generator.integers(-1, 2, (60_000, 40)).astype(np.int8))
    assert answer(start("cancel", shared_server.address, project=project))["code"] == "CANCELLED"


def test_a_token_does_not_leave_the_machine_in_clear_text(start: Start, shared_server: Any) -> None:
    found = answer(start("clearText", shared_server.address))
    assert "not sent to labels.example:443 in clear text" in found["message"]
