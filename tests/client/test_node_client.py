"""A client in another language, made from the .proto files alone, against a real server."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, Votes
from weaklabel_client import Client

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "node-client"
RunNode = Callable[..., "subprocess.CompletedProcess[str]"]

# Codes of npm that say that the registry cannot be reached. Any other failure is a fault of the example.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT")
OPTIONS = ["--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", "--ignore-scripts", "--fetch-retries=1"]

pytestmark = pytest.mark.slow  # it downloads the dependencies


@pytest.fixture(scope="module")
def run_node(tmp_path_factory: pytest.TempPathFactory) -> RunNode:
    """Runs the example's client, from a copy in which its dependencies are installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    root = tmp_path_factory.mktemp("node")
    shutil.copytree(ROOT / "protos", root / "protos")
    example = root / "examples" / "node-client"
    example.mkdir(parents=True)
    for name in ("client.js", "package.json"):
        shutil.copy(EXAMPLE / name, example)
    install = [npm, "install", *OPTIONS]
    try:
        done = subprocess.run(install, cwd=example, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the npm registry cannot be reached: no answer within 60 s")
    if code := next((code for code in UNREACHABLE if f"code {code}" in done.stderr), None):
        pytest.skip(f"the npm registry cannot be reached: {code}")
    assert done.returncode == 0, done.stderr

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [node, str(example / "client.js"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_javascript_uploads_fits_and_fetches(
    run_node: RunNode, shared_server: Any, project: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=(300, 1))
    votes = np.where(generator.random((300, 5)) < 0.7, truth, generator.integers(-1, 3, size=(300, 5)))
    job = {
        "classes": ["ham", "spam", "größe"],
        "sources": [f"source {number}" for number in range(5)],
        "items": [f"mail {number}" for number in range(300)],
        "votes": votes.tolist(),
    }
    file = tmp_path / "votes.json"
    file.write_text(json.dumps(job))
    done = run_node(shared_server.address, project, str(file))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)

    own = LabelModel(classes=job["classes"]).fit(Votes.from_dense(votes, 3, sources=job["sources"]))
    np.testing.assert_allclose(answer["probabilities"], own.predict_proba(votes), atol=1e-5)
    np.testing.assert_array_equal(answer["labels"], own.predict(votes))
    assert answer["items"] == job["items"]
    with Client(shared_server.address) as client:
        assert client.get_project(project).classes == tuple(job["classes"])
        np.testing.assert_array_equal(client.read_votes(project).votes, votes)
        labels = client.labels(project)
        assert labels.model == answer["model"]
        np.testing.assert_array_equal(labels.probabilities, np.float32(answer["probabilities"]))

    again = run_node(shared_server.address, project, str(file))
    assert again.returncode == 1
    assert "ALREADY_EXISTS" in again.stderr
