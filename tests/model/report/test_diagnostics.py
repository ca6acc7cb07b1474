"""Findings on single sources."""

import numpy as np
import pytest

from weaklabel import LabelModel, Votes


@pytest.mark.parametrize("classes", [["no", "yes"], ["no", "yes", "nobody votes for this"]])
def test_a_class_without_votes_hides_no_adversary(classes: list[str]) -> None:
    """A source that is right on 4 of 10 items is worse than a guess between two classes, not among three."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    right = rng.random((2000, 5)) < [0.85, 0.85, 0.85, 0.85, 0.4]
    cells = np.where(right, truth[:, None], 1 - truth[:, None])
    votes = Votes.from_dense(cells, len(classes), sources=["a", "b", "c", "d", "adversary"])
    found = LabelModel(classes=classes).fit(votes).diagnostics
    assert found.worse_than_chance == ("adversary",)
    assert ("class_without_votes" in {finding.kind for finding in found.findings}) == (len(classes) == 3)
