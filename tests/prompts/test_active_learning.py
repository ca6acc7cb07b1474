"""An order of asking that is worth its money, against expected entropies by hand and against asking at random."""

import math
from dataclasses import replace

import numpy as np
import pytest

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts import Budget, PromptFunction, StopRule, next_to_ask
from weaklabel.prompts.active_learning import _gain

BINARY = PromptFunction(name="strong", model="m", template="{text}", answers={"yes": 1, "no": 0})


def entropy(p: list[float]) -> float:
    return -sum(x * math.log(x) for x in p if x > 0)


def test_the_gain_is_the_expected_fall_of_the_entropy() -> None:
    q, table = [0.3, 0.7], [[0.8, 0.1], [0.1, 0.6], [0.1, 0.3]]
    after = 0.0
    for row in table:
        joint = [q[k] * row[k] for k in range(2)]
        after += sum(joint) * entropy([x / sum(joint) for x in joint])
    assert _gain(np.array([q]), np.array(table)) == pytest.approx([entropy(q) - after])


def test_an_answer_that_says_nothing_is_worth_nothing() -> None:
    assert _gain(np.array([[0.5, 0.5]]), np.array([[0.4, 0.4], [0.6, 0.6]])) == pytest.approx([0.0])


def simulated(n: int = 600, seed: int = 0) -> tuple[Votes, np.ndarray, np.ndarray]:
    """Votes of three weak sources, what a stronger one would say, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    weak = np.where(rng.random((n, 3)) < 0.7, truth[:, None], 1 - truth[:, None])
    weak[rng.random((n, 3)) < 0.3] = -1
    strong = np.where(rng.random(n) < 0.92, truth, 1 - truth)
    return Votes.from_dense(weak, 2, sources=["a", "b", "c"]), strong, truth


def test_uncertain_items_come_first_and_the_budget_is_kept() -> None:
    votes, _, _ = simulated()
    posterior = LabelModel(2).fit(votes).predict_proba(votes)
    asks = next_to_ask(votes, [BINARY], 200, soft_labels=posterior)
    assert asks == next_to_ask(votes, [BINARY], 200)  # the same model is fitted where none is given
    assert len(asks) == len({ask.item for ask in asks}) == 200
    assert [ask.gain for ask in asks] == sorted((ask.gain for ask in asks), reverse=True)
    unsure = posterior.max(1)
    chosen = np.array([ask.item for ask in asks])
    assert unsure[chosen].max() <= np.delete(unsure, chosen).min() + 1e-3


def test_a_third_of_the_calls_well_spent_beats_a_third_at_random() -> None:
    gains = []
    for seed in range(2):
        votes, strong, truth = simulated(seed=seed)
        rng = np.random.default_rng(seed)
        right = []
        for chosen in ([ask.item for ask in next_to_ask(votes, [BINARY], 200)], rng.choice(600, 200, replace=False)):
            column = np.full((600, 1), -1)
            column[chosen, 0] = strong[chosen]
            both = Votes.concatenate_sources([votes, Votes.from_dense(column, 2, sources=["strong"])])
            right.append((LabelModel(2).fit(both).predict(both) == truth).mean())
        gains.append(right[0] - right[1])
    assert np.mean(gains) > 0.03


def test_only_what_was_not_asked_is_asked() -> None:
    votes = Votes.from_dense([[1, 0], [0, -1], [-1, -1]], 2, sources=["a", "strong"])
    missing = [[False, False], [False, True], [False, False]]
    soft = np.full((3, 2), 0.5)
    assert [ask.item for ask in next_to_ask(votes, [BINARY], 10, missing=missing, soft_labels=soft)] == [1]
    assert next_to_ask(votes, [BINARY], 10, soft_labels=soft) == []
    with pytest.raises(InvalidArgumentError, match="soft_labels must have shape"):
        next_to_ask(votes, [BINARY], 10, soft_labels=soft[:2])


def test_money_goes_where_it_tells_most_for_its_cost() -> None:
    votes, _, _ = simulated()
    dear = replace(BINARY, name="dear")
    asks = next_to_ask(
        votes,
        [dear, BINARY],
        Budget(money=1.0),
        costs={"dear": 0.1, "strong": 0.01},
        soft_labels=np.full((600, 2), 0.5),
    )
    assert {ask.function for ask in asks} == {"strong"}
    assert len(asks) == 100
    assert sum(ask.cost for ask in asks) == pytest.approx(1.0)


def test_a_function_that_has_proved_itself_is_preferred() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=900)
    sources = [np.where(rng.random(900) < p, truth, 1 - truth) for p in (0.8, 0.8, 0.8, 0.97, 0.5)]
    matrix = np.stack(sources, 1)
    missing = np.zeros(matrix.shape, bool)
    missing[600:, 3:] = True
    matrix[missing] = -1
    votes = Votes.from_dense(matrix, 2, sources=["a", "b", "c", "good", "coin"])
    functions = [replace(BINARY, name="coin"), replace(BINARY, name="good")]
    shares = np.stack([(matrix[:, :3] == k).mean(1) for k in (0, 1)], 1)
    asks = next_to_ask(votes, functions, 100, missing=missing, soft_labels=shares)
    assert {ask.function for ask in asks} == {"good"}


@pytest.mark.parametrize("budget", [Budget(tokens=5), Budget(money=1.0)])
def test_budgets_that_cannot_be_counted_are_refused(budget: Budget) -> None:
    votes, _, _ = simulated(20)
    with pytest.raises(InvalidArgumentError, match="costs"):
        next_to_ask(votes, [BINARY], budget)


def test_the_stop_rule_waits_until_soft_labels_rest() -> None:
    rule = StopRule(tolerance=0.05, patience=2)
    first, moved = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.7, 0.3], [0.9, 0.1]])
    assert [rule.update(p) for p in (first, moved, moved, moved)] == [False, False, False, True]
    assert StopRule(0.05, 1).update(first) is False
    rule = StopRule(0.5, 1)
    rule.update(first)
    rule.update(moved)
    assert rule.moved == pytest.approx(0.1)  # the mean of .2 and 0
