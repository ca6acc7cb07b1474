"""Hugging Face Datasets: votes and soft labels as columns, there and back; streams batch by batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weaklabel
from weaklabel import ABSTAIN, LabelModel, MajorityVote, Votes, labeling_function
from weaklabel.adapters.datasets import add_soft_labels, add_votes, gold_of, label_stream, votes_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

datasets = pytest.importorskip("datasets", reason="datasets is not installed")

CLASSES = ["ham", "spam"]
TEXTS = ["see http://a", "hello you", "buy http://b now", "", "buy"] * 8


@labeling_function
def link(x: Any) -> int:
    return 1 if "http" in x.text else ABSTAIN


@labeling_function
def polite(x: Any) -> int:
    return 0 if "hello" in x.text else ABSTAIN


@labeling_function
def buy(x: Any) -> int:
    return 1 if "buy" in x.text else ABSTAIN


FUNCTIONS = [link, polite, buy]


@pytest.fixture
def data() -> Any:
    gold = datasets.ClassLabel(names=CLASSES)
    features = datasets.Features({"text": datasets.Value("string"), "gold": gold})
    return datasets.Dataset.from_dict({"text": TEXTS, "gold": [1, 0, 1, 0, 1] * 8}, features=features)


def test_votes_are_columns_and_come_back(data: Any, tmp_path: Path) -> None:
    votes = weaklabel.apply(FUNCTIONS, data, n_classes=2, progress=False)
    with_votes = add_votes(data, votes, classes=CLASSES)
    assert with_votes.features["link"].names == CLASSES
    assert with_votes[0] == {"text": "see http://a", "gold": 1, "link": 1, "polite": None, "buy": None}
    with_votes.save_to_disk(tmp_path / "saved")
    loaded = datasets.load_from_disk(tmp_path / "saved")
    again = votes_of(loaded, ["link", "polite", "buy"])
    assert again.classes == ("ham", "spam")
    np.testing.assert_array_equal(again.to_dense(), votes.to_dense())
    assert gold_of(loaded, "gold").tolist() == [1, 0, 1, 0, 1] * 8
    plain = add_votes(data, votes, prefix="lf_")
    assert plain.features["lf_buy"].dtype == "int64"
    np.testing.assert_array_equal(votes_of(plain, ["lf_link", "lf_polite", "lf_buy"]).to_dense(), votes.to_dense())


def test_texts_are_classes_and_ids_are_kept() -> None:
    data = datasets.Dataset.from_dict({"key": ["a", "b"], "ann": ["ham", None], "bob": ["spam", "ham"]})
    votes = votes_of(data, ["ann", "bob"], ids="key")
    assert votes.classes == ("ham", "spam")
    assert votes.to_dense().tolist() == [[0, 1], [-1, 0]]
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["a", "b"]
    numbers = datasets.Dataset.from_dict({"key": [7, 8], "ann": [0, -1]})
    assert votes_of(numbers, ["ann"], n_classes=4, ids="key").n_classes == 4


def test_soft_labels_are_columns(data: Any) -> None:
    votes = weaklabel.apply(FUNCTIONS, data, n_classes=2, progress=False)
    model = LabelModel(classes=CLASSES).fit(votes)
    labeled = add_soft_labels(data, model, votes)
    assert labeled.features["label"].names == CLASSES
    assert str(labeled.features["soft_label"]) == str(datasets.List(datasets.Value("float32")))
    np.testing.assert_array_equal(np.array(labeled["soft_label"], np.float32), model.predict_proba(votes))
    assert labeled["label"][:5] == [None if k < 0 else k for k in model.predict(votes)[:5].tolist()]
    assert labeled["label"][3] is None  # no vote


def test_a_stream_is_labeled_batch_by_batch(data: Any) -> None:
    votes = weaklabel.apply(FUNCTIONS, data, n_classes=2, progress=False)
    model = MajorityVote(classes=CLASSES)
    calls: list[int] = []

    def rows() -> Any:
        for row in data:
            calls.append(1)
            yield row

    stream = datasets.IterableDataset.from_generator(rows, features=data.features)
    labeled = label_stream(stream, FUNCTIONS, model, batch_size=8)
    assert labeled.features["label"].names == CLASSES
    assert labeled.features["gold"].names == CLASSES
    iterator = iter(labeled)
    assert next(iterator)["soft_label"] == [0.0, 1.0]
    assert len(calls) <= 9  # a batch, not all
    found = [row["soft_label"] for row in labeled]
    np.testing.assert_allclose(found, model.predict_proba(votes))
    assert label_stream(data, FUNCTIONS, model)["label"][:4] == [1, 0, 1, None]


def test_what_is_wrong_is_said(data: Any) -> None:
    votes = Votes.from_dense([[0, 1]], 2, sources=["text", "b"])
    full = Votes.from_dense([[0, 1]] * 40, 2, sources=["text", "b"])
    model = MajorityVote(classes=CLASSES)
    cases: list[tuple[Any, Any, str]] = [
        (InvalidArgumentError, lambda: add_votes(data, votes), "40 rows, votes 1 items"),
        (InvalidArgumentError, lambda: add_votes(data, full), "column 'text' already"),
        (InvalidArgumentError, lambda: add_votes(data, full, classes=["a"]), "1 names are given for 2 classes"),
        (InvalidArgumentError, lambda: add_votes(data.to_iterable_dataset(), full), "of a stream see label_stream"),
        (InvalidArgumentError, lambda: add_votes(datasets.DatasetDict(train=data), full), "of a DatasetDict take"),
        (InvalidArgumentError, lambda: add_soft_labels(data, model, full, hard="gold"), "column 'gold' already"),
        (InvalidArgumentError, lambda: label_stream(data, FUNCTIONS, model, hard="gold"), "column 'gold'"),
        (InvalidVotesError, lambda: votes_of(data, ["nobody"]), "no column 'nobody'; it has text, gold"),
        (InvalidVotesError, lambda: gold_of(data, "text"), "column 'text' is of string"),
    ]
    for kind, call, message in cases:
        with pytest.raises(kind, match=message):
            call()
    soft = Votes.from_soft(np.tile([0.3, 0.7], (40, 1)))
    with pytest.raises(InvalidVotesError, match="no place in a column"):
        add_votes(data, soft)
    other = data.add_column("other", [0] * 40, feature=datasets.ClassLabel(names=["x", "y"]))
    with pytest.raises(InvalidVotesError, match="do not have the same class names"):
        votes_of(other, ["gold", "other"])
