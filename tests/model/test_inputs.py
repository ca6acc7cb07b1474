"""What people pass to a model by mistake, or new to it: sources that it has not seen, wrong types, progress."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, soft
from weaklabel.analysis import effective_votes, source_summary
from weaklabel.analysis.summary import conflict, coverage, overlap
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, MissingExtraError
from weaklabel.model import FitProgress

NAMES = ("ann", "bob", "eve")
K = 3


@cache
def problem() -> tuple[Votes, NDArray[np.int64]]:
    """Votes of three sources on 300 items, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, K, 300)
    right = rng.random((300, 3)) < [0.9, 0.7, 0.6]
    votes = np.where(right, truth[:, None], rng.integers(0, K, (300, 3)))
    return Votes.from_dense(votes, K, sources=NAMES), truth


@cache
def fitted(kind: str = "votes") -> LabelModel:
    votes, truth = problem()
    if kind == "gold":
        return LabelModel(K).fit(votes, gold=np.where(np.arange(300) < 150, truth, -1))
    return LabelModel(K, source_model="one_coin" if kind == "one coin" else None).fit(votes)


def with_new(*names: str) -> Votes:
    """The same votes, and those of new sources, who agree with ann."""
    votes, _ = problem()
    new = np.repeat(votes.to_dense()[:, :1], len(names), axis=1)
    return Votes.concatenate_sources([Votes.from_dense(new, K, sources=names), votes])


# ---------------------------------------------------------------- unseen sources


@pytest.mark.parametrize("kind", ["votes", "gold", "one coin"])
def test_votes_of_new_sources_are_refused_or_left_out(kind: str) -> None:
    votes, truth = problem()
    model, new = fitted(kind), with_new("max", "liz")
    message = r"source 'max' is not known to the model \(nor are 1 others\): .*unseen=\"ignore\".*unseen=\"average\""
    with pytest.raises(InvalidVotesError, match=message) as caught:
        model.predict(new)
    assert caught.value.field == "sources"
    expected = model.predict_proba(votes)
    np.testing.assert_array_equal(model.predict_proba(new, unseen="ignore"), expected)
    np.testing.assert_array_equal(model.decision_function(new, unseen="ignore"), expected)
    labels = model.predict(votes)
    np.testing.assert_array_equal(model.predict(new, unseen="ignore"), labels)
    np.testing.assert_array_equal(model.label(new, unseen="ignore")[1], labels)
    ((_, of_chunk),) = model.predict_chunks([new], unseen="ignore")
    np.testing.assert_array_equal(of_chunk, labels)
    assert model.score(new, truth, unseen="ignore") == model.score(votes, truth)
    nobody = model.predict_proba(new.select_sources(["max"]), unseen="ignore")
    np.testing.assert_array_equal(
        nobody, model.predict_proba(Votes.from_dense(np.full((300, 3), -1), K, sources=NAMES))
    )


@pytest.mark.parametrize("kind", ["votes", "gold", "one coin"])
def test_new_sources_count_as_the_mean_of_those_that_are_known(kind: str) -> None:
    """In a model whose sources are all alike, as any of them."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, K, 4000)
    right = rng.random((4000, 6)) < 0.7
    matrix = np.where(right, truth[:, None], rng.integers(0, K, (4000, 6)))
    gold = np.where(np.arange(4000) < 2000, truth, -1) if kind == "gold" else None
    names = [f"s{m}" for m in range(6)]
    votes = Votes.from_dense(matrix, K, sources=names)
    model = LabelModel(K, source_model="one_coin" if kind == "one coin" else None).fit(votes, gold=gold)
    renamed = Votes.from_dense(matrix, K, sources=[*names[:5], "new"])
    known = model.predict_proba(votes)
    without = np.abs(model.predict_proba(renamed, unseen="ignore") - known).mean()
    assert without > 0.015
    assert np.abs(model.predict_proba(renamed, unseen="average") - known).mean() < without / 4


def test_the_mean_is_that_of_the_log_likelihoods() -> None:
    """Contributions are explained: a new source that votes as ann adds the mean of what the three would add."""
    votes, _ = problem()
    label = int(votes.to_dense()[0, 0])
    four = fitted().explain(Votes.from_dense([[label] * 4], K, sources=[*NAMES, "max"]), 0, unseen="average")
    of_new = np.asarray(four.sources[four.source_names.index("max")])
    of_known = np.asarray([four.sources[four.source_names.index(name)] for name in NAMES])
    np.testing.assert_allclose(of_new, of_known.mean(0), atol=1e-5)


def test_soft_votes_of_new_sources_count_too() -> None:
    votes = Votes.from_dense([[soft([0.8, 0.1, 0.1]), 1]], K, sources=["max", "ann"])
    both = fitted().predict_proba(votes, unseen="average")
    alone = fitted().predict_proba(votes, unseen="ignore")
    assert both[0, 0] > alone[0, 0] + 0.05
    assert both.sum() == pytest.approx(1)


def test_what_else_unseen_may_be() -> None:
    with pytest.raises(InvalidArgumentError, match="unseen must be one of 'error', 'ignore', 'average', got 'drop'"):
        fitted().predict(problem()[0], unseen="drop")  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    gold = np.where(rng.random(300) < 0.5, problem()[1], -1)
    model = LabelModel(K).fit(problem()[0], gold=gold)
    sets = model.predict_set(problem()[0])
    np.testing.assert_array_equal(model.predict_set(with_new("max"), unseen="ignore"), sets)


# ------------------------------------------------------------------- wrong types


def test_progress_is_a_bar_or_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    votes, _ = problem()
    expected = fitted().predict_proba(votes)
    np.testing.assert_array_equal(LabelModel(K).fit(votes, progress=True).predict_proba(votes), expected)
    assert "iterations" in capsys.readouterr().err
    np.testing.assert_array_equal(LabelModel(K).fit(votes, progress=False).predict_proba(votes), expected)
    assert capsys.readouterr().err == ""
    states: list[FitProgress] = []
    LabelModel(K).fit(votes, progress=states.append)
    assert states
    with pytest.raises(InvalidArgumentError, match="progress must be True for a bar, or a function"):
        LabelModel(K).fit(votes, progress="yes")  # type: ignore[arg-type]


def test_scores_take_names_of_classes() -> None:
    votes, truth = problem()
    classes = ["eggs", "ham", "spam"]
    model = LabelModel(classes=classes).fit(votes)
    expected = float((model.predict(votes) == truth).mean())
    named = pd.Series([classes[k] for k in truth], dtype="string")
    assert model.score(votes, named) == model.score(votes, truth.astype(float)) == expected
    assert model.score(votes, named.where(truth > 0)) == float((model.predict(votes) == truth)[truth > 0].mean())
    assert model.fit(votes, gold=named).score(votes, named.astype("category")) > 0.8
    np.testing.assert_array_equal(
        source_summary(votes, named, model).correct, source_summary(votes, truth, model).correct
    )
    with pytest.raises(InvalidArgumentError, match="gold of item 1 is 'fish', which is no class"):
        model.score(votes, ["ham", "fish"] + ["ham"] * 298)
    with pytest.raises(InvalidArgumentError, match="gold must be class indices, got dtype bool"):
        model.score(votes, truth > 0)


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        (sp.csr_array(np.eye(3)), r"sparse matrix .* Votes\.from_triples\(m\.row, .* matrix\.toarray\(\)"),
        (sp.coo_matrix(np.eye(3)), "sparse matrix"),
        ([0, 1, 1], r"of one source write votes\.reshape\(-1, 1\)"),
        (pd.Series([0, 1, 1]), r"votes\.to_frame\(\) of a Series"),
        ({"a": [0, 1]}, "got a dict"),
        ("votes.csv", "got the text 'votes.csv'"),
        (np.zeros((2, 2, 2)), "must be a matrix"),
        ([["ham", "spam", "ham"]], "write class indices for names"),
        (3, "must be a matrix"),
        (np.zeros((2, 3), bool), r"np\.where"),
    ],
)
def test_what_is_no_matrix_of_votes_is_refused_with_what_to_write(votes: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        LabelModel(K).fit(votes)
    with pytest.raises(InvalidVotesError, match=message):
        fitted().predict(votes)


@pytest.mark.parametrize("function", [source_summary, coverage, overlap, conflict, lambda v: effective_votes(v, [0])])
def test_arrays_are_no_votes_to_reports(function: Any) -> None:
    with pytest.raises(InvalidVotesError, match=r"got a ndarray: make them of an array by Votes\.from_dense"):
        function(problem()[0].to_dense())
    with pytest.raises(InvalidVotesError, match="Votes are expected, got a ndarray"):
        Votes.concatenate_items([problem()[0].to_dense()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("seed", "one", "seed must be a whole number, got 'one'"),
        ("seed", None, "seed must be a whole number"),
        ("max_iter", "many", "max_iter must be a whole number, got 'many'"),
        ("max_iter", 0, "max_iter must be at least 1"),
        ("tol", "small", "tol must be a number above 0, got 'small'"),
        ("sample_rows", 0.5, "sample_rows must be a whole number"),
    ],
)
def test_settings_of_a_wrong_type_are_named(argument: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        LabelModel(2, **{argument: value})
    assert caught.value.field == argument


def test_arguments_of_a_fitted_model_of_a_wrong_type_are_named() -> None:
    votes, _ = problem()
    with pytest.raises(InvalidArgumentError, match="row must be the position of an item, got 'x'"):
        fitted().explain(votes, "x")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="n must be between"):
        fitted().next_to_label(votes, "5")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="coverage must be in"):
        fitted("gold").predict_set(votes, "0.9")  # type: ignore[arg-type]
    with pytest.raises(InvalidVotesError, match="sources must be a list of names, got the text 'ann'"):
        votes.select_sources("ann")
    with pytest.raises(InvalidVotesError, match="give positions"):
        votes.vote_at("x", "ann")  # type: ignore[arg-type]


def test_features_in_one_dimension_are_a_single_feature() -> None:
    votes, truth = problem()
    column = truth + np.random.default_rng(0).normal(size=300)
    expected = LabelModel(K).fit(votes, features=column[:, None]).predict_proba(votes)
    np.testing.assert_array_equal(LabelModel(K).fit(votes, features=pd.Series(column)).predict_proba(votes), expected)
    with pytest.raises(InvalidArgumentError, match=r"write features\.reshape\(-1, 1\)"):
        LabelModel(K).fit(votes, features=column[:5])
    with pytest.raises(InvalidArgumentError, match="features must be numbers; row 0, column 0 is 'x'"):
        LabelModel(K).fit(votes, features=pd.DataFrame({"a": ["x"] * 300}, dtype="category"))


def test_a_sparse_prior_is_read() -> None:
    votes, truth = problem()
    prior = np.eye(K)[truth]
    expected = fitted().predict_proba(votes, prior=prior)
    sparse: Any = sp.csr_array(prior)
    np.testing.assert_array_equal(fitted().predict_proba(votes, prior=sparse), expected)


def test_a_missing_pandas_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="needs pandas: pip install pandas"):
        source_summary(problem()[0]).to_pandas()
