"""The end model and its guard: against scikit-learn, enumeration and simulation; noise must change nothing."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.linear_model import LogisticRegression

from weaklabel.model.features import classifier
from weaklabel.model.features.classifier import ClassifierSettings, CrossFit
from weaklabel.model.features.end_model import FeatureFit, fit_features
from weaklabel.model.features.evidence import Evidence, balance, by_item, draw_folds, relative_evidence
from weaklabel.model.features.scaling import fit_scaling, scaled
from weaklabel.model.numerics.padding import rounded_up

CERTAIN = -30.0
"""Log-likelihood of votes in a class that they rule out."""


def problem(
    n_items: int, n_features: int, n_classes: int, *, signal: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gaussian features around a mean for each class, and the class.

    About 1,000 items of up to 8 features and 3 classes share one program to compile, about 2,000 of 10 another.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    centres = signal * rng.normal(size=(n_classes, n_features))
    return (rng.normal(size=(n_items, n_features)) + centres[truth]).astype(np.float32), truth


def known(truth: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """Evidence that leaves one class."""
    return np.where(np.eye(n_classes)[truth] > 0, 0, CERTAIN).astype(np.float32)


def sources(truth: NDArray[np.int64], n_classes: int, accuracies: list[float], seed: int) -> NDArray[np.float32]:
    """Evidence of independent sources of known accuracy."""
    rng = np.random.default_rng(seed)
    evidence = np.zeros((len(truth), n_classes))
    for accuracy in accuracies:
        wrong = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
        shown = np.where(rng.random(len(truth)) < accuracy, truth, wrong)
        evidence += np.log(np.where(np.eye(n_classes)[shown] > 0, accuracy, (1 - accuracy) / (n_classes - 1)))
    return evidence.astype(np.float32)


def held_by_item(evidence: NDArray[np.float32], weight: NDArray[np.float32], seed: int) -> Evidence:
    """Five folds of items."""
    return by_item(evidence, weight, draw_folds(len(weight), seed))


def cross_fit(
    features: Any,
    evidence: NDArray[np.float32],
    weight: NDArray[np.float32],
    settings: ClassifierSettings,
    *,
    seed: int,
) -> CrossFit:
    """With folds of items."""
    return classifier.cross_fit(features, held_by_item(evidence, weight, seed), settings, seed=seed)


def nll(log_p: NDArray[Any], truth: NDArray[np.int64]) -> float:
    return float(-log_softmax(log_p, axis=1)[np.arange(len(truth)), truth].mean())


# ---------------------------------------------------------------- the end model


def test_known_labels_give_the_logistic_regression_of_scikit_learn() -> None:
    features, truth = problem(1500, 6, 3, signal=0.5)
    settings = ClassifierSettings(weight_decays=(1.0,), steps=2000, batch_rows=512)
    fitted = cross_fit(features, known(truth, 3), np.ones(1500, np.float32), settings, seed=0)
    rows = scaled(features, fitted.classifier.scaling)
    expected = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(rows, truth).predict_proba(rows)
    assert np.abs(np.exp(fitted.classifier.log_proba(features)) - expected).max() < 0.03


def test_candidate_sets_are_disambiguated_nearly_as_well_as_by_known_labels() -> None:
    features, truth = problem(2000, 10, 5, signal=0.7)
    rng = np.random.default_rng(1)
    sets = (np.eye(5)[truth] > 0) | (rng.random((2000, 5)) < 0.4)
    evidence = np.log(sets + 1e-3).astype(np.float32)
    weight = np.ones(2000, np.float32)
    by_sets = cross_fit(features, evidence, weight, ClassifierSettings(), seed=0)
    by_labels = cross_fit(features, known(truth, 5), weight, ClassifierSettings(), seed=0)
    alone = (by_sets.out_of_fold.argmax(1) == truth).mean()
    assert alone > (by_labels.out_of_fold.argmax(1) == truth).mean() - 0.03
    inside = ((by_sets.out_of_fold + evidence).argmax(1) == truth).mean()
    assert inside > alone + 0.02
    assert inside > 0.9


def test_a_hidden_layer_learns_what_a_linear_model_cannot() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 2)).astype(np.float32)
    truth = ((features[:, 0] > 0) ^ (features[:, 1] > 0)).astype(np.int64)
    accuracy = {}
    for hidden in (0, 16):
        fitted = cross_fit(
            features,
            known(truth, 2),
            np.ones(2000, np.float32),
            ClassifierSettings(hidden=hidden, weight_decays=(1.0,)),
            seed=0,
        )
        accuracy[hidden] = (fitted.out_of_fold.argmax(1) == truth).mean()
        assert fitted.classifier.network[0].weight.shape == (5, 2, hidden or 2)
    assert accuracy[0] < 0.65
    assert accuracy[16] > 0.92


def test_no_item_leaks_into_its_own_prediction() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 600)).astype(np.float32)
    truth = rng.integers(0, 2, 300)
    fitted = cross_fit(
        features, known(truth, 2), np.ones(300, np.float32), ClassifierSettings(weight_decays=(0.01,)), seed=0
    )
    assert (fitted.classifier.log_proba(features).argmax(1) == truth).mean() > 0.9
    assert abs((fitted.out_of_fold.argmax(1) == truth).mean() - 0.5) < 0.09  # 3 standard deviations


def test_held_out_likelihood_is_that_of_the_out_of_fold_predictions() -> None:
    features, truth = problem(1000, 5, 3)
    evidence = sources(truth, 3, [0.7, 0.8], 1)
    fitted = cross_fit(features, evidence, np.ones(1000, np.float32), ClassifierSettings(), seed=0)
    reached = logsumexp(fitted.out_of_fold + evidence, axis=1).mean()
    assert fitted.held_out.max() == pytest.approx(reached, abs=0.01)
    assert reached > logsumexp(np.log(1 / 3) + evidence, axis=1).mean() + 0.1


def test_items_without_weight_are_predicted_and_not_learned_from() -> None:
    features, truth = problem(1000, 5, 3)
    evidence = known(truth, 3)
    weight = (np.arange(1000) % 2 == 0).astype(np.float32)
    garbage = evidence.copy()
    garbage[weight == 0] = known((truth[weight == 0] + 1) % 3, 3)
    one, other = (cross_fit(features, told, weight, ClassifierSettings(), seed=0) for told in (evidence, garbage))
    np.testing.assert_array_equal(one.out_of_fold, other.out_of_fold)
    assert (one.out_of_fold.argmax(1) == truth)[weight == 0].mean() > 0.8


def test_a_weight_counts_like_copies_of_the_item() -> None:
    features, truth = problem(600, 4, 3, signal=0.5)
    weight = np.where(np.arange(600) < 100, 4, 1).astype(np.float32)
    repeated = np.repeat(np.arange(600), weight.astype(int))
    evidence = known(truth, 3)
    settings = ClassifierSettings(weight_decays=(1.0,), steps=2000, batch_rows=512)
    weighted = cross_fit(features, evidence, weight, settings, seed=0).classifier
    copied = cross_fit(
        features[repeated], evidence[repeated], np.ones(len(repeated), np.float32), settings, seed=0
    ).classifier._replace(scaling=weighted.scaling)
    plain = cross_fit(features, evidence, np.ones(600, np.float32), settings, seed=0).classifier
    distance = [
        np.abs(np.exp(one.log_proba(features)) - np.exp(weighted.log_proba(features))).mean() for one in (copied, plain)
    ]
    assert distance[0] < 0.03
    assert distance[0] < distance[1]


def test_the_same_seed_gives_the_same_bits() -> None:
    features, truth = problem(1000, 5, 3)
    evidence, weight = known(truth, 3), np.ones(1000, np.float32)
    first, again, other = (
        cross_fit(features, evidence, weight, ClassifierSettings(), seed=seed).out_of_fold for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_sizes_alike_share_one_compilation(caplog: pytest.LogCaptureFixture) -> None:
    features, truth = problem(1020, 8, 3)
    evidence, weight = known(truth, 3), np.ones(1020, np.float32)
    cross_fit(features, evidence, weight, ClassifierSettings(), seed=0)
    jax.config.update("jax_log_compiles", True)
    try:
        cross_fit(features[:990, :7], evidence[:990], weight[:990], ClassifierSettings(), seed=0)
    finally:
        jax.config.update("jax_log_compiles", False)
    assert not [record for record in caplog.records if "_train" in record.getMessage()]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 100, 5000, 12345])
def test_padding_wastes_a_quarter_at_most(size: int) -> None:
    assert size <= rounded_up(size) <= size + max(7, size / 4)
    assert rounded_up(rounded_up(size)) == rounded_up(size)


# -------------------------------------------------------------------- scaling


def test_sparse_and_dense_rows_train_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    cells = sp.csr_array(sp.random_array((900, 40), density=0.2, rng=rng, dtype=np.float32))
    truth = np.asarray(cells[:, [0, 1, 2, 3, 4, 5, 6, 7]].sum(1)).ravel() > 0.8
    evidence, weight = known(truth.astype(np.int64), 2), np.ones(900, np.float32)
    of_sparse = fit_scaling(cells, weight)
    sparse = cross_fit(cells, evidence, weight, ClassifierSettings(), seed=0)
    monkeypatch.setattr(classifier, "fit_scaling", lambda *_: of_sparse)
    dense = cross_fit(cells.toarray(), evidence, weight, ClassifierSettings(), seed=0)
    np.testing.assert_allclose(sparse.out_of_fold, dense.out_of_fold, atol=1e-3)
    assert (sparse.out_of_fold.argmax(1) == truth).mean() > 0.8


def test_dense_features_become_z_scores_of_rows_about_equally_long() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(500, 50)) * np.logspace(-3, 5, 50) + 7).astype(np.float32)
    features[:, 3] = 4.2
    features[0] *= 1e3
    weight = np.ones(500, np.float32)
    weight[0] = 0  # an outlier that scaling does not see
    rows = np.asarray(scaled(features, fit_scaling(features, weight)))
    assert (rows[:, 3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 7, rtol=0.03)  # sqrt(49 columns that vary)
    assert np.isfinite(rows).all()


def test_a_single_feature_keeps_its_order() -> None:
    features = np.random.default_rng(0).standard_cauchy((200, 1)).astype(np.float32)
    rows = np.asarray(scaled(features, fit_scaling(features, np.ones(200, np.float32))))
    assert (np.diff(rows[np.argsort(features[:, 0]), 0]) >= 0).all()
    assert len(np.unique(rows)) > 190


def test_sparse_features_stay_sparse_and_tf_idf_keeps_its_proportions() -> None:
    rng = np.random.default_rng(0)
    cells = sp.csr_array(sp.random_array((100, 30), density=0.3, rng=rng, dtype=np.float32))
    scaling = fit_scaling(cells, np.ones(100, np.float32))
    rows = scaled(cells, scaling)
    assert isinstance(rows, sp.csr_array)
    assert rows.nnz == cells.nnz
    before, after = cells.toarray(), rows.toarray()
    factors = after[before > 0] / before[before > 0]
    row_of = np.nonzero(before > 0)[0]
    for row in range(100):
        assert np.ptp(factors[row_of == row]) < 1e-5
    counts = sp.csr_array(cells * np.where(np.arange(30) == 4, 1e6, 1)[None, :]).astype(np.float32)
    columns = sp.csr_array(scaled(counts, fit_scaling(counts, np.ones(100, np.float32)))).toarray()
    assert 0.2 < columns[:, 4].max() / columns.max() <= 1


# ------------------------------------------------------------------ the guard


def fit(features: Any, evidence: NDArray[np.float32], seed: int = 0) -> FeatureFit:
    return fit_features(features, held_by_item(evidence, np.ones(len(evidence), np.float32), seed), seed=seed)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["noise", "permuted", "sparse", "wide", "constant"])
def test_useless_features_change_little(kind: str, seed: int) -> None:
    features, truth = problem(800, 10, 3, seed=seed)
    rng = np.random.default_rng(seed)
    evidence = sources(truth, 3, [0.6, 0.75, 0.7], seed)
    useless: Any = {
        "noise": rng.normal(size=(800, 16)).astype(np.float32),
        "permuted": features[rng.permutation(800)],
        "sparse": sp.csr_array(sp.random_array((800, 300), density=0.05, rng=rng, dtype=np.float32)),
        "wide": rng.normal(size=(800, 1000)).astype(np.float32),
        "constant": np.ones((800, 2), np.float32),
    }[kind]
    fitted = fit(useless, evidence, seed)
    before, after = (softmax(evidence + extra, axis=1) for extra in (0, fitted.offset))
    assert np.abs(after - before).sum(1).mean() / 2 < 0.005
    assert np.abs(np.exp(fitted.log_proba) - 1 / 3).max() < 0.1


def test_features_that_tell_of_the_class_sharpen_labels_and_stay_calibrated() -> None:
    features, truth = problem(2000, 10, 3, signal=0.35)
    evidence = sources(truth, 3, [0.6, 0.65], 1)
    fitted = fit(features, evidence)
    assert fitted.model.strength > 0.8
    assert fitted.gain > 50
    assert nll(evidence + fitted.offset, truth) < nll(evidence, truth) - 0.05
    p = softmax(evidence + fitted.offset, axis=1)
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        inside = (p.max(1) > low) & (p.max(1) <= high)
        assert p.max(1)[inside].mean() == pytest.approx((p.argmax(1) == truth)[inside].mean(), abs=0.06)


def test_items_without_votes_have_the_label_of_their_features() -> None:
    features, truth = problem(2000, 10, 3)
    evidence = sources(truth, 3, [0.7, 0.7], 1)
    weight = (np.arange(2000) % 4 > 0).astype(np.float32)
    fitted = fit_features(features, held_by_item(evidence, weight, 0), seed=0)
    silent = weight == 0
    assert (fitted.log_proba.argmax(1) == truth)[silent].mean() > 0.8
    np.testing.assert_allclose(np.exp(fitted.log_proba).sum(1), 1, rtol=1e-5)
    again = fitted.model.log_proba(features[silent])
    np.testing.assert_allclose(again, fitted.log_proba[silent], atol=1e-5)
    np.testing.assert_allclose(fitted.model.offset(features[silent]), fitted.offset[silent], atol=1e-5)


def test_the_strength_is_the_likeliest_power_shrunk() -> None:
    features, truth = problem(600, 40, 2, signal=0.08)
    evidence = sources(truth, 2, [0.8, 0.8], 1)
    weight = np.ones(600, np.float32)
    fitted = fit_features(features, held_by_item(evidence, weight, 3), seed=3)
    log_p = cross_fit(features, evidence, weight, ClassifierSettings(), seed=3).out_of_fold.astype(np.float64)
    centre = np.log(balance(evidence, weight))
    powers = np.linspace(0, 1, 1001)
    values = [
        logsumexp(log_softmax(centre + power * (log_p - centre), axis=1) + evidence, axis=1).sum() for power in powers
    ]
    gain = max(values) - values[0]
    assert 0 < powers[int(np.argmax(values))] < 1, "the problem should be one where features are half trusted"
    assert fitted.gain == pytest.approx(gain, abs=1e-3)
    expected = powers[int(np.argmax(values))] * max(0, 1 - 6 / gain)
    assert fitted.model.strength == pytest.approx(expected, abs=2e-3)


def test_a_shift_of_every_row_of_evidence_changes_nothing() -> None:
    features, truth = problem(1000, 8, 3)
    evidence = sources(truth, 3, [0.7, 0.7], 1)
    shifted = evidence + np.random.default_rng(0).normal(0, 3, (1000, 1)).astype(np.float32)
    np.testing.assert_allclose(fit(features, shifted).offset, fit(features, evidence).offset, atol=5e-3)


# ------------------------------------------------------------------- evidence


def test_balance_maximises_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(0, 1.5, (400, 3))
    weight = rng.uniform(0, 2, 400)

    def loss(free: NDArray[np.float64]) -> float:
        return float(-weight @ logsumexp(log_softmax(np.append(free, 0)) + evidence, axis=1))

    expected = softmax(np.append(minimize(loss, np.zeros(2), tol=1e-10).x, 0))
    np.testing.assert_allclose(balance(evidence, weight), expected, atol=1e-4)


def test_evidence_of_soft_labels_leaves_the_balance_at_their_mean() -> None:
    rng = np.random.default_rng(0)
    soft = rng.dirichlet([3.0, 1.0, 0.3], 500)
    weight = (rng.random(500) < 0.7).astype(np.float64)
    evidence = relative_evidence(soft, weight)
    mean = soft[weight > 0].mean(0)
    np.testing.assert_allclose(balance(evidence, weight), mean, atol=1e-4)
    np.testing.assert_allclose(softmax(evidence + np.log(mean), axis=1), soft, atol=1e-5)
    assert np.isfinite(relative_evidence(np.eye(3)[rng.integers(0, 2, 9)], np.ones(9))).all()


# ---------------------------------------------------------------------- edges


@pytest.mark.parametrize(
    ("kind", "n_voted"), [*itertools.product(["dense", "empty"], [0, 1, 3]), ("sparse", 0), ("sparse", 3)]
)
def test_few_or_no_votes_leave_labels_alone(kind: str, n_voted: int) -> None:
    features, truth = problem(12, 4, 3)
    given: Any = {"dense": features, "sparse": sp.csr_array(features), "empty": sp.csr_array((12, 4), dtype=np.float32)}
    weight = (np.arange(12) < n_voted).astype(np.float32)
    fitted = fit_features(given[kind], held_by_item(sources(truth, 3, [0.7], 1), weight, 0))
    assert fitted.model.strength == 0
    assert not fitted.offset.any()
    np.testing.assert_allclose(np.exp(fitted.log_proba), 1 / 3, rtol=1e-5)


def test_rows_of_a_kind_that_training_did_not_see_are_finite() -> None:
    features, truth = problem(1000, 4, 3)
    model = fit(features, sources(truth, 3, [0.8, 0.8], 1)).model
    far = np.array([[1e30, -1e30, 0, 1], [0, 0, 0, 0], [1e-30, 0, 0, 0]], np.float32)
    assert np.isfinite(model.log_proba(far)).all()
    assert np.isfinite(model.log_proba(sp.csr_array(far))).all()
    assert model.offset(far[:0]).shape == (0, 3)
