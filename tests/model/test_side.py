"""Side information: beliefs, gold that may be wrong, groups, bounds and features, in fits and predictions."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.em.e_step import e_step
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.labels.groups import group_prior
from weaklabel.model.labels.information import RowInformation
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.numerics.jax_settings import own_settings, under_own_settings
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.model.params import Params
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.records import Profile, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.side_information.bags import class_counts
from weaklabel.side_information.items import read_items

K, N_ITEMS, N_SOURCES = 3, 900, 6
Real = NDArray[np.float64]


@cache
def problem(seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes of six independent sources, .55 right, each on two items of three; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(K, N_ITEMS, p=[0.5, 0.3, 0.2])
    return votes_on(truth, rng), truth


def votes_on(truth: NDArray[np.int64], rng: np.random.Generator, accuracy: float = 0.55) -> NDArray[np.int64]:
    shape = (len(truth), N_SOURCES)
    wrong = (truth[:, None] + rng.integers(1, K, shape)) % K
    votes = np.where(rng.random(shape) < accuracy, truth[:, None], wrong)
    return np.where(rng.random(shape) < 2 / 3, votes, -1)


@cache
def plain() -> LabelModel:
    return LabelModel(K).fit(problem()[0])


def nothing() -> Real:
    return np.full((N_ITEMS, K), np.nan)


def nll(p: NDArray[Any], truth: NDArray[Any]) -> float:
    return -float(np.log(p[np.arange(len(truth)), truth]).mean())


# -------------------------------------------------------------- beliefs, gold


def test_a_belief_stands_in_place_of_the_class_balance() -> None:
    """Bayes by hand, with given parameters: of a belief, and of none."""
    matrix = np.array([[0, 1], [2, 2], [1, -1], [0, 1]])
    rng = np.random.default_rng(0)
    confusion, balance = rng.dirichlet(np.ones(K), (2, K)).swapaxes(1, 2), np.array([0.6, 0.3, 0.1])
    belief = np.array([[0.2, 0.5, 0.3], [np.nan] * 3, [1 / 3] * 3, [np.nan] * 3])
    votes = Votes.from_dense(matrix, K)
    expected = np.where(np.isnan(belief), balance, belief)
    for i, m in zip(*np.nonzero(matrix >= 0), strict=True):
        expected[i] *= confusion[m, matrix[i, m]]
    expected /= expected.sum(1, keepdims=True)

    n_rows = bucket(4)
    with own_settings():
        items = to_device(np.ones(4, np.float32), n_rows)
        information = RowInformation.of(read_items(votes, prior=belief), n_rows)
        assert information is not None
        rows = information.attach(build_rows(RowVotes(lay_out(votes)), items, 2, K, 0.5), items, 0.0)
        labels = ClassPrior(single(np.log(balance)), single(balance))
        params = Params(ConfusionMatrices(single(confusion), single(np.log(confusion))), labels)
        found = np.asarray(jax.jit(e_step)(rows, params).responsibilities)
    np.testing.assert_allclose(found[:4], expected, atol=1e-5)


def test_no_belief_is_none() -> None:
    votes, _ = problem()
    model = LabelModel(K).fit(votes, prior=nothing())
    np.testing.assert_allclose(model.predict_proba(votes, prior=nothing()), plain().predict_proba(votes), atol=5e-3)
    np.testing.assert_allclose(model.source_accuracy, plain().source_accuracy, atol=1e-3)


def test_beliefs_that_know_something_help_on_items_with_votes_and_without() -> None:
    votes, truth = problem()
    matrix, belief = votes.copy(), nothing()
    matrix[:100] = -1
    rng = np.random.default_rng(1)
    told = np.where(rng.random(N_ITEMS) < 0.8, truth, (truth + rng.integers(1, K, N_ITEMS)) % K)
    half = np.arange(N_ITEMS) % 2 == 0
    belief[half] = 0.1 + 0.7 * np.eye(K)[told[half]]
    model = LabelModel(K).fit(matrix, prior=belief)
    p, bare = model.predict_proba(matrix, prior=belief), plain().predict_proba(matrix)
    assert nll(p[half], truth[half]) < nll(bare[half], truth[half]) - 0.2
    np.testing.assert_allclose(p[:100][half[:100]], belief[:100][half[:100]], atol=1e-5)
    np.testing.assert_allclose(p[:100][~half[:100]], 1 / K, atol=1e-6)
    called = model.predict(matrix, prior=belief)
    np.testing.assert_array_equal(called[:100][half[:100]], told[:100][half[:100]])
    assert nll(p[~half], truth[~half]) < nll(bare[~half], truth[~half]) + 0.03


def test_gold_that_is_hardly_ever_wrong_is_nearly_gold() -> None:
    votes, truth = problem()
    gold = np.where(np.arange(N_ITEMS) % 5 == 0, truth, -1)
    certain, *doubtful = (
        LabelModel(K).fit(votes, gold=gold, gold_error=error).predict_proba(votes) for error in (0.0, 0.3, 1e-4)
    )
    away = [float(np.abs(p - certain).max()) for p in doubtful]
    assert away[1] < 0.01
    assert away[0] > 0.05


def test_certain_gold_says_more_than_doubtful_gold() -> None:
    votes, truth = problem()
    gold = np.where(np.arange(N_ITEMS) % 3 == 0, truth, -1)
    sharp = LabelModel(K).fit(votes, gold=gold)
    doubtful = LabelModel(K).fit(votes, gold=gold, gold_error=0.6, prior=nothing())
    right = np.array([(votes[votes[:, m] >= 0, m] == truth[votes[:, m] >= 0]).mean() for m in range(N_SOURCES)])
    errors = [np.abs(model.source_accuracy - right).mean() for model in (sharp, doubtful, plain())]
    assert errors[0] < min(errors[1:])


# --------------------------------------------------------------------- groups


def profile_of(n_groups: int) -> Profile:
    ones = jnp.ones(N_SOURCES)
    log_balance = jnp.log(jnp.asarray([0.5, 0.3, 0.2]))
    return Profile(
        confusion_mass=jnp.asarray(8.0),
        error_mass=jnp.asarray(4.0),
        vote_counts=jnp.ones((N_SOURCES, K)),
        n_votes=ones,
        unipolarity=0 * ones,
        independence=ones,
        log_share_balance=log_balance,
        log_share_balance_of_groups=jnp.tile(log_balance[None], (n_groups, 1)),
    )


@under_own_settings
def test_one_group_is_no_group_and_small_ones_are_like_all() -> None:
    settings = Settings()
    totals, small = np.array([50.0, 30, 20]), np.array([3.0, 0, 0])
    group_totals = jnp.asarray(np.stack([totals, small, 0 * small]), jnp.float32)
    of_group, shift = group_prior(group_totals, jnp.asarray(totals, jnp.float32), profile_of(3), settings)
    balance = totals / totals.sum()
    expected = np.stack([totals, small, 0 * small]) + settings.group_mass * balance
    assert of_group is not None
    np.testing.assert_allclose(of_group, expected, rtol=1e-5)
    log_ratio = np.log(expected / expected.sum(1, keepdims=True)) - np.log(balance)
    assert shift is not None
    np.testing.assert_allclose(shift, log_ratio, atol=1e-5)
    np.testing.assert_allclose(shift[0], 0, atol=1e-5)
    np.testing.assert_allclose(shift[2], 0, atol=1e-5)


def test_label_shift_is_recovered() -> None:
    """Groups whose balances differ, sources that are alike in all: L1 errors far below those of one balance."""
    rng = np.random.default_rng(2)
    balances = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    groups = np.repeat(np.arange(3), N_ITEMS // 3)
    truth = np.array([rng.choice(K, p=balances[g]) for g in groups])
    votes, names = votes_on(truth, rng), np.array(["c", "a", "b"])[groups]
    model = LabelModel(K).fit(votes, groups=names)
    assert model.group_names == ("a", "b", "c")
    assert model.group_balance is not None
    drawn = np.stack([np.bincount(truth[names == name], minlength=K) / (names == name).sum() for name in "abc"])
    apart = np.abs(model.group_balance - drawn).sum(1).mean()
    alone = LabelModel(K).fit(votes)
    together = np.abs(alone.class_balance - drawn).sum(1).mean()
    assert apart < 0.35 * together
    p, bare = model.predict_proba(votes, groups=names), alone.predict_proba(votes)
    assert nll(p, truth) < nll(bare, truth) - 0.05
    assert (p.argmax(1) == truth).mean() > (bare.argmax(1) == truth).mean() + 0.02
    # A group that the fit has not seen has the balance of all.
    new = model.predict_proba(votes, groups=np.full(N_ITEMS, "new"))
    np.testing.assert_allclose(new, model.predict_proba(votes), atol=1e-5)

    again = LabelModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(again.predict_proba(votes, groups=names), p)
    assert again.group_names == model.group_names
    np.testing.assert_array_equal(again.group_balance, model.group_balance)


# --------------------------------------------------------------------- bounds


def test_bounds_hold() -> None:
    votes, _ = problem()
    bounds = {"source_0": (0.65, 0.7), "source_3": (0.0, 0.45), "source_4": (0.3, 1.0)}
    names = [f"source_{m}" for m in range(N_SOURCES)]
    assert plain().source_names == tuple(names)
    model = LabelModel(K).fit(votes, bounds=bounds)
    for name, (low, high) in bounds.items():
        assert low - 1e-6 <= model.source_accuracy[names.index(name)] <= high + 1e-6
    np.testing.assert_allclose(model.source_accuracy[[1, 2, 4, 5]], plain().source_accuracy[[1, 2, 4, 5]], atol=0.06)
    # A vote of the source that is held to be good outweighs one of the other.
    apart = np.full((2, N_SOURCES), -1)
    apart[:, [0, 3]] = [[0, 1], [1, 0]]
    assert model.predict_proba(apart).argmax(1).tolist() == [0, 1]


# ------------------------------------------------------------------- features


@cache
def with_features() -> tuple[NDArray[np.float32], LabelModel]:
    votes, truth = problem()
    rng = np.random.default_rng(3)
    features = np.hstack([np.eye(K)[truth] + rng.normal(0, 0.7, (N_ITEMS, K)), rng.normal(size=(N_ITEMS, 5))])
    matrix = features.astype(np.float32)
    return matrix, LabelModel(K).fit(votes, features=matrix)


def test_features_join_the_votes_and_speak_alone() -> None:
    votes, truth = problem()
    features, model = with_features()
    bare = plain().predict_proba(votes)
    p = model.predict_proba(votes, features=features)
    assert model.feature_strength is not None
    assert model.feature_strength > 0.5
    assert nll(p, truth) < nll(bare, truth) - 0.1
    assert (p.argmax(1) == truth).mean() > (bare.argmax(1) == truth).mean() + 0.02
    alone = model.predict_proba(features=features)
    assert (alone.argmax(1) == truth).mean() > 0.65
    np.testing.assert_array_equal(alone, model.predict_proba(np.full_like(votes, -1), features=features))
    sparse = model.predict_proba(votes, features=sp.csr_array(features))
    np.testing.assert_allclose(sparse, p, atol=1e-4)
    again = LabelModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(again.predict_proba(votes, features=features), p)
    # Without them, votes speak alone.
    assert (model.predict_proba(votes).argmax(1) == truth).mean() > (bare.argmax(1) == truth).mean() - 0.02


def test_useless_features_change_little() -> None:
    votes, _ = problem()
    features = np.random.default_rng(4).normal(size=(N_ITEMS, 8)).astype(np.float32)
    model = LabelModel(K).fit(votes, features=features)
    assert model.feature_strength == pytest.approx(0, abs=0.05)
    p = model.predict_proba(votes, features=features)
    np.testing.assert_allclose(p, plain().predict_proba(votes), atol=0.02)


# --------------------------------------------------------------------- errors


def test_the_same_side_information_gives_the_same_bits() -> None:
    votes, _ = problem()
    features, model = with_features()
    assert LabelModel(K).fit(votes, features=features).to_bytes() == model.to_bytes()


BAD: list[tuple[str, Any, str]] = [
    ("prior", np.full((N_ITEMS, K + 1), 0.25), "must be .items, classes."),
    ("prior", np.full((N_ITEMS, K), 0.5), "prior of item 0"),
    ("prior", np.full((N_ITEMS, K), [1.5, -0.5, 0]), "prior of item 0"),
    ("prior", np.full((N_ITEMS, K), [np.nan, 0.5, 0.5]), "prior of item 0"),
    ("gold", np.zeros(3, int), "gold"),
    ("gold", np.full(N_ITEMS, K), "gold"),
    ("groups", np.zeros(3, int), "groups must hold a name or a number"),
    ("groups", np.zeros(N_ITEMS), "groups must hold a name or a number"),
    ("bounds", {"nobody": (0.1, 0.9)}, "no source 'nobody'"),
    ("bounds", {"source_0": (0.9, 0.1)}, "low <= high"),
    ("bounds", {"source_0": (0.1,)}, "two numbers"),
    ("features", np.zeros((3, 2)), r"features must be \[900, dimensions\]"),
    ("features", np.zeros((N_ITEMS, 0)), "features must be"),
    ("features", np.full((N_ITEMS, 2), np.nan), "not finite"),
    ("features", np.full((N_ITEMS, 2), "x"), "must be numbers"),
    ("bags", class_counts([[2, 1, 0]], [[0, 1, N_ITEMS]]), "bag"),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD, ids=[f"{f}-{i}" for i, (f, _, _) in enumerate(BAD)])
def test_what_does_not_fit_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        LabelModel(K).fit(problem()[0], **{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("error", [-0.1, 1.0, np.nan, np.zeros(3)])
def test_a_gold_error_is_a_probability(error: Any) -> None:
    votes, truth = problem()
    with pytest.raises(InvalidArgumentError, match="gold_error") as caught:
        LabelModel(K).fit(votes, gold=truth, gold_error=error)
    assert caught.value.field == "gold_error"


@pytest.mark.parametrize(
    ("field", "value"),
    [("groups", np.zeros(N_ITEMS, int)), ("features", np.zeros((N_ITEMS, 2))), ("gold", np.zeros(N_ITEMS, int))],
)
def test_a_prediction_knows_what_the_fit_knew(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        plain().predict_proba(problem()[0], **{field: value})
    assert caught.value.field == field


def test_features_have_the_width_of_the_fit() -> None:
    features, model = with_features()
    with pytest.raises(InvalidArgumentError, match="fitted with 8 features, got 7") as caught:
        model.predict_proba(features=features[:, 1:])
    assert caught.value.field == "features"
    with pytest.raises(InvalidArgumentError, match="votes are needed") as caught:
        model.predict_proba()
    assert caught.value.field == "votes"
