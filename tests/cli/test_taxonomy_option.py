"""`--taxonomy`: votes for inner nodes in files, fitted and labeled on the command line."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from weaklabel import LabelModel
from weaklabel.cli.main import app

PARENTS = "node,parent\noak,tree\nfir,tree\nrose,flower\nlily,flower\ntree,\nflower,\n"
VOTES = "id,ann,bob,eve,truth\n" + "".join(
    f"{name}{at},{ann},{bob},{eve},\n"
    for at in range(8)
    for name, ann, bob, eve in [
        ("a", "oak", "tree", "oak"),
        ("b", "fir", "fir", "tree"),
        ("c", "flower", "rose", "rose"),
        ("d", "lily", "", "flower"),
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parents.csv").write_text(PARENTS)
    (tmp_path / "votes.csv").write_text(VOTES)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_fit_and_predict_read_names_of_inner_nodes(folder: Path) -> None:
    tree, votes, model = folder / "parents.csv", folder / "votes.csv", folder / "model.npz"
    fitted = run("fit", votes, "--taxonomy", tree, "--gold", "truth", "-o", model)
    assert fitted.exit_code == 0, fitted.output
    assert LabelModel.load(model).classes == ("oak", "fir", "rose", "lily")
    sources = ("--sources", "ann,bob,eve")
    labels = run("predict", model, votes, "--taxonomy", tree, *sources, "-o", folder / "labels.csv")
    assert labels.exit_code == 0, labels.output
    rows = list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))
    assert [row["label"] for row in rows[:4]] == ["oak", "fir", "rose", "lily"]
    assert list(rows[0]) == ["id", "label", "p_oak", "p_fir", "p_rose", "p_lily"]


@pytest.mark.parametrize(
    ("parents", "votes", "message"),
    [
        ("node,parent\noak,tree\noak,bush\nfir,tree\n", VOTES, "row 1: 'oak' is put under 'bush'"),
        ("node\noak\n", VOTES, "has 1 columns"),
        (PARENTS, VOTES.replace("a0,oak", "a0,elm"), "'elm'"),
        (
            PARENTS,
            VOTES.replace("tree,oak,\n", "tree,oak,tree\n", 1),
            "item 0: the known label 'tree' is an inner node",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(folder: Path, parents: str, votes: str, message: str) -> None:
    (folder / "parents.csv").write_text(parents)
    (folder / "votes.csv").write_text(votes)
    names = ("--taxonomy", folder / "parents.csv", "--gold", "truth")
    refused = run("fit", folder / "votes.csv", *names, "-o", folder / "model.npz")
    assert refused.exit_code == 1
    assert message in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
