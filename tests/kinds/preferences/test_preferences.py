"""PreferenceModel against enumeration, independent optima, simulated truth and symmetries."""

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import kendalltau

from weaklabel import PreferenceModel
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.kinds.preferences import comparisons_from_rankings
from weaklabel.kinds.preferences.outcomes import answer_probabilities, probability_of_better
from weaklabel.kinds.preferences.posterior import difference_of, estimate_scores, merged
from weaklabel.kinds.preferences.reading import read_comparisons
from weaklabel.kinds.preferences.settings import PreferenceSettings

ALIKE = PreferenceSettings(skill_variance=1e-6, skill_mass=1e9, bias_variance=1e-6, judge_mass=1e9, item_mass=1e9)
"""Judges are alike and unbiased, and scores have variance 1: the model of Bradley and Terry with a normal prior."""


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def simulated(seed: int = 0, n_items: int = 30, n_judges: int = 12, n: int = 1500, *, spam: int = 4) -> dict[str, Any]:
    """Comparisons by judges of which some answer at random and one is adversarial."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1, n_items)
    skill, bias = np.full(n_judges, 2.0), rng.normal(0, 0.7, n_judges)
    skill[:spam], skill[spam] = 0, -2
    left = rng.integers(0, n_items, n)
    right = (left + rng.integers(1, n_items, n)) % n_items
    judge, first = rng.integers(0, n_judges, n), rng.choice([-1, 1], n)
    eta = skill[judge] * (truth[left] - truth[right]) + bias[judge] * first
    won = rng.random(n) < 1 / (1 + np.exp(-eta))
    columns = {
        "left": [f"i{at:02}" for at in left],
        "right": [f"i{at:02}" for at in right],
        "judge": [f"j{at:02}" for at in judge],
        "winner": np.where(won, "left", "right").tolist(),
        "shown_first": np.where(first > 0, "left", "right").tolist(),
    }
    return {"columns": columns, "truth": truth, "skill": skill, "bias": bias}


def test_scores_are_the_optimum_of_the_penalized_likelihood() -> None:
    columns = simulated(n=300, n_items=8, spam=0)["columns"]
    del columns["shown_first"]
    some = merged(read_comparisons(columns, None, ties=False).comparisons)
    found = estimate_scores(some, ALIKE, ties=False, max_iter=500, tol=1e-6, seed=0)

    def loss(x: NDArray[np.float64]) -> float:
        sign = np.where(some.outcome == 0, 1, -1)
        return float(some.weight @ np.logaddexp(0, -sign * (x[some.left] - x[some.right])) + x @ x / 2)

    best = minimize(loss, np.zeros(8), tol=1e-10).x
    # The variational posterior is of the same center but for the skewness of the likelihood: O(1 / n).
    assert np.abs(found.mean - best).max() < 0.03


def test_one_comparison_has_the_posterior_of_quadrature() -> None:
    some = merged(
        read_comparisons([{"left": "a", "right": "b", "judge": "x", "winner": "a"}], None, ties=False).comparisons
    )
    found = estimate_scores(some, ALIKE, ties=False, max_iter=500, tol=1e-6, seed=0)
    mean, variance = difference_of(
        found.mean, found.variance, found.covariance, found.graph.component, np.array([[0, 1]])
    )
    x = np.linspace(-12, 12, 4001)
    density = np.exp(-(x**2) / 4) / (1 + np.exp(-x))  # the difference of two scores of variance 1
    density /= density.sum()
    assert mean[0] == pytest.approx(x @ density, abs=0.03)
    assert variance[0] == pytest.approx((x - x @ density) ** 2 @ density, rel=0.08)  # the bound is below


def test_exact_and_sampled_variances_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    some = merged(read_comparisons(simulated()["columns"], None, ties=False).comparisons)
    exact = estimate_scores(some, PreferenceSettings(), ties=False, max_iter=50, tol=1e-3, seed=0)
    monkeypatch.setattr("weaklabel.kinds.preferences.posterior.MOST_EXACT", 0)
    sampled = estimate_scores(some, PreferenceSettings(), ties=False, max_iter=50, tol=1e-3, seed=0)
    assert sampled.variance == pytest.approx(exact.variance, rel=0.15)


@pytest.mark.parametrize("broken", [True, False])
def test_rankings_recover_the_scores_of_plackett_and_luce(broken: bool) -> None:
    truth = {"a": 1.0, "b": 0.2, "c": -0.4, "d": -0.8}
    rankings, shares = [], []
    for order in itertools.permutations(truth):  # every ranking, weighed by its probability
        probability, rest = 1.0, list(order)
        while rest:
            probability *= np.exp(truth[rest[0]]) / sum(np.exp(truth[one]) for one in rest)
            rest.pop(0)
        rankings.append(order)
        shares.append(probability)
    columns = comparisons_from_rankings(rankings)
    columns["weight"] = [w * 1e5 * shares[at // 6] for at, w in enumerate(columns["weight"])]
    if broken:
        del columns["ranking"]
    some = merged(read_comparisons(columns, None, ties=False).comparisons)
    found = estimate_scores(some, ALIKE, ties=False, max_iter=500, tol=1e-6, seed=0)
    assert found.mean == pytest.approx([truth[name] for name in some.item_names], abs=0.01)


def test_ties_have_davidsons_probabilities() -> None:
    sides = answer_probabilities(np.array([0.8]), np.array([0.0]), 1.0, 0.0, np.log(0.6))
    p, q = np.exp(0.4), np.exp(-0.4)  # Davidson 1970: worths p², q² and nu sqrt(p² q²)
    assert sides[0] == pytest.approx(np.array([p, q, 0.6]) / (p + q + 0.6))


def test_the_width_of_ties_is_recovered() -> None:
    rng = np.random.default_rng(0)
    truth, n = rng.normal(0, 1, 10), 6000
    left = rng.integers(0, 10, n)
    right = (left + rng.integers(1, 10, n)) % 10
    half = (truth[left] - truth[right]) / 2
    weights = np.stack([np.exp(half), np.exp(-half), np.full(n, 1.5)], 1)
    outcome = (rng.random((n, 1)) > (weights / weights.sum(1, keepdims=True)).cumsum(1)).sum(1)
    words = np.array(["left", "right", "tie"])[outcome]
    columns = {"left": left.tolist(), "right": right.tolist(), "judge": ["x"] * n, "winner": words.tolist()}
    model = PreferenceModel().fit(columns)
    assert model.judges()["tie_width"][0] == pytest.approx(np.log(1.5), abs=0.1)
    assert kendalltau(model.scores_, truth[[int(name) for name in model.items_]])[0] > 0.9


def test_signed_skills_and_biases_are_recovered() -> None:
    made = simulated(n=3000)
    model = PreferenceModel(ties=False).fit(made["columns"])
    judges = model.judges().set_index("judge").sort_index()
    scores = pd.Series(model.scores_, model.items_).sort_index()
    assert kendalltau(scores, made["truth"])[0] > 0.88
    assert (judges["skill"].iloc[:4].abs() < 0.35).all()
    assert judges["skill_high"].iloc[4] < 0 < judges["skill_low"].iloc[5:].min()
    assert np.corrcoef(judges["position_bias"], made["bias"])[0, 1] > 0.95
    assert "adversarial" in {one.kind for one in model.diagnostics.findings}
    assert np.diff(model.objective).min() > -1e-5


def test_intervals_cover_simulated_scores() -> None:
    covered = []
    for seed in range(4):
        made = simulated(seed, spam=0)
        items = PreferenceModel(ties=False).fit(made["columns"]).item_scores().set_index("item").sort_index()
        truth = made["truth"] - made["truth"].mean()
        unit = (items["score"] @ truth) / (truth @ truth)  # the unit of scores is that of the mean skill
        covered.append(((items["low"] <= unit * truth) & (unit * truth <= items["high"])).mean())
    assert 0.8 < np.mean(covered) < 0.97


def test_exchanged_sides_give_mirrored_answers() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 60)
    votes = np.where(rng.random((60, 8, 2)) < 0.7, truth[:, None, None], 1 - truth[:, None, None])
    gold = np.where(np.arange(60) < 12, truth, -1)
    exchanged = 1 - votes[:, :, ::-1]
    one, other = PreferenceModel(ties=False).fit(votes), PreferenceModel(ties=False).fit(exchanged)
    assert one.scores_ == pytest.approx(-other.scores_, abs=2e-3)
    assert one.predict_proba() == pytest.approx(other.predict_proba()[:, ::-1], abs=2e-3)
    one = PreferenceModel(ties=False).fit(votes, gold=gold)
    other = PreferenceModel(ties=False).fit(exchanged, gold=np.where(gold < 0, -1, 1 - gold))
    assert one.predict_proba() == pytest.approx(other.predict_proba()[:, ::-1], abs=0.02)  # L-BFGS stops early


def test_a_comparison_of_weight_two_is_two() -> None:
    columns = simulated(n=400)["columns"]
    twice = {name: values + values for name, values in columns.items()}
    weighed = {**columns, "weight": [2.0] * 400}
    one, other = PreferenceModel(ties=False).fit(twice), PreferenceModel(ties=False).fit(weighed)
    assert one.scores_ == pytest.approx(other.scores_, abs=1e-6)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict], ids=["pandas", "polars", "mapping"])
def test_frames_and_records_are_read_alike(make: Any) -> None:
    columns = simulated(n=200)["columns"]
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = PreferenceModel(ties=False).fit(records)
    assert (PreferenceModel(ties=False).fit(make(columns)).scores_ == expected.scores_).all()


def test_shared_errors_are_warned_of_and_gold_undoes_them() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    looks = np.where(rng.random(200) < 0.4, 1 - truth, truth)  # what seven judges go by
    votes = np.stack([np.where(rng.random(200) < 0.1, 1 - looks, looks) for _ in range(7)], 1)
    good = np.stack([np.where(rng.random(200) < 0.1, 1 - truth, truth) for _ in range(2)], 1)
    votes = np.hstack([votes, good])
    with pytest.warns(UserWarning, match="about 20 pairs"):
        alone = PreferenceModel(ties=False).fit(votes)
    known = np.where(np.arange(200) < 40, truth, -1)
    helped = PreferenceModel(ties=False).fit(votes, gold=known)
    rest = np.where(known < 0, truth, -1)
    assert alone.score(rest) < 0.7
    assert helped.score(rest, metrics=["accuracy"])["accuracy"] > 0.85
    assert helped.judges()["accuracy"].iloc[7:].min() > helped.judges()["accuracy"].iloc[:7].max()
    assert "doubt" not in {one.kind for one in helped.diagnostics.findings}


def test_certainty_is_the_share_of_the_posterior_and_doubt_takes_it_back() -> None:
    sure = probability_of_better(np.array([3.0, 0.0]), np.array([0.01, 1.0]), 1.0, 0.0)
    doubted = probability_of_better(np.array([3.0, 0.0]), np.array([0.01, 1.0]), 1.0, 1.0)
    assert sure[0] > doubted[0] > 0.7
    assert sure[1] == doubted[1] == pytest.approx(0.5)


def test_items_compared_never_or_once_are_shrunk_and_told() -> None:
    columns = simulated(n=300, n_items=6)["columns"]
    rows = {"left": "once", "right": "i00", "judge": "j05", "winner": "left", "shown_first": None}
    columns = {name: [*values, rows[name]] for name, values in columns.items()}
    model = PreferenceModel(ties=False).fit(columns)
    items = model.item_scores().set_index("item")
    assert (items["high"] - items["low"]).idxmax() == "once"
    assert "'once'" in str(model.diagnostics)


def test_a_saved_model_answers_as_before(tmp_path: Any) -> None:
    made = simulated(n=300)
    gold = {"left": ["i00", "i02"], "right": ["i01", "i03"], "winner": ["left", "i03"]}
    model = PreferenceModel(seed=3).fit(made["columns"], gold=gold)
    model.save(tmp_path / "model")
    loaded = PreferenceModel.load(tmp_path / "model")
    pairs = [("i05", "i01"), ("i01", "i05"), ("i00", "i01")]
    assert (loaded.predict_proba(pairs) == model.predict_proba(pairs)).all()
    assert loaded.predict_proba(pairs).sum(1) == pytest.approx(1)
    assert loaded.predict_proba(pairs)[0, [1, 0, 2]] == pytest.approx(loaded.predict_proba(pairs)[1])
    assert loaded.get_params() == model.get_params()
    assert loaded.summary() == model.summary()
    assert model.predict_vote_proba(pairs, judge="j00", shown_first="left").shape == (3, 3)
    with pytest.raises(ModelFileError, match="not a preference model"):
        PreferenceModel.from_bytes(b"nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": ["left", "nobody"]}, "row 1, column 'winner': 'nobody'"),
        ({"left": ["a", None]}, "row 1, column 'left' is missing"),
        ({"right": ["b", "b"]}, "row 1: 'b' is compared with itself"),
        ({"winner": ["tie", "left"]}, "row 0 is a tie"),
        ({"shown_first": ["left", "x"]}, "row 1, column 'shown_first': 'x'"),
        ({"weight": [1, -1]}, "row 1, column 'weight': -1"),
        ({"judge": ["x"]}, "different lengths"),
    ],
)
def test_bad_rows_are_refused_with_their_place(change: dict[str, Any], message: str) -> None:
    columns = {"left": ["a", "b"], "right": ["b", "c"], "judge": ["x", "x"], "winner": ["left", "right"]}
    with pytest.raises(InvalidVotesError, match=message):
        PreferenceModel(ties=False).fit({**columns, **change})


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(InvalidVotesError, match="pair 1, judge 0: 3 is not"):
        PreferenceModel().fit(np.array([[0], [3]]))
    with pytest.raises(InvalidVotesError, match="no column 'judge'"):
        PreferenceModel().fit({"left": ["a"], "right": ["b"], "winner": ["a"]})
    with pytest.raises(InvalidVotesError, match="ranking 0 must hold"):
        comparisons_from_rankings([["a", "a"]])
    with pytest.raises(NotFittedError):
        PreferenceModel().predict_proba()
    with pytest.raises(InvalidArgumentError, match="no parameter"):
        PreferenceModel().set_params(nothing=1)
    model = PreferenceModel().fit(np.array([[0, 1], [2, 0]]))
    with pytest.raises(InvalidVotesError, match="row 0, column 'right': 'z' is no item"):
        model.predict_proba([("0 left", "z")])
    with pytest.raises(InvalidVotesError, match="gold has 1 outcomes, the input has 2 rows"):
        PreferenceModel().fit(np.array([[0, 1], [2, 0]]), gold=[1])
