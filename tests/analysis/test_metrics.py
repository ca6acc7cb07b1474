"""Scores of soft labels, against scikit-learn and values worked out by hand."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss

from weaklabel.analysis import evaluate
from weaklabel.errors import InvalidArgumentError


def test_scores_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p, gold = rng.dirichlet([1, 1, 1], 200), rng.integers(0, 3, 200)
    scores = evaluate(p, gold, positive=2)
    assert scores.accuracy == pytest.approx(accuracy_score(gold, p.argmax(1)))
    assert scores.f1 == pytest.approx(f1_score(gold == 2, p.argmax(1) == 2))
    assert scores.nll == pytest.approx(log_loss(gold, p))
    assert scores.brier == pytest.approx(brier_score_loss(gold, p, labels=[0, 1, 2]))
    assert scores.n_items == 200


def test_calibration_error_by_hand() -> None:
    # Two items in the bin of .7 (one right), one in the bin of .9 (right): (|1.4 - 1| + |.9 - 1|) / 3.
    scores = evaluate([[0.7, 0.3], [0.7, 0.3], [0.1, 0.9]], [0, 1, 1])
    assert scores.ece == pytest.approx((0.4 + 0.1) / 3)


def test_ties_are_shared_and_unknown_items_left_out() -> None:
    scores = evaluate([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]], [1, 1, -1], positive=1)
    assert scores.accuracy == pytest.approx(0.75)
    assert scores.f1 == pytest.approx(2 * 1.5 / (1.5 + 2))
    assert scores.n_items == 2


def test_scores_replace_the_likeliest_class() -> None:
    p, gold = [[0.6, 0.4], [0.6, 0.4]], [1, 0]
    assert evaluate(p, gold).accuracy == 0.5
    assert evaluate(p, gold, scores=[[0, 1], [1, 0]]).accuracy == 1.0
    assert evaluate(p, gold, scores=[[0, 1], [1, 1]]).accuracy == 0.75
    assert evaluate(p, gold, scores=[[0, 1], [1, 0]]).nll == evaluate(p, gold).nll


@pytest.mark.parametrize(
    ("p", "gold", "message"),
    [
        ([[0.5, 0.5]], [0, 1], r"got shape \(2,\)"),
        ([[0.9, 0.5]], [0], "sum to one"),
        ([[np.nan, 0.5]], [0], "must lie in"),
        ([[0.5, 0.5]], [-1], "no label"),
        ([[0.5, 0.5]], [2], r"is 2, outside 0\.\.1"),
    ],
)
def test_bad_input_is_refused(p: Any, gold: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        evaluate(p, gold)
