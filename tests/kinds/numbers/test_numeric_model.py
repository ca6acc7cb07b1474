"""Numbers as votes: closed forms, independent optima, recovery, equivariance, gold, keeping."""

import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from weaklabel import NumericModel
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.kinds.numbers import settings
from weaklabel.kinds.numbers.fitting import Known, VoteArrays, before_first, run, start
from weaklabel.kinds.numbers.gold import GoldCalibration
from weaklabel.kinds.numbers.pipeline import T_SCALE, predict_numbers
from weaklabel.kinds.numbers.votes import read_numeric_votes

Triples = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def simulated(seed: int, *, items: int = 600, sources: int = 20, each: int = 5, bias: float = 0.0) -> Triples:
    """Item, source and value of votes; the truths, and the standard deviations of the sources."""
    rng = np.random.default_rng(seed)
    truth, sd = rng.normal(50, 20, items), np.exp(rng.normal(1.5, 0.6, sources))
    shift = bias * sd * rng.normal(size=sources)
    item = np.repeat(np.arange(items), each)
    source = np.concatenate([rng.choice(sources, each, replace=False) for _ in range(items)])
    value = truth[item] + shift[source] + sd[source] * rng.normal(size=len(item))
    return item, source, value, truth, sd


# ------------------------------------------------------------- closed forms


def test_with_known_sources_the_value_is_the_best_linear_unbiased_estimate() -> None:
    item, source, value, _, sd = simulated(1)
    model = NumericModel().fit(item, source, value)
    params = model.params._replace(
        scale=sd**2 / (model.params.base * model.params.spread**2), gain=np.ones(20), scatter_ratio=1.0
    )
    found = predict_numbers(read_numeric_votes(item, source, value), params, 0.0, 100, 1e-6)
    weight = 1 / sd[source] ** 2
    expected = np.bincount(item, weight * value) / np.bincount(item, weight)
    np.testing.assert_allclose(found.distribution.location, expected, atol=2e-3)
    # sources that differ are worth as many votes as the variance of one, weighted alike, holds that of the mean
    n_eff = np.bincount(item) / 1.0  # sum(w * sd^2) * sum(w) / sum(w^2 sd^2) with w = 1/sd^2
    np.testing.assert_allclose(found.effective, n_eff, rtol=1e-3)


def test_the_variance_of_sources_alike_is_that_of_random_effects_with_common_error() -> None:
    rng = np.random.default_rng(2)
    votes = rng.normal(0, 10, (300, 1)) + rng.normal(0, 2, (300, 6))
    model = NumericModel().fit(votes)
    params = model.params._replace(scale=np.ones(6), gain=np.ones(6), scatter_ratio=1.0)
    found = predict_numbers(read_numeric_votes(votes), params, 0.3, 100, 1e-6).distribution
    own = votes.var(axis=1, ddof=1)
    pooled = params.base * params.spread**2
    per_vote = (settings.SCATTER_PRIOR * pooled + 5 * own) / (settings.SCATTER_PRIOR + 5)
    np.testing.assert_allclose((found.scale / T_SCALE) ** 2, per_vote * (1 / 6 + 0.3), rtol=1e-3)
    np.testing.assert_allclose(found.location, votes.mean(axis=1), atol=1e-3)


# ------------------------------------------------------- independent optimum


def _bound(theta: Any, item: Any, source: Any, value: Any, n: int, m: int) -> float:
    """Evidence lower bound in NumPy: values, log variances, log base, log scales, log difficulties."""
    t, v, base, scale, hard = np.split(theta, [n, 2 * n, 2 * n + 1, 2 * n + 1 + m])
    variance = np.exp(base[0] + scale[source] + hard[item])
    squared = (value - t[item]) ** 2 + np.exp(v[item])
    genuine = np.log(1 - settings.GROSS_SHARE) - 0.5 * (np.log(2 * np.pi * variance) + squared / variance)
    gross = np.full(len(value), np.log(settings.GROSS_SHARE / settings.GROSS_RANGE))
    total = logsumexp([genuine, gross], axis=0).sum() + 0.5 * (np.log(2 * np.pi * np.e) + v).sum()
    for prior, log in ((settings.SOURCE_PRIOR, scale), (settings.ITEM_PRIOR, hard)):
        total -= 0.5 * prior * (log + np.exp(-log) - 1).sum()
    return float(total)


def test_em_rests_where_no_optimizer_finds_better() -> None:
    rng = np.random.default_rng(3)
    n, m = 12, 4
    matrix = rng.normal(size=(n, 1)) + rng.normal(size=(n, m)) * [0.1, 0.3, 0.5, 0.8]
    matrix[3, 1] = np.nan
    item, source = np.nonzero(~np.isnan(matrix))
    value = matrix[item, source].astype(np.float32)
    arrays = (item.astype(np.int32), source.astype(np.int32), value, np.ones(len(item), np.float32))
    votes, known = VoteArrays(*map(jnp.asarray, arrays)), Known(jnp.zeros(n), jnp.zeros(n))
    begin = start(votes, known, jnp.asarray(np.nanmedian(matrix, axis=1), jnp.float32), m)
    done = run(before_first(begin, 2000), votes, known, jnp.int32(2000), jnp.float32(1e-7), learn_sources=True)
    state = done.state
    parts = (state.value, np.log(state.variance), np.log([state.base]), np.log(state.scale), np.log(state.difficulty))
    ours = np.concatenate([np.asarray(part, np.float64) for part in parts])
    args: Any = (item, source, value.astype(np.float64), n, m)
    search: Any = minimize
    reached = _bound(ours, *args)
    assert reached == pytest.approx(float(done.objective[int(done.iteration) - 1]), abs=2e-3)
    better = search(lambda theta: -_bound(theta, *args), ours, method="L-BFGS-B", options={"maxiter": 500})
    assert -better.fun - reached < 1e-3
    away = search(lambda theta: -_bound(theta, *args), ours + 0.1 * rng.normal(size=len(ours)), method="L-BFGS-B")
    assert -away.fun - reached < 1e-2


def test_the_lower_bound_never_falls() -> None:
    item, source, value, _, _ = simulated(4)
    value[:30] *= 100
    objective = NumericModel(tol=1e-5, max_iter=1000).fit(item, source, value).objective
    assert np.diff(objective).min() > -1e-5
    assert objective[-1] > objective[0]


# ----------------------------------------------------------------- recovery


def test_scales_gains_and_their_intervals_on_simulated_truth() -> None:
    item, source, value, truth, sd = simulated(5, items=1500, each=8)
    gain = np.random.default_rng(0).uniform(0.6, 1.4, 20)
    value = value + (gain[source] - 1) * (truth[item] - 50)
    model = NumericModel().fit(item, source, value)
    table = model.sources()
    # consensus has the gain of the sources that weigh most: gains are found up to a common factor
    assert np.corrcoef(table["gain"], gain)[0, 1] > 0.97
    steady = NumericModel().fit(*simulated(5, items=1500, each=8)[:3]).sources()
    inside = (steady["scale_low"] <= sd) & (sd <= steady["scale_high"])
    assert np.abs(np.log(steady["scale"] / sd)).max() < 0.2
    assert inside.mean() >= 0.7  # of 90 %: difficulty takes a part of the noise


@pytest.mark.parametrize("seed", [6, 7])
def test_intervals_cover_where_errors_are_independent(seed: int) -> None:
    item, source, value, truth, _ = simulated(seed)
    model = NumericModel(common_error=0).fit(item, source, value)
    cover = model.score(item, truth, "coverage", source=source, value=value)
    assert 0.82 < cover < 0.95
    mean_error = np.abs(np.bincount(item, value) / 5 - truth).mean()
    assert model.score(item, truth, source=source, value=value) < 0.85 * mean_error


def test_common_error_widens_intervals_to_cover_it() -> None:
    item, source, value, truth, sd = simulated(8)
    shared = np.random.default_rng(1).normal(0, np.sqrt(0.45) * 2.5, 600)
    votes = value + shared[item]
    cover = {c: NumericModel(common_error=c).fit(item, source, votes) for c in (0.0, 0.45)}
    scores = {c: model.score(item, truth, "coverage", source=source, value=votes) for c, model in cover.items()}
    assert scores[0.0] < 0.8 < 0.85 < scores[0.45]
    assert sd.min() > 0


def test_one_wild_source_and_one_unit_error_do_no_harm() -> None:
    item, source, value, truth, _ = simulated(9)
    clean = NumericModel().fit(item, source, value).score(item, truth, source=source, value=value)
    wild = value.copy()
    wild[source == 3] = np.random.default_rng(0).normal(0, 1e6, (source == 3).sum())
    rows = np.flatnonzero(source == 5)[::4]
    wild[rows] *= 100
    model = NumericModel().fit(item, source, wild)
    assert model.score(item, truth, source=source, value=wild) < 1.15 * clean
    assert set(model.diagnostics.gross) == {"3", "5"}
    assert model.sources()["gross"]["5"] == pytest.approx(0.25, abs=0.03)
    assert "another unit" in str(model.diagnostics)


def test_a_source_in_another_unit_does_no_harm() -> None:
    item, source, value, truth, _ = simulated(20, sources=8)
    clean = NumericModel().fit(item, source, value).score(item, truth, source=source, value=value)
    other = np.where(source == 2, 1000 * value, value)
    model = NumericModel().fit(item, source, other)
    assert model.score(item, truth, source=source, value=other) < 1.3 * clean
    assert "another unit" in str(model.diagnostics)


def test_a_source_that_uses_a_part_of_the_scale_is_not_taken_for_exact() -> None:
    rng = np.random.default_rng(19)
    truth = rng.normal(50, 20, 600)
    votes = truth[:, None] + rng.normal(0, 6, (600, 5))
    votes[:, :2] = 50 + 0.3 * (truth[:, None] - 50) + rng.normal(0, 0.6, (600, 2))
    model = NumericModel().fit(votes)
    table = model.sources()
    assert (table["gain"][:2] < 0.6 * table["gain"][2:].min()).all()
    params = model.params._replace(gain=np.ones(5))
    by_scale = predict_numbers(read_numeric_votes(votes), params, 0.45, 100, 1e-5).distribution.location
    assert np.abs(model.predict(votes) - truth).mean() < 0.97 * np.abs(by_scale - truth).mean()


@pytest.mark.parametrize(
    "votes",
    [
        np.array([[3.0]]),
        np.array([[1.0], [2.0], [4.0]]),
        np.array([[1.0, 2.0, 3.0]]),
        np.array([[1.0, 2.0, 1e300], [2.0, 2.5, -1e300], [3.0, 3.5, 4.0], [5.0, 4.0, 4.5], [1.0, 1.5, 2.0]]),
    ],
)
def test_little_and_huge_input_gives_finite_intervals(votes: NDArray[np.float64]) -> None:
    model = NumericModel().fit(votes)
    assert np.isfinite(model.predict_interval(votes)).all()
    assert np.isfinite(model.sources().to_numpy()).all()
    assert model.summary()


# --------------------------------------------------------------- properties


@pytest.mark.parametrize(("factor", "offset"), [(1000.0, 0.0), (0.001, 5.0), (-3.0, 1e5)])
def test_other_units_change_the_predictions_alike(factor: float, offset: float) -> None:
    item, source, value, _, _ = simulated(10, items=600)
    model = NumericModel().fit(item, source, value)
    other = NumericModel().fit(item, source, factor * value + offset)
    before = model.predict_distribution(item, source, value)
    after = other.predict_distribution(item, source, factor * value + offset)
    np.testing.assert_allclose(after.location, factor * before.location + offset, atol=abs(factor) * 0.02)
    np.testing.assert_allclose(after.scale, abs(factor) * before.scale, rtol=5e-3)
    np.testing.assert_allclose(other.sources()["gain"], model.sources()["gain"], atol=2e-3)


def test_order_of_votes_and_names_of_items_and_sources_do_not_matter() -> None:
    item, source, value, _, _ = simulated(11, items=600)
    before = NumericModel().fit(item, source, value).predict(item, source, value)
    order = np.random.default_rng(0).permutation(len(item))
    new_item, new_source = 599 - item[order], np.array([f"s{19 - one}" for one in source[order]])
    after = NumericModel().fit(new_item, new_source, value[order]).predict(new_item, new_source, value[order])
    np.testing.assert_allclose(after[::-1], before, atol=1e-3)


def test_items_given_twice_are_predicted_twice_alike() -> None:
    item, source, value, _, _ = simulated(12, items=300)
    before = NumericModel().fit(item, source, value).predict(item, source, value)
    twice = np.concatenate([item, item + 300]), np.tile(source, 2), np.tile(value, 2)
    after = NumericModel().fit(*twice).predict(*twice)
    np.testing.assert_allclose(after[:300], after[300:], atol=1e-6)
    np.testing.assert_allclose(after[:300], before, atol=0.3)


def test_a_matrix_a_frame_and_three_arrays_are_the_same_votes() -> None:
    pd = pytest.importorskip("pandas")
    matrix = np.array([[1.0, 2.0, np.nan], [5.0, 6.0, 5.5], [9.0, np.nan, 8.0], [np.nan, 3.0, 3.5]])
    item, source = np.nonzero(~np.isnan(matrix))
    names = np.array(["source_0", "source_1", "source_2"])[source]
    long = pd.DataFrame({"worker": names, "item": item, "value": matrix[item, source]})
    expected = NumericModel().fit(matrix).predict(matrix)
    for votes in (long, pd.DataFrame(matrix), pd.DataFrame(matrix, columns=["source_0", "source_1", "source_2"])):
        np.testing.assert_allclose(NumericModel().fit(votes).predict(votes), expected, atol=1e-6)
    frame = NumericModel().fit(long).predict_frame(long)
    assert frame.index.tolist() == [0, 1, 2, 3]
    assert frame["votes"].tolist() == [2, 3, 2, 2]
    assert (frame["low"] < frame["value"]).all()


def test_an_item_without_votes_gets_the_mean_and_a_wide_interval() -> None:
    rng = np.random.default_rng(13)
    votes = rng.normal(10, 3, (50, 1)) + rng.normal(0, 0.5, (50, 4))
    votes[7] = np.nan
    model = NumericModel().fit(votes)
    predicted = model.predict_distribution(votes)
    assert predicted.location[7] == pytest.approx(np.delete(predicted.location, 7).mean(), abs=1e-3)
    assert predicted.scale[7] > 4 * np.median(predicted.scale)


def test_votes_that_all_agree_are_their_value() -> None:
    votes = np.tile(np.array([[1.0], [2.0], [2.0]]), 3)
    predicted = NumericModel().fit(votes).predict_distribution(votes)
    np.testing.assert_allclose(predicted.location, [1, 2, 2], atol=1e-5)
    assert (predicted.scale > 0).all()
    assert np.isfinite(NumericModel().fit(np.full((3, 2), 7.0)).predict_interval(np.full((3, 2), 7.0))).all()


# --------------------------------------------------------------------- gold


def test_gold_shows_what_all_sources_miss_together() -> None:
    item, source, value, truth, _ = simulated(14)
    low = value - 6
    without = NumericModel().fit(item, source, low)
    held = truth.copy()
    held[:10] = np.nan
    model = NumericModel().fit(item, source, low, gold={at: truth[at] for at in range(10)})
    assert without.score(item, held, "bias", source=source, value=low) == pytest.approx(-6, abs=0.5)
    assert abs(model.score(item, held, "bias", source=source, value=low)) < 3
    assert model.diagnostics.shared_shift > settings.SHIFT_VARIANCE
    assert "miss together" in str(model.diagnostics)


def test_gold_finds_the_shifts_of_sources() -> None:
    item, source, value, truth, _ = simulated(15, bias=3.0)
    gold = np.full(600, np.nan)
    gold[:50] = truth[:50]
    held = np.where(np.isnan(gold), truth, np.nan)
    scores = [
        NumericModel().fit(item, source, value, gold=one).score(item, held, source=source, value=value)
        for one in (None, gold)
    ]
    assert scores[1] < 0.75 * scores[0]


def test_gold_without_shifts_leaves_sources_as_they_are() -> None:
    item, source, value, truth, _ = simulated(16)
    gold = np.where(np.arange(600) < 30, truth, np.nan)
    model = NumericModel().fit(item, source, value, gold=gold)
    assert np.abs(model.params.correction).max() < 0.3
    assert abs(model.params.gold.shift) < 0.15
    assert NumericModel().fit(item, source, value).params.gold == GoldCalibration()


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.array([[1.0, np.inf]]),), "row 0, column 1 is infinite"),
        ((np.full((2, 2), np.nan),), "there is no vote"),
        ((np.array([1.0, 2.0]),), "must be a matrix"),
        (([["a", 1.0]],), "'a' at row 0, column 0"),
        (([0, 1], ["a", "b"]), "need both source and value"),
        (([0, 1], ["a", "b"], [1.0]), "as many, got 2, 2 and"),
        (([0, 1], ["a", "b"], [1.0, np.inf]), r"row 1 \(item 1, source b\) is infinite"),
        (([0, 1], ["a", None], [1.0, 2.0]), "source of row 1 is missing"),
        (([0, 1], ["a", "b"], [1.0, "x"]), "'x' at row 1"),
    ],
)
def test_votes_that_cannot_be_read_are_refused_with_their_place(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        NumericModel().fit(*arguments)


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([1.0], r"gold must be \[3\]"),
        ({9: 1.0}, "item 9, which has no votes"),
        ({0: np.inf}, "item 0 is infinite"),
        ([np.nan] * 3, "holds no value"),
        (["x", 1.0, 2.0], "'x' at row 0"),
    ],
)
def test_gold_that_does_not_fit_is_refused(gold: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        NumericModel().fit(np.arange(6.0).reshape(3, 2), gold=gold)


def test_other_misuse_is_refused() -> None:
    votes = np.arange(6.0).reshape(3, 2)
    with pytest.raises(NotFittedError, match="call fit"):
        NumericModel().predict(votes)
    with pytest.raises(InvalidArgumentError, match="common_error must be between 0 and 10"):
        NumericModel(common_error=-1)
    with pytest.raises(InvalidArgumentError, match="max_iter must be a whole number"):
        NumericModel(max_iter=0)
    model = NumericModel().fit(votes)
    with pytest.raises(InvalidVotesError, match="source 'source_2' is not among the 2"):
        model.predict(np.arange(6.0).reshape(2, 3))
    with pytest.raises(InvalidArgumentError, match="coverage must be in"):
        model.predict_interval(votes, coverage=1.0)
    with pytest.raises(InvalidArgumentError, match="metric must be one of mae"):
        model.score(votes, [1.0, 2.0, 3.0], "accuracy")
    with pytest.warns(UserWarning, match="did not converge in 1"):
        NumericModel(max_iter=1).fit(votes)


# ------------------------------------------------------------------- habits


def test_a_model_is_kept_whole(tmp_path: Any) -> None:
    item, source, value, truth, _ = simulated(17)
    model = NumericModel(common_error=0.2).fit(item, source, value, gold={0: truth[0], 5: truth[5]})
    model.save(tmp_path / "model.npz")
    loaded = NumericModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict(item, source, value), model.predict(item, source, value))
    interval = model.predict_interval(item, source, value)
    np.testing.assert_array_equal(loaded.predict_interval(item, source, value), interval)
    assert loaded.get_params() == model.get_params() == {"common_error": 0.2, "max_iter": 200, "tol": 1e-4}
    assert loaded.summary() == model.summary()
    with pytest.raises(ModelFileError, match="this is not a numeric model"):
        NumericModel.from_bytes(model.to_bytes()[:-100])
    with pytest.raises(ModelFileError):
        NumericModel.from_bytes(b"nonsense")


def test_parameters_are_set_whole_or_not_at_all() -> None:
    model = NumericModel().fit(np.arange(6.0).reshape(3, 2))
    with pytest.raises(InvalidArgumentError, match="'speed' is no parameter"):
        model.set_params(speed=1)
    assert model.__sklearn_is_fitted__()
    assert not model.set_params(common_error=0.1).__sklearn_is_fitted__()
    assert model.common_error == 0.1
    assert repr(model) == "NumericModel(not fitted)"


def test_the_table_of_sources_and_the_summary_say_what_they_hold() -> None:
    pytest.importorskip("pandas")
    item, source, value, _, sd = simulated(18)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NumericModel().fit(item, source, value)
    table = model.sources()
    assert table.index.tolist() == [str(one) for one in sorted(range(20))]
    assert (table["scale_low"] < table["scale"]).all()
    assert (table["scale"] < table["scale_high"]).all()
    assert np.average(table["weight"], weights=table["votes"]) == pytest.approx(1)
    assert table["weight"].idxmax() == str(sd.argmin())
    assert (table["correction"] == 0).all()
    assert "600 items, 20 sources, 3,000 votes, no gold" in model.summary()
