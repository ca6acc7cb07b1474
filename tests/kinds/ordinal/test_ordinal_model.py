"""Ordered classes: an independent optimum, enumeration, recovery, properties, bad input, keeping."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from weaklabel import OrdinalModel, Votes, one_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.kinds.ordinal import settings

Simulated = tuple[NDArray[np.int64], NDArray[np.int64]]


def simulated(seed: int, *, items: int = 400, sources: int = 12, each: float = 0.5) -> Simulated:
    """Votes [N, M] and truths of four ordered classes; sources that differ in sharpness and leniency."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, items, p=[0.4, 0.3, 0.2, 0.1])
    noise, lenient = np.exp(rng.normal(-0.2, 0.5, sources)), rng.normal(0, 0.4, sources)
    seen = truth[:, None] + lenient + noise * rng.logistic(0, 0.45, (items, sources))
    votes = np.clip(np.round(seen), 0, 3).astype(np.int64)
    votes[rng.random(votes.shape) > each] = -1
    return votes, truth


def _log_posterior(theta: NDArray[np.float64], votes: NDArray[np.int64], k: int) -> float:
    """Of all parameters, each item's class summed out; written out anew."""
    m = votes.shape[1]
    balance, position, common, sharp, own = np.split(theta, np.cumsum([k, k, k, m]))
    own = own.reshape(m, k)
    log_pi = balance - logsumexp(balance)
    logits = np.exp(sharp)[:, None, None] * np.arange(k)[:, None] * position - (common + own)[:, :, None]
    log_p = logits - logsumexp(logits, axis=1, keepdims=True)
    given = votes[:, :, None] == np.arange(k)  # [N, M, K]
    total = float(logsumexp(log_pi + np.einsum("nmk,mkc->nc", given, log_p), axis=1).sum())
    total -= 0.5 * settings.COMMON_PRIOR * ((position**2).sum() + (common**2).sum())
    total -= 0.5 * (settings.THRESHOLD_PRIOR * (own**2).sum() + settings.SHARPNESS_PRIOR * (sharp**2).sum())
    return float(total + settings.BALANCE_PRIOR * log_pi.sum())


def test_em_rests_where_no_optimizer_finds_better() -> None:
    votes, _ = simulated(0, items=40, sources=3, each=1.0)
    model = OrdinalModel(n_classes=4, tol=1e-7, max_iter=3000).fit(votes)
    params = model.params
    parts = (np.log(params.balance), params.position, params.common, params.sharpness, params.own.ravel())
    ours: Any = np.concatenate(parts)
    reached = _log_posterior(ours, votes, 4)
    assert reached / 40 == pytest.approx(model.objective[-1], abs=1e-4)
    search: Any = minimize
    better = search(lambda theta: -_log_posterior(theta, votes, 4), ours, method="L-BFGS-B", options={"maxiter": 30})
    assert -better.fun - reached < 0.02
    moved = ours + 0.05 * np.random.default_rng(0).normal(size=len(ours))
    assert _log_posterior(moved, votes, 4) < reached


def test_soft_labels_are_bayes_rule_with_the_design_effect_and_vote_shares() -> None:
    votes, _ = simulated(1)
    model = OrdinalModel(n_classes=4).fit(votes)
    soft, confusion = model.predict_proba(votes), model.confusion_matrices
    np.testing.assert_allclose(confusion.sum(axis=1), 1, atol=1e-5)
    for row in range(20):
        given = [(j, vote) for j, vote in enumerate(votes[row]) if vote >= 0]
        weight = 1 / (1 + settings.COMMON_ERROR * (len(given) - 1))
        unnormalised = model.class_balance * np.prod([confusion[j, vote] ** weight for j, vote in given], axis=0)
        shares = np.bincount([vote for _, vote in given], minlength=4) + settings.SHARE_PSEUDO_VOTES
        mixed = 0.7 * unnormalised / unnormalised.sum() + 0.3 * shares / shares.sum()
        np.testing.assert_allclose(soft[row], mixed, atol=2e-4)


def test_the_objective_never_falls() -> None:
    votes, _ = simulated(2)
    assert np.diff(OrdinalModel(n_classes=4, tol=1e-5).fit(votes).objective).min() > -1e-5


def test_it_is_nearer_than_majority_vote_and_finds_who_is_lenient() -> None:
    votes, truth = simulated(3)
    model = OrdinalModel(["bad", "fair", "good", "best"]).fit(votes)
    counts = np.stack([(votes == k).sum(axis=1) for k in range(4)], axis=1)
    majority = np.abs(counts.argmax(axis=1) - truth).mean()
    found = model.score(votes, truth, metrics=["mae", "cumulative_ece", "rps"])
    assert found["mae"] < 0.9 * majority
    assert found["cumulative_ece"] < 0.1
    bias = np.array([(votes[:, j] - truth)[votes[:, j] >= 0].mean() for j in range(12)])
    table = model.sources()
    assert np.corrcoef(table["leniency"], bias)[0, 1] > 0.9
    assert table["votes"].tolist() == (votes >= 0).sum(axis=0).tolist()
    right = np.array([(votes[:, j] == truth)[votes[:, j] >= 0].mean() for j in range(12)])
    np.testing.assert_allclose(table["accuracy"], right, atol=0.15)


def test_classes_turned_around_give_the_same_turned_around() -> None:
    votes, _ = simulated(4)
    soft = OrdinalModel(n_classes=4, tol=1e-5).fit(votes).predict_proba(votes)
    turned = np.where(votes >= 0, 3 - votes, -1)
    again = OrdinalModel(n_classes=4, tol=1e-5).fit(turned).predict_proba(turned)
    np.testing.assert_allclose(again[:, ::-1], soft, atol=0.01)


def test_order_of_items_and_sources_does_not_matter() -> None:
    votes, _ = simulated(5)
    soft = OrdinalModel(n_classes=4).fit(votes).predict_proba(votes)
    rows, columns = np.random.default_rng(0).permutation(400), np.random.default_rng(1).permutation(12)
    shuffled = votes[rows][:, columns]
    np.testing.assert_allclose(OrdinalModel(n_classes=4).fit(shuffled).predict_proba(shuffled), soft[rows], atol=2e-3)
    sparse = Votes.from_dense(votes, n_classes=4).to_sparse()
    np.testing.assert_allclose(OrdinalModel(n_classes=4).fit(sparse).predict_proba(sparse), soft, atol=1e-6)


def test_decoding_takes_the_median_the_mode_or_the_mean() -> None:
    votes, truth = simulated(6)
    model = OrdinalModel(n_classes=4).fit(votes)
    soft = model.predict_proba(votes)
    distance = np.abs(np.arange(4)[:, None] - np.arange(4))
    expected = soft @ distance  # of answering each class
    median = model.predict(votes)
    np.testing.assert_allclose(expected[np.arange(400), median], expected.min(axis=1))
    np.testing.assert_array_equal(model.predict(votes, "mode"), soft.argmax(axis=1))
    np.testing.assert_allclose(model.predict(votes, "mean"), soft @ [0, 1, 2, 3])
    np.testing.assert_allclose(model.predict_cumulative(votes)[:, 1], soft[:, :2].sum(axis=1))
    assert model.score(votes, truth, decode="mode") == pytest.approx(np.abs(soft.argmax(axis=1) - truth).mean())


def test_gold_is_kept_and_helps_a_source_of_its_own_mind() -> None:
    votes, truth = simulated(7)
    gold = np.where(np.arange(400) < 100, truth, -1)
    held = np.where(np.arange(400) < 100, -1, truth)
    lenient = np.where(votes >= 0, np.minimum(votes + 1, 3), -1)  # everybody is a class too high
    before = OrdinalModel(n_classes=4).fit(lenient).score(lenient, held)
    assert OrdinalModel(n_classes=4).fit(lenient, gold=gold).score(lenient, held) < 0.8 * before


def test_items_without_votes_get_the_class_balance() -> None:
    votes, _ = simulated(8)
    votes[5] = -1
    model = OrdinalModel(n_classes=4).fit(votes)
    np.testing.assert_allclose(model.predict_proba(votes)[5], model.class_balance, atol=1e-6)


def test_classes_that_are_not_in_order_are_said() -> None:
    votes, truth = simulated(9)
    swapped = np.array([1, 0, 2, 3])[truth]
    told = " ".join(OrdinalModel(["b", "a", "c", "d"]).fit(votes, gold=swapped).warnings)
    assert "votes do not tell 'a' from 'b', which comes before it: are the classes in order?" in told
    assert OrdinalModel(n_classes=4).fit(votes).warnings == ()


def test_misuse_is_refused_with_its_place() -> None:
    votes = np.array([[0, 1], [2, -1]])
    with pytest.raises(NotFittedError, match="call fit"):
        OrdinalModel(n_classes=3).predict(votes)
    with pytest.raises(InvalidVotesError, match="row 1, column 0"):
        OrdinalModel(n_classes=2).fit(votes)
    with pytest.raises(InvalidVotesError, match="there is no vote"):
        OrdinalModel(n_classes=2).fit(np.full((2, 2), -1))
    with pytest.raises(InvalidArgumentError, match="common_error must be between 0 and 1"):
        OrdinalModel(n_classes=2, common_error=2)
    model = OrdinalModel(n_classes=3).fit(votes)
    with pytest.raises(InvalidArgumentError, match="decode must be one of median, mode, mean"):
        model.predict(votes, "middle")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidArgumentError, match="metric must be one of mae"):
        model.score(votes, [0, 1], "f1")
    with pytest.raises(InvalidArgumentError, match="holds no label"):
        model.score(votes, [-1, -1])
    with pytest.raises(InvalidVotesError, match="source 'source_2' is not among the 2"):
        model.predict(np.array([[0, 1, 2]]))
    sets = Votes.from_candidates(np.array([[[1, 1, 0]]], np.uint8))
    with pytest.raises(InvalidVotesError, match="have no order"):
        OrdinalModel(n_classes=3).fit(sets)
    assert one_of is not None


def test_a_model_is_kept_whole(tmp_path: Any) -> None:
    votes, _ = simulated(10)
    model = OrdinalModel(["a", "b", "c", "d"], common_error=0.1).fit(votes)
    model.save(tmp_path / "model.npz")
    loaded = OrdinalModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict_proba(votes), model.predict_proba(votes))
    assert loaded.summary() == model.summary()
    assert loaded.get_params() == model.get_params()
    assert not model.set_params(tol=0.01).__sklearn_is_fitted__()
    with pytest.raises(ModelFileError):
        OrdinalModel.from_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match="this is not an ordinal model"):
        OrdinalModel.from_bytes(loaded.to_bytes()[:-50])


def test_a_frame_of_predictions_has_ordered_labels() -> None:
    pytest.importorskip("pandas")
    votes, _ = simulated(11)
    model = OrdinalModel(["a", "b", "mean", "d"]).fit(votes)
    frame = model.predict_frame(votes)
    assert list(frame.columns) == ["label_", "mean_", "a", "b", "mean", "d"]
    assert frame["label_"].cat.ordered
    assert (frame["label_"].cat.codes.to_numpy() == model.predict(votes)).all()
