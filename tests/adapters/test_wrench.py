"""WRENCH's JSON files: there and back, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import Votes, one_of
from weaklabel.adapters.wrench import read_wrench, write_wrench
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

TRAIN = {
    "0": {"label": 1, "weak_labels": [-1, 1, 1], "data": {"feature": [0.5]}},
    "7": {"label": 0, "weak_labels": [0, -1, 1], "data": {"text": "hëllo"}},
    "8": {"label": -1, "weak_labels": [-1, -1, -1], "data": {"text": ""}},
}


def test_a_data_set_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps(TRAIN))
    (tmp_path / "label.json").write_text('{"0": "ham", "1": "spam"}')
    read = read_wrench(tmp_path, "train")
    assert read.classes == ("ham", "spam")
    assert read.votes.to_dense().tolist() == [[-1, 1, 1], [0, -1, 1], [-1, -1, -1]]
    assert read.votes.item_ids is not None
    assert read.votes.item_ids.tolist() == ["0", "7", "8"]
    assert read.gold.tolist() == [1, 0, -1]
    assert read.data[1] == {"text": "hëllo"}
    write_wrench(tmp_path / "again.json", read.votes, read.data, read.gold)
    assert json.loads((tmp_path / "again.json").read_text()) == TRAIN
    (tmp_path / "label.json").unlink()
    assert read_wrench(tmp_path / "train.json").classes == ("0", "1")


def test_what_is_written_has_what_wrench_reads(tmp_path: Path) -> None:
    """The keys that `BaseDataset.load_path` of WRENCH 1.1 goes through: label, weak_labels, data."""
    votes = Votes.from_dense(np.array([[0, 1], [-1, 1]]), 2)
    write_wrench(tmp_path / "train.json", votes, ["a", {"text": "b", "length": 1}])
    assert json.loads((tmp_path / "train.json").read_text()) == {
        "0": {"label": -1, "weak_labels": [0, 1], "data": {"text": "a"}},
        "1": {"label": -1, "weak_labels": [-1, 1], "data": {"text": "b", "length": 1}},
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([1], "holds a list"),
        ({}, "holds no item"),
        ({"a": {"label": 0}}, "item 'a' has no list weak_labels"),
        ({"a": {"weak_labels": [0]}, "b": {"weak_labels": [0, 1]}}, "item 'b' has 2 votes, the first item 1"),
        ({"a": {"weak_labels": [0, 0.5]}}, "item 'a', vote 1 is 0.5"),
        ({"a": {"weak_labels": [0, "spam"]}}, "item 'a', vote 1 is 'spam'"),
        ({"a": {"weak_labels": [[0, 1]], "label": 0}}, "labels of sequences are not read"),
        ({"a": {"weak_labels": [0]}, "b": {"weak_labels": [5]}}, "item 'b': vote 5 is no class; there are 2"),
        ({"a": {"weak_labels": [0], "label": 3}}, "item 'a': label 3 is no class"),
    ],
)
def test_bad_files_are_refused_with_the_place(entries: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps(entries))
    with pytest.raises(InvalidVotesError, match=message):
        read_wrench(tmp_path / "train.json", classes=["ham", "spam"])


def test_what_is_no_file_of_wrench_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidVotesError, match="cannot be read"):
        read_wrench(tmp_path, "train")
    (tmp_path / "train.json").write_text("{")
    with pytest.raises(InvalidVotesError, match="is no JSON"):
        read_wrench(tmp_path, "train")
    (tmp_path / "train.json").write_text(json.dumps(TRAIN))
    (tmp_path / "label.json").write_text('{"1": "ham", "2": "spam"}')
    with pytest.raises(InvalidVotesError, match="must name the classes 0 to 1"):
        read_wrench(tmp_path, "train")
    votes = Votes.from_dense([[0, 1]], 2)
    with pytest.raises(InvalidArgumentError, match="2 examples, votes 1 items"):
        write_wrench(tmp_path / "out.json", votes, ["a", "b"])
    with pytest.raises(InvalidArgumentError, match="one class a vote"):
        write_wrench(tmp_path / "out.json", Votes.from_dense([[one_of(0, 1), 2]], 3))
