"""The one vote type: what it keeps, what it refuses, and that dense and sparse say the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weaklabel.errors import InvalidVotesError
from weaklabel.votes import ABSTAIN, ERROR, Votes, as_votes

matrices = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-1, 3))


def sparse(matrix: np.ndarray[Any, Any], n_classes: int) -> Votes:
    rows, columns = np.nonzero(matrix >= 0)
    n_items, n_sources = matrix.shape
    labels = matrix[rows, columns]
    return Votes.from_triples(rows, columns, labels, n_classes=n_classes, n_items=n_items, n_sources=n_sources)


@given(matrices)
def test_dense_and_sparse_agree_with_a_loop_over_the_cells(matrix: np.ndarray[Any, Any]) -> None:
    cells = [
        (i, j, int(matrix[i, j])) for i in range(matrix.shape[0]) for j in range(matrix.shape[1]) if matrix[i, j] >= 0
    ]
    for votes in (Votes.from_dense(matrix, 4), sparse(matrix, 4)):
        assert votes.shape == matrix.shape
        assert list(zip(*(part.tolist() for part in votes.triples()), strict=True)) == cells
        assert np.array_equal(votes.to_dense(), matrix)
        assert votes.n_votes == len(cells)
        assert votes.coverage.tolist() == [(matrix[:, j] >= 0).mean() for j in range(matrix.shape[1])]
        assert votes.counts().tolist() == [[list(row).count(k) for k in range(4)] for row in matrix.tolist()]
    assert Votes.from_dense(matrix, 4) == sparse(matrix, 4)


@given(matrices, st.data())
def test_selecting_is_indexing(matrix: np.ndarray[Any, Any], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, matrix.shape[0] - 1), max_size=9))
    columns = data.draw(st.permutations(range(matrix.shape[1])))[: data.draw(st.integers(1, matrix.shape[1]))]
    for votes in (Votes.from_dense(matrix, 4), sparse(matrix, 4)):
        assert np.array_equal(votes.select_items(np.array(rows, int)).to_dense(), matrix[rows])
        chosen = votes.select_sources([f"source_{j}" for j in columns])
        assert np.array_equal(chosen.to_dense(), matrix[:, columns])
        assert chosen.source_names == tuple(f"source_{j}" for j in columns)


@pytest.mark.parametrize(("n_classes", "dtype"), [(2, np.int8), (128, np.int8), (129, np.int16), (32769, np.int32)])
def test_labels_take_the_smallest_type(n_classes: int, dtype: type) -> None:
    votes = Votes.from_dense([[n_classes - 1, -1]], n_classes)
    assert votes.to_dense().dtype == dtype
    assert votes.to_dense().tolist() == [[n_classes - 1, -1]]


def test_a_compact_array_is_not_copied() -> None:
    array = np.zeros((3, 2), np.int8)
    assert np.shares_memory(Votes.from_dense(array, 2).to_dense(), array)


def test_names_and_ids_are_kept() -> None:
    votes = Votes.from_dense([[0, 1], [1, -1]], 2, sources=["a", "b"], items=[10, "x"])
    assert votes.source_names == ("a", "b")
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["10", "x"]
    assert votes.select_items([1]).item_ids.tolist() == ["x"]  # type: ignore[union-attr]
    assert repr(votes) == "Votes(2 items x 2 sources, 2 classes, 3 votes, density 0.750)"


def test_a_crowd_frame_with_names_is_numbered_by_appearance() -> None:
    votes = Votes.from_triples(["t2", "t1", "t2"], ["ann", "bob", "bob"], [1, 0, 1], n_classes=2)
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["t2", "t1"]
    assert votes.source_names == ("ann", "bob")
    assert votes.to_dense().tolist() == [[1, 1], [-1, 0]]


def test_of_a_repeated_pair_the_last_vote_counts() -> None:
    triples: tuple[list[int], list[int], list[int]] = ([0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 1])
    votes = Votes.from_triples(*triples, n_classes=2)
    assert votes.to_dense().tolist() == [[1, 1], [1, -1]]
    with pytest.raises(InvalidVotesError, match="'source_0' votes more than once on item 0"):
        Votes.from_triples(*triples, n_classes=2, repeated="error")


def test_a_later_abstain_withdraws_a_vote() -> None:
    votes = Votes.from_triples([0, 0], [0, 0], [1, ABSTAIN], n_classes=2)
    assert votes.n_votes == 0


def test_errors_are_counted_apart_from_abstains() -> None:
    votes = Votes.from_codes([[ERROR, 1], [ABSTAIN, ERROR], [ERROR, 0]], 2)
    assert votes.errors.tolist() == [2, 1]
    assert votes.to_dense().tolist() == [[-1, 1], [-1, -1], [-1, 0]]
    assert votes.to_codes().tolist() == [[-2, 1], [-1, -2], [-2, 0]]
    assert votes.n_votes == 2
    assert "3 errors" in repr(votes)
    assert votes != Votes.from_dense(votes.to_dense(), 2)


def test_whole_floats_are_taken() -> None:
    assert Votes.from_dense([[0.0, -1.0]], 2) == Votes.from_dense([[0, -1]], 2)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([[0, 1], [1, 7]], r"row 1, column 1 \('source_1'\): label 7 is outside 0\.\.1"),
        ([[0, -2]], r"row 0, column 1 .*label -2 is outside"),
        ([[0.0, np.nan]], r"row 0, column 1 is nan"),
        ([[0.0, 0.5]], r"row 0, column 1 is 0\.5"),
        ([[0, np.inf]], r"row 0, column 1 is inf"),
        ([[0, 1], [1]], r"ragged votes: row 0 has 2 votes, row 1 has 1"),
        ([[0, "spam"]], r"whole numbers"),
        ([[0, None]], r"row 0, column 1"),
        ([0, 1], r"matrix \[items, sources\], got shape \(2,\)"),
        (np.array([[2**63]], np.uint64), r"label 9223372036854775808 is outside"),
    ],
)
def test_bad_matrices_are_refused_with_the_place(array: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_dense(array, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ["a", "a"]}, "'a' appears twice, in columns 0 and 1"),
        ({"sources": ["a"]}, "2 sources vote, 1 names are given"),
        ({"sources": ["a", ""]}, "name of source 1 is empty"),
        ({"items": ["x", "x"]}, "'x' appears twice, in rows 0 and 1"),
        ({"items": ["x"]}, "2 items, 1 ids"),
    ],
)
def test_bad_names_are_refused(options: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_dense([[0, 1], [1, 0]], 2, **options)


@pytest.mark.parametrize("n_classes", [1, 0, -3, 2.0, "2", None, True])
def test_bad_numbers_of_classes_are_refused(n_classes: Any) -> None:
    with pytest.raises(InvalidVotesError, match="n_classes must be"):
        Votes.from_dense([[0]], n_classes)


@pytest.mark.parametrize(
    ("triples", "message"),
    [
        (([0], [0], [5]), r"triple 0: label 5 is outside 0\.\.1"),
        (([0, 9], [0, 0], [1, 1]), r"items: entry 1 is 9, outside 0\.\.2"),
        (([0, -1], [0, 0], [1, 1]), r"items: entry 1 is -1"),
        (([0], [4], [1]), r"sources: entry 0 is 4, outside 0\.\.1"),
        (([0, 1], [0], [1]), "one length, got 2, 1 and 1"),
        (([0.5], [0], [1]), r"items must be whole numbers; entry 0 is 0\.5"),
        (([[0]], [0], [1]), "one dimension"),
    ],
)
def test_bad_triples_are_refused_with_the_place(triples: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_triples(*triples, n_classes=2, n_items=3, n_sources=2)


def test_no_items_and_no_votes_are_legal() -> None:
    assert Votes.from_dense(np.empty((0, 3), int), 2).shape == (0, 3)
    empty = Votes.from_triples([], [], [], n_classes=2, n_items=4, n_sources=2)
    assert empty.coverage.tolist() == [0, 0]
    assert empty.counts().tolist() == [[0, 0]] * 4


def test_votes_over_other_classes_are_refused() -> None:
    with pytest.raises(InvalidVotesError, match="over 3 classes, the model over 2"):
        as_votes(Votes.from_dense([[2]], 3), 2)


def test_votes_are_made_by_their_constructors() -> None:
    with pytest.raises(TypeError, match="from_dense"):
        Votes()
