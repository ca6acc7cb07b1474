"""The card of a label set: what it says, in both forms, and that it is the same for the same labels."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import Votes, one_of
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.model import LabelModel
from weaklabel.report import Card, card
from weaklabel.report.cards import fingerprint

DIGEST = hashlib.sha256(b"labels").hexdigest()
GIVEN: dict[str, Any] = {
    "name": "Pets",
    "version": "1.2.0",
    "license": "CC-BY-4.0",
    "url": "https://pets.example/labels",
    "creators": ["A. Person"],
    "date": "2026-01-31",
    "source_versions": {"first": "2.1"},
    "source_licenses": {"third": "MIT"},
    "files": {"labels.csv": DIGEST},
}


@pytest.fixture(scope="module")
def made(planted: Any) -> Card:
    return card(planted.votes, planted.model, gold=planted.gold, **GIVEN)


def test_what_croissant_asks_for_is_there(made: Card, planted: Any) -> None:
    """By the list of the specification: required properties of a data set, a file, and fields."""
    told = json.loads(made.to_json())
    assert told["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.0" in told["conformsTo"]
    assert told["@context"]["cr"] == "http://mlcommons.org/croissant/"
    required = {"name", "description", "license", "url", "creator", "datePublished", "version", "citeAs"}
    assert not required - set(told)
    (file,) = told["distribution"]
    assert (file["@type"], file["contentUrl"], file["encodingFormat"]) == ("cr:FileObject", "labels.csv", "text/csv")
    assert file["sha256"] == DIGEST
    (records,) = told["recordSet"]
    columns = [one["source"]["extract"]["column"] for one in records["field"]]
    assert columns == ["label", "p_cat", "p_dog", "p_bird", "p_fish"]
    assert {one["source"]["fileObject"]["@id"] for one in records["field"]} == {file["@id"]}
    values = {one["name"]: one["value"] for one in told["additionalProperty"]}
    assert values["items"] == 600
    assert values["class balance: dog"] == pytest.approx(planted.model.class_balance[1], abs=1e-4)
    assert values["source version: first"] == "2.1"
    assert values["sha256 of the model"] == hashlib.sha256(planted.model.to_bytes()).hexdigest()
    assert list(told) == sorted(told)


@pytest.mark.parametrize("form", ["to_json", "to_markdown"])
def test_known_weaknesses_are_told(made: Card, form: str) -> None:
    text = getattr(made, form)()
    for told in (
        "Worse than chance: 'adversary'",
        "'constant'",
        "'twice', 'copy_of_twice'",
        "No source votes for 'fish'",
    ):
        assert told in text
    assert "worse than majority vote's" in text
    assert "No licence" not in text


def test_the_header_of_the_data_card(made: Card) -> None:
    _, header, body = made.to_markdown().split("---\n", 2)
    told = dict(line.split(": ", 1) for line in header.splitlines())
    assert json.loads(told["license"]) == "cc-by-4.0"
    assert json.loads(told["pretty_name"]) == "Pets"
    assert json.loads(told["size_categories"]) == ["n<1K"]
    assert list(told) == sorted(told)
    for title in ("Sources", "Class balance", "Known weaknesses", "Licence", "How to cite", "How the labels were made"):
        assert f"\n## {title}\n" in body
    assert "| first | 2.1 | not stated |" in body
    assert "A. Person. Pets, version 1.2.0. 2026-01-31. https://pets.example/labels" in body


def test_the_same_snapshot_gives_the_same_bytes_in_another_process(made: Card, planted: Any, tmp_path: Path) -> None:
    planted.votes.save(tmp_path / "votes.npz")
    planted.model.save(tmp_path / "model.npz")
    (tmp_path / "given.json").write_text(json.dumps(GIVEN))
    np.save(tmp_path / "gold.npy", planted.gold)
    code = """
import json, sys
import numpy as np
from weaklabel import LabelModel, Votes
from weaklabel.report import card
votes, model = Votes.load("votes.npz"), LabelModel.load("model.npz")
made = card(votes, model, gold=np.load("gold.npy"), **json.load(open("given.json")))
sys.stdout.buffer.write(made.to_json().encode() + b"|||" + made.to_markdown().encode())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=100, check=True)
    assert done.stdout == made.to_json().encode() + b"|||" + made.to_markdown().encode()


def test_what_was_not_stated_is_said_to_be_missing(planted: Any) -> None:
    bare = card(planted.votes, planted.model, name="x", version="1")
    told = json.loads(bare.to_json())
    assert not {"license", "datePublished", "distribution", "url"} & set(told)
    assert "No licence is stated." in told["rai:dataLimitations"]
    assert any("not compared with gold" in one for one in told["rai:dataLimitations"])
    assert 'license: "unknown"' in bare.to_markdown()
    other = card(planted.votes, planted.model, name="x", version="1", license="Ask us: first").to_markdown()
    assert 'license: "other"\nlicense_name: "Ask us: first"' in other


def test_names_do_not_break_the_form() -> None:
    rng = np.random.default_rng(0)
    names = ["a|b", "c\nd", "<b>", "`e`"]
    votes = Votes.from_dense(rng.integers(0, 2, (50, 4)), 2, sources=names)
    model = LabelModel(n_classes=2).fit(votes)
    made = card(votes, model, name='x": y\n---\n# z', version="1")
    lines = made.to_markdown().splitlines()
    rows = [line for line in lines if line.startswith(("| a\\|b", "| c d", "| \\<b", "| \\`e"))]
    assert [row.replace("\\|", "").count("|") for row in rows] == [8] * 4
    assert lines.count("---") == 2
    assert json.loads(made.to_json())["name"] == 'x": y\n---\n# z'


def test_the_fingerprint_is_of_the_votes() -> None:
    votes = Votes.from_dense([[0, 1], [-1, 1]], 2, items=["a", "b"])
    assert fingerprint(votes) == fingerprint(votes.to_sparse())
    with_sets: list[list[list[object]]] = [[[0, one_of(0, k)], [-1, 1]] for k in (1, 2)]
    others = [
        Votes.from_dense([[0, 1], [0, 1]], 2, items=["a", "b"]),
        Votes.from_dense([[0, 1], [-1, 1]], 3, items=["a", "b"]),
        Votes.from_dense([[0, 1], [-1, 1]], 2, items=["a", "c"]),
        Votes.from_dense([[0, 1], [-1, 1]], 2, items=["a", "b"], sources=["x", "y"]),
        *(Votes.from_dense(cells, 3, items=["a", "b"]) for cells in with_sets),
    ]
    assert len({fingerprint(one) for one in [votes, *others]}) == 7


def test_what_does_not_fit_is_refused(planted: Any) -> None:
    votes, model = planted.votes, planted.model
    with pytest.raises(InvalidArgumentError, match="version must be a text"):
        card(votes, model, name="x", version="")
    with pytest.raises(InvalidArgumentError, match="source_versions names 'nobody'"):
        card(votes, model, name="x", version="1", source_versions={"nobody": "1"})
    with pytest.raises(InvalidArgumentError, match="no sha256"):
        card(votes, model, name="x", version="1", files={"a.csv": "12"})
    with pytest.raises(NotFittedError):
        card(votes, LabelModel(classes=model.classes), name="x", version="1")
