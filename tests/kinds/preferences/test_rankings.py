"""Rankings by Plackett and Luce: against all orders of few items, a general optimiser, and simulated truths."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime, minimize
from scipy.stats import kendalltau

from weaklabel import PreferenceModel
from weaklabel.errors import InvalidVotesError
from weaklabel.kinds.preferences import comparisons_from_rankings
from weaklabel.kinds.preferences.dependence import _drawn, _sample
from weaklabel.kinds.preferences.fitting import moments_of
from weaklabel.kinds.preferences.posterior import Estimated, data_of, estimate_scores, graph_of, merged
from weaklabel.kinds.preferences.ranked import log_likelihood, log_weights
from weaklabel.kinds.preferences.reading import read_comparisons
from weaklabel.kinds.preferences.records import Comparisons
from weaklabel.kinds.preferences.settings import PreferenceSettings

Real = NDArray[np.float64]
ALIKE = PreferenceSettings(skill_variance=1e-6, skill_mass=1e9)
"""Constants by which all judges have skill 1."""
RANKINGS = [["b", "a", "d"], ["a", "b"], ["c", "d", "a", "b"], ["a", "d", "c"], ["b", "c", "d", "a"], ["d", "b"]]
JUDGES = ["x", "x", "x", "y", "y", "y"]


def probability(order: Any, worth: dict[Any, float]) -> float:
    """Of an order: one pick after the other."""
    total = 1.0
    for at in range(len(order)):
        total *= worth[order[at]] / sum(worth[one] for one in order[at:])
    return total


def read(columns: dict[str, list[Any]]) -> Comparisons:
    return merged(read_comparisons(columns, None, ties=False).comparisons)


def test_all_orders_of_some_items_have_probability_one() -> None:
    scores, skill = {"a": 0.3, "b": -1.2, "c": 0.9, "d": 0.1}, 1.7
    orders = [list(one) for one in itertools.permutations("abcd")]
    some = read(comparisons_from_rankings(orders))
    data = data_of(some, graph_of(some))
    assert data.ranked is not None
    values = jnp.zeros(data.used_items.shape[0]).at[:4].set(np.array([scores[name] for name in some.item_names]))
    eta = log_weights(data.ranked, values, jnp.full(data.used_judges.shape[0], skill))
    single = [float(log_likelihood(data.ranked._replace(weight=jnp.eye(len(eta))[at]), eta)) for at in range(24)]
    expected = [probability(one, {name: np.exp(skill * x) for name, x in scores.items()}) for one in orders]
    np.testing.assert_allclose(np.exp(single), expected, rtol=1e-4)
    assert sum(np.exp(single)) == pytest.approx(1, abs=1e-4)


def loss(scores: Real, names: tuple[str, ...], skills: dict[str, float]) -> float:
    """Negative log-likelihood of the rankings, pick by pick."""
    total = 0.0
    for ranking, judge in zip(RANKINGS, JUDGES, strict=True):
        worth = {name: np.exp(skills[judge] * x) for name, x in zip(names, scores, strict=True)}
        total -= np.log(probability(ranking, worth))
    return float(total)


def test_slopes_and_curvatures_of_pairs_are_those_of_the_likelihood() -> None:
    longer = [at for at, one in enumerate(RANKINGS) if len(one) > 2]
    some = read(comparisons_from_rankings([RANKINGS[at] for at in longer], [JUDGES[at] for at in longer]))
    scores, skills = np.array([0.4, -0.7, 1.1, 0.2]), {"x": 1.5, "y": -0.6}
    data, n = data_of(some, graph_of(some)), len(some.left)
    held = jnp.zeros(data.used_items.shape[0]).at[:4].set(scores)
    fit = estimate_scores(some, ALIKE, ties=False, max_iter=1, tol=1e-9, seed=0)
    skill = jnp.zeros(data.used_judges.shape[0]).at[:2].set(np.array([skills[name] for name in some.judge_names]))
    moments = moments_of(data, held, jnp.zeros_like(held), fit.state.answers._replace(skill=skill))
    own = np.asarray(skill)[some.judge]
    curvature, difference = np.asarray(moments.curvature)[:n], scores[some.left] - scores[some.right]
    slope = np.asarray(moments.linear)[:n] - curvature * own * difference
    gradient, hessian = np.zeros(4), np.zeros((4, 4))
    for at, (left, right) in enumerate(zip(some.left, some.right, strict=True)):
        side = np.eye(4)[left] - np.eye(4)[right]
        gradient += own[at] * slope[at] * side
        hessian += own[at] ** 2 * curvature[at] * np.outer(side, side)

    def whole(values: Real) -> float:
        order = dict(zip(some.item_names, values, strict=True))
        pairs = [np.log1p(np.exp(-skills["x"] * (order["a"] - order["b"])))]
        pairs.append(np.log1p(np.exp(-skills["y"] * (order["d"] - order["b"]))))
        return float(loss(values, some.item_names, skills) - np.sum(pairs))  # the two rankings of two are left out

    expected = approx_fprime(scores, whole, 1e-6)
    np.testing.assert_allclose(-gradient, expected, atol=1e-4)
    np.testing.assert_allclose(hessian, second_derivatives(whole, scores), atol=1e-2)


def second_derivatives(function: Any, at: Real) -> Real:
    step = 1e-3 * np.eye(len(at))
    slopes = [approx_fprime(at + one, function, 1e-5) - approx_fprime(at - one, function, 1e-5) for one in step]
    return np.stack(slopes) / 2e-3


def test_scores_are_of_the_highest_penalized_likelihood() -> None:
    some = read(comparisons_from_rankings(RANKINGS * 5, JUDGES * 5))
    fit = estimate_scores(some, ALIKE, ties=False, max_iter=500, tol=1e-7, seed=0)
    spread, alike = float(fit.state.priors.spread), {"x": 1.0, "y": 1.0}

    def whole(values: Real) -> float:
        return 5 * loss(values, some.item_names, alike) + float(values @ values) / 2 / spread

    best = minimize(whole, np.zeros(4)).x
    second = second_derivatives(whole, best)
    # rankings of two are comparisons, whose parabola touches where their posterior variance is in it, too
    np.testing.assert_allclose(fit.mean, best, atol=0.02)
    np.testing.assert_allclose(fit.variance, np.diag(np.linalg.inv(second)), rtol=0.1)


def test_rankings_of_two_are_comparisons() -> None:
    columns = comparisons_from_rankings([["a", "b"], ["b", "c"], ["a", "c"], ["c", "b"]], ["x", "x", "y", "y"])
    plain = {name: values for name, values in columns.items() if name not in ("ranking", "weight")}
    one, other = (read(given) for given in (columns, plain))
    assert one.rankings is None
    np.testing.assert_array_equal(one.weight, other.weight)


@pytest.mark.filterwarnings("ignore:Judges")
def test_the_order_of_rows_and_rankings_and_the_sides_do_not_matter() -> None:
    columns = comparisons_from_rankings(RANKINGS, JUDGES)
    rng, n = np.random.default_rng(0), len(columns["left"])
    order, turned = rng.permutation(n), rng.random(n) < 0.5
    changed: dict[str, list[Any]] = {name: [values[at] for at in order] for name, values in columns.items()}
    changed["left"], changed["right"] = (
        [changed[side if not turn else other][at] for at, turn in enumerate(turned)]
        for side, other in (("left", "right"), ("right", "left"))
    )
    changed["winner"] = ["right" if turn else "left" for turn in turned]
    one, other = (PreferenceModel(ties=False, tol=1e-6).fit(given) for given in (columns, changed))
    pairs = list(itertools.combinations("abcd", 2))
    np.testing.assert_allclose(one.predict_proba(pairs), other.predict_proba(pairs), atol=1e-3)


def simulated(seed: int, m: int) -> tuple[Real, list[list[int]], list[int]]:
    """40 items, 12 judges of whom a quarter answers at random, 10 rankings of m items each."""
    rng = np.random.default_rng(seed)
    truth, skill = rng.normal(size=40), np.where(np.arange(12) % 4 == 0, 0.0, 1.4)
    judges = np.repeat(np.arange(12), 10)
    shown = [rng.choice(40, m, replace=False) for _ in judges]
    orders = [
        some[np.argsort(-(skill[judge] * truth[some] + rng.gumbel(size=m)))].tolist()
        for some, judge in zip(shown, judges, strict=True)
    ]
    return truth, orders, judges.tolist()


@pytest.mark.filterwarnings("ignore:Judges")
def test_rankings_say_more_than_their_pairs_and_intervals_cover() -> None:
    right: dict[str, list[float]] = {"rankings": [], "pairs": []}
    cover: list[float] = []
    for seed in range(4):
        truth, orders, judges = simulated(seed, 8)
        columns = comparisons_from_rankings(orders, judges)
        for name in right:
            given = {key: values for key, values in columns.items() if name == "rankings" or key != "ranking"}
            model = PreferenceModel(ties=False).fit(given)
            own = truth[[int(item) for item in model.items_]]
            right[name].append(float(kendalltau(model.scores_, own)[0]))
            if name == "rankings":
                scores = model.item_scores()
                scale = (model.scores_ @ own) / (own @ own)  # the unit of scores is that skills are 1 on average
                shifted = own * scale - (own * scale).mean()
                cover.append(float(((scores["low"] < shifted) & (shifted < scores["high"])).mean()))
    assert np.mean(right["rankings"]) > np.mean(right["pairs"]) + 0.005
    assert 0.8 < np.mean(cover) < 0.98


@pytest.mark.filterwarnings("ignore:Judges")
def test_rankings_that_all_agree_have_an_end() -> None:
    model = PreferenceModel(ties=False).fit(comparisons_from_rankings([list("abcdefghij")] * 60, ["x", "y", "z"] * 20))
    assert model.converged
    assert model.items_[int(np.argmax(model.scores_))] == "a"
    assert np.isfinite(model.scores_).all()
    assert (np.diff([model.scores_[model.items_.index(one)] for one in "abcdefghij"]) < 0).all()


def test_replicates_have_the_probabilities_of_plackett_and_luce() -> None:
    some = read(comparisons_from_rankings([list("abc")] * 3000 + [list("bd")] * 10))
    fit = estimate_scores(some, ALIKE, ties=False, max_iter=2, tol=1e-9, seed=0)
    sure = Estimated(**(fit._asdict() | {"variance": np.zeros(4), "covariance": np.zeros(4)}))
    drawn = _drawn(some, sure, np.random.default_rng(1), ties=False)
    assert drawn.rankings is not None
    worth = {at: np.exp(fit.mean[at] * float(fit.state.answers.skill[0])) for at in range(4)}
    orders = [tuple(row) for row in drawn.rankings.items.tolist()]
    for order in itertools.permutations(sorted(set(orders[0]))):
        assert orders.count(order) / 3000 == pytest.approx(probability(order, worth), abs=0.03)
    again = read_comparisons(  # and the comparisons are those of the orders
        comparisons_from_rankings([[some.item_names[at] for at in order] for order in orders]), None, ties=False
    ).comparisons
    won = [
        {(names[a], names[b]) if side == 0 else (names[b], names[a]) for a, b, side in zip(*rows, strict=True)}
        for names, rows in ((one.item_names, (one.left, one.right, one.outcome)) for one in (merged(again), drawn))
    ]
    assert won[0] <= won[1]


@pytest.mark.filterwarnings("ignore:Judges")
def test_rankings_and_comparisons_with_ties_are_fitted_together() -> None:
    truth, orders, judges = simulated(5, 4)
    ranked = comparisons_from_rankings(orders, judges)
    rng = np.random.default_rng(5)
    left = rng.integers(0, 40, 300)
    right = (left + rng.integers(1, 40, 300)) % 40
    eta = truth[left] - truth[right] + rng.logistic(size=300)
    plain: dict[str, list[Any]] = {
        "left": left.tolist(),
        "right": right.tolist(),
        "judge": rng.integers(0, 12, 300).tolist(),
        "winner": np.select([eta > 0.5, eta < -0.5], ["left", "right"], "tie").tolist(),
        "weight": [1.0] * 300,
        "ranking": [None] * 300,
    }
    both = {name: [*values, *plain[name]] for name, values in ranked.items()}
    known = {"left": left[:40].tolist(), "right": right[:40].tolist()}
    known["winner"] = ["left" if truth[a] > truth[b] else "right" for a, b in zip(left[:40], right[:40], strict=True)]
    alone, helped = PreferenceModel().fit(plain), PreferenceModel().fit(both, gold=known)
    own = [truth[[int(item) for item in model.items_]] for model in (alone, helped)]
    assert kendalltau(helped.scores_, own[1])[0] > kendalltau(alone.scores_, own[0])[0]
    p = helped.predict_proba(known)
    assert p.shape == (40, 3)
    assert np.mean(p[:, :2].argmax(1) == [one == "right" for one in known["winner"]]) > 0.8


def test_a_sample_for_the_check_holds_whole_rankings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel.kinds.preferences.dependence.MOST_JUDGES", 8)
    monkeypatch.setattr("weaklabel.kinds.preferences.dependence.MOST_COMPARISONS", 150)
    _, orders, judges = simulated(2, 4)
    whole = read(comparisons_from_rankings(orders, judges))
    some = _sample(whole, np.random.default_rng(0))
    assert some.rankings is not None
    assert 10 < len(some.rankings.items) < 60
    assert len(some.judge_names) <= 8
    given = {(*map(str, order), str(judge)) for order, judge in zip(orders, judges, strict=True)}
    for at, (items, judge) in enumerate(zip(some.rankings.items, some.rankings.judge, strict=True)):
        names = tuple(some.item_names[item] for item in items)
        assert (*names, some.judge_names[judge]) in given
        rows = np.flatnonzero(some.rankings.slot_left // 4 == at)
        assert len(rows) == 6  # all of its pairs
        assert (some.judge[rows] == judge).all()
        for slot, column in ((some.rankings.slot_left, some.left), (some.rankings.slot_right, some.right)):
            np.testing.assert_array_equal(column[rows], items[slot[rows] % 4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": ["left", "right", "left"]}, "row 0: ranking 0 has no order"),
        ({"judge": ["x", "x", "y"]}, "row 0: ranking 0 is of several judges"),
        ({"right": ["b", "c", "d"]}, "row 0: ranking 0 must hold each pair of its 4 items once"),
        ({"right": ["b", "c", "a"]}, "row 0: ranking 0 must hold each pair"),
        ({"winner": ["left", None, "left"]}, "row 0: ranking 0 must hold each pair"),
        ({"shown_first": ["left", None, None]}, "row 0: ranking 0 has pairs of which one is shown first"),
        ({"weight": [1.0, 1.0, 2.0]}, "row 0: ranking 0 has pairs of unlike weight"),
    ],
)
def test_what_is_no_ranking_is_refused(change: dict[str, Any], message: str) -> None:
    columns = comparisons_from_rankings([["a", "b", "c"]])
    with pytest.raises(InvalidVotesError, match=message):
        PreferenceModel(ties=False).fit({**columns, **change})
