"""Planted wrong labels are found, and as many as there are; the confident joint by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.label_errors import (
    LabelIssues,
    find_label_issues,
    find_multilabel_issues,
    label_errors,
    multilabel_errors,
)
from weaklabel.label_errors.classifier import confident_joint
from weaklabel.label_errors.voters import between_classes

CLASSES = ("ham", "spam", "other")


def average_precision(wrong: NDArray[np.bool_], ranked: NDArray[np.intp]) -> float:
    hits = wrong[ranked]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def planted(seed: int, n_items: int = 2000) -> tuple[NDArray[np.int64], NDArray[np.int64], Votes]:
    """True classes, labels of which 8 % are wrong, and votes of four sources right 85 to 65 %."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    others = (truth + rng.integers(1, 3, (5, n_items))) % 3
    votes = np.stack(
        [np.where(rng.random(n_items) < a, truth, others[m]) for m, a in enumerate((0.85, 0.75, 0.7, 0.65))]
    )
    return truth, np.where(rng.random(n_items) < 0.08, others[4], truth), Votes.from_dense(votes.T, 3)


def test_wrong_labels_are_found_beside_votes() -> None:
    truth, labels, votes = planted(0)
    found = label_errors(votes, labels, classes=CLASSES)
    wrong = labels != truth
    shares = (votes.counts() + 1 / 3) / 5
    by_shares = np.argsort(shares[np.arange(len(labels)), labels], kind="stable")
    assert average_precision(wrong, found.ranked) > average_precision(wrong, by_shares) + 0.05
    assert wrong[found.suspects].mean() == pytest.approx(found.expected_precision(len(found)), abs=0.08)
    assert found.n_expected == pytest.approx(wrong.sum(), rel=0.3)
    first = next(iter(found))
    assert (first.given, first.suggested) == (CLASSES[labels[first.item]], CLASSES[truth[first.item]])
    against = int((votes.to_dense()[first.item] != labels[first.item]).sum())
    assert first.reason.startswith(f"{against} of 4 say otherwise: source_")


def test_half_of_the_difference_between_classes_is_taken_for_the_voters_fault() -> None:
    """By hand: the mean is 1; ten labels of class 0 are 1 below it, ten of class 2 above; (n + 10) halves it again."""
    given = np.repeat(np.array([0, 2], np.int32), 10)
    log_odds = np.where(given == 0, 0.0, 2.0)
    assert between_classes(log_odds, given, 3) == pytest.approx(log_odds - 0.5 * np.where(given == 0, -0.5, 0.5))


def test_voters_that_miss_a_class_do_not_put_its_labels_first() -> None:
    """Three of four voters never say 2, so that its labels, which are as right as others, look worst of all."""
    rng = np.random.default_rng(3)
    n = 2000
    truth = rng.integers(0, 3, n)
    labels = np.where(rng.random(n) < 0.1, (truth + rng.integers(1, 3, n)) % 3, truth)
    said = np.where(rng.random((4, n)) < 0.75, truth, rng.integers(0, 3, (4, n)))
    said[:3] = np.where(said[:3] == 2, rng.integers(0, 2, (3, n)), said[:3])
    votes = Votes.from_dense(said.T, 3)
    found = label_errors(votes, labels)
    model = LabelModel(3)
    alone = model.fit(votes).predict_proba(votes)
    both = Votes.concatenate_sources([votes, Votes.from_dense(labels[:, None], 3, sources=["labels"])])
    together = model.fit(both).predict_proba(both)
    at = np.arange(n), labels
    without = np.argsort(logit(np.clip(alone[at], 1e-6, 1 - 1e-6)) + logit(np.clip(together[at], 1e-6, 1 - 1e-6)))
    wrong = labels != truth
    assert average_precision(wrong, found.ranked) > average_precision(wrong, without) + 0.02


def test_an_item_is_named_by_its_id_and_one_without_a_label_is_left_out() -> None:
    votes = Votes.from_dense([[0, 0, 0], [1, 1, 1], [0, 0, -1], [1, 1, 1]] * 10, 2, items=[f"i{n}" for n in range(40)])
    labels = pd.Series([1, 1, 0, 1] + [0, 1, 0, 1] * 9, index=votes.item_ids).iloc[::-1]
    labels["i7"] = -1
    found = label_errors(votes, labels)
    assert [suspect.item_id for suspect in found] == ["i0"]
    assert np.isnan(found.probability[7])
    assert 7 not in found.ranked
    assert list(found.to_frame().columns) == ["item", "item_id", "given", "suggested", "probability", "reason"]
    assert "1 of 39 labels" in repr(found)


def test_the_confident_joint_by_hand() -> None:
    """Thresholds are the means .8 and .7; the third item is over that of the other class."""
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    given = np.array([0, 0, 0, 1, 1, 1], np.int32)
    # thresholds: (.9 + .8 + .7) / 3 = .8 and (.8 + .6 + .1) / 3 = .5
    # confident: items 0 and 1 for 0; 2 for none; 3 and 4 for 1; 5, labeled 1, for 0
    expected = np.array([[1.0, 0.0], [1 / 3, 2 / 3]]) / 2
    assert confident_joint(given, p) == pytest.approx(expected)
    found = find_label_issues(given, p)
    assert found.n_expected == pytest.approx(1)
    assert found.ranked[0] == 5
    assert np.nansum(found.probability) == pytest.approx(1)


def test_wrong_labels_are_found_by_a_classifier() -> None:
    truth, labels, votes = planted(1)
    p = (votes.counts() + 1 / 3) / 5
    found = find_label_issues([CLASSES[k] for k in labels], pd.DataFrame(p, columns=CLASSES))
    wrong = labels != truth
    assert average_precision(wrong, found.ranked) > 3 * wrong.mean()
    assert {suspect.given for suspect in found} <= set(CLASSES)


def test_a_tag_that_is_wrong_makes_its_item_doubtful() -> None:
    p = [[0.9, 0.1, 0.2], [0.9, 0.9, 0.1], [0.6, 0.2, 0.3]]
    quality = find_multilabel_issues([[1, 0, 0], [1, 0, 0], [1, 0, 0]], p)
    # item 1: qualities .9, .9, .1 -> .8 * .1 + .2 * .9; item 0: .9, .9, .8 -> .82; item 2: .8, .7, .6 -> .8*.6 + .2*.72
    assert quality == pytest.approx([0.82, 0.26, 0.624])


def test_tags_are_looked_at_beside_votes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((600, 3)) < 0.4
    tags = np.where(rng.random(truth.shape) < 0.05, ~truth, truth).astype(int)
    wrong = tags != truth
    tags[7] = -1  # an item of which nothing is known, ...
    tags[8, 1] = -1  # ... and one of which a tag is not
    ids = [f"i{at}" for at in range(600)]
    names = ("cat", "dog", "owl")
    votes = {
        name: Votes.from_dense(
            np.where(rng.random((5, 600)) < 0.85, truth[:, at], ~truth[:, at]).T.astype(int), 2, items=ids
        )
        for at, name in enumerate(names)
    }
    found = multilabel_errors(votes, pd.DataFrame(tags, columns=names, index=ids)[["owl", "cat", "dog"]].iloc[::-1])
    wrong[tags < 0] = False
    assert np.isnan(found.quality[7])
    assert 7 not in found.ranked
    doubts = np.sort(1 - np.delete(found.probability[8], 1))[::-1]
    assert found.quality[8] == pytest.approx(0.8 * doubts[1] + 0.2 * doubts[0])
    assert average_precision(wrong.any(1), found.ranked) > 0.8
    for at, name in enumerate(names):
        alone = label_errors(votes[name], tags[:, at])
        assert found.probability[:, at] == pytest.approx(alone.probability, nan_ok=True)
    first = next(iter(found))
    assert (first.item, first.item_id) == (found.ranked[0], f"i{found.ranked[0]}")
    assert first.given == tags[first.item, names.index(first.tag)]
    assert "of 5 say otherwise" in first.reason
    assert list(found.to_frame()["item"].unique()) == [at for at in found.ranked if found.probability[at].max() > 0.5]
    assert repr(found).startswith(f"MultilabelIssues({len(found)} of 1,796 tags of 600 items")


@pytest.mark.parametrize(
    ("votes", "tags", "message"),
    [
        ({}, [[1]], "votes must be a dict"),
        ({"a": Votes.from_dense([[0], [2]], 3)}, [[1], [0]], "'a' are over 3 classes"),
        ({"a": Votes.from_dense([[0], [1]], 2)}, [1, 0], r"must be \[2, 1\]"),
        ({"a": Votes.from_dense([[0], [1]], 2)}, [[1], [2]], "'a' of item 1 is 2"),
        ({"a": Votes.from_dense([[0], [1]], 2)}, [[-1], [-1]], "'a' is known of no item"),
        ({"a": Votes.from_dense([[0], [1]], 2)}, pd.DataFrame({"b": [1, 0]}), "no column 'a'"),
        (
            {"a": Votes.from_dense([[0], [1]], 2), "b": Votes.from_dense([[0]], 2)},
            [[1, 1], [0, 0]],
            "'b' are on other items",
        ),
    ],
    ids=["no votes", "three classes", "shape", "no tag", "unknown", "columns", "items"],
)
def test_tags_that_cannot_be_read_are_refused(votes: Any, tags: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        multilabel_errors(votes, tags)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 2], [[0.5, 0.5]] * 2, "labels of item 1 is 2, outside 0..1"),
        ([-1, -1], [[0.5, 0.5]] * 2, "labels holds no label"),
        ([0, 1], [[0.5, 0.7]] * 2, "rows sum to one"),
        ([0, 1], [0.5, 0.5], r"must be \[N, K\]"),
    ],
)
def test_what_is_wrong_is_said(labels: list[int], probabilities: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        find_label_issues(labels, probabilities)


def test_what_is_wrong_with_tags_is_said() -> None:
    for tags, p in (([[1, 2]], [[0.5, 0.5]]), ([[1, 0]], [[0.5]]), ([[1, 0]], [[0.5, 1.5]])):
        with pytest.raises(InvalidArgumentError):
            find_multilabel_issues(tags, p)
    with pytest.raises(InvalidArgumentError, match="n must be in"):
        find_label_issues([0, 1], [[0.9, 0.1]] * 2).expected_precision(3)
    assert isinstance(find_label_issues([0, 1], [[0.9, 0.1]] * 2), LabelIssues)
