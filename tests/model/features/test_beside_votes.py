"""Features beside votes, through `LabelModel`: simulated truths of which the best possible soft labels are known."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel import LabelModel


def scores(p: NDArray[np.floating], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy and NLL."""
    of_truth = np.maximum(p[np.arange(len(truth)), truth], 1e-6)
    return float((p.argmax(1) == truth).mean()), float(-np.log(of_truth).mean())


def gaussian(n_items: int, n_classes: int, distance: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features around a mean for each class, so far from 0, and the class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    means = rng.normal(size=(n_classes, 20))
    means *= distance / np.linalg.norm(means, axis=1, keepdims=True)
    return (rng.normal(size=(n_items, 20)) + means[truth]).astype(np.float32), truth


@pytest.mark.parametrize(("n_classes", "accuracy"), [(3, 0.8), pytest.param(6, 0.9, marks=pytest.mark.slow)])
def test_noisy_labels_are_better_with_features_than_labels_or_features_alone(n_classes: int, accuracy: float) -> None:
    of_both, of_features, of_labels = [], [], []
    for seed in (5, 6, 7):  # of one draw, a few items decide
        features, truth = gaussian(2000, n_classes, 3.0, seed=seed)
        rng = np.random.default_rng(seed + 1)
        wrong = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
        labels = np.where(rng.random(len(truth)) < accuracy, truth, wrong)[:, None]
        model = LabelModel(n_classes).fit(labels, features=features)
        of_both.append(scores(model.predict_proba(labels, features=features), truth))
        of_features.append(scores(model.predict_proba(features=features), truth))
        of_labels.append(float((labels[:, 0] == truth).mean()))
        assert model.source_accuracy[0] == pytest.approx(accuracy, abs=0.03)
    both, alone = np.mean(of_both, axis=0), np.mean(of_features, axis=0)
    assert both[0] > max(np.mean(of_labels), alone[0])
    assert both[1] < alone[1]
    assert both[1] < 0.12  # with the labels taken for nearly certain: .25


def keywords(seed: int) -> tuple[NDArray[np.int32], sp.csr_array, NDArray[np.int64]]:
    """Texts of 300 words, each likelier in one class; functions look for one of the first 20 and vote for its class."""
    rng = np.random.default_rng(seed)
    truth, of_word = rng.integers(0, 2, 3000), rng.integers(0, 2, 300)
    share, frequency = rng.uniform(0.7, 0.95, 300), rng.uniform(0.01, 0.04, 300)
    fits = truth[:, None] == of_word
    words = rng.random(fits.shape) < 2 * frequency * np.where(fits, share, 1 - share)
    votes = np.where(words[:, :20], of_word[:20], -1).astype(np.int32)
    return votes, sp.csr_array(words.astype(np.float32)), truth


def test_votes_that_features_hold_are_not_counted_twice() -> None:
    votes, features, truth = keywords(0)
    model = LabelModel(2).fit(votes, features=features)
    assert model._fitted.features is not None
    assert model._fitted.features.votes_power == pytest.approx(0.15, abs=0.05)
    twice = LabelModel(2)
    twice._settings = twice._settings._replace(feature_overlap=0.0)
    twice.fit(votes, features=features)
    covered = (votes >= 0).any(1)
    found, before = (scores(m.predict_proba(votes, features=features)[covered], truth[covered]) for m in (model, twice))
    assert found[1] < before[1] - 0.02
    assert found[0] > before[0] - 0.01
    again = LabelModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(
        again.predict_proba(votes, features=features), model.predict_proba(votes, features=features)
    )


def test_votes_of_sources_that_use_all_classes_keep_their_weight() -> None:
    features, truth = gaussian(2000, 2, 1.5, seed=7)
    rng = np.random.default_rng(8)
    votes = np.where(rng.random((2000, 5)) < 0.8, truth[:, None], 1 - truth[:, None])
    model = LabelModel(2).fit(votes, features=features)
    assert model._fitted.features is not None
    assert model._fitted.features.votes_power == pytest.approx(1)
