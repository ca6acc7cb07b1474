"""Which items to label next: against the probabilities with which they are to be drawn."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from weaklabel import LabelModel
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.model.gold.sampling import draw

N_ITEMS = 200


@cache
def problem() -> tuple[LabelModel, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, N_ITEMS)
    wrong = (truth[:, None] + rng.integers(1, 3, (N_ITEMS, 5))) % 3
    votes = np.where(rng.random((N_ITEMS, 5)) < 0.7, truth[:, None], wrong)
    votes[rng.random(votes.shape) < 0.5] = -1
    return LabelModel(3, seed=4).fit(votes), votes


def soft_labels(n_items: int) -> NDArray[np.float32]:
    """Of which some are sure, and some are not."""
    return np.random.default_rng(1).dirichlet(0.3 * np.ones(3), n_items).astype(np.float32)


def probabilities(soft: NDArray[np.float32]) -> NDArray[np.float64]:
    """Half even, half by how unsure the likeliest class is."""
    doubt = [1 - float(max(row)) for row in soft]
    return np.array([0.5 / len(soft) + 0.5 * one / sum(doubt) for one in doubt])


def test_items_are_drawn_with_the_probability_whose_inverse_they_weigh() -> None:
    soft = soft_labels(12)
    expected, n_draws = probabilities(soft), 6000
    firsts = np.zeros(12)
    for seed in range(n_draws):
        drawn = draw(soft, np.arange(12), 1, seed)
        firsts[drawn.items[0]] += 1
        assert drawn.weights[0] == pytest.approx(1 / (12 * expected[drawn.items[0]]), rel=1e-6)
    assert np.ptp(expected) > 0.05
    assert chisquare(firsts, n_draws * expected).pvalue > 1e-3


def test_weighted_means_stand_for_all_items() -> None:
    """Of doubt itself, on which the draw depends: an unweighted mean is far off."""
    soft = soft_labels(400)
    values = 1 - soft.max(1).astype(float)
    weighted, plain = [], []
    for seed in range(2000):
        drawn = draw(soft, np.arange(400), 10, seed)
        weighted.append(float((drawn.weights * values[drawn.items]).mean()))
        plain.append(float(values[drawn.items].mean()))
    error = np.std(weighted) / np.sqrt(len(weighted))
    # Without replacement, ten draws of 400 change the probabilities by some 2 %.
    assert np.mean(weighted) == pytest.approx(values.mean(), abs=3 * error + 0.02 * values.mean())
    assert np.mean(plain) > values.mean() + 10 * error


def test_items_with_gold_are_not_drawn() -> None:
    model, votes = problem()
    gold = np.where(np.arange(N_ITEMS) % 3 > 0, 1, -1)
    free = np.flatnonzero(gold < 0)
    drawn = model.next_to_label(votes, len(free), gold=gold)
    np.testing.assert_array_equal(np.sort(drawn.items), free)
    soft = model.predict_proba(votes)[free]
    expected = 1 / (len(free) * probabilities(soft))
    np.testing.assert_allclose(drawn.weights, expected[np.searchsorted(free, drawn.items)], rtol=1e-6)


def test_the_first_of_many_are_those_of_a_smaller_draw() -> None:
    model, votes = problem()
    many, few = model.next_to_label(votes, 40), model.next_to_label(votes, 15)
    np.testing.assert_array_equal(many.items[:15], few.items)
    np.testing.assert_array_equal(many.weights[:15], few.weights)
    assert len(set(many.items.tolist())) == 40
    assert (np.diff(many.items) < 0).any()  # in the order of the draw, not of the items


def test_the_seed_is_that_of_the_model_unless_another_is_given() -> None:
    model, votes = problem()
    np.testing.assert_array_equal(model.next_to_label(votes, 9).items, model.next_to_label(votes, 9, seed=4).items)
    assert not np.array_equal(model.next_to_label(votes, 9).items, model.next_to_label(votes, 9, seed=5).items)


def test_labels_that_leave_no_doubt_are_drawn_evenly() -> None:
    sure = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    drawn = draw(sure, np.arange(30), 30, 0)
    np.testing.assert_allclose(drawn.weights, 1)


@pytest.mark.parametrize("n", [0, -1, 101])
def test_no_other_number_can_be_drawn(n: int) -> None:
    model, votes = problem()
    gold = np.where(np.arange(N_ITEMS) < 100, 0, -1)
    with pytest.raises(InvalidArgumentError, match="n must be between 1 and 100 items without gold") as caught:
        model.next_to_label(votes, n, gold=gold)
    assert caught.value.field == "n"


def test_what_cannot_be_read_is_refused() -> None:
    model, votes = problem()
    with pytest.raises(InvalidArgumentError, match="gold") as caught:
        model.next_to_label(votes, 5, gold=np.zeros(3, int))
    assert caught.value.field == "gold"
    with pytest.raises(NotFittedError):
        LabelModel(3).next_to_label(votes, 5)
