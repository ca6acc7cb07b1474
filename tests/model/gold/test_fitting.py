"""What is learned from gold: against a general optimiser on likelihoods that are written out, and what must not be."""

from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime, minimize
from scipy.special import log_softmax

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.gold.correction import Correction, Inputs, inputs_of
from weaklabel.model.gold.fitting import fit_gold
from weaklabel.model.gold.regression import Labels
from weaklabel.model.settings import Settings
from weaklabel.side_information.gold import KnownLabels, read_gold

Real = NDArray[np.float64]
POWER_DEVIATION, BIAS_DEVIATION, FADING_DEVIATION = 0.25, 0.5, 1.0
TRUST, TRUST_OF_LARGE, OF_VOTES = 0.15, 0.1, 0.01
"""Variances, as deviations are squared: what the design says, in its own numbers."""


class Problem:
    """G items with votes, soft labels of the votes alone, and gold; small enough for loops."""

    def __init__(self, n_items: int, n_sources: int, n_classes: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.n_classes, self.n_sources = n_classes, n_sources
        self.truth = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n_items - n_classes)])
        accuracy = np.linspace(0.4, 0.9, n_sources)
        wrong = (self.truth[:, None] + rng.integers(1, n_classes, (n_items, n_sources))) % n_classes
        self.matrix = np.where(rng.random(wrong.shape) < accuracy, self.truth[:, None], wrong)
        self.matrix[rng.random(wrong.shape) < 0.3] = -1
        self.soft = rng.dirichlet(np.ones(n_classes), n_items).astype(np.float32)
        self.weight = rng.uniform(0.5, 2, n_items)
        self.targets = 0.9 * np.eye(n_classes)[self.truth] + 0.1 / n_classes
        self.offset = np.log(rng.dirichlet(5 * np.ones(n_classes)))

    @property
    def inputs(self) -> Inputs:
        return inputs_of(self.soft, Votes.from_dense(self.matrix, self.n_classes))

    @property
    def labels(self) -> Labels:
        return Labels(targets=self.targets, weight=self.weight, offset=self.offset)

    def part(self, chosen: NDArray[Any]) -> "Problem":
        other = object.__new__(Problem)
        other.__dict__ = self.__dict__ | {
            name: getattr(self, name)[chosen] for name in ("truth", "matrix", "soft", "weight", "targets")
        }
        return other

    def log_odds(self, values: Real, *, large: bool) -> Real:
        """Of [power - 1, bias [2, K], trust [M], and for the large one [M * K, K] and [K, K]], item by item."""
        n_classes, n_sources = self.n_classes, self.n_sources
        bias, trust = values[1 : 1 + 2 * n_classes].reshape(2, n_classes), values[1 + 2 * n_classes :][:n_sources]
        rest = values[1 + 2 * n_classes + n_sources :].reshape(-1, n_classes)
        found = np.zeros((len(self.matrix), n_classes))
        for i, row in enumerate(self.matrix):
            logs = np.log(np.maximum(self.soft[i].astype(float), 1e-6))
            voted = np.flatnonzero(row >= 0)
            found[i] = (1 + values[0]) * (logs - logs.mean()) + bias[0] + bias[1] / (1 + len(voted))
            for m in voted:
                found[i, row[m]] += trust[m]
                if large:
                    found[i] += rest[m * n_classes + row[m]]
            for j in range(n_classes if large else 0):
                share = ((row == j).sum() + 1 / n_classes) / (len(voted) + 1)
                found[i] += 3 * np.log(share) * rest[n_sources * n_classes + j]
        return found

    def variances(self, *, large: bool) -> Real:
        n_classes, n_sources = self.n_classes, self.n_sources
        of_rest = (n_sources + 1) * n_classes**2 if large else 0
        return np.concatenate(
            [
                [POWER_DEVIATION**2],
                np.full(n_classes, BIAS_DEVIATION**2),
                np.full(n_classes, FADING_DEVIATION**2),
                np.full(n_sources, TRUST_OF_LARGE if large else TRUST),
                np.full(of_rest, OF_VOTES),
            ]
        )

    def loss(self, values: Real, *, large: bool) -> float:
        log_p = log_softmax(self.log_odds(values, large=large) + self.offset, axis=1)
        likelihood = sum(self.weight[i] * self.targets[i, k] * log_p[i, k] for i, k in np.ndindex(*self.targets.shape))
        return float(0.5 * (values**2 / self.variances(large=large)).sum() - likelihood)

    def best(self, *, large: bool) -> Real:
        size = len(self.variances(large=large))
        loss: Any = partial(self.loss, large=large)
        return np.asarray(minimize(loss, np.full(size, 0.05), method="BFGS").x)


def values_of(correction: Correction) -> Real:
    parts = [np.ravel(correction.power) - 1, correction.bias.ravel(), correction.trust]
    if correction.of_votes is not None and correction.of_shares is not None:
        parts += [correction.of_votes.ravel(), correction.of_shares.ravel()]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("large", "size"),
    [(False, (40, 4, 2)), (False, (45, 3, 3)), (True, (14, 2, 2))],
    ids=["small, two classes", "small, three classes", "large"],
)
def test_corrections_are_of_the_highest_penalized_likelihood(large: bool, size: tuple[int, int, int]) -> None:
    problem = Problem(*size)
    gold = fit_gold(problem.inputs, problem.labels, Settings(), seed=0)
    found = values_of(gold.large if large else gold.small)
    expected = problem.best(large=large)

    def loss(values: Real) -> float:
        return problem.loss(values, large=large)

    start = np.zeros(len(found))
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert loss(found) - loss(expected) < 1e-4 * (loss(start) - loss(expected))
    slope, slope_at_start = (np.abs(approx_fprime(at, loss)).max() for at in (found, start))
    assert slope < 0.02 * slope_at_start
    assert np.abs(expected).max() > 0.2  # there is something to learn


def test_a_weight_of_two_is_the_item_twice() -> None:
    problem = Problem(30, 4, 3)
    problem.weight = np.where(np.arange(30) < 8, 2.0, 1.0)
    twice = problem.part(np.repeat(np.arange(30), problem.weight.astype(int)))
    twice.weight = np.ones(len(twice.truth))
    one, other = (fit_gold(each.inputs, each.labels, Settings(), seed=0) for each in (problem, twice))
    for name in ("small", "large"):
        np.testing.assert_allclose(values_of(getattr(one, name)), values_of(getattr(other, name)), atol=5e-3)
    np.testing.assert_allclose(one.best, other.best, rtol=1e-9)
    assert (one.best > 0).sum() == 1


def best_source(problem: Problem) -> tuple[int, float]:
    """The source that is right most often, with a right vote and a wrong one more; and the log-odds of its vote."""
    accuracy = []
    for column in problem.matrix.T:
        right = sum(problem.weight[i] * problem.targets[i, v] for i, v in enumerate(column) if v >= 0)
        total = sum(problem.weight[i] for i, v in enumerate(column) if v >= 0)
        accuracy.append((right + 1) / (total + 2))
    at = int(np.argmax(accuracy))
    return at, float(np.log(accuracy[at] / ((1 - accuracy[at]) / (problem.n_classes - 1))))


def test_the_pool_follows_from_held_out_likelihoods() -> None:
    """Of eight labels, each is a fold of its own, whatever the seed."""
    problem, every = Problem(8, 2, 2, seed=3), np.arange(8)
    held_out = np.zeros(4)
    for i in every:
        left, out = problem.part(every != i), problem.part(every == i)
        at, gain = best_source(left)
        logs = np.log(out.soft.astype(float))
        of_best = np.where(np.arange(2)[None] == out.matrix[:, at : at + 1], gain, 0)
        small, large = (out.log_odds(left.best(large=large), large=large) for large in (False, True))
        for expert, log_odds in enumerate((logs, small, large, of_best)):
            log_p = np.maximum(log_softmax(log_odds + problem.offset, axis=1), np.log(1e-6))
            held_out[expert] += out.weight[0] * (out.targets[0] * log_p[0]).sum()
    size = problem.weight.sum()
    prior = np.array([5 * 2 / (size + 5 * 2), 1, size / (size + 10 * 2), 0.5])
    expected = prior * np.exp(held_out / 4)
    found = fit_gold(problem.inputs, problem.labels, Settings(), seed=1)
    np.testing.assert_allclose(found.pool, expected / expected.sum(), atol=5e-3)
    assert np.ptp(held_out) > 1  # the likelihoods matter
    at, gain = best_source(problem)
    np.testing.assert_allclose(found.best, np.where(np.arange(2) == at, gain, 0))
    assert int(found.n_labels) == 8


def test_a_large_correction_that_would_be_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel.model.gold.fitting.MOST_PARAMETERS", 3)
    problem = Problem(20, 3, 2)
    gold = fit_gold(problem.inputs, problem.labels, Settings(), seed=0)
    assert gold.large.of_votes is None
    assert gold.large.of_shares is None
    assert np.isfinite(gold.pool).all()


# ----------------------------------------------------------------------------- models

N_ITEMS, N_SOURCES = 1500, 6


@cache
def votes_and_truth() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Six sources of two classes, nine items of ten in the first; they are right in 80 %."""
    rng = np.random.default_rng(7)
    truth = (rng.random(N_ITEMS) < 0.1).astype(np.int64)
    votes = np.where(rng.random((N_ITEMS, N_SOURCES)) < 0.8, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random(votes.shape) < 0.7, votes, -1), truth


@cache
def alone() -> LabelModel:
    return LabelModel(2).fit(votes_and_truth()[0])


def gold_of(n_labels: int, seed: int = 0) -> NDArray[np.int64]:
    _, truth = votes_and_truth()
    chosen = np.random.default_rng(seed).choice(N_ITEMS, n_labels, replace=False)
    return np.where(np.isin(np.arange(N_ITEMS), chosen), truth, -1)


def half_of_each() -> NDArray[np.int64]:
    _, truth = votes_and_truth()
    rng = np.random.default_rng(1)
    chosen = [rng.choice(np.flatnonzero(truth == k), 40, replace=False) for k in range(2)]
    return np.where(np.isin(np.arange(N_ITEMS), chosen), truth, -1)


def test_without_a_label_nothing_is_learned() -> None:
    votes, _ = votes_and_truth()
    none = LabelModel(2).fit(votes, gold=np.full(N_ITEMS, -1))
    assert none.to_bytes() == alone().to_bytes()


def test_labels_of_the_votes_alone_do_not_depend_on_gold() -> None:
    votes, _ = votes_and_truth()
    model = LabelModel(2).fit(votes, gold=gold_of(60))
    assert model._fitted.gold is not None
    assert np.abs(model.predict_proba(votes) - alone().predict_proba(votes)).max() > 1e-3
    model._state = model._fitted._replace(gold=None)
    np.testing.assert_array_equal(model.predict_proba(votes), alone().predict_proba(votes))


def test_a_model_with_gold_is_kept() -> None:
    votes, _ = votes_and_truth()
    model = LabelModel(2).fit(votes, gold=gold_of(60))
    again = LabelModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(again.predict_proba(votes), model.predict_proba(votes))
    assert again.to_bytes() == model.to_bytes()
    again = LabelModel(2).fit(votes, gold=gold_of(60))
    assert again.to_bytes() == model.to_bytes()


def test_gold_shows_a_source_that_lies_with_the_others() -> None:
    """Three sources err together, a fourth is right: votes cannot tell, forty labels can."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 1000)
    together = np.where(rng.random(1000) < 0.7, truth, 1 - truth)
    noisy = [np.where(rng.random(1000) < 0.95, together, 1 - together) for _ in range(3)]
    matrix = np.column_stack([*noisy, np.where(rng.random(1000) < 0.95, truth, 1 - truth)])
    gold = np.where(np.arange(1000) < 40, truth, -1)
    new = slice(40, None)
    right = [
        (model.predict(matrix)[new] == truth[new]).mean()
        for model in (LabelModel(2).fit(matrix), LabelModel(2).fit(matrix, gold=gold))
    ]
    assert right[1] > right[0] + 0.1
    assert right[1] > 0.9


@pytest.mark.parametrize(("sampling", "low", "high"), [("by_class", 0.86, 0.94), ("random", 0.4, 0.86)])
def test_gold_by_class_says_nothing_of_the_balance(sampling: Any, low: float, high: float) -> None:
    """Half of the labels are of a class of a tenth: what is drawn so is taken out, what is not moves the balance."""
    votes, truth = votes_and_truth()
    assert alone().class_balance[0] == pytest.approx(0.9, abs=0.03)
    model = LabelModel(2).fit(votes, gold=half_of_each(), gold_sampling=sampling)
    assert low < model.class_balance[0] < high
    if sampling == "by_class":
        automatic = LabelModel(2).fit(votes, gold=half_of_each())
        assert automatic.to_bytes() == model.to_bytes()
        assert (model.predict(votes) == truth).mean() > 0.93


def test_weights_undo_how_items_were_drawn() -> None:
    """The same labels, half of each class, as random ones that stand for nine and for one."""
    votes, truth = votes_and_truth()
    gold = half_of_each()
    weight = np.where(truth == 0, 9.0, 1.0)
    model = LabelModel(2).fit(votes, gold=gold, gold_weight=weight)
    assert model.class_balance[0] == pytest.approx(0.9, abs=0.04)
    # Only their proportions count, and those of items with gold.
    scaled = np.where(gold >= 0, 10 * weight, -1)
    again = LabelModel(2).fit(votes, gold=gold, gold_weight=scaled)
    np.testing.assert_allclose(again.predict_proba(votes), model.predict_proba(votes), atol=1e-3)


def test_labels_of_unlike_weights_are_worth_fewer() -> None:
    """As many as Kish's effective size: here two of a hundred carry nearly all weight."""
    votes, _ = votes_and_truth()
    gold, weight = gold_of(100), np.ones(N_ITEMS)
    weight[np.flatnonzero(gold >= 0)[:2]] = 1e4
    unlike = LabelModel(2).fit(votes, gold=gold, gold_weight=weight)._fitted.gold
    alike = LabelModel(2).fit(votes, gold=gold, gold_sampling="random")._fitted.gold
    assert unlike is not None
    assert alike is not None
    assert np.abs(unlike.small.trust).max() < np.abs(alike.small.trust).max() / 2


def test_labels_that_may_be_wrong_teach_less() -> None:
    votes, _ = votes_and_truth()
    base, gold = alone().predict_proba(votes), gold_of(100)
    away = [
        float(np.abs(LabelModel(2).fit(votes, gold=gold, gold_error=e).predict_proba(votes) - base).max())
        for e in (0.0, 1e-6)
    ]
    assert away[1] == pytest.approx(away[0], abs=1e-3)
    known = read_gold(gold, Votes.from_dense(votes, 2), gold_error=np.where(np.arange(N_ITEMS) % 2 == 0, 0.25, 0))
    assert known is not None
    for item, label, target in zip(known.items, known.labels, known.targets(2), strict=True):
        error = 0.25 if item % 2 == 0 else 0
        assert target[label] == 1 - error
        assert target[1 - label] == error


def test_what_a_label_may_be_wrong_by_is_spread_over_the_other_classes() -> None:
    known = KnownLabels(
        items=np.arange(2), labels=np.array([1, 3]), error=np.array([0.3, 0]), weight=np.ones(2), by_class=False
    )
    np.testing.assert_allclose(known.targets(4), np.array([[0.1, 0.7, 0.1, 0.1], [0, 0, 0, 1]]))
    np.testing.assert_array_equal(known.certain(4), [-1, 3, -1, -1])


@pytest.mark.parametrize(
    ("of_classes", "sampling", "weighted", "by_class"),
    [
        ([5, 5], "auto", False, True),
        ([3, 2], "auto", False, False),
        ([3, 3, 3], "auto", False, True),
        ([3, 3, 2], "auto", False, False),
        ([1, 1], "auto", False, False),
        ([6, 4], "auto", False, False),
        ([5, 0], "auto", False, False),
        ([3, 3, 1], "auto", False, False),
        ([4, 3, 2], "auto", False, False),
        ([5, 5], "auto", True, False),
        ([5, 5], "random", False, False),
        ([9, 1], "by_class", False, True),
        ([9, 1], "by_class", True, True),
    ],
)
def test_a_design_by_class_is_recognised(of_classes: list[int], sampling: Any, weighted: bool, by_class: bool) -> None:
    gold = np.concatenate([np.repeat(np.arange(len(of_classes)), of_classes), [-1, -1]])
    votes = Votes.from_dense(np.zeros((len(gold), 1), int), len(of_classes))
    weight = np.ones(len(gold)) if weighted else None
    known = read_gold(gold, votes, gold_weight=weight, gold_sampling=sampling)
    assert known is not None
    assert known.by_class == by_class
    np.testing.assert_array_equal(known.items, np.arange(sum(of_classes)))


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("gold", {"gold": np.zeros(3, int)}),
        ("gold", {"gold": np.full(N_ITEMS, 2)}),
        ("gold", {"gold": np.full(N_ITEMS, 0.5)}),
        ("gold_error", {"gold_error": 0.1}),
        ("gold_error", {"gold": np.zeros(N_ITEMS, int), "gold_error": 1.0}),
        ("gold_error", {"gold": np.zeros(N_ITEMS, int), "gold_error": -0.1}),
        ("gold_error", {"gold": np.zeros(N_ITEMS, int), "gold_error": np.nan}),
        ("gold_error", {"gold": np.zeros(N_ITEMS, int), "gold_error": np.zeros(3)}),
        ("gold_error", {"gold": np.zeros(N_ITEMS, int), "gold_error": "often"}),
        ("gold_weight", {"gold_weight": np.ones(N_ITEMS)}),
        ("gold_weight", {"gold": np.zeros(N_ITEMS, int), "gold_weight": np.ones(3)}),
        ("gold_weight", {"gold": np.zeros(N_ITEMS, int), "gold_weight": np.zeros(N_ITEMS)}),
        ("gold_weight", {"gold": np.zeros(N_ITEMS, int), "gold_weight": np.full(N_ITEMS, np.nan)}),
        ("gold_weight", {"gold": np.zeros(N_ITEMS, int), "gold_weight": np.full(N_ITEMS, np.inf)}),
        ("gold_weight", {"gold": np.zeros(N_ITEMS, int), "gold_weight": ["much"] * N_ITEMS}),
        ("gold_sampling", {"gold": np.zeros(N_ITEMS, int), "gold_sampling": "class"}),
    ],
)
def test_bad_arguments_are_named(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=field) as caught:
        LabelModel(2).fit(votes_and_truth()[0], **arguments)
    assert caught.value.field == field


def test_the_item_of_a_bad_weight_is_named() -> None:
    weight = np.ones(N_ITEMS)
    weight[[3, 8]] = 0
    gold = np.where(np.arange(N_ITEMS) == 8, 1, -1)  # item 3 has none: its weight does not matter
    with pytest.raises(InvalidArgumentError, match="gold_weight of item 8"):
        LabelModel(2).fit(votes_and_truth()[0], gold=gold, gold_weight=weight)
