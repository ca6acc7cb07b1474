"""What people do with imprecise votes and side information that is easily forgotten: odd inputs, odd combinations."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, class_counts, none_of, not_, one_of, soft
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

K, N_ITEMS = 3, 120
SOURCES = ["a", "b", "c", "d"]


@cache
def problem() -> tuple[Votes, NDArray[np.int64]]:
    """Plain votes, sets, complements and soft votes of four sources, right in most of them; and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, K, N_ITEMS)
    plain = np.where(rng.random((N_ITEMS, 4)) < 0.75, truth[:, None], rng.integers(0, K, (N_ITEMS, 4)))
    cells: list[list[Any]] = plain.tolist()
    for row in cells:
        row[1] = one_of(row[1], (row[1] + 1) % K)
        row[2] = not_((row[2] + 1) % K) if rng.random() < 0.5 else row[2]
        row[3] = soft(rng.dirichlet(1 + 4 * (np.arange(K) == row[3])))
    return Votes.from_dense(cells, K, sources=SOURCES, items=[f"i{n}" for n in range(N_ITEMS)]), truth


@cache
def fitted() -> LabelModel:
    return LabelModel(K).fit(problem()[0])


def test_bags_name_items_by_id_at_prediction_too() -> None:
    """Also where sources are missing, and where the model has not seen the sets."""
    votes, _ = problem()
    bag = class_counts([0, 0, 2], items=["i0", "i1"])
    by_position = class_counts([0, 0, 2], items=[0, 1])
    expected = fitted().predict_proba(votes.select_sources(["d", "b"]), bags=by_position)
    np.testing.assert_array_equal(fitted().predict_proba(votes.select_sources(["d", "b"]), bags=bag), expected)
    assert (expected[:2].argmax(1) == 2).all()
    plain = LabelModel(K).fit(Votes.from_dense(np.tile(problem()[1][:, None], 4), K, sources=SOURCES))
    assert (plain.predict_proba(votes, bags=bag)[:2].argmax(1) == 2).all()


def test_plain_votes_read_beside_others_are_the_same_dense_and_sparse() -> None:
    """A model of sets reads plain votes with a belief: no code of a set is in them."""
    _, truth = problem()
    matrix = np.where(np.arange(4)[None] < 2, truth[:, None], -1)
    dense = Votes.from_dense(matrix, K, sources=SOURCES)
    rows, columns = np.nonzero(matrix >= 0)
    many = Votes.from_triples(
        rows, columns, matrix[rows, columns], n_classes=K, n_items=20 * N_ITEMS, n_sources=4, source_names=SOURCES
    )
    prior = np.full((20 * N_ITEMS, K), np.nan)
    prior[0] = [0.8, 0.1, 0.1]
    expected = fitted().predict_proba(dense, prior=prior[:N_ITEMS])
    np.testing.assert_allclose(fitted().predict_proba(many, prior=prior)[:N_ITEMS], expected, atol=1e-6)
    np.testing.assert_allclose(expected[1:], fitted().predict_proba(dense)[1:], atol=1e-6)


def test_gold_that_may_be_wrong_does_not_contradict_a_bag() -> None:
    votes, truth = problem()
    bag = none_of(int(truth[0]), items=[0, 1])
    model = LabelModel(K).fit(votes, gold=truth, gold_error=0.1, bags=bag)
    assert np.isfinite(model.predict_proba(votes, bags=bag)).all()
    with pytest.raises(InvalidArgumentError, match="contradict"):
        LabelModel(K).fit(votes, gold=truth, bags=bag)


def test_votes_that_are_all_sets_count_as_votes_in_the_diagnostics() -> None:
    """The truth is no class that all of a row's sets allow on a few items only."""
    _, truth = problem()
    rng = np.random.default_rng(1)
    cells = [[not_(int(k + 1 + rng.integers(2)) % K) for _ in range(4)] for k in truth]
    found = LabelModel(K).fit(Votes.from_dense(cells, K)).diagnostics
    assert found.joint_items == N_ITEMS
    assert not any(finding.kind == "coverage" for finding in found.findings)


def test_items_without_votes_are_not_called_uniform_where_features_speak() -> None:
    _, truth = problem()
    rng = np.random.default_rng(2)
    features = np.eye(K)[truth] + rng.normal(0, 0.3, (N_ITEMS, K))
    silent = Votes.from_dense(np.full((N_ITEMS, 2), -1), K)
    model = LabelModel(K).fit(silent, gold=np.where(np.arange(N_ITEMS) < 60, truth, -1), features=features)
    assert model.score(silent, truth, features=features) > 0.8


def test_no_items_are_no_error() -> None:
    none = problem()[0].select_items(np.arange(0))
    model = LabelModel(K).fit(none, features=np.ones((0, 2)), groups=[], prior=np.ones((0, K)))
    assert model.predict_proba(none).shape == (0, K)


def test_one_accuracy_a_source_explains_no_sets() -> None:
    wide = LabelModel(1100).fit(np.tile([[0, 1, 2]], (30, 1)))
    votes = Votes.from_dense([[one_of(0, 1), 2, -1]], n_classes=1100)
    for read in (wide.predict_proba, lambda new: wide.explain(new, 0)):
        with pytest.raises(InvalidVotesError, match="one accuracy per source"):
            read(votes)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("prior", [["x"] * K] * N_ITEMS, "prior must hold numbers"),
        ("prior", [[1, 0], [1]], "prior must hold numbers"),
        ("gold_error", "x", "gold_error must hold numbers"),
        ("gold_error", 0.1, "gold is needed"),
        ("groups", ["a", None] * (N_ITEMS // 2), "item 1 has none"),
        ("bounds", [(0.8, 0.9)] * 4, "by the name of the source"),
        ("families", ["one"] * 4, "by the name of the source"),
        ("features", np.full((N_ITEMS, 2), 1e300), "too large for float32"),
        ("features", np.full((N_ITEMS, 2), 1j), "real numbers"),
    ],
)
def test_what_cannot_be_read_is_named(argument: str, value: Any, message: str) -> None:
    votes, _ = problem()
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        LabelModel(K).fit(votes, **{argument: value})
    assert caught.value.field == argument
