"""Sources that are equal in every vote and abstain: copies where chance does not explain it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes, one_of
from weaklabel.model.dependence import copies as copies_module
from weaklabel.model.dependence.copies import identical_columns


def independent(n_items: int, accuracy: float, n_sources: int = 5, n_classes: int = 3) -> NDArray[np.int64]:
    """Votes of independent sources, on seven items of ten."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, n_classes, (n_items, 1))
    shape = (n_items, n_sources)
    wrong = (truth + rng.integers(1, n_classes, shape)) % n_classes
    votes = np.where(rng.random(shape) < accuracy, truth, wrong)
    return np.where(rng.random(shape) < 0.7, votes, -1)


def with_copy(matrix: NDArray[Any]) -> NDArray[Any]:
    """And the first source once more."""
    return np.column_stack([matrix, matrix[:, 0]])


def found_in(
    votes: Votes, weight: NDArray[np.float64] | None = None, unipolarity: NDArray[np.float64] | None = None
) -> list[tuple[int, int]]:
    weight = np.ones(votes.n_items) if weight is None else weight
    unipolarity = np.zeros(votes.n_sources) if unipolarity is None else unipolarity
    scores = identical_columns(votes, weight, unipolarity).toarray()
    assert set(np.unique(scores)) <= {0, 1}
    np.testing.assert_array_equal(scores, scores.T)
    assert not np.diag(scores).any()
    first, second = np.nonzero(np.triu(scores))
    return list(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize("sparse", [False, True])
def test_an_equal_column_is_a_copy_and_one_that_differs_in_a_cell_is_not(sparse: bool) -> None:
    matrix = with_copy(independent(300, 0.6))

    def votes_of(matrix: NDArray[Any]) -> Votes:
        votes = Votes.from_dense(matrix, 3)
        return votes.to_sparse() if sparse else votes

    assert found_in(votes_of(matrix)) == [(0, 5)]
    voted = int(np.argmax(matrix[:, 0] >= 0))
    for other in (-1, (matrix[voted, 0] + 1) % 3):
        changed = matrix.copy()
        changed[voted, 5] = other
        assert found_in(votes_of(changed)) == []


def test_three_copies_are_three_pairs() -> None:
    matrix = with_copy(with_copy(independent(300, 0.6)))
    assert found_in(Votes.from_dense(matrix, 3)) == [(0, 5), (0, 6), (5, 6)]


def test_the_number_of_votes_that_it_takes_follows_from_the_agreement_with_others() -> None:
    """n equal votes have probability a^n where sources agree in a share a of their votes: less than exp(-12)?"""
    for n_votes in range(10, 60):
        matrix = np.full((n_votes, 4), 0)
        matrix[:, 1] = np.arange(n_votes) % 2  # agrees with the others in half of the votes
        matrix[:, 2] = np.arange(n_votes) // 2 % 2
        matrix[:, 3] = matrix[:, 0] = np.arange(n_votes) % 3 > 0
        agreed = [
            ((matrix[:, 0] == matrix[:, other]).sum() for other in (1, 2)),
            ((matrix[:, 3] == matrix[:, other]).sum() for other in (1, 2)),
        ]
        shares = [(sum(each) + 1) / (2 * n_votes + 2) for each in agreed]
        expected = min(max(0.5, *shares), 0.99)
        improbable = n_votes * np.log(expected) < -12
        assert found_in(Votes.from_dense(matrix, 2)) == ([(0, 3)] if improbable else []), n_votes


def test_sources_that_are_nearly_always_right_may_be_equal_by_chance() -> None:
    matrix = independent(60, 0.999)
    assert found_in(Votes.from_dense(with_copy(matrix), 3)) == []


def test_rows_count_as_often_as_they_are_there() -> None:
    rows = with_copy(independent(12, 0.6))
    votes = Votes.from_dense(rows, 3)
    assert found_in(votes) == []
    assert found_in(votes, np.full(12, 20.0)) == found_in(Votes.from_dense(np.repeat(rows, 20, axis=0), 3)) == [(0, 5)]


def test_unipolar_sources_are_judged_by_where_they_vote() -> None:
    """Two that vote for one class only agree wherever both vote: on the same items by chance, or not."""
    rng = np.random.default_rng(2)
    matrix = np.where(rng.random((200, 5)) < 0.3, 1, -1)
    everywhere = np.where(rng.random((200, 5)) < 0.98, 1, -1)
    assert found_in(Votes.from_dense(with_copy(matrix), 2), unipolarity=np.ones(6)) == [(0, 5)]
    assert found_in(Votes.from_dense(with_copy(everywhere), 2), unipolarity=np.ones(6)) == []


def test_candidate_sets_are_compared_as_what_they_are() -> None:
    rng = np.random.default_rng(3)
    column = [one_of(k, (k + 1) % 4) if rng.random() < 0.5 else k for k in rng.integers(0, 4, 200).tolist()]
    matrix = np.empty((200, 5), object)
    matrix[:, :3] = independent(200, 0.6, 3, 4)
    for i, cell in enumerate(column):
        matrix[i, 3] = matrix[i, 4] = cell
    assert found_in(Votes.from_dense(matrix, 4)) == [(3, 4)]
    at = next(i for i, cell in enumerate(column) if not isinstance(cell, int))
    matrix[at, 4] = column[at].classes[0]
    assert found_in(Votes.from_dense(matrix, 4)) == []


def test_few_sources_and_no_votes_are_never_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    column = independent(300, 0.6)[:, :1]
    assert found_in(Votes.from_dense(np.column_stack([column, column]), 3)) == []
    assert found_in(Votes.from_dense(np.full((20, 4), -1), 3)) == []
    monkeypatch.setattr(copies_module, "MOST_SOURCES", 5)
    assert found_in(Votes.from_dense(with_copy(independent(300, 0.6)), 3)) == []


def test_many_rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "MOST_ROWS", 100)
    assert found_in(Votes.from_dense(with_copy(independent(1000, 0.6)), 3)) == [(0, 5)]
