"""What gold shows of sources: how many of their votes are right, which are wrong, and what chance is."""

import numpy as np
import pytest
from scipy.stats import binomtest

from weaklabel import LabelModel, Votes
from weaklabel.model import Diagnostics, Finding
from weaklabel.model.report.findings import chance_of
from weaklabel.model.report.on_gold import Judged, beside_gold, judged

NAMES = ("good", "swapped", "unlucky", "often_wrong", "unjudged")
ON_GOLD = Judged(np.array([45, 11, 0, 15, 0]), np.array([50, 50, 3, 50, 0]))


def diagnostics(**changed: object) -> Diagnostics:
    votes = Votes.from_dense(np.random.default_rng(0).integers(0, 3, (50, 5)), 3, sources=NAMES)
    values = LabelModel(3).fit(votes).diagnostics.to_json() | {"worse_than_chance": (), "findings": []} | changed
    return Diagnostics.from_json(values)


def test_intervals_are_exact() -> None:
    for right, total, (low, high) in zip(*ON_GOLD, ON_GOLD.intervals, strict=True):
        if total:
            expected = binomtest(int(right), int(total)).proportion_ci(0.9, "exact")
            assert (low, high) == pytest.approx((expected.low, expected.high))
    assert ON_GOLD.intervals[4].tolist() == [0, 1]


def test_votes_are_judged_where_gold_is_known() -> None:
    votes = Votes.from_dense([[0, 1, -1], [1, 1, -1], [0, -1, 2]], 3)
    found = judged(votes, np.array([0, -1, 2]))
    assert [one.tolist() for one in found] == [[1, 0, 1], [2, 1, 1]]


def test_chance_is_a_guess_or_the_sources_own_votes_dealt_out() -> None:
    counts = np.array([[50, 50, 0], [0, 40, 0], [90, 0, 0], [0, 0, 0]])
    # Two classes get votes; a source that names only the rare one is right in a tenth of its votes by chance.
    assert chance_of(counts, np.array([0.9, 0.1, 0.0])).tolist() == pytest.approx([0.5, 0.1, 0.5, 0])


def test_gold_holds_where_it_contradicts_the_votes() -> None:
    """Expected by hand: 11 of 50 is below 1/3 and 15 of 50 below 1/2, at 95 %; 0 of 3 is neither."""
    by_votes = np.array([[0.7, 0.8], [0.75, 0.85], [0.6, 0.7], [0.5, 0.6], [0.1, 0.2]])
    chance = np.full(5, 0.4)
    told = beside_gold(diagnostics(worse_than_chance=["good"]), NAMES, by_votes, chance, ON_GOLD, 50)
    assert told.worse_than_chance == ("swapped", "unjudged")
    assert [one.kind for one in told.findings] == ["worse_than_chance", "mostly_wrong"]
    words = str(told)
    assert "Worse than chance: 'swapped' (11 of 50 right on gold), 'unjudged'. " in words
    assert "More often wrong than right: 'often_wrong' (15 of 50 right on gold)." in words


def test_doubt_sends_to_the_gold_that_is_there() -> None:
    doubtful = diagnostics(doubt=0.9, findings=[Finding("doubt", "Label about 20 items")])
    intervals, chance = np.tile([0.6, 0.7], (5, 1)), np.zeros(5)
    assert "Label about 20 items" in str(beside_gold(doubtful, NAMES, intervals, chance, ON_GOLD, 19))
    told = str(beside_gold(doubtful, NAMES, intervals, chance, ON_GOLD, 20))
    assert "doubt 0.90" in told
    assert "fit with the gold" in told
    assert "Label about" not in told
