"""Votes up to a real server and labels down; reports and cards, where their package is there."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from weaklabel import _extras
from weaklabel.cli.main import app
from weaklabel.errors import MissingExtraError


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


@pytest.fixture(scope="module")
def votes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    lines = ["id,a,b,c,truth"]
    for at in range(120):
        truth = ("ham", "spam")[rng.integers(2)]
        said = [truth if rng.random() < 0.85 else ("ham", "spam")[rng.integers(2)] for _ in range(3)]
        lines.append(",".join([f"m{at}", *said, truth if at < 20 else ""]))
    (path := tmp_path_factory.mktemp("sharing") / "votes.csv").write_text("\n".join(lines))
    return path


def test_votes_go_up_and_labels_come_down(votes_file: Path, tmp_path: Path, shared_server: Any) -> None:
    pytest.importorskip("weaklabel_client")
    where = ["--server", shared_server.address, "--project", "from-the-command-line"]
    result = run("push", votes_file, *where, "--gold", "truth", "--fit", "--json")
    assert result.exit_code == 0, result.stderr
    pushed = json.loads(result.stdout)
    assert (pushed["items"], pushed["sources"], pushed["votes_version"], pushed["added"]) == (120, 3, 1, True)
    assert list(pushed["class_balance"]) == ["ham", "spam"]
    result = run("pull", *where, "-o", path := tmp_path / "labels.csv", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "output": str(path),
        "model": pushed["model"],
        "items": 120,
        "classes": ["ham", "spam"],
    }
    # As fitted on this machine.
    local = run("fit", votes_file, "--gold", "truth", "-o", tmp_path / "m", "--soft", "-")
    here, there = (list(csv.DictReader(io.StringIO(text))) for text in (local.stdout, path.read_text()))
    assert [row["id"] for row in there] == [row["id"] for row in here]
    p_there, p_here = ([float(row["p_spam"]) for row in rows] for rows in (there, here))
    np.testing.assert_allclose(p_there, p_here, atol=1e-4)
    # The same again adds nothing; long votes of another item, which do not name all classes, are of the same project.
    again = run("push", votes_file, *where, "--gold", "truth", "--json")
    assert json.loads(again.stdout)["added"] is False
    more = run("push", "-", *where, "--json", stdin="item,source,label\nnew,a,spam\n")
    assert json.loads(more.stdout)["votes_version"] == 2


def test_errors_of_a_server_are_one_line(votes_file: Path, shared_server: Any) -> None:
    pytest.importorskip("weaklabel_client")
    result = run("pull", "--server", shared_server.address, "--project", "nothing-here")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"weaklabel pull: {shared_server.address}: ")
    assert "nothing-here" in line


def test_a_token_never_leaves_in_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weaklabel_client")
    monkeypatch.setenv("WEAKLABEL_TOKEN", "wl_secret")
    result = run("pull", "--server", "labels.example:50051", "--project", "p")
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.strip().splitlines()
    assert "in clear text" in line
    assert "--tls or --ca FILE" in line
    assert "wl_secret" not in line


def test_the_extra_is_named_where_the_client_is_missing(votes_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str, *, extra: str, needed_for: str) -> None:
        raise MissingExtraError(f"{needed_for}: weaklabel[{extra}]", name=module)

    monkeypatch.setattr(_extras, "require", missing)
    result = run("push", votes_file, "--server", "127.0.0.1:1", "--project", "p", "--gold", "truth")
    assert result.exit_code == 1
    assert result.stderr == "weaklabel push: calls of a server: weaklabel[client]\n"


def test_a_report(votes_file: Path, tmp_path: Path) -> None:
    result = run("report", votes_file, "--gold", "truth", "-o", path := tmp_path / "r.html", "--title", "Of a test")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"wrote {path}" in result.stderr
    page = path.read_text()
    assert "Of a test" in page
    assert all(name in page for name in ("ham", "spam"))


def test_a_card(votes_file: Path, tmp_path: Path) -> None:
    (labels := tmp_path / "labels.csv").write_text("id,label\n")
    common: list[str | Path] = ["card", votes_file, "--gold", "truth", "--name", "mail", "--version", "1.0"]
    result = run(*common, "--license", "CC-BY-4.0", "--file", labels, "-o", path := tmp_path / "card.md")
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    told = json.loads(run(*common, "--json").stdout)
    assert told["name"] == "mail"
    assert "labels.csv" in path.read_text()
    refused = run(*common, "-o", tmp_path / "card.pdf")
    assert (refused.exit_code, "*.md or *.json" in refused.stderr) == (2, True)
