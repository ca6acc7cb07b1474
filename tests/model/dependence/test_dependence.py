"""Copies and the check of independence, against votes of known dependence, loops and written-out formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.dependence.copies import find_copies
from weaklabel.model.dependence.independence import Independence, check_independence, untestable
from weaklabel.model.dependence.panel import MOST_ITEMS, Panel
from weaklabel.model.settings import Settings
from weaklabel.votes import Votes

Codes = NDArray[np.int64]


def noisy(
    truth: Codes, n_classes: int, accuracy: Codes | NDArray[np.float64] | float, rng: np.random.Generator
) -> Codes:
    """A vote on each item, right with a probability, errors spread evenly."""
    wrong = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
    return np.where(rng.random(len(truth)) < accuracy, truth, wrong)


def independent(n_items: int, n_sources: int, n_classes: int, seed: int, coverage: float = 1.0) -> Codes:
    """Votes of sources that err independently, right with probabilities of .65 to .85."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    votes = [noisy(truth, n_classes, accuracy, rng) for accuracy in np.linspace(0.65, 0.85, n_sources)]
    codes = np.stack(votes, 1)
    return np.where(rng.random(codes.shape) < coverage, codes, -1)


def as_panel(codes: Codes, n_classes: int, seed: int = 0) -> Panel:
    votes = Votes.from_codes(codes, n_classes)
    return Panel.sample(votes, np.ones(len(codes)), np.zeros(codes.shape[1], bool), seed)


def check(codes: Codes, n_classes: int, seed: int = 0) -> Independence:
    panel, none = as_panel(codes, n_classes), sp.csr_array((codes.shape[1],) * 2)
    return check_independence(panel, Settings(), copies=none, likeliest_copy=0.0, mean_unipolarity=0.0, seed=seed)


@pytest.mark.parametrize(("n_sources", "coverage"), [(9, 1.0), (9, 0.5), (5, 1.0)])
def test_the_copy_rate_is_the_share_of_votes_that_are_copied(n_sources: int, coverage: float) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 4000)
    easier = np.array([0.25, 0.0, -0.25])[truth]  # so that agreement depends on what the others say of the class
    codes = np.stack([noisy(truth, 3, mean + easier, rng) for mean in np.linspace(0.6, 0.7, n_sources)], 1)
    codes[:, -1] = np.where(rng.random(4000) < 0.9, codes[:, 0], noisy(truth, 3, 0.6 + easier, rng))
    codes = np.where(rng.random(codes.shape) < coverage, codes, -1)
    panel, unipolarity = as_panel(codes, 3), np.zeros(n_sources)
    scores = find_copies(panel, unipolarity, Settings()).scores.toarray()
    assert scores[0, -1] == scores[-1, 0] == 1
    assert scores.sum() == 2
    # With no pair taken for copies, the largest rate is this one's. Its standard error: of about half of the items that
    # both vote on, where independent votes would not agree, a tenth are not copied.
    rate = find_copies(panel, unipolarity, Settings(copy_rate=2.0)).likeliest
    assert rate == pytest.approx(0.9, abs=3 * np.sqrt(0.9 * 0.1 / (0.5 * 4000 * coverage**2)))


@pytest.mark.parametrize(("n_sources", "n_classes", "coverage"), [(5, 2, 1.0), (8, 4, 0.8), (20, 2, 0.5)])
def test_independent_sources_pass(n_sources: int, n_classes: int, coverage: float) -> None:
    codes = independent(9000, n_sources, n_classes, 2, coverage)
    found = check(codes, n_classes)
    assert found.doubt < 0.05
    assert abs(found.correlation) < 0.02
    assert find_copies(as_panel(codes, n_classes), np.zeros(n_sources), Settings()).scores.nnz == 0


@pytest.mark.parametrize("coverage", [1.0, 0.6])
def test_a_common_error_factor_is_refuted(coverage: float) -> None:
    rng = np.random.default_rng(3)
    truth, hard = rng.integers(0, 2, 6000), rng.random(6000) < 0.3
    codes = np.stack([noisy(truth, 2, np.where(hard, 0.4, 0.9), rng) for _ in range(8)], 1)
    found = check(np.where(rng.random(codes.shape) < coverage, codes, -1), 2)
    assert found.doubt == 1
    assert found.residual > 0.04
    assert found.correlation > 0.02


@pytest.mark.parametrize("coverage", [0.9, 0.05])
def test_a_vote_weighs_one_over_the_copies_that_vote_too(coverage: float) -> None:
    rng = np.random.default_rng(4)
    panel = as_panel(independent(80, 30, 2, 4, coverage), 2)
    assert panel.is_dense == (coverage > 0.5)
    copies = np.triu((rng.random((30, 30)) < 0.3) * rng.random((30, 30)), 1)
    copies += copies.T
    weights = panel.weights_beside(sp.csr_array(copies))
    for at, (row, source) in enumerate(zip(panel.items, panel.sources, strict=True)):
        beside = [copies[source, other] for other in panel.sources[panel.items == row]]
        assert weights[at] == pytest.approx(1 / (1 + sum(beside)), rel=1e-5)


def test_untestable_is_the_cubed_ratio_of_parameters_to_patterns() -> None:
    # Two classes: two numbers for each source and one for the balance; 2^M patterns, whose shares sum to one.
    assert untestable(3, 2) == (3 * 2 + 1) / (2**3 - 1) == 1
    assert untestable(4, 2) == pytest.approx(((4 * 2 + 1) / (2**4 - 1)) ** 3)
    assert untestable(2, 2) == 1


@pytest.mark.parametrize(("n_sources", "coverage"), [(6, 1.0), (40, 0.06)])
def test_the_order_of_items_changes_nothing(n_sources: int, coverage: float) -> None:
    codes = independent(1500, n_sources, 3, 5, coverage)
    shuffled = codes[np.random.default_rng(6).permutation(len(codes))]
    for part, other in zip(as_panel(codes, 3), as_panel(shuffled, 3), strict=True):
        np.testing.assert_array_equal(part, other)
    assert check(codes, 3) == check(shuffled, 3)


def test_a_panel_is_of_distinct_items_and_depends_on_the_seed_alone() -> None:
    codes = np.unique(independent(9000, 12, 2, 7), axis=0)
    weight = np.random.default_rng(8).integers(1, 9, len(codes)).astype(float)
    votes, none = Votes.from_codes(codes, 2), np.zeros(12, bool)
    first, again, other = (Panel.sample(votes, weight, none, seed) for seed in (0, 0, 1))
    assert first.sampled == again.sampled
    for name in ("items", "sources", "labels", "times"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.labels, other.labels)
    assert first.times.sum() == min(MOST_ITEMS, 24_000 // 12)
    rows = first.dense((first.labels + 1).astype(np.float64)).astype(np.int64) - 1
    counted = {tuple(row): n for row, n in zip(codes, weight, strict=True)}
    seen: dict[tuple[int, ...], float] = {}
    for row, times in zip(rows, first.times, strict=True):
        seen[tuple(row)] = seen.get(tuple(row), 0) + times
    assert all(times <= counted[row] for row, times in seen.items())


def test_silenced_sources_and_items_without_votes_are_left_out() -> None:
    codes = np.array([[0, -1, 1], [0, -1, 0], [0, -1, 1], [-1, -1, 1], [0, -1, -1], [0, -1, -1]])
    panel = Panel.sample(Votes.from_codes(codes, 2), np.ones(6), np.array([True, False, False]), 0)
    found = sorted(zip(panel.sources.tolist(), panel.labels.tolist(), panel.times[panel.items].tolist(), strict=True))
    total = {label: sum(times for _, of, times in found if of == label) for label in (0, 1)}
    assert {source for source, _, _ in found} == {2}
    assert total == {0: 1, 1: 3}
