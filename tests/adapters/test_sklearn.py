"""The manners of scikit-learn: its own checks, pipelines, searches; and what the checks would ask of votes."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, Votes, labeling_function
from weaklabel.errors import InvalidVotesError

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from weaklabel.adapters.sklearn import EXPECTED_FAILURES, VoteTransformer, WeakLabelClassifier


@pytest.fixture(scope="module")
def votes() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    matrix = np.where(rng.random((200, 4)) < 0.8, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random((200, 4)) < 0.8, matrix, -1), truth


def test_checks_of_scikit_learn_fail_only_where_they_do_not_apply() -> None:
    with np.errstate(all="ignore"):
        results = check_estimator(WeakLabelClassifier(), on_fail=None, on_skip=None)
    failed = {one["check_name"] for one in results if one["status"] == "failed"}
    passed = {one["check_name"] for one in results if one["status"] == "passed"}
    assert failed - set(EXPECTED_FAILURES) == set()
    assert set(EXPECTED_FAILURES) & passed == set()
    assert len(passed) >= 18


def test_what_the_checks_would_ask_of_votes(votes: Any) -> None:
    X, y = votes
    model: Any = WeakLabelClassifier()
    before = copy.deepcopy(model.get_params())
    assert model.fit(X) is model
    assert model.get_params() == before
    assert model.classes_.tolist() == [0, 1]
    assert model.n_features_in_ == 4
    p = model.predict_proba(X)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_array_equal(model.predict_proba(X[order]), p[order])
    np.testing.assert_allclose(np.concatenate([model.predict_proba(part) for part in np.split(X, 4)]), p, atol=1e-6)
    np.testing.assert_array_equal(model.fit(np.asfortranarray(X)).predict_proba(X), p)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), p)
    np.testing.assert_array_equal(model.predict_proba(Votes.from_dense(X, 2)), p)
    np.testing.assert_array_equal(LabelModel(2).fit(X).predict_proba(X), p)
    assert set(model.predict(np.full((9, 4), -1))) <= {0, 1}
    assert model.score(X, y) > 0.85
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    with pytest.raises(InvalidVotesError):
        model.predict(X[:, :2])


def test_known_labels_are_y(votes: Any) -> None:
    X, y = votes
    known = np.where(np.arange(200) < 50, y, -1)
    with_gold = WeakLabelClassifier().fit(X, known).predict_proba(X)
    np.testing.assert_array_equal(with_gold, LabelModel(2).fit(X, gold=known).predict_proba(X))
    unknown = WeakLabelClassifier().fit(X, np.full(200, -1)).predict_proba(X)
    np.testing.assert_array_equal(unknown, WeakLabelClassifier().fit(X).predict_proba(X))


@pytest.mark.slow
def test_a_search(votes: Any) -> None:
    X, y = votes
    search = GridSearchCV(WeakLabelClassifier(), {"random_state": [0, 1]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.85


def test_pipelines() -> None:

    @labeling_function
    def positive(x: float) -> int | None:
        return 1 if x > 0.5 else None

    @labeling_function
    def negative(x: float) -> int:
        return 0 if x < -0.5 else -1

    data = np.linspace(-2, 2, 40).tolist()
    pipeline = Pipeline([("votes", VoteTransformer([positive, negative])), ("label", WeakLabelClassifier())])
    assert pipeline.fit(data).predict([-1.0, 1.0]).tolist() == [0, 1]
    assert pipeline[0].get_feature_names_out().tolist() == ["positive", "negative"]
    end = make_pipeline(VoteTransformer([positive, negative]), LogisticRegression()).fit(data, np.array(data) > 0)
    assert end.predict([2.0]).tolist() == [True]
