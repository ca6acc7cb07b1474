"""weaklabel errors: planted wrong labels are found, by votes and by a classifier's probabilities."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from weaklabel.cli.main import app

OTHER = {"ham": "spam", "spam": "ham"}
N, WRONG = 300, {f"m{at}" for at in range(0, 300, 20)}


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Votes and probabilities beside labels, of which every twentieth is wrong."""
    rng = np.random.default_rng(7)
    votes, probabilities = ["id,a,b,c,d,given,truth"], ["id,given,p_ham,p_spam,truth"]
    for at in range(N):
        name, truth = f"m{at}", ("ham", "spam")[rng.integers(2)]
        said = [truth if rng.random() < share else OTHER[truth] for share in (0.95, 0.9, 0.9, 0.95)]
        given = OTHER[truth] if name in WRONG else truth
        p = 0.9 if truth == "ham" else 0.1
        known = truth if at % 3 == 0 else ""  # 100 items, of which 5 are wrong: every sixtieth
        votes.append(",".join([name, *said, given, known]))
        probabilities.append(f"{name},{given},{p:.4f},{1 - p:.4f},{known}")
    folder = tmp_path_factory.mktemp("errors")
    (folder / "votes.csv").write_text("\n".join(votes))
    (folder / "p.csv").write_text("\n".join(probabilities))
    return folder / "votes.csv", folder / "p.csv"


def test_by_votes(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("errors", files[0], "--labels", "given", "--gold", "truth", "--json", "-o", path := tmp_path / "s.csv")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["labels"] == N
    gold = found["gold"]
    known = {f"m{at}" for at in range(0, 300, 3)}
    suspects = known & {one["id"] for one in found["suspects"]}
    assert (gold["n_items"], gold["n_wrong"], gold["n_suspects"]) == (100, 5, len(suspects))
    assert gold["precision"] == pytest.approx(len(suspects & WRONG) / len(suspects))
    assert gold["recall"] == pytest.approx(len(suspects & WRONG) / 5)
    assert 0.8 < gold["average_precision"] <= 1
    worst = [one["id"] for one in found["suspects"][: len(WRONG)]]
    assert len(WRONG & set(worst)) >= 0.8 * len(WRONG)
    first = found["suspects"][0]
    assert set(first) == {"id", "item", "given", "suggested", "probability", "reason"}
    assert first["suggested"] == OTHER[first["given"]]
    assert "say otherwise" in first["reason"]
    with path.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [one["id"] for one in found["suspects"]]


def test_by_a_classifier(files: tuple[Path, Path]) -> None:
    arguments: list[str | Path] = ["errors", files[1], "--labels", "given", "--probabilities", "p_*"]
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    assert {one["id"] for one in json.loads(result.stdout)["suspects"]} == WRONG
    shown = run(*arguments, "--gold", "truth", "--top", "3", "--fail")
    assert shown.exit_code == 1
    first, second = shown.stdout.splitlines()[:2]
    assert first.startswith(f"15 of {N} labels are likelier wrong than right")
    assert second == (
        "by gold of 100 items, 5 labels (5.0 %) are wrong; of 5 suspects 100.0 % are, and 100.0 % of the wrong labels "
        "are among them; average precision of the ranking 1.000, by chance 0.050"
    )
    assert shown.stdout.rstrip().endswith("... and 12 more: -o FILE writes all")


def test_nothing_found_is_no_failure() -> None:
    rows = "".join(f"{name},{p}\n" for name, p in [("ham", "0.9,0.1"), ("spam", "0.1,0.9")] * 20)
    result = run("errors", "-", "--labels", "y", "--probabilities", "ham,spam", "--fail", stdin="y,ham,spam\n" + rows)
    assert (result.exit_code, result.stdout) == (
        0,
        "0 of 40 labels are likelier wrong than right; 0 wrong ones are expected\n",
    )


TAGS = "id,cat,dog,p_dog,p_cat\n1,1,0,0.1,0.9\n2,yes,No,0.2,0.3\n3,0,1,0.1,0.6\n"


def test_tags_of_an_item_are_ranked_together(tmp_path: Path) -> None:
    """Item 3: 0.1 and 0.4, so 0.8 * 0.1 + 0.2 * 0.4; item 2: 0.8 and 0.3, so 0.8 * 0.3 + 0.2 * 0.8."""
    arguments = ["errors", "-", "--tags", "cat,dog", "--probabilities", "p_*"]
    found = json.loads(run(*arguments, "--json", stdin=TAGS).stdout)
    assert [(one["id"], round(one["quality"], 6)) for one in found["suspects"]] == [("3", 0.16), ("2", 0.4)]
    assert [(tag["tag"], tag["given"]) for tag in found["suspects"][0]["tags"]] == [("dog", True), ("cat", False)]
    shown = run(*arguments, "--fail", "-o", path := tmp_path / "tags.csv", stdin=TAGS)
    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[0] == "2 of 3 items have a tag that is likelier wrong than right"
    assert "3       0.160  dog is set (90.0 %), cat is not set (60.0 %)" in shown.stdout
    with path.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["3", "2"]


@pytest.mark.parametrize(
    ("more", "code", "expected"),
    [
        (["--tags", "cat"], 2, "multilabel_errors"),
        (["--tags", "cat", "--labels", "dog"], 2, "not both"),
        (["--tags", "cat", "--probabilities", "p_*", "--gold", "dog"], 2, "give none with --tags"),
        (["--tags", "id,dog", "--probabilities", "p_*"], 1, "line 3, column 'id' is '2': a tag is 1 or 0"),
        (["--tags", "cat,dog", "--probabilities", "p_cat"], 2, "are not one for each of 2 tags"),
        ([], 2, "name the column of labels"),
        (["--labels", "cat", "--gold", "cat"], 2, "'cat' is named for two things"),
    ],
)
def test_tags_that_cannot_be_read_are_refused(more: list[str], code: int, expected: str) -> None:
    result = run("errors", "-", *more, stdin=TAGS)
    assert (result.exit_code, result.stdout) == (code, "")
    assert expected in result.stderr


HEAD = "id,y,p_a,p_b\n1,a,0.9,0.1\n"


@pytest.mark.parametrize(
    ("content", "more", "code", "expected"),
    [
        (HEAD + "2,b,0.3,0.3\n", [], 1, "stdin, line 3: the probabilities in p_a, p_b sum to 0.6, not to one"),
        (HEAD + "2,b,0.3,\n", [], 1, "stdin, line 3, column 'p_b' is empty, which is no probability"),
        (HEAD + "2,b,1.3,-0.3\n", [], 1, "line 3, column 'p_a' is '1.3'"),
        (HEAD + "2,b,x,0.3\n", [], 1, "line 3, column 'p_a' is 'x'"),
        (HEAD + "2,c,0.3,0.7\n", [], 1, "line 3, column 'y' is 'c', which is no class"),
        (HEAD + "1,b,0.3,0.7\n", [], 1, "line 3, column 'id': the id '1' is that of line 2 as well"),
        (HEAD, ["--probabilities", "q_*"], 1, "no column q_*"),
        (HEAD, ["--classes", "a,b,c"], 2, "are not one for each of 3 classes"),
        (HEAD, ["--sources", "p_a"], 2, "give no --sources"),
        (HEAD, ["--labels", "z"], 1, "no column 'z'"),
        ("id,y,p_a,p_b\n1,,0.9,0.1\n", [], 2, "no label"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(content: str, more: list[str], code: int, expected: str) -> None:
    result = run("errors", "-", "--labels", "y", "--probabilities", "p_*", *more, stdin=content)
    assert (result.exit_code, result.stdout) == (code, "")
    assert expected in result.stderr
