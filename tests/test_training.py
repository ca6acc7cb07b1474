"""Soft labels as training data: weights, and what scikit-learn and a loader of torch's kind make of them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from weaklabel.errors import InvalidArgumentError
from weaklabel.training import SoftLabelDataset, Weighting, confidence, expand, hard_labels

RNG = np.random.default_rng(0)
LABELS = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.7, 0.2, 0.1]])
FEATURES = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("margin", [1, 0, 0, 0.5]),
        ("entropy", [1, 1 - np.log(2) / np.log(3), 0, 1 + (LABELS[3] * np.log(LABELS[3])).sum() / np.log(3)]),
    ],
)
def test_confidence_in_closed_form(weighting: Weighting, expected: list[float]) -> None:
    np.testing.assert_allclose(confidence(LABELS, weighting), expected, atol=1e-6)


def test_rows_of_each_class_weigh_what_the_soft_label_says() -> None:
    rows = expand(FEATURES, LABELS)
    assert rows.items.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3]
    assert rows.labels.tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(rows.sample_weight, LABELS[LABELS > 0], atol=1e-6)
    np.testing.assert_array_equal(rows.features, FEATURES[rows.items])


def test_items_without_votes_and_tiny_weights_can_be_left_out() -> None:
    rows = expand(FEATURES, LABELS, voted=[True, False, False, True], least_weight=0.15)
    assert rows.items.tolist() == [0, 3, 3]
    assert rows.labels.tolist() == [0, 0, 1]
    assert expand(FEATURES, LABELS, voted=np.zeros(4, bool)).features.shape == (0, 2)


def test_hard_labels_weigh_by_confidence_and_leave_out_what_says_nothing() -> None:
    rows = hard_labels(FEATURES, LABELS, weighting="margin")
    assert rows.items.tolist() == [0, 3]
    assert rows.labels.tolist() == [0, 0]
    np.testing.assert_allclose(rows.sample_weight, [1, 0.5], atol=1e-6)


def test_features_keep_their_type() -> None:
    sparse = expand(sp.csr_array(FEATURES), LABELS).features
    assert isinstance(sparse, sp.csr_array)
    np.testing.assert_array_equal(sparse.toarray(), expand(FEATURES, LABELS).features)
    frame = expand(pd.DataFrame(FEATURES, index=[9, 8, 7, 6], columns=["a", "b"]), LABELS).features
    assert list(frame.index) == [9, 8, 8, 7, 7, 7, 6, 6, 6]
    assert hard_labels(["a", "b", "c", "d"], LABELS).features == ["a", "b", "d"]


def test_scikit_learn_on_expanded_rows_finds_the_minimum_of_soft_cross_entropy() -> None:
    n_items, n_classes = 400, 3
    features = RNG.normal(size=(n_items, 4))
    logits = features @ RNG.normal(size=(4, n_classes))
    soft = np.exp(log_softmax(logits + RNG.normal(0, 1, logits.shape), axis=1))
    rows = expand(features, soft, least_weight=0.0)
    model = LogisticRegression(C=1e6, tol=1e-8, max_iter=2000)
    model.fit(rows.features, rows.labels, sample_weight=rows.sample_weight)
    # At the minimum of -sum soft log p, predicted and given labels agree in every moment of the features.
    gap = model.predict_proba(features) - soft
    np.testing.assert_allclose(gap.mean(0), 0, atol=2e-4)
    np.testing.assert_allclose(features.T @ gap / n_items, 0, atol=2e-4)


def test_scikit_learn_learns_more_from_confident_labels() -> None:
    n_items = 3000
    truth = RNG.integers(0, 2, n_items)
    features = RNG.normal(size=(n_items, 5)) + 0.8 * truth[:, None]
    # A soft label is right with its probability; half of them say nothing, and are wrong half of the time.
    sure = np.where(RNG.random(n_items) < 0.5, 0.95, 0.5)
    shown = np.where(RNG.random(n_items) < sure, truth, 1 - truth)
    soft = np.where(np.eye(2)[shown] > 0, sure[:, None], 1 - sure[:, None])
    rows = hard_labels(features, soft)
    assert (rows.sample_weight > 0.5).all()
    assert len(rows.items) < 0.6 * n_items
    model = LogisticRegression().fit(rows.features, rows.labels, sample_weight=rows.sample_weight)
    assert model.score(features, truth) > 0.8


def test_dataset_gives_what_a_loader_of_torch_collates() -> None:
    data = SoftLabelDataset(FEATURES, LABELS, voted=[True, True, False, True], weighting="entropy")
    assert len(data) == 3
    x, label, weight = data[2]
    np.testing.assert_array_equal(x, FEATURES[3])
    np.testing.assert_allclose(label, LABELS[3], atol=1e-6)
    assert label.dtype == np.float32
    assert weight == pytest.approx(confidence(LABELS)[3])
    with pytest.raises(IndexError):
        data[3]
    texts = SoftLabelDataset(["a", "bb", "ccc", "dddd"], LABELS, transform=len)
    assert [texts[index][0] for index in range(4)] == [1, 2, 3, 4]
    frame = SoftLabelDataset(pd.DataFrame(FEATURES, index=[9, 8, 7, 6]), LABELS)
    np.testing.assert_array_equal(frame[1][0], FEATURES[1])


def test_bad_arguments_are_refused_with_their_place() -> None:
    with pytest.raises(InvalidArgumentError, match=r"row 1 is .* not probabilities"):
        confidence([[0.5, 0.5], [0.5, 0.6]])
    with pytest.raises(InvalidArgumentError, match="got shape"):
        expand(FEATURES, LABELS[0])
    with pytest.raises(InvalidArgumentError, match="features have 3 rows, soft labels 4"):
        expand(FEATURES[:3], LABELS)
    with pytest.raises(InvalidArgumentError, match="voted must be 4 times True or False"):
        expand(FEATURES, LABELS, voted=[1, 0, 1, 1])
    with pytest.raises(InvalidArgumentError, match="weighting must be"):
        confidence(LABELS, "sure")  # type: ignore[arg-type]  # refused at run time too


def test_no_framework_is_imported() -> None:
    code = (
        "import sys, weaklabel.training; print([m for m in ('torch', 'sklearn', 'jax', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
