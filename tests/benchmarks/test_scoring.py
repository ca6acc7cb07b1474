"""Scores against values worked out by hand, and intervals over families against all draws that there are."""

import itertools
import math

import numpy as np
import pytest
from label_quality.scoring import difference, family_interval, mean, score

P = np.array([[0.8, 0.2], [0.5, 0.5], [0.3, 0.7], [1.0, 0.0], [0.6, 0.4]])
GOLD = np.array([0, 1, 0, 1, -1])


def test_scores_by_hand() -> None:
    found = score(P, GOLD)
    assert found.score == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert found.nll == pytest.approx(-(math.log(0.8) + math.log(0.5) + math.log(0.3) + math.log(1e-6)) / 4)
    assert found.brier == pytest.approx((0.08 + 0.5 + 0.98 + 2) / 4)
    # Each item is in a bin of its own: .8 right, .5 half right, .7 wrong, 1 wrong.
    assert found.ece == pytest.approx((0.2 + 0 + 0.7 + 1) / 4)


def test_items_of_one_bin_are_averaged_before_the_gap_is_taken() -> None:
    p = np.array([[0.61, 0.39], [0.65, 0.35], [0.05, 0.95]])
    # .61 and .65 lie between 9/15 and 10/15: mean confidence .63, half of them right.
    assert score(p, np.array([0, 1, 1])).ece == pytest.approx((2 * 0.13 + 0.05) / 3)


def test_f1_shares_ties() -> None:
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.5, 0.5], [0.1, 0.9]])
    gold = np.array([1, 1, 0, 0])
    # Called class 1: 1 + .5 + .5 + 1, of which 1.5 are right; there are 2.
    assert score(p, gold, rare=True).score == pytest.approx(2 * 1.5 / (3 + 2))


@pytest.mark.parametrize(("gap", "accuracy"), [(5e-10, 0.5), (1e-8, 0.0)])
def test_ties_are_within_a_billionth(gap: float, accuracy: float) -> None:
    assert score(np.array([[0.5 + gap / 2, 0.5 - gap / 2]]), np.array([1])).score == accuracy


def test_mean_and_difference_go_by_metric() -> None:
    one, other = score(P, GOLD), score(P[::-1], GOLD[::-1] * 0)
    assert mean([one, other]).nll == pytest.approx((one.nll + other.nll) / 2)
    assert difference(one, other).ece == pytest.approx(one.ece - other.ece)


def test_families_are_drawn_with_all_their_sets() -> None:
    values = np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 6.0]])
    families = ["a", "a", "b", "c"]
    sums, sizes = np.array([[6.0, 0.0], [0.0, 3.0], [1.0, 6.0]]), np.array([2, 1, 1])
    draws = [list(draw) for draw in itertools.product(range(3), repeat=3)]
    means = np.array([sums[draw].sum(0) / sizes[draw].sum() for draw in draws])
    low, high = family_interval(values, families, n_draws=40_000)
    np.testing.assert_allclose(low, np.percentile(means, 2.5, axis=0, method="inverted_cdf"), atol=1e-9)
    np.testing.assert_allclose(high, np.percentile(means, 97.5, axis=0, method="inverted_cdf"), atol=1e-9)


def test_one_family_has_no_interval() -> None:
    low, high = family_interval(np.array([1.0, 2.0]), ["a", "a"])
    assert np.isnan(low)
    assert np.isnan(high)
