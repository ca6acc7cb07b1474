"""How far sources err together, against correlations that are known."""

from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes
from weaklabel.model.calibration.dependence import _first_above, _Pattern, _rank, excess_correlation

N_ITEMS, N_SOURCES = 3000, 12


def errors_of(shared: float) -> NDArray[np.bool_]:
    """[N, M] errors of sources that are right in 75 %; each takes that of all, with probability `shared`."""
    rng = np.random.default_rng(1)
    of_all = rng.random((N_ITEMS, 1)) < 0.25
    own = rng.random((N_ITEMS, N_SOURCES)) < 0.25
    return np.where(rng.random(own.shape) < shared, of_all, own)


def measured(wrong: NDArray[np.bool_], n_classes: int, *, sparse: bool = False, ignored: float = -np.inf) -> float:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, n_classes, (N_ITEMS, 1))
    matrix = np.where(wrong, (truth + rng.integers(1, n_classes, wrong.shape)) % n_classes, truth)
    votes = Votes.from_dense(np.where(rng.random(wrong.shape) < 0.8, matrix, -1), n_classes)
    accuracy = 0.75
    confusion = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1))
    np.fill_diagonal(confusion, accuracy)
    of_sources: NDArray[Any] = np.tile(confusion, (N_SOURCES, 1, 1))
    log_prior = np.log(np.full(n_classes, 1 / n_classes))
    votes = votes.to_sparse() if sparse else votes
    return excess_correlation(votes, np.ones(N_ITEMS), of_sources, log_prior, 0, ignored)


@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_independent_sources_show_none(n_classes: int) -> None:
    assert measured(errors_of(0.0), n_classes) == pytest.approx(0, abs=0.01)


def test_the_correlation_of_errors_is_found() -> None:
    """Of many classes, errors are seldom taken for the truth: sources that err together name different ones."""
    wrong = errors_of(0.5)
    known = np.corrcoef(wrong.T)
    known = (known.sum() - N_SOURCES) / N_SOURCES / (N_SOURCES - 1)
    assert known == pytest.approx(0.25, abs=0.03)  # the square of .5
    assert measured(wrong, 20) == pytest.approx(known, abs=0.05)


def test_a_crowd_is_drawn_vote_by_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = measured(errors_of(0.5), 3)
    monkeypatch.setattr("weaklabel.model.calibration.dependence.CROWD", 5)
    assert measured(errors_of(0.5), 3, sparse=True) == pytest.approx(dense, abs=0.02)


def test_how_many_twins_are_drawn_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(errors_of(0.3), 3)
    monkeypatch.setattr("weaklabel.model.calibration.dependence.CELLS_AT_ONCE", 1)
    assert measured(errors_of(0.3), 3) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100])
def test_the_search_is_that_of_numpy(size: int) -> None:
    rng = np.random.default_rng(size)
    rows = np.sort(np.round(rng.random((50, size)), 1), axis=1)  # with ties
    limit = np.round(rng.random((4, 50)), 1)
    start = np.arange(50) * size
    sides: list[tuple[np.ufunc, Literal["left", "right"]]] = [(np.less, "left"), (np.less_equal, "right")]
    for before, side in sides:
        expected = [[np.searchsorted(row, x, side=side) for row, x in zip(rows, drawn, strict=True)] for drawn in limit]
        np.testing.assert_array_equal(_rank(rows, start, limit, size, before), expected)
    above = (rows[None] > limit[:, :, None]).argmax(2)
    np.testing.assert_array_equal(_first_above(rows, limit), above)


def test_twins_end_where_a_correlation_is_surely_ignored_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel.model.calibration.dependence.CELLS_AT_ONCE", 1)  # one twin after the other
    drawn: list[NDArray[Any]] = []
    pair_sums = _Pattern.pair_sums

    def watched(pattern: _Pattern, votes: NDArray[Any], called: NDArray[Any]) -> NDArray[np.float64]:
        drawn.append(votes)
        return pair_sums(pattern, votes, called)

    monkeypatch.setattr(_Pattern, "pair_sums", watched)
    exact = measured(errors_of(0.5), 3)
    all_twins = len(drawn)
    assert all_twins > 5
    drawn.clear()
    assert measured(errors_of(0.5), 3, ignored=0.01) == exact  # to the last digit, where it counts
    assert len(drawn) == all_twins
    drawn.clear()
    assert measured(errors_of(0.0), 3, ignored=0.05) == pytest.approx(0, abs=0.02)
    assert len(drawn) < all_twins
