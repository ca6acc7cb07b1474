"""What the end model is told, by fold: sources that are left out, and the evidence of those that are not."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel import LabelModel, Votes
from weaklabel.model import with_features
from weaklabel.model.features.end_model import FeatureFit, FeatureModel
from weaklabel.model.features.evidence import Told, by_item_and_source, draw_folds, left_out
from weaklabel.model.features.network import Classifier, Layer
from weaklabel.model.features.scaling import Scaling
from weaklabel.votes.conversion import heard_only

NO_COPIES = sp.csr_array((12, 12))


def some_votes(seed: int = 0) -> NDArray[np.int16]:
    """40 items, 6 sources, 3 classes, half of the cells silent."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((40, 6)) < 0.5, rng.integers(0, 3, (40, 6)), -1).astype(np.int16)


# ------------------------------------------------------------ sources left out


def test_each_source_is_left_out_once_and_no_fold_loses_a_class() -> None:
    counts = np.random.default_rng(0).integers(1, 100, (12, 3)).astype(float)
    out = left_out(counts, NO_COPIES)
    assert (out.sum(0) == 1).all()
    lost = out.astype(float) @ counts
    assert (lost <= 0.8 * counts.sum(0)).all()
    assert lost.sum(1).max() < 2 * lost.sum(1).min()


def test_the_only_source_of_a_class_is_left_out_nowhere() -> None:
    counts = np.array([[50.0, 0, 0], [40, 0, 0], [0, 30, 0], [0, 20, 0], [0, 0, 60]])
    out = left_out(counts, sp.csr_array((5, 5)))
    assert not out[:, 4].any()
    assert (out[:, :4].sum(0) >= 1).all()
    assert out.any(1).all(), "a fold without sources of its own has those of another"


@pytest.mark.parametrize("n_sources", [0, 1, 4])
def test_of_fewer_sources_than_folds_none_is_left_out(n_sources: int) -> None:
    assert not left_out(np.full((n_sources, 3), 7.0), sp.csr_array((n_sources, n_sources))).any()


def test_copies_are_left_out_together() -> None:
    copies = np.zeros((12, 12))
    copies[[1, 7, 7, 9], [7, 1, 9, 7]] = 0.9  # 1, 7 and 9
    out = left_out(np.full((12, 2), 10.0), sp.csr_array(copies))
    assert (out[:, 1] == out[:, 7]).all()
    assert (out[:, 7] == out[:, 9]).all()
    assert (out.sum(0) == 1).all()


# ------------------------------------------------------------------- by fold


@pytest.mark.parametrize("sparse", [False, True])
def test_only_sources_that_are_heard_vote(sparse: bool) -> None:
    codes, rng = some_votes(), np.random.default_rng(1)
    heard, group = rng.random((3, 6)) < 0.5, rng.integers(0, 3, 40).astype(np.int32)
    votes = Votes.from_dense(codes, 3)
    found = heard_only(votes.to_sparse() if sparse else votes, heard, group)
    assert found.is_sparse == sparse
    expected = [
        [code if heard[g, m] else -1 for m, code in enumerate(row)] for row, g in zip(codes, group, strict=True)
    ]
    np.testing.assert_array_equal(found.to_codes(), expected)
    assert found.source_names == votes.source_names


def shares(votes: Votes) -> Told:
    """Vote shares, smoothed."""
    counts = votes.counts()
    return Told((counts + 1) / (counts.sum(1, keepdims=True) + 3), counts.sum(1) > 0)


def test_the_model_of_a_fold_is_told_nothing_by_which_it_is_judged() -> None:
    codes, fold = some_votes(), draw_folds(40, 0)
    out = left_out(np.stack([(codes == k).sum(0) for k in range(3)], 1).astype(float), sp.csr_array((6, 6)))
    evidence = by_item_and_source(
        Votes.from_dense(codes, 3), shares(Votes.from_dense(codes, 3)), fold, out, shares, shares
    )
    for number in range(5):
        hidden = codes.copy()
        hidden[:, out[number]] = -1
        told = (hidden >= 0).any(1) & (fold != number)
        np.testing.assert_array_equal(evidence.seen_weight[:, number] > 0, told)
        soft = shares(Votes.from_dense(hidden, 3)).soft
        mean = soft[(hidden >= 0).any(1)].mean(0)
        np.testing.assert_allclose(softmax(evidence.seen[told, number] + np.log(mean), axis=1), soft[told], rtol=1e-5)
        judging = np.where(out[number], codes, -1)[fold == number]
        np.testing.assert_array_equal(evidence.held_weight[fold == number] > 0, (judging >= 0).any(1))
        ranks = evidence.held[fold == number].argmax(1)[(judging >= 0).sum(1) == 1]
        np.testing.assert_array_equal(ranks, judging.max(1)[(judging >= 0).sum(1) == 1])


# --------------------------------------------------------------- the end model


def test_the_end_model_is_the_mean_of_its_models() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 4, 2)).astype(np.float32), rng.normal(size=(3, 2)).astype(np.float32)
    scaling = Scaling(np.zeros(4, np.float32), np.ones(4, np.float32), 1e9, 1e9)  # rows as they are, times sqrt 2
    features = rng.normal(size=(5, 4)).astype(np.float32)
    expected = np.mean([softmax(np.sqrt(2) * features @ w + b, axis=1) for w, b in zip(weight, bias, strict=True)], 0)
    found = np.exp(Classifier(scaling, (Layer(weight, bias),)).log_proba(features))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_beside_soft_labels_the_balance_is_that_of_the_features() -> None:
    rng = np.random.default_rng(0)
    p, votes_balance = rng.dirichlet([1.0, 4.0, 2.0], 8), np.array([0.6, 0.3, 0.1])
    strength, before = 0.7, np.log(p.mean(0)).astype(np.float32)
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32), 1.0, 1.0)
    model = FeatureModel(Classifier(scaling, ()), before, strength)
    fit = FeatureFit(model, (strength * (np.log(p) - before)).astype(np.float32), np.log(p).astype(np.float32), 50.0)
    again = fit.beside(votes_balance, 1.0)
    prior = softmax(np.log(votes_balance) + again.offset, axis=1)
    expected = votes_balance ** (1 - strength) * p**strength
    np.testing.assert_allclose(prior, expected / expected.sum(1, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(again.model.log_balance, np.log(votes_balance), rtol=1e-5)
    np.testing.assert_array_equal(fit.beside(votes_balance, 0.0).offset, fit.offset)


@pytest.mark.slow
def test_embeddings_that_hold_the_votes_are_not_taken_for_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 dense views of 100 words, of which functions look for 20: from an embedding one knows nearly every vote."""
    rng = np.random.default_rng(0)
    truth, of_word = rng.integers(0, 2, 1500), rng.integers(0, 2, 100)
    words = rng.random((1500, 100)) < np.where(truth[:, None] == of_word, 0.08, 0.03)
    votes = np.where(words[:, :20], of_word[:20], -1)
    embedding = (words @ rng.normal(size=(100, 50))).astype(np.float32)

    def nll(model: LabelModel, features: NDArray[np.float32] | None) -> float:
        p = model.predict_proba(votes, features=features)[np.arange(1500), truth]
        return float(-np.log(np.maximum(p, 1e-6)).mean())

    by_votes = nll(LabelModel(2).fit(votes), None)
    assert nll(LabelModel(2).fit(votes, features=embedding), embedding) < by_votes
    monkeypatch.setattr(with_features, "left_out", lambda counts, *_: np.zeros((5, len(counts)), bool))
    assert nll(LabelModel(2).fit(votes, features=embedding), embedding) > by_votes + 0.2
