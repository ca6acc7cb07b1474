"""From files to labels on the command line, with real files; in this process, since starting JAX takes seconds."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from weaklabel import LabelModel, Votes, __version__
from weaklabel.cli.fit import short
from weaklabel.cli.main import app
from weaklabel.formats.vote_tables import Layout, read_vote_table

WEAKLABEL = Path(sys.executable).with_name("weaklabel")
ACCURACY = {"keywords": 0.9, "links": 0.8, "length": 0.75, "swapped": 0.15}
OTHER = {"ham": "spam", "spam": "ham"}


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


def refusal(*arguments: str | Path, code: int = 1) -> str:
    """The line that a command fails with."""
    result = run(*arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines: list[str] = result.stderr.strip().splitlines()
    return lines[-1]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """400 items, four sources that err independently, gold on the first 100."""
    rng = np.random.default_rng(5)
    made = []
    for at in range(400):
        truth = ("ham", "spam")[rng.integers(2)]
        votes = {
            name: "" if rng.random() < 0.2 else truth if rng.random() < share else OTHER[truth]
            for name, share in ACCURACY.items()
        }
        made.append({"id": f"m{at}", **votes, "truth": truth if at < 100 else "", "hidden": truth})
    return made


@pytest.fixture(scope="module")
def votes_file(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "votes.csv"
    names = ["id", *ACCURACY, "truth"]
    lines = [";".join(names), *(";".join(row[name] for name in names) for row in rows)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    return path


@pytest.fixture(scope="module")
def model_file(votes_file: Path) -> Path:
    result = run("fit", votes_file, "--gold", "truth", "-o", path := votes_file.with_name("model.wl"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "400 items, 4 sources" in result.stderr
    return path


def test_a_file_of_votes_becomes_soft_labels(rows: list[dict[str, str]], votes_file: Path, model_file: Path) -> None:
    result = run("predict", model_file, votes_file, "-o", path := votes_file.with_name("labels.csv"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "left out: 'truth'" in result.stderr
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    soft = np.array([[float(line["p_ham"]), float(line["p_spam"])] for line in lines])
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-5)
    right = np.array([line["label"] == row["hidden"] for line, row in zip(lines, rows, strict=True)])
    assert right[100:].mean() > 0.85  # of items whose labels the fit has not seen
    # As the library says on votes that were coded by hand.
    codes = [[{"": -1, "ham": 0, "spam": 1}[row[name]] for name in ACCURACY] for row in rows]
    by_hand = LabelModel.load(model_file).predict_proba(Votes.from_dense(codes, 2, sources=list(ACCURACY)))
    np.testing.assert_allclose(soft, by_hand, atol=1e-5)


def test_predictions_match_sources_by_name(votes_file: Path, model_file: Path, tmp_path: Path) -> None:
    (path := tmp_path / "few.tsv").write_text("swapped\tkeywords\tid\nham\tspam\tx\n\t\ty\n")
    result = run("predict", model_file, path, "--to", "tsv")
    assert "'links', 'length'" in result.stderr
    lines = list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))
    assert (lines[0]["id"], lines[0]["label"]) == ("x", "spam")
    long = "item,source,label\nx,keywords,spam\nx,swapped,ham\n"
    result = run("predict", model_file, "-", "--json", stdin=long)
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert list(told) == ["item", "label", "p_ham", "p_spam"]
    assert told["p_ham"] == pytest.approx(float(lines[0]["p_ham"]), abs=1e-5)


def test_items_without_votes_have_no_label(tmp_path: Path) -> None:
    (path := tmp_path / "v.csv").write_text("a,b,c\n" + "p,p,q\nq,q,q\np,p,\nq,,q\n" * 20 + ",NA,\n")
    result = run("fit", path, "-o", tmp_path / "m", "--soft", soft := tmp_path / "s.jsonl", "--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in soft.read_text().splitlines()]
    assert list(lines[0]) == ["label", "p_p", "p_q"]
    report = json.loads(result.stdout)
    assert (report["items"], report["sources"], list(report["class_balance"])) == (81, ["a", "b", "c"], ["p", "q"])
    assert lines[-1] == {"label": None, "p_p": 0.5, "p_q": 0.5}


def test_labels_as_parquet(votes_file: Path, model_file: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "l.parquet"
    assert run("predict", model_file, votes_file, "-o", path).exit_code == 0
    table = pq.read_table(path)
    assert table.column_names == ["id", "label", "p_ham", "p_spam"]
    assert set(table["label"].to_pylist()) <= {"ham", "spam", None}


def test_analyze_in_numbers(rows: list[dict[str, str]], votes_file: Path) -> None:
    result = run("analyze", votes_file, "--gold", "truth", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    by_name = {line["source"]: line for line in found["sources"]}
    assert list(by_name) == list(ACCURACY)
    for name, line in by_name.items():
        judged = [row for row in rows if row[name] and row["truth"]]
        right = sum(row[name] == row["truth"] for row in judged)
        assert (line["correct"], line["incorrect"]) == (right, len(judged) - right)
        assert line["votes"] == {one: sum(row[name] == one for row in rows) for one in ("ham", "spam")}
        assert line["coverage"] == pytest.approx(sum(row[name] != "" for row in rows) / 400)
        low, high = line["accuracy_interval"]
        assert low <= line["accuracy"] <= high
    (pair,) = [one for one in found["pairs"] if one["sources"] == ["keywords", "links"]]
    both = [row for row in rows if row["keywords"] and row["links"]]
    assert pair["items"] == len(both)
    assert pair["agreement"] == pytest.approx(sum(row["keywords"] == row["links"] for row in both) / len(both))
    assert found["gold"]["items"] == 100
    assert 1 <= found["dependence"]["effective_votes"] <= 4


def test_analyze_names_what_was_planted(tmp_path: Path) -> None:
    """A copy, an adversary, a constant source, and a class that nobody votes for."""
    rng = np.random.default_rng(1)
    names = ("cat", "dog", "bird")
    lines = ["a,b,copy_of_b,c,d,adversary,constant"]
    for _ in range(600):
        truth = rng.integers(3)
        said = [truth if rng.random() < share else rng.integers(3) for share in (0.8, 0.7, 0.75, 0.7)]
        wrong = (truth + 1) % 3 if rng.random() < 0.9 else truth
        lines.append(",".join(names[k] for k in (said[0], said[1], said[1], said[2], said[3], wrong, 1)))
    (path := tmp_path / "planted.csv").write_text("\n".join(lines))
    result = run("analyze", path, "--classes", "cat,dog,bird,fish")
    assert result.exit_code == 0
    words = result.stdout.partition("Diagnostics\n")[2]
    assert "Copies of each other, counted once: 'b', 'copy_of_b'" in words
    assert "Worse than chance: 'adversary'" in words
    assert "Always the same vote, which tells nothing: 'constant'" in words
    assert "No source votes for 'fish'" in words


def test_analyze_names_with_gold_what_votes_alone_take_for_right(tmp_path: Path) -> None:
    """A source that is mostly wrong and votes on every item, beside better ones that seldom vote."""
    rng = np.random.default_rng(0)
    names, lines, wrong = ("ham", "spam"), ["a,b,c,d,loud,truth"], 0
    for at in range(1000):
        truth = rng.integers(2)
        said = [truth if rng.random() < 0.8 else 1 - truth for _ in range(4)]
        loud = truth if rng.random() < 0.2 else 1 - truth
        wrong += at < 50 and loud != truth
        cells = [names[k] if rng.random() < 0.08 else "" for k in said]
        lines.append(",".join([*cells, names[loud], names[truth] if at < 50 else ""]))
    (path := tmp_path / "loud.csv").write_text("\n".join(lines))
    alone = run("analyze", path, "--sources", "a,b,c,d,loud").stdout.partition("Diagnostics\n")[2]
    assert "'loud'" not in alone
    assert "Without gold this rests on the votes alone" in alone
    words = run("analyze", path, "--gold", "truth").stdout.partition("Diagnostics\n")[2]
    assert f"Worse than chance: 'loud' ({50 - wrong} of 50 right on gold)" in words
    assert "Without gold" not in words


def test_analyze_in_words(votes_file: Path) -> None:
    result = run("analyze", votes_file, "--gold", "truth")
    assert result.exit_code == 0
    for part in ("Source ", "Est. accuracy", "90 % interval", "Kappa", "independent votes", "Diagnostics", "keywords"):
        assert part in result.stdout
    assert "on 100 items with gold" in result.stdout


@pytest.mark.parametrize("name", ["v.csv", "v.tsv", "v.jsonl", "v.parquet", "v.npz"])
def test_conversion_there_and_back(votes_file: Path, tmp_path: Path, name: str) -> None:
    expected = read_vote_table(votes_file, Layout(gold="truth"))
    assert run("convert", votes_file, tmp_path / name, "--gold", "truth").exit_code == 0
    result = run("convert", tmp_path / name, "-", "--to", "jsonl", "--gold", "gold", "--to-long")
    assert result.exit_code == 0
    (back := tmp_path / "back.jsonl").write_text(result.stdout)
    table = read_vote_table(back, Layout(gold="gold"))
    assert np.array_equal(table.votes.to_dense(), expected.votes.select_sources(table.votes.source_names).to_dense())
    assert np.array_equal(table.votes.item_ids, expected.votes.item_ids)  # type: ignore[arg-type]
    assert np.array_equal(table.gold, expected.gold)  # type: ignore[arg-type]
    assert table.classes == expected.classes


def test_conversion_keeps_items_and_sources_without_votes(tmp_path: Path) -> None:
    (path := tmp_path / "v.csv").write_text("id,a,b,c\nx,p,q,\ny,,,\n")
    result = run("convert", path, "-", "--to-long")
    assert result.stdout.splitlines() == ["item,source,label", "x,a,p", "x,b,q", "x,c,", "y,a,"]


def test_a_class_that_reads_like_an_abstain_is_told(tmp_path: Path) -> None:
    (path := tmp_path / "v.csv").write_text("a,b\nNone,born\n")
    assert "reads like an abstain" in run("convert", path, "-", "--classes", "None,born").stderr


def _no_model(folder: Path, votes: Path) -> list[str | Path]:
    (path := folder / "no.wl").write_bytes(b"nothing")
    return ["predict", path, votes]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (lambda f, v: ["fit", f / "none.csv", "-o", f / "m"], 1, "weaklabel fit: "),
        (lambda f, v: ["fit", v, "--gold", "true", "-o", f / "m"], 1, "has no column 'true'"),
        (lambda f, v: ["fit", v, "--gold", "truth", "-o", f / "no" / "m"], 2, "there is no folder"),
        (lambda f, v: ["fit", v, "--gold", "truth", "-o", f / "m", "--soft", "-", "--json"], 2, "both write to stdout"),
        (lambda f, v: ["fit", v, "--gold", "truth", "-o", f / "m", "--soft", f / "s.xls"], 2, "write a file *.csv"),
        (lambda f, v: ["fit", v, "--classes", "ham,eggs", "--gold", "truth", "-o", f / "m"], 1, "which is no class"),
        (lambda f, v: ["fit", v, "--delimiter", ";;", "-o", f / "m"], 2, "one character"),
        (_no_model, 1, "weaklabel predict: "),
        (lambda f, v: ["analyze", v, "--format", "excel"], 2, "format must be one of csv, tsv"),
        (lambda f, v: ["convert", v, f / "x.xlsx", "--gold", "truth"], 2, "write a file *.csv"),
        (lambda f, v: ["convert", v, f / "x.npz", "--gold", "truth", "--to-long"], 2, "holds a matrix"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    arguments: Callable[[Path, Path], list[str | Path]], code: int, expected: str, votes_file: Path, tmp_path: Path
) -> None:
    line = refusal(*arguments(tmp_path, votes_file), code=code)
    assert line.startswith("weaklabel ")
    assert expected in line


def test_the_command_line_itself_at_fault_is_code_2(votes_file: Path) -> None:
    assert "output" in run("fit", votes_file).stderr
    refusal("fit", votes_file, code=2)
    refusal("predict", code=2)


@pytest.mark.parametrize(
    "command", [one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands]
)
def test_help(command: str) -> None:
    result = run(command, "-h")
    assert result.exit_code == 0
    assert result.stdout == run(command, "--help").stdout


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = json.loads(run("doctor", "--json").stdout)
    assert found["ok"]
    assert found["weaklabel"] == __version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["devices"]
    monkeypatch.setattr(LabelModel, "predict", lambda _model, votes: np.zeros(votes.n_items, int))
    result = run("doctor")
    assert result.exit_code == 1
    assert "self-test FAILED" in result.stdout


def test_as_a_user_runs_it(rows: list[dict[str, str]], tmp_path: Path) -> None:
    """Votes of strings through a pipe, in a process of its own: labels on stdout and nothing else."""
    lines = [",".join(["id", *ACCURACY]), *(",".join([row["id"], *(row[name] for name in ACCURACY)]) for row in rows)]
    command: list[str | Path] = [WEAKLABEL, "fit", "-", "-o", tmp_path / "model.wl", "--soft", "-"]
    result = subprocess.run(
        command,
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=100,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert result.returncode == 0, result.stderr
    labels = list(csv.DictReader(io.StringIO(result.stdout.decode())))
    assert len(labels) == 400
    assert set(labels[0]) == {"id", "label", "p_ham", "p_spam"}
    assert b"class balance" in result.stderr
    assert b"\x1b" not in result.stderr  # no terminal


def test_probabilities_are_written_with_six_digits() -> None:
    rng = np.random.default_rng(0)
    shares = np.concatenate([rng.random(5000), 10.0 ** -rng.uniform(0, 15, 5000), [0, 1, 0.5, 0.1]]).astype(np.float32)
    assert short(shares) == [float(f"{share:.6g}") for share in shares]
