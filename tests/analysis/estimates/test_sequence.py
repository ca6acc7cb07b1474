"""Intervals that are looked at after every label: exact by enumeration, and on simulated draws."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from weaklabel.analysis import ConfidenceSequence
from weaklabel.errors import InvalidArgumentError


@pytest.mark.parametrize("proxy", [None, [0.9, 0.8, 0.3, 0.6, 0.1, 0.5]])
@pytest.mark.parametrize("right", [[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0]])
def test_over_all_orders_of_few_items_it_is_missed_no_more_often_than_said(
    proxy: list[float] | None, right: list[int]
) -> None:
    """All 720 orders of six items, at a confidence so low that bets of six draws can win."""
    missed, mean = 0, float(np.mean(right))
    for order in permutations(range(6)):
        sequence, outside = ConfidenceSequence(6, proxy=proxy, confidence=0.3), False
        for item in order:
            sequence.update(item, right[item])
            outside |= not sequence.low <= mean <= sequence.high
        missed += outside
        assert sequence.high - sequence.low <= 0.003  # all items are known
    assert missed <= 0.7 * 720


def test_it_holds_at_all_times_and_a_good_proxy_makes_it_narrower() -> None:
    rng = np.random.default_rng(5)
    n_items, n_runs, n_labels = 600, 80, 120
    missed, width = [0, 0], [0.0, 0.0]
    for _ in range(n_runs):
        chance = rng.beta(0.8, 0.2, n_items)
        right = rng.random(n_items) < chance
        order = rng.permutation(n_items)[:n_labels]
        for at, proxy in enumerate((None, chance)):
            sequence, outside = ConfidenceSequence(n_items, proxy=proxy), False
            for item in order:
                sequence.update(item, right[item])
                outside |= not sequence.low <= right.mean() <= sequence.high
            missed[at] += outside
            width[at] += sequence.high - sequence.low
    assert max(missed) <= 0.05 * n_runs + 3 * np.sqrt(0.05 * 0.95 * n_runs)
    assert width[1] < 0.85 * width[0]


def test_what_is_wrong_is_said() -> None:
    sequence = ConfidenceSequence(10)
    assert np.isnan(sequence.value)
    sequence.update(3, True)
    for (item, right), message in {
        (3, True): "item 3 was drawn before",
        (10, True): r"item must be in 0\.\.9",
        (4, 1.5): r"right must be in \[0, 1\]",
    }.items():
        with pytest.raises(InvalidArgumentError, match=message):
            sequence.update(item, right)
    for arguments in ({"n_items": 0}, {"n_items": 3, "confidence": 0}, {"n_items": 3, "proxy": [0.5, 2, 0]}):
        with pytest.raises(InvalidArgumentError):
            ConfidenceSequence(**arguments)
    assert "1 of 10 items" in repr(sequence)
