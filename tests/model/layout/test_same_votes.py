"""The same votes give the same labels: however often, in whatever order, and in whatever layout they come."""

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.model.layout.deduplication import FEWEST_REPEATED, deduplicate


def drawn(n_items: int, n_sources: int, n_classes: int) -> NDArray[np.int64]:
    """Votes of sources that are .55 to .85 right, of which a third are silent."""
    rng = np.random.default_rng(0)
    truth, accuracy = rng.integers(0, n_classes, n_items), rng.uniform(0.55, 0.85, n_sources)
    other = (truth[:, None] + rng.integers(1, n_classes, (n_items, n_sources))) % n_classes
    votes = np.where(rng.random(other.shape) < accuracy, truth[:, None], other)
    votes[rng.random(votes.shape) < 0.3] = -1
    return votes


def labels_of(codes: NDArray[np.int64], n_classes: int, *, sparse: bool = False) -> NDArray[np.float32]:
    votes = Votes.from_dense(codes, n_classes)
    votes = votes.to_sparse() if sparse else votes
    return LabelModel(n_classes).fit(votes).predict_proba(votes)


# Around: a bucket; the items on which dependence is measured; the rows whose mean change ends EM.
@pytest.mark.parametrize(
    ("n_items", "n_sources", "n_classes"), [(600, 5, 2), (600, 10, 3), (1020, 8, 3), (2000, 10, 3), (20_000, 12, 3)]
)
def test_the_same_votes_give_the_same_labels(n_items: int, n_sources: int, n_classes: int) -> None:
    codes = drawn(n_items, n_sources, n_classes)
    expected = labels_of(codes, n_classes)
    np.testing.assert_allclose(labels_of(codes, n_classes, sparse=True), expected, atol=1e-3)
    order = np.random.default_rng(1).permutation(n_items)
    np.testing.assert_allclose(labels_of(codes[order], n_classes), expected[order], atol=1e-3)
    np.testing.assert_allclose(labels_of(np.tile(codes, (2, 1)), n_classes)[n_items:], expected, atol=1e-3)
    np.testing.assert_allclose(labels_of(np.repeat(codes, 3, axis=0), n_classes)[::3], expected, atol=1e-3)
    twice = labels_of(np.repeat(codes, 2, axis=0), n_classes, sparse=True)
    np.testing.assert_allclose(twice[::2], expected, atol=1e-3)


@pytest.mark.parametrize("sparse", [False, True])
def test_sets_of_few_rows_keep_their_numbers(sparse: bool) -> None:
    few, many = np.arange(FEWEST_REPEATED - 1), np.arange(FEWEST_REPEATED)
    for rows, times, weight in ((few, 4, 4), (many, 4, 1)):
        codes = np.repeat(np.stack([rows % 8, rows // 8], axis=1), times, axis=0)
        votes = Votes.from_dense(codes, 8)
        unique = deduplicate(votes.to_sparse() if sparse else votes)
        assert unique.weight.sum() == weight * len(rows)


def test_one_row_that_is_there_more_often_than_the_others_keeps_them_all() -> None:
    rows = np.arange(FEWEST_REPEATED)
    codes = np.repeat(np.stack([rows % 8, rows // 8], axis=1), np.append(np.full(len(rows) - 1, 4), 5), axis=0)
    assert deduplicate(Votes.from_dense(codes, 8)).weight.sum() == 4 * len(rows) + 1


def test_large_sets_in_which_each_row_is_there_twice() -> None:
    """More items than are always deduplicated, and a look at some of them finds no two alike."""
    codes = drawn(66_000, 12, 3)
    unique = deduplicate(Votes.from_dense(np.tile(codes, (2, 1)), 3))
    assert unique.weight.sum() == len(codes)
