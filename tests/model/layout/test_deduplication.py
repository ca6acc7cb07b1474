from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes
from weaklabel.model.layout import deduplication
from weaklabel.model.layout.deduplication import DistinctRowCounter, deduplicate


def draw(n_items: int, n_sources: int, n_classes: int, n_patterns: int) -> NDArray[np.int8]:
    """Votes of few distinct patterns."""
    rng = np.random.default_rng(n_sources)
    patterns = rng.integers(-2, n_classes, (n_patterns, n_sources)).astype(np.int8)
    return patterns[rng.integers(0, n_patterns, n_items)]


def counted(rows: NDArray[np.signedinteger], weight: NDArray[np.floating]) -> dict[tuple[int, ...], float]:
    found = {tuple(row): float(times) for row, times in zip(rows.tolist(), weight, strict=True)}
    assert len(found) == len(rows), "a row is there twice"
    return found


@pytest.mark.parametrize(("n_sources", "by_number"), [(4, True), (20, False)])
def test_rows_in_parts_are_counted_as_the_rows_in_one(n_sources: int, by_number: bool) -> None:
    codes = draw(3000, n_sources, 3, 200)
    distinct = DistinctRowCounter(3, n_sources, 1000)
    assert distinct._by_number == by_number
    for part in np.split(codes, [0, 1, 700, 701, 2500]):
        distinct.add(part)
    assert distinct.few
    expected = Counter(map(tuple, (np.maximum(codes, -1) if by_number else codes).tolist()))
    rows, weight = distinct.kept()
    assert counted(rows, weight) == expected

    at_once = deduplicate(Votes.from_codes(codes, 3))
    np.testing.assert_array_equal(rows, at_once.votes.to_codes())
    np.testing.assert_array_equal(weight, at_once.weight)


@pytest.mark.parametrize("n_sources", [4, 20])
def test_rows_with_weights_count_as_often(n_sources: int) -> None:
    codes = draw(300, n_sources, 3, 50)
    weight = np.random.default_rng(1).integers(1, 5, len(codes)).astype(np.float64)
    codes = np.maximum(codes, -1)
    distinct = DistinctRowCounter(3, n_sources, 100)
    distinct.add(codes[:100], weight[:100])
    distinct.add(codes[100:], weight[100:])
    assert counted(*distinct.kept()) == Counter(map(tuple, np.repeat(codes, weight.astype(int), axis=0).tolist()))


@pytest.mark.parametrize("n_sources", [4, 20])
def test_many_rows_are_not_kept(n_sources: int) -> None:
    codes = draw(3000, n_sources, 3, 60)
    n_distinct = len(np.unique(np.maximum(codes, -1), axis=0))
    for most, few in ((n_distinct, True), (n_distinct - 1, False)):
        distinct = DistinctRowCounter(3, n_sources, most)
        distinct.add(np.maximum(codes, -1))
        distinct.add(np.maximum(codes[:1], -1))
        assert distinct.few == few


def test_rows_of_one_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "_hashed", lambda codes: np.zeros(len(codes), np.uint64))
    distinct = DistinctRowCounter(3, 20, 100)
    distinct.add(draw(10, 20, 3, 1))
    assert distinct.few
    distinct.add(draw(10, 20, 3, 1) * 0)
    assert not distinct.few


def sparse_votes(seed: int = 0) -> Votes:
    """Rows of few votes, many of them alike; some without votes."""
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((3000, 6)) < 0.3, rng.integers(0, 5, (3000, 6)), -1)
    return Votes.from_dense(matrix, 5).to_sparse()


def test_sparse_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "FEWEST_SPARSE", 1)
    votes = sparse_votes()
    unique = deduplicate(votes)
    assert unique.votes.is_sparse
    expected = Counter(map(tuple, votes.to_dense().tolist()))
    assert len(expected) < 2500
    assert counted(unique.votes.to_dense(), unique.weight) == expected


def test_sparse_rows_that_are_few_or_unlike_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = sparse_votes()
    assert deduplicate(votes).votes is votes  # few
    monkeypatch.setattr(deduplication, "FEWEST_SPARSE", 1)
    rng = np.random.default_rng(2)
    unlike = Votes.from_dense(rng.integers(0, 5, (3000, 12)), 5).to_sparse()
    assert deduplicate(unlike).votes is unlike


def test_sparse_rows_with_equal_keys_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deduplication, "FEWEST_SPARSE", 1)
    monkeypatch.setattr(deduplication, "_mixed", np.ones_like)  # the key is the number of votes
    votes = sparse_votes()
    assert deduplicate(votes).votes is votes
