"""The source summary, against a double loop over the matrix and against the example in Snorkel's documentation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from weaklabel.analysis import conflict, coverage, overlap, source_summary
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.model import LabelModel
from weaklabel.votes import Votes
from weaklabel.votes.symbols import CandidateSet, not_, one_of, soft

# The example of snorkel.labeling.LFAnalysis; the expected values below are those its documentation prints.
SNORKEL = np.array([[-1, 0, 0], [-1, -1, -1], [1, 0, -1], [-1, 0, -1], [0, 0, 0]])


def sparse(matrix: NDArray[np.int64], n_classes: int) -> Votes:
    items, sources = np.nonzero(matrix >= 0)
    n_items, n_sources = matrix.shape
    return Votes.from_triples(
        items, sources, matrix[items, sources], n_items=n_items, n_sources=n_sources, n_classes=n_classes
    )


def test_the_documented_example_of_snorkel() -> None:
    votes = Votes.from_dense(SNORKEL, 2)
    summary = source_summary(votes)
    assert coverage(votes) == 0.8
    assert overlap(votes) == 0.6
    assert conflict(votes) == 0.2
    assert summary.polarity == ((0, 1), (0,), (0,))
    np.testing.assert_allclose(summary.coverage, [0.4, 0.8, 0.4])
    np.testing.assert_allclose(summary.overlaps, [0.4, 0.6, 0.4])
    np.testing.assert_allclose(summary.conflicts, [0.2, 0.2, 0.0])
    assert summary.correct is None
    assert summary.learned_accuracy is None


def test_gold_by_hand() -> None:
    # Votes of source 0 on items 2 and 4 are 1 and 0, gold 1 and 1; of source 1 on items 0, 2, 3, 4 all 0, gold 0, 1,
    # unknown, 1; of source 2 on items 0 and 4 both 0, gold 0 and 1.
    summary = source_summary(Votes.from_dense(SNORKEL, 2), gold=[0, 1, 1, -1, 1])
    np.testing.assert_array_equal(summary.correct, [1, 1, 1])
    np.testing.assert_array_equal(summary.incorrect, [1, 2, 1])
    assert summary.empirical_accuracy is not None
    np.testing.assert_allclose(summary.empirical_accuracy, [1 / 2, 1 / 3, 1 / 2])


@st.composite
def matrices(draw: st.DrawFn) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    n_classes = draw(st.integers(2, 4))
    n_items, n_sources = draw(st.integers(0, 8)), draw(st.integers(1, 5))
    codes = st.integers(-2, n_classes - 1)
    matrix = draw(hnp.arrays(np.int64, (n_items, n_sources), elements=codes))
    gold = draw(hnp.arrays(np.int64, n_items, elements=st.integers(-1, n_classes - 1)))
    return n_classes, matrix, gold


@given(matrices())
def test_equals_a_double_loop(case: tuple[int, NDArray[np.int64], NDArray[np.int64]]) -> None:
    n_classes, matrix, gold = case
    n_items, n_sources = matrix.shape
    votes = Votes.from_codes(matrix, n_classes)
    dense = source_summary(votes, gold)
    thin = source_summary(sparse(matrix, n_classes), gold)

    for source in range(n_sources):
        voted = shared = split = failed = right = wrong = 0
        classes = set()
        for item in range(n_items):
            vote = matrix[item, source]
            failed += vote == -2
            if vote < 0:
                continue
            others = [v for j, v in enumerate(matrix[item]) if j != source and v >= 0]
            voted += 1
            shared += len(others) > 0
            split += any(v != vote for v in others)
            classes.add(int(vote))
            right += gold[item] == vote
            wrong += gold[item] not in (-1, vote)
        for summary in (dense, thin):
            assert summary.polarity[source] == tuple(sorted(classes))
            assert summary.coverage[source] == pytest.approx(voted / max(n_items, 1))
            assert summary.overlaps[source] == pytest.approx(shared / max(n_items, 1))
            assert summary.conflicts[source] == pytest.approx(split / max(n_items, 1))
            assert summary.correct is not None
            assert summary.incorrect is not None
            assert summary.empirical_accuracy is not None
            assert (summary.correct[source], summary.incorrect[source]) == (right, wrong)
            expected = right / (right + wrong) if right + wrong else np.nan
            np.testing.assert_allclose(summary.empirical_accuracy[source], expected)
        assert dense.errors[source] == failed

    rows = [[v for v in row if v >= 0] for row in matrix.tolist()]
    assert coverage(votes) == pytest.approx(sum(len(row) > 0 for row in rows) / max(n_items, 1))
    assert overlap(votes) == pytest.approx(sum(len(row) > 1 for row in rows) / max(n_items, 1))
    assert conflict(votes) == pytest.approx(sum(len(set(row)) > 1 for row in rows) / max(n_items, 1))


@st.composite
def imprecise_matrices(draw: st.DrawFn) -> tuple[list[list[Any]], list[int]]:
    """Cells over 3 classes as the sets that they speak for, and gold; a set is told as a vote in one way of several."""
    n_items, n_sources = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    cell = st.sets(st.integers(0, 2), max_size=2)
    return (
        draw(st.lists(st.lists(cell, min_size=n_sources, max_size=n_sources), min_size=n_items, max_size=n_items)),
        draw(st.lists(st.integers(-1, 2), min_size=n_items, max_size=n_items)),
    )


def as_vote(classes: set[int], soften: bool) -> Any:
    if not classes:
        return -1
    if soften:
        return soft([0.8 / len(classes) if k in classes else 0.2 / (3 - len(classes)) for k in range(3)])
    return one_of(*classes) if len(classes) == 2 else not_(*({0, 1, 2} - classes))


@given(imprecise_matrices(), st.booleans())
def test_imprecise_votes_agree_where_they_share_a_class(case: tuple[list[list[Any]], list[int]], soften: bool) -> None:
    cells, gold = case
    votes = Votes.from_dense([[as_vote(classes, soften) for classes in row] for row in cells], 3)
    summary = source_summary(votes, gold)
    split = [[any(other and not classes & other for other in row) for classes in row] for row in cells]
    assert conflict(votes) == pytest.approx(
        sum(
            map(
                any,
                (
                    [bool(classes) and apart for classes, apart in zip(row, flags, strict=True)]
                    for row, flags in zip(cells, split, strict=True)
                ),
            )
        )
        / len(cells)
    )
    for source in range(len(cells[0])):
        own = [row[source] for row in cells]
        clashes = sum(bool(classes) and row[source] for classes, row in zip(own, split, strict=True))
        assert summary.conflicts[source] == pytest.approx(clashes / len(cells))
        assert summary.coverage[source] == pytest.approx(sum(map(bool, own)) / len(cells))
        assert summary.correct is not None
        assert summary.incorrect is not None
        judged = [truth in classes for classes, truth in zip(own, gold, strict=True) if classes and truth != -1]
        assert summary.correct[source] == sum(judged)
        assert summary.incorrect[source] == len(judged) - sum(judged)
        sets = [] if soften else sorted({tuple(sorted(classes)) for classes in own if len(classes) == 2})
        plain = {k for classes in own for k in classes if soften or len(classes) == 1}
        found = [vote.classes for vote in summary.polarity[source] if isinstance(vote, CandidateSet)]
        assert sorted(found) == sets
        assert [vote for vote in summary.polarity[source] if isinstance(vote, int)] == sorted(plain)


def test_candidate_sets_are_shown() -> None:
    cells: list[list[object]] = [[1, 0], [one_of(0, 2), soft([0.2, 0.2, 0.6])], [not_(1), -1]]
    votes = Votes.from_dense(cells, 3, sources=["a", "b"])
    assert str(source_summary(votes)).splitlines() == [
        "   j           Polarity  Coverage  Overlaps  Conflicts  Errors",
        "a  0  [1, one_of(0, 2)]    1.0000    0.6667     0.3333       0",
        "b  1             [0, 2]    0.6667    0.6667     0.3333       0",
    ]


def test_accuracies_that_a_model_has_learned() -> None:
    votes = Votes.from_dense(SNORKEL, 2, sources=["a", "b", "c"])
    model = SimpleNamespace(source_names=("a", "b", "c"), source_accuracy=np.array([0.5, 0.75, 0.9]))
    np.testing.assert_array_equal(source_summary(votes, model=model).learned_accuracy, [0.5, 0.75, 0.9])

    chosen = votes.select_sources(["c", "a"])
    np.testing.assert_array_equal(source_summary(chosen, model=model).learned_accuracy, [0.9, 0.5])

    model.source_names = ("a", "other", "c")
    with pytest.raises(InvalidArgumentError, match="not fitted on source 'b'"):
        source_summary(votes, model=model)


def test_the_label_model() -> None:
    votes = Votes.from_dense(np.repeat(SNORKEL, 20, axis=0), 2)
    with pytest.raises(NotFittedError):
        source_summary(votes, model=LabelModel(2))
    model = LabelModel(2).fit(votes)
    np.testing.assert_array_equal(source_summary(votes, model=model).learned_accuracy, model.source_accuracy)


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        ([0, 1], r"each of the 5 items, got shape \(2,\)"),
        ([[0, 1]] * 5, r"got shape \(5, 2\)"),
        ([0, 1, 2, 0, 0], "item 2 is 2, outside 0..1"),
        ([0, 1, 1, -2, 0], "item 3 is -2"),
        ([0.0, 1.0, 1.0, 0.5, np.nan], "that of item 3 is 0.5"),
        ([0.0, 1.0, 1.0, 0.0, np.inf], "item 4 is inf"),
        ([True] * 5, "got dtype bool: .* np.where"),
        (["ham"] * 5, r"item 0 is 'ham', .* write class indices"),
    ],
)
def test_gold_that_is_refused(gold: list[Any], reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason) as caught:
        source_summary(Votes.from_dense(SNORKEL, 2), gold=gold)
    assert caught.value.field == "gold"


def test_as_text_html_and_a_data_frame() -> None:
    codes = SNORKEL.copy()
    codes[1, 2] = -2
    votes = Votes.from_codes(codes, 2, sources=["a<b", "long_name", "c"])
    summary = source_summary(votes, gold=[0, 1, 1, -1, 1])
    assert str(summary).splitlines() == [
        "           j  Polarity  Coverage  Overlaps  Conflicts  Errors  Correct  Incorrect  Emp. Acc.",
        "a<b        0    [0, 1]    0.4000    0.4000     0.2000       0        1          1     0.5000",
        "long_name  1       [0]    0.8000    0.6000     0.2000       0        1          2     0.3333",
        "c          2       [0]    0.4000    0.4000     0.0000       1        1          1     0.5000",
    ]
    page = summary._repr_html_()
    assert '<th scope="row">a&lt;b</th>' in page
    assert page.count("<tr>") == 4

    frame = summary.to_pandas()
    assert list(frame.index) == ["a<b", "long_name", "c"]
    assert frame.loc["c", "Errors"] == 1
    assert frame.loc["a<b", "Polarity"] == [0, 1]
    titles = ["j", "Polarity", "Coverage", "Overlaps", "Conflicts", "Errors", "Correct", "Incorrect", "Emp. Acc."]
    assert list(frame.columns) == titles
