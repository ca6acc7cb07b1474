"""The one vote type: what it keeps, what it refuses, and that dense and sparse say the same."""

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
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
    assert Votes.from_dense(matrix, 4).to_sparse().is_sparse
    assert Votes.from_dense(matrix, 4).to_sparse() == sparse(matrix, 4)


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
    array[0, 0] = 1  # it stays the caller's, to write to as well


def test_votes_cannot_be_changed() -> None:
    dense = Votes.from_dense(np.zeros((3, 2), np.int8), 2, items=["a", "b", "c"])
    for votes in (dense, sparse(np.zeros((3, 2), int), 2), pickle.loads(pickle.dumps(dense)), copy.deepcopy(dense)):
        for name in ("n_items", "n_classes", "source_names", "item_ids", "n_sources", "other"):
            with pytest.raises(AttributeError, match=f"{name} cannot be set"):
                setattr(votes, name, 7)
        for array in (votes.to_dense(), votes.to_codes(), votes.item_ids, *votes.triples()):
            if array is not None and array.flags.writeable:
                array[...] = 1  # of its own, so that this changes nothing
        assert votes.to_dense().tolist() == [[0, 0]] * 3
    for array in (dense.to_dense(), dense.to_codes(), dense.item_ids):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1  # type: ignore[index]
    with pytest.raises(TypeError, match="unhashable"):
        hash(dense)


@pytest.mark.parametrize("make", [Votes.from_dense, lambda m, k: sparse(np.array(m), k)])
def test_votes_survive_pickling_and_copying(make: Any) -> None:
    votes = make([[0, -1], [1, 1]], 2)
    assert pickle.loads(pickle.dumps(votes)) == votes == copy.deepcopy(votes) == copy.copy(votes)


def test_equality_compares_every_cell() -> None:
    assert Votes.from_codes([[0, -2], [1, -1]], 2) != Votes.from_codes([[0, -1], [1, -2]], 2)
    assert Votes.from_codes([[0, -2], [1, -1]], 2) == Votes.from_codes([[0, -2], [1, -1]], 2)
    assert Votes.from_codes([[0, -2]], 2) != sparse(np.array([[0, -1]]), 2)
    assert Votes.from_dense([[0, 1]], 2) != sparse(np.array([[1, 0]]), 2)
    assert Votes.from_dense([[0, 1]], 2) != Votes.from_dense([[0, 1]], 3)


def test_a_frame_names_its_sources() -> None:
    frame = pd.DataFrame([[0, 1], [1, -1]], columns=["ann", "bob"])
    assert Votes.from_dense(frame, 2).source_names == ("ann", "bob")
    assert Votes.from_dense(frame, 2, sources=["a", "b"]).source_names == ("a", "b")
    assert Votes.from_dense(pd.DataFrame([[0, 1]]), 2).source_names == ("source_0", "source_1")
    assert Votes.from_dense(frame.astype("Int64"), 2) == Votes.from_dense(frame, 2)


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
    with pytest.raises(InvalidVotesError, match="'0' votes more than once on item '0'"):
        Votes.from_triples(*triples, n_classes=2, repeated="error")
    with pytest.raises(InvalidVotesError, match="'ann' votes more than once on item 't1'"):
        Votes.from_triples(["t1", "t1"], ["ann", "ann"], [0, 1], n_classes=2, repeated="error")
    with pytest.raises(InvalidArgumentError, match=r"repeated must be .* got 'first'"):
        Votes.from_triples(*triples, n_classes=2, repeated="first")  # type: ignore[arg-type]


@pytest.mark.parametrize("silent", [ABSTAIN, None, np.nan, pd.NA, np.ma.masked])
def test_an_abstain_is_the_same_as_no_triple(silent: Any) -> None:
    """Whatever it stands before or after: it withdraws no vote, and repeats none."""
    for labels in ([1, silent, 0], [silent, 1, 0]):
        votes = Votes.from_triples([0, 0, 1], [0, 0, 1], labels, n_classes=2, n_items=2, n_sources=2, repeated="error")
        assert votes.to_dense().tolist() == [[1, -1], [-1, 0]]


def test_errors_are_counted_apart_from_abstains() -> None:
    votes = Votes.from_codes([[ERROR, 1], [ABSTAIN, ERROR], [ERROR, 0]], 2)
    assert votes.errors.tolist() == [2, 1]
    assert votes.to_dense().tolist() == [[-1, 1], [-1, -1], [-1, 0]]
    assert votes.to_codes().tolist() == [[-2, 1], [-1, -2], [-2, 0]]
    assert votes.n_votes == 2
    assert votes.to_sparse().errors.tolist() == [2, 1]
    assert votes.to_sparse().to_codes().tolist() == votes.to_codes().tolist()
    assert "3 errors" in repr(votes)
    assert votes != Votes.from_dense(votes.to_dense(), 2)


def test_whole_floats_are_taken() -> None:
    assert Votes.from_dense([[0.0, -1.0]], 2) == Votes.from_dense([[0, -1]], 2)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([[0, 1], [1, 7]], r"row 1, column 1 \('source_1'\): label 7 is outside 0\.\.1"),
        ([[0, -2]], r"row 0, column 1 .*label -2 is outside"),
        ([[0.0, 0.5]], r"row 0, column 1 is 0\.5"),
        ([[0, np.inf]], r"row 0, column 1 is inf"),
        ([[0, 1], [1]], r"ragged votes: row 0 has 2 votes, row 1 has 1"),
        ([[0, "spam"]], r"whole numbers; row 0, column 1 is 'spam'"),
        (np.array([["0", "1"]]), r"row 0, column 0 is '0'"),
        (np.array([[0, "1"]], object), r"row 0, column 1 is '1'"),
        ([[0, [1, 2]], [0, [1]]], r"row 0, column 1 is \[1, 2\]"),
        ([[0, 1], 5], r"row 0 has 2 votes, row 1 has no cells"),
        ([[0, 1e300]], r"row 0, column 1 \('source_1'\): label 1e\+300 is outside 0\.\.1"),
        ([[0, 2**80]], r"row 0, column 1 .*label 1\.2\d*e\+24 is outside"),
        ([[True, False]], r"not True and False.* np\.where"),
        (np.array([[1, True]], object), r"row 0, column 1 is True"),
        ([[0, 1j]], r"row 0, column 1 is 1j"),
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
        ({"sources": "ab"}, "sources must be a list of names, got the text 'ab'"),
        ({"items": "ab"}, "items must be a list of names, got the text 'ab'"),
        ({"sources": ["a", None]}, "the name of source 1 is None"),
        ({"sources": [np.nan, "a"]}, "the name of source 0 is nan"),
        ({"items": ["a", None]}, "the id of item 1 is None"),
        ({"items": [pd.NaT, "a"]}, "the id of item 0 is NaT"),
        ({"items": ["a", pd.NA]}, "the id of item 1 is <NA>"),
    ],
)
def test_bad_names_are_refused(options: dict[str, Any], message: str) -> None:
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
        (([[0], [0, 1]], [0], [1]), "ragged items"),
        (([True], [0], [1]), "items must be whole numbers, not True and False"),
        (([0], [0], [True]), "labels must be whole numbers, not True and False"),
        (([0], [0], ["1"]), "labels must be whole numbers; entry 0 is '1'"),
        ((["a", None], [0, 0], [1, 1]), "items: entry 1 is None"),
        ((["a", np.nan], [0, 0], [1, 1]), "items: entry 1 is nan"),
        (([0, None], [0, 0], [1, 1]), "items: entry 1 is None"),
        (([0], np.array([np.nan], object), [1]), "sources: entry 0 is nan"),
        (([2**33], [0], [1]), r"items: entry 0 is 8589934592, outside 0\.\.2"),
    ],
)
def test_bad_triples_are_refused_with_the_place(triples: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_triples(*triples, n_classes=2, n_items=3, n_sources=2)


@pytest.mark.parametrize(
    "ids",
    [
        [205, 101],
        [10_000_000_000, 5],
        np.array([2**64 - 1, 5], np.uint64),
        np.array([2**62 + 1, 2**62], object),
        [205.0, 101.0],
        pd.Series([205, 101], dtype="Int64"),
        pd.Series([205, 101], dtype="category"),
        pl.Series([205, 101]),
        pa.array([205, 101]),
        [1, 0],
    ],
)
def test_integers_are_ids_where_their_number_is_not_given(ids: Any) -> None:
    """In ascending order, so that those which count from 0 stand for themselves."""
    large, small = (str(int(one)) for one in np.asarray(ids).tolist())
    votes = Votes.from_triples(ids, [0, 0], [1, 0], n_classes=2)
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == [small, large]
    assert votes.to_dense().tolist() == [[0], [1]]
    votes = Votes.from_triples(["a", "a"], ids, [1, 0], n_classes=2)
    assert votes.source_names == (small, large)
    assert votes.to_dense().tolist() == [[0, 1]]


def test_integers_are_indices_where_their_number_is_given() -> None:
    votes = Votes.from_triples([0, 1000], [0, 3], [1, 1], n_classes=2, n_items=5000, n_sources=4)
    assert votes.shape == (5000, 4)
    assert votes.item_ids is None
    assert votes.source_names == ("source_0", "source_1", "source_2", "source_3")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([3, -1], "entry 1 is -1, below 0: pass such ids as strings"),
        ([0.0, 2.0**53], "entry 1 is 9007199254740992, too large: pass ids as strings"),
        ([0, 2**70], "beyond 64 bits: pass ids as strings"),
        (pd.Series([3, None], dtype="Int64"), "entry 1 is missing"),
        (np.ma.array([3, 7], mask=[False, True]), "entry 1 is missing"),
        (pl.Series([3, None]), "entry 1 is missing"),
    ],
)
def test_integers_that_are_no_ids_are_refused(ids: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=f"items.*{message}"):
        Votes.from_triples(ids, [0, 0], [1, 1], n_classes=2)
    with pytest.raises(InvalidVotesError, match=f"sources.*{message}"):
        Votes.from_triples([0, 0], ids, [1, 1], n_classes=2)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (-1, "at least 0, got -1"),
        (2.5, "a whole number, got 2.5"),
        (True, "a whole number"),
        (2**31, "at most 2147483647"),
    ],
)
@pytest.mark.parametrize("field", ["n_items", "n_sources"])
def test_bad_sizes_are_refused(field: str, size: Any, message: str) -> None:
    options: dict[str, Any] = {field: size}
    with pytest.raises(InvalidVotesError, match=f"{field} must be {message}") as caught:
        Votes.from_triples([], [], [], n_classes=2, **options)
    assert caught.value.field == field


def test_no_items_and_no_votes_are_legal() -> None:
    assert Votes.from_dense(np.empty((0, 3), int), 2).shape == (0, 3)
    empty = Votes.from_triples([], [], [], n_classes=2, n_items=4, n_sources=2)
    assert empty.coverage.tolist() == [0, 0]
    assert empty.counts().tolist() == [[0, 0]] * 4


def test_votes_over_other_classes_are_refused() -> None:
    with pytest.raises(InvalidVotesError, match="over 3 classes, the model over 2"):
        as_votes(Votes.from_dense([[2]], 3), 2)
    with pytest.raises(
        InvalidVotesError, match=r"apply\(\.\.\., n_classes=3\) or Votes.from_dense\(\.\.\., n_classes=3\)"
    ):
        as_votes(Votes.from_dense([[1]], 2), 3)


def test_votes_are_made_by_their_constructors() -> None:
    with pytest.raises(TypeError, match="from_dense"):
        Votes()


@pytest.mark.parametrize("most_numbers", [2**63, 1])
def test_triples_in_any_order_are_sorted(most_numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By row, then column; where cell and place do not fit into one number, too."""
    monkeypatch.setattr("weaklabel.votes.order.MOST_NUMBERS", most_numbers)
    rng = np.random.default_rng(0)
    items, sources, labels = rng.integers(0, 30, 500), rng.integers(0, 20, 500), rng.integers(-1, 3, 500)
    expected = {
        (int(item), int(source)): int(label)
        for item, source, label in zip(items, sources, labels, strict=True)
        if label >= 0
    }
    votes = Votes.from_triples(items, sources, labels, n_classes=3, n_items=30, n_sources=20)
    found = list(zip(*(part.tolist() for part in votes.triples()), strict=True))
    assert found == sorted((*cell, label) for cell, label in expected.items())


def test_triples_in_order_are_copied() -> None:
    labels = np.array([0, 1, 1], np.int8)
    votes = Votes.from_triples([0, 0, 1], [0, 1, 0], labels, n_classes=2)
    labels[:] = 0
    np.testing.assert_array_equal(votes.to_dense(), [[0, 1], [1, -1]])
