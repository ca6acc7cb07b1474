"""The risk of falling behind majority vote, what is doubtful, and how sure accuracies are where labels are latent."""

import math
from itertools import product
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, one_of
from weaklabel.model.numerics.padding import single
from weaklabel.model.report import findings
from weaklabel.model.report.agreement import Agreement, of_tally, of_votes
from weaklabel.model.report.diagnostics import Diagnostics
from weaklabel.model.report.findings import risk_of
from weaklabel.model.report.intervals import accuracy_intervals

VOTES = np.array([[0, 0, 1], [0, 1, -1], [0, 1, -1], [1, 1, 1], [-1, -1, -1]])
SOFT = np.array([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [0.1, 0.9], [0.5, 0.5]], np.float32)
WEIGHT = np.array([2.0, 1.0, 4.0, 3.0, 1.0])
MOVED = 2 * 1 + 1 * 0.5
"""Two items against the majority, one of a tie; a tie in both, agreement and silence move nothing."""
GAIN = 2 * (0.7 - 0.3) + 1 * (0.8 - 0.5)


def agreement(moved: float, gain: float) -> Agreement:
    zero = np.zeros(())
    return Agreement(
        covered=zero,
        joint=zero,
        agreed=zero,
        contradicted=zero,
        shares=zero,
        moved=np.array(moved),
        gain=np.array(gain),
    )


def dependent(n_items: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Five sources that follow one signal, right on 55 %, and four independent ones, right on 80 %."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    signal = np.where(rng.random(n_items) < 0.55, truth, 1 - truth)
    followers = np.where(rng.random((n_items, 5)) < 0.8, signal[:, None], 1 - signal[:, None])
    others = np.where(rng.random((n_items, 4)) < 0.8, truth[:, None], 1 - truth[:, None])
    return np.concatenate([followers, others], axis=1), truth


def independent(n_items: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    right = rng.random((n_items, 9)) < rng.uniform(0.65, 0.85, 9)
    return np.where(right, truth[:, None], 1 - truth[:, None]), truth


def test_what_is_moved_and_gained_is_counted_by_hand() -> None:
    on_host = of_votes(Votes.from_dense(VOTES, 2), WEIGHT, SOFT)
    tally = (VOTES[:, :, None] == np.arange(2)).sum(1).astype(np.float32)
    on_device = jax.jit(of_tally)(*(single(value) for value in (tally, SOFT, WEIGHT, tally.sum(1))))
    for found in (on_host, on_device):
        assert float(found.moved) == pytest.approx(MOVED)
        assert float(found.gain) == pytest.approx(GAIN, rel=1e-5)


def test_blocks_of_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel.model.report.agreement.CELLS_OF_A_BLOCK", 4)
    found = of_votes(Votes.from_dense(VOTES, 2), WEIGHT, SOFT)
    assert (float(found.moved), float(found.gain)) == pytest.approx((MOVED, GAIN))


def test_a_candidate_set_counts_in_equal_shares() -> None:
    """Counts .5, 1.5 and 0: majority vote says class 1, the soft labels class 0."""
    votes = Votes.from_dense([[one_of(0, 1), 1]], 3)
    found = of_votes(votes, np.ones(1), np.array([[0.6, 0.3, 0.1]], np.float32))
    assert (float(found.moved), float(found.gain)) == pytest.approx((1, 0.3))


def test_the_risk_is_its_formula() -> None:
    n_items, moved, gain = 200.0, 60.0, 4.0
    share, expected = moved / n_items, gain / n_items
    deviation = math.sqrt((findings.SHARED_ERROR * share) ** 2 + share / n_items)
    z = (-0.01 - expected) / deviation
    assert risk_of(agreement(moved, gain), n_items) == pytest.approx((1 + math.erf(z / math.sqrt(2))) / 2, rel=1e-6)


def test_labels_that_hardly_differ_from_majority_vote_bear_no_risk() -> None:
    assert risk_of(agreement(2.0, -2.0), 200.0) == 0
    assert risk_of(agreement(0.0, 0.0), 0.0) == 0
    assert 0 < risk_of(agreement(10.0, 1.0), 200.0) < risk_of(agreement(60.0, 1.0), 200.0) < 0.5


def test_a_majority_that_is_one_cluster_is_a_larger_risk_than_independent_sources() -> None:
    votes, _ = dependent(2000, 0)
    at_risk = LabelModel(2).fit(votes).diagnostics
    votes, _ = independent(2000, 0)
    safe = LabelModel(2).fit(votes).diagnostics
    assert at_risk.risk > 2 * safe.risk
    assert safe.doubt < 0.005
    assert "doubt" not in {finding.kind for finding in safe.findings}


def test_shared_errors_are_named_as_what_votes_cannot_exclude() -> None:
    votes, truth = dependent(2000, 0)
    found = LabelModel(2).fit(votes).diagnostics
    (message,) = (finding.message for finding in found.findings if finding.kind == "doubt")
    for part in ("may share errors", "votes alone cannot exclude", "next_to_label(votes, 20)", "Intervals"):
        assert part in message
    assert "nothing doubtful" not in str(found)
    gold = np.full(2000, -1)
    few, enough = gold.copy(), gold.copy()
    few[:10], enough[:20] = truth[:10], truth[:20]
    assert "doubt" in {finding.kind for finding in LabelModel(2).fit(votes, gold=few).diagnostics.findings}
    with_gold = LabelModel(2).fit(votes, gold=enough).diagnostics
    assert "doubt" not in {finding.kind for finding in with_gold.findings}
    assert with_gold.risk != found.risk


def test_nothing_doubtful_is_said_only_where_it_is_true() -> None:
    votes, _ = independent(3000, 1)
    found = LabelModel(2).fit(votes).diagnostics
    assert found.doubt < 0.005
    assert found.findings == ()
    assert str(found).startswith("- nothing doubtful was found\n- estimated risk")
    unsure = Diagnostics.from_json(found.to_json() | {"doubt": 0.3})
    assert "nothing doubtful" not in str(unsure)
    assert "doubt 0.30" in str(unsure)


def test_intervals_hold_what_latent_labels_leave_open() -> None:
    """Against the Fisher information of all vote patterns of three sources, by differences of log-probabilities."""
    n_items = 1e6
    patterns = np.array(list(product(range(2), repeat=3)))
    at = np.array([0.8, 0.7, 0.75, 0.65, 0.7, 0.9, 0.4])  # right on class 0 and on class 1, source by source; balance

    def joint(values: NDArray[Any]) -> NDArray[Any]:  # [8, 2]
        balance = np.array([values[-1], 1 - values[-1]])
        right = [np.where(patterns == k, values[k:-1:2], 1 - values[k:-1:2]).prod(1) for k in range(2)]
        return np.asarray(balance * np.stack(right, axis=1))

    step = 1e-5 * np.eye(len(at))
    scores = np.stack([np.log(joint(at + d).sum(1) / joint(at - d).sum(1)) / 2e-5 for d in step], axis=1)
    probability = joint(at).sum(1)
    covariance = np.linalg.inv(n_items * scores.T @ (probability[:, None] * scores))
    gradient = np.zeros((3, 7))
    for source in range(3):
        gradient[source, 2 * source : 2 * source + 2] = 0.4, 0.6
        gradient[source, 6] = at[2 * source] - at[2 * source + 1]
    deviation = np.sqrt(np.diag(gradient @ covariance @ gradient.T))
    accuracy = 0.4 * at[:-1:2] + 0.6 * at[1:-1:2]
    found = accuracy_intervals(
        Votes.from_dense(patterns, 2),
        n_items * probability,
        (joint(at) / probability[:, None]).astype(np.float32),
        np.full((8, 2), 0.5, np.float32),
        0.0,
        1e-3,
        accuracy,
    )
    np.testing.assert_allclose(found[:, 1] - found[:, 0], 2 * 1.6449 * deviation, rtol=0.01)
