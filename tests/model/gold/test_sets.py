"""Gold that is one of several classes: its likelihood is the sum over them, by enumeration of all labelings."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from tests.model.gold.test_fitting import Problem, Real, best_source, values_of
from weaklabel import LabelModel, Votes, not_, one_of
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.gold.fitting import fit_gold
from weaklabel.model.gold.regression import Labels
from weaklabel.model.settings import Settings
from weaklabel.side_information.gold import read_gold


class SetProblem(Problem):
    """Of every other item only a set of two of three classes is known."""

    def __init__(self, n_items: int, n_sources: int, seed: int = 0) -> None:
        super().__init__(n_items, n_sources, 3, seed)
        rng = np.random.default_rng(seed + 1)
        self.weight, self.offset = np.ones(n_items), np.zeros(3)
        self.sets = np.zeros((n_items, 3), bool)
        for i in range(0, n_items, 2):
            self.sets[i, [self.truth[i], (self.truth[i] + rng.integers(1, 3)) % 3]] = True
        is_set = self.sets.any(axis=1, keepdims=True)
        self.targets = np.where(is_set, self.sets * 0.5, np.eye(3)[self.truth])

    @property
    def labels(self) -> Labels:
        worth = np.where(self.sets.any(1), 1 - np.log(2) / np.log(3), 1.0)
        return super().labels._replace(sets=self.sets, worth=worth)

    def part(self, chosen: Any) -> Any:
        other: Any = super().part(chosen)
        other.__class__, other.sets = SetProblem, self.sets[chosen]
        return other

    def loss(self, values: Real, *, large: bool) -> float:
        log_p = log_softmax(self.log_odds(values, large=large), axis=1)
        may = [
            np.flatnonzero(some) if some.any() else [label] for some, label in zip(self.sets, self.truth, strict=True)
        ]
        each = [
            sum(log_p[i, label] for i, label in enumerate(labels)) for labels in itertools.product(*may)
        ]  # all labelings that agree with what is known
        return float(0.5 * (values**2 / self.variances(large=large)).sum() - logsumexp(each))


@pytest.mark.parametrize("large", [False, True])
def test_corrections_are_of_the_highest_marginal_likelihood(large: bool) -> None:
    problem = SetProblem(10, 2)
    gold = fit_gold(problem.inputs, problem.labels, Settings(), seed=0)
    found = values_of(gold.large if large else gold.small)
    start = np.zeros(len(found))
    loss: Any = partial(problem.loss, large=large)
    expected = minimize(loss, start, method="BFGS").x
    np.testing.assert_allclose(found, expected, atol=0.01)
    exact = np.arange(10) % 2 == 1  # and it is not that of the labels alone
    known = problem.labels.part(exact)._replace(sets=None, worth=None)
    alone = fit_gold(problem.part(exact).inputs, known, Settings(), seed=0)
    assert np.abs(values_of(alone.small) - values_of(gold.small)).max() > 0.05


def test_the_pool_follows_from_held_out_marginal_likelihoods() -> None:
    problem, every = SetProblem(8, 2, seed=3), np.arange(8)
    held_out = np.zeros(4)
    for i in every:
        left, out = problem.part(every != i), problem.part(every == i)
        at, gain = best_source(left)
        of_best = np.where(np.arange(3)[None] == out.matrix[:, at : at + 1], gain, 0)
        log_odds = [np.log(out.soft.astype(float))]
        for large in (False, True):
            loss: Any = partial(left.loss, large=large)
            start = np.zeros(len(left.variances(large=large)))
            log_odds.append(out.log_odds(minimize(loss, start, method="BFGS").x, large=large))
        for expert, of_class in enumerate([*log_odds, of_best]):
            p = np.exp(log_softmax(of_class, axis=1))[0]
            held_out[expert] += np.log(p[out.sets[0]].sum() if out.sets.any() else p[out.truth[0]])
    size = 4 + 4 * (1 - np.log(2) / np.log(3))  # a pair of three classes says less than a label
    prior = np.array([5 * 3 / (size + 5 * 3), 1, size / (size + 10 * 3), 0.5])
    expected = prior * np.exp(held_out / 4)
    found = fit_gold(problem.inputs, problem.labels, Settings(), seed=1)
    np.testing.assert_allclose(found.pool, expected / expected.sum(), atol=5e-3)


def test_a_set_of_one_class_is_a_label_and_one_of_all_says_nothing() -> None:
    problem = Problem(40, 4, 3)
    votes = Votes.from_dense(problem.matrix, 3)
    labels = np.where(np.arange(40) < 12, problem.truth, -1)
    as_sets: list[Any] = [one_of(int(k)) if k >= 0 else one_of(0, 1, 2) for k in labels]
    one, other = (LabelModel(3).fit(votes, gold=gold).predict_proba(votes) for gold in (labels, as_sets))
    np.testing.assert_array_equal(one, other)
    pairs: list[Any] = [not_(int(k + 1) % 3) if k >= 0 else None for k in labels]
    known = read_gold(pairs, votes)
    assert known is not None
    assert known.allowed is not None
    np.testing.assert_array_equal(known.items, np.arange(12))
    assert [np.flatnonzero(row).tolist() for row in known.allowed[:3]] == [[0, 2], [0, 1], [1, 2]]
    assert LabelModel(3).fit(votes, gold=pairs).predict_proba(votes).shape == (40, 3)


def test_sets_show_which_sources_lie_about_them() -> None:
    """Of four classes in two groups: most sources share an error between the groups, and gold names the group only."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 600)
    other_group = (truth + 2) % 4
    shared = rng.random(600) < 0.45
    matrix = np.stack(
        [np.where(shared ^ (rng.random(600) < 0.05), other_group, truth) for _ in range(6)]
        + [np.where(rng.random(600) < 0.15, rng.integers(0, 4, 600), truth)],
        axis=1,
    )
    votes = Votes.from_dense(matrix, 4)
    gold: list[Any] = [one_of(0, 1) if k in (0, 1) else one_of(2, 3) for k in truth[:60]] + [None] * 540
    alone, helped = LabelModel(4).fit(votes), LabelModel(4).fit(votes, gold=gold)
    right = [(model.predict_proba(votes)[60:].argmax(1) == truth[60:]).mean() for model in (alone, helped)]
    assert right[1] > right[0] + 0.1
    assert helped.source_accuracy[6] > helped.source_accuracy[:6].max() + 0.1
    again = LabelModel.from_bytes(helped.to_bytes())
    np.testing.assert_array_equal(again.predict_proba(votes), helped.predict_proba(votes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gold": [one_of(0, 3), None]}, "gold of item 0 is one_of(0, 3)"),
        ({"gold": [0, one_of(0, 1)], "gold_error": [0.0, 0.1]}, "gold of item 1 is one of several"),
        ({"gold": [0, one_of(0, 1)], "gold_sampling": "by_class"}, 'gold_sampling="by_class" needs labels'),
    ],
)
def test_what_has_no_meaning_for_a_set_is_refused(arguments: dict[str, Any], message: str) -> None:
    votes = Votes.from_dense([[0, 1], [1, 1]], 3)
    with pytest.raises(InvalidArgumentError) as caught:
        LabelModel(3).fit(votes, **arguments)
    assert message in str(caught.value)


def test_scores_take_labels_only() -> None:
    votes = Votes.from_dense([[0, 1], [1, 1]], 3)
    model = LabelModel(3).fit(votes)
    with pytest.raises(InvalidArgumentError, match="gold must be class indices"):
        model.score(votes, np.array([one_of(0, 1), 1], object))
