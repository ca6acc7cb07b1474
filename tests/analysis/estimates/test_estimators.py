"""Estimates from few known labels: against scipy's intervals, closed forms, and simulated truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from weaklabel.analysis import (
    Estimate,
    estimate_accuracy,
    estimate_balance,
    estimate_difference,
    estimate_rates,
    labels_needed,
)
from weaklabel.errors import InvalidArgumentError

N_ITEMS = 2000


def two_columns(positive: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([1 - positive, positive], 1)


def some_gold(rng: np.random.Generator, truth: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    gold = np.full(len(truth), -1)
    chosen = rng.choice(len(truth), n_labels, replace=False)
    gold[chosen] = truth[chosen]
    return gold


def test_without_use_of_soft_labels_the_interval_is_wilsons() -> None:
    gold = np.full(100, -1)
    gold[:30] = [1] * 21 + [0] * 9
    found = estimate_accuracy(np.ones(100, int), np.full((100, 2), 0.5), gold)
    wilson = binomtest(21, 30).proportion_ci(0.95, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((0.7, wilson.low, wilson.high), abs=1e-9)
    assert found.gold_only == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    assert found.unexplained == 1


def test_rates_without_use_of_soft_labels_are_wilsons_too() -> None:
    truth, labels = np.array([1] * 12 + [0] * 28), np.array([1] * 9 + [0] * 3 + [1] * 4 + [0] * 24)
    found = estimate_rates(labels, np.full((40, 2), 0.5), truth)[1]
    for estimate, (hits, n) in {
        found.recall: (9, 12),
        found.specificity: (24, 28),
        found.precision: (9, 13),
    }.items():
        wilson = binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert (estimate.value, *estimate.gold_only) == pytest.approx((hits / n, wilson.low, wilson.high), abs=1e-9)
        assert estimate.n_labels == pytest.approx(n)


@pytest.mark.parametrize("sureness", [0.5, 2.0])
@pytest.mark.parametrize("n_labels", [20, 100])
def test_intervals_cover_and_are_narrower_than_those_of_gold_alone(sureness: float, n_labels: int) -> None:
    """Accuracy, balance, recall and the difference of two labelings, on 200 draws of truth and gold each."""
    rng = np.random.default_rng(7)
    positive = rng.beta(0.4 * sureness, 0.6 * sureness, N_ITEMS)
    soft = two_columns(1 / (1 + np.exp(-1.7 * np.log(positive / (1 - positive)).clip(-20, 20))))  # too sure
    judge = np.where(rng.random(N_ITEMS) < 0.15, rng.integers(0, 2, N_ITEMS), positive > 0.5).astype(int)
    model = (positive > 0.4).astype(int)
    right = np.where(judge == 1, positive, 1 - positive)
    true = {
        "accuracy": right.mean(),
        "balance": positive.mean(),
        "recall": (positive * judge).sum() / positive.sum(),
        "difference": np.where(model == 1, positive, 1 - positive).mean() - right.mean(),
    }
    covered, width, alone = dict.fromkeys(true, 0), dict.fromkeys(true, 0.0), dict.fromkeys(true, 0.0)
    for _ in range(200):
        gold = some_gold(rng, (rng.random(N_ITEMS) < positive).astype(int), n_labels)
        found = {
            "accuracy": estimate_accuracy(judge, soft, gold),
            "balance": estimate_balance(soft, gold)[1],
            "recall": estimate_rates(judge, soft, gold)[1].recall,
            "difference": estimate_difference(model, judge, soft, gold),
        }
        for name, estimate in found.items():
            covered[name] += estimate.low <= true[name] <= estimate.high
            width[name] += estimate.width
            alone[name] += estimate.gold_only[1] - estimate.gold_only[0]
    for name in true:
        assert covered[name] >= 0.9 * 200, (name, covered[name] / 200)  # .95 less three standard errors
        assert width[name] <= alone[name], name
    assert width["balance"] <= 0.95 * alone["balance"]


def test_weights_undo_a_draw_that_favours_what_is_wrong() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, N_ITEMS)
    labels = np.where(rng.random(N_ITEMS) < 0.2, 1 - truth, truth)
    chance = np.where(labels == truth, 0.03, 0.12)
    soft = two_columns(np.full(N_ITEMS, 0.5))
    true, plain, weighed = (labels == truth).mean(), [], []
    for _ in range(200):
        gold = np.where(rng.random(N_ITEMS) < chance, truth, -1)
        plain.append(estimate_accuracy(labels, soft, gold).value)
        weighed.append(estimate_accuracy(labels, soft, gold, gold_weight=1 / chance))
    assert np.mean(plain) < true - 0.2
    assert np.mean([e.value for e in weighed]) == pytest.approx(true, abs=0.01)
    assert np.mean([e.low <= true <= e.high for e in weighed]) >= 0.91
    kish = 1 / chance[gold >= 0]
    assert weighed[-1].n_labels == pytest.approx(kish.sum() ** 2 / (kish**2).sum())


def test_the_difference_is_that_of_the_accuracies() -> None:
    """Everything known, and no soft label of use: the value is the plain difference, of the items that both label."""
    truth = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    one, two = np.array([0, 1, 2, 0, 0, 1, 1, -1]), np.array([0, 2, 2, 1, 1, 0, 1, 1])
    found = estimate_difference(one, two, np.full((8, 3), 1 / 3), truth)
    assert found.value == pytest.approx((4 - 3) / 7)
    # Of four items on which they differ the first wins two, the second one, and one is a draw.
    wilson = binomtest(5, 8).proportion_ci(0.95, method="wilson")  # the same share, on twice as many
    assert found.gold_only[0] < 4 / 7 * (2 * wilson.low - 1)
    same = estimate_difference(one, one, np.full((8, 3), 1 / 3), truth)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_labels_needed_is_the_least_number_that_reaches_the_width() -> None:
    found = Estimate(0.8, 0.6, 0.9, 0.95, 20, (0.6, 0.9), 1.0)
    n = labels_needed(found, 0.1)
    hits = [binomtest(round(0.8 * size), size).proportion_ci(0.95, method="wilson") for size in (245, 240)]
    assert hits[0].high - hits[0].low <= 0.1 < hits[1].high - hits[1].low
    assert 240 < n <= 245
    assert labels_needed(Estimate(0.8, 0.6, 0.9, 0.95, 20, (0.6, 0.9), 0.5), 0.1) == pytest.approx(n / 2, abs=1)
    with pytest.raises(InvalidArgumentError, match="more than 10,000,000 labels"):
        labels_needed(found, 1e-6)
    with pytest.raises(InvalidArgumentError, match="width must be above 0"):
        labels_needed(found, 0)


def test_names_and_indices_are_matched() -> None:
    soft = pd.DataFrame({"ham": [0.9, 0.2, 0.6], "spam": [0.1, 0.8, 0.4]}, index=["a", "b", "c"])
    labels = pd.Series(["spam", "ham", "ham"], index=["b", "a", "c"])
    gold = pd.Series(["ham", "spam"], index=["a", "b"])
    found = estimate_accuracy(labels, soft, gold)
    assert (found.value, found.n_labels) == (1, 2)
    assert str(estimate_balance(soft, gold)[0]).startswith("0.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gold": [-1, -1, -1]}, "gold holds no label"),
        ({"labels": [0, 1, 2]}, "labels of item 2 is 2, outside 0..1"),
        ({"labels": [0, 1]}, "labels"),
        ({"soft_labels": [[0.5, 0.6]] * 3}, "rows sum to one"),
        ({"soft_labels": [0.5, 0.6, 0.7]}, r"must be \[N, K\]"),
        ({"gold_weight": [0.0, 1.0, 1.0]}, "gold_weight of item 0 must be above 0"),
        ({"gold_weight": [np.nan, 1.0, 1.0]}, "gold_weight of item 0 must be above 0"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], message: str) -> None:
    arguments = {"labels": [0, 1, 1], "soft_labels": [[0.5, 0.5]] * 3, "gold": [0, -1, 1]} | change
    with pytest.raises(InvalidArgumentError, match=message):
        estimate_accuracy(**arguments)  # type: ignore[arg-type]


def test_a_class_without_known_labels_has_no_rate() -> None:
    found = estimate_rates([0, 0, 1], [[0.5, 0.5]] * 3, [0, 0, -1])[1].recall
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0, 1)
