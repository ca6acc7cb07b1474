"""Rows of sparse votes that go block by block, against sums that are written out vote by vote."""

import gc
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidVotesError
from weaklabel.model import prediction as predict
from weaklabel.model.dependence.independence import Independence
from weaklabel.model.em import statistics as statistics_module
from weaklabel.model.em.e_step import posterior_of_votes
from weaklabel.model.em.loop import run, start
from weaklabel.model.em.statistics import e_step_with_statistics, watched
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout import choice as layout
from weaklabel.model.layout import slots
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.padding import bucket
from weaklabel.model.params import Params, State
from weaklabel.model.preparation.prepare import Prepared, prepare
from weaklabel.model.report.summary import summarize_blocks
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices

N_ITEMS, N_SOURCES = 700, 9
MANY = 70
"""Classes: more than are packed, so that only votes given are laid out."""


def triples_of(n_classes: int, n_items: int = N_ITEMS) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Votes of sources that are right in 70 %; 0 to 9 of them on an item, and few on most."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, n_classes, n_items)
    votes = rng.random((n_items, N_SOURCES)) < rng.beta(1, 2, n_items)[:, None]
    items, sources = np.nonzero(votes)
    wrong = (truth[items] + rng.integers(1, n_classes, len(items))) % n_classes
    return items, sources, np.where(rng.random(len(items)) < 0.7, truth[items], wrong)


def votes_of(n_classes: int, n_items: int = N_ITEMS) -> Votes:
    return Votes.from_triples(
        *triples_of(n_classes, n_items), n_classes=n_classes, n_items=n_items, n_sources=N_SOURCES
    )


@pytest.fixture(params=[3, MANY], ids=["few classes", "many classes"])
def n_classes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(autouse=True)
def by_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where classes are few."""
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: False)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks, and some of the rows watched, as where there are a thousand times as many."""
    monkeypatch.setattr(slots, "CACHED_CELLS", 1)
    monkeypatch.setattr(statistics_module, "MANY_ROWS", 256)
    monkeypatch.setattr(statistics_module, "WATCHED_ROWS", 128)


def prepared_of(votes: Votes) -> Prepared:
    weight = np.random.default_rng(6).integers(1, 4, votes.n_items).astype(np.float32)
    found = prepare(UniqueRows(votes, weight), Settings(), ClassPrior)
    assert found.rows.votes.layout.streams
    return found


def started(prepared: Prepared, max_iter: int) -> State:
    kinds = {"source_model": prepared.source_model, "label_space": prepared.label_space}
    state: State = start(prepared.rows, prepared.profile, Settings(), **kinds, max_iter=max_iter)
    return state


def params_of(n_classes: int) -> Params:
    rng = np.random.default_rng(7)
    confusion = rng.dirichlet(np.ones(n_classes), (N_SOURCES, n_classes)).transpose(0, 2, 1) + 0.01
    balance = rng.dirichlet(np.ones(n_classes))
    matrices, log_likelihoods, log_balance, totals = (
        jnp.asarray(part, jnp.float32) for part in (confusion, np.log(confusion), np.log(balance), balance)
    )
    return Params(ConfusionMatrices(matrices, log_likelihoods), ClassPrior(log_balance, totals))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("hold", [None, 0.3])
def test_expectation_and_counts_are_the_sums_over_votes(n_classes: int, hold: float | None) -> None:
    """Responsibilities held to the vote shares as the fit holds them, or more; those of rows without votes wholly."""
    votes, params = votes_of(n_classes), params_of(n_classes)
    prepared = prepared_of(votes)
    rows, places = prepared.rows, prepared.places
    if hold is not None:
        held = np.where(np.asarray(rows.share_weight) == 1, 1, hold)
        rows = rows._replace(share_weight=jnp.asarray(held, jnp.float32))
    found = e_step_with_statistics(rows, params)
    sources_of, labels_of = params
    assert isinstance(sources_of, ConfusionMatrices)

    items, sources, labels = triples_of(n_classes)
    log_joint = np.tile(np.asarray(labels_of.log_prior, float), (N_ITEMS, 1))
    np.add.at(log_joint, items, np.asarray(sources_of.log_likelihoods, float)[sources, labels])
    parts = (rows.weight, rows.share_weight, rows.share_prior)
    weight, share_weight, prior = (np.asarray(part, float)[places] for part in parts)
    q = (1 - share_weight)[:, None] * softmax(log_joint, axis=1) + share_weight[:, None] * prior
    counts = np.zeros((N_SOURCES, n_classes, n_classes))
    np.add.at(counts, (sources, labels), weight[items, None] * q[items])
    of_prior = (prior * log_joint).sum(1)
    log_marginal = (1 - share_weight) * np.log(np.exp(log_joint).sum(1)) + share_weight * of_prior

    np.testing.assert_allclose(found.statistics.sources, counts, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.statistics.labels.totals, weight @ q, rtol=1e-4)
    assert float(found.log_marginal) == pytest.approx((weight @ log_marginal) / weight.sum(), rel=1e-5)
    by_place = np.zeros((bucket(N_ITEMS), n_classes))
    by_place[places] = q
    assert len(found.watched) == 128
    used = np.asarray(watched(rows, jnp.asarray(np.isin(np.arange(bucket(N_ITEMS)), places), jnp.float32))) > 0
    of_watched = np.asarray(watched(rows, jnp.asarray(by_place, jnp.float32)))
    np.testing.assert_allclose(np.asarray(found.watched)[used], of_watched[used], atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(posterior_of_votes(lay_out(votes), params))[:N_ITEMS], softmax(log_joint, axis=1), atol=1e-5
    )


@pytest.mark.usefixtures("small_blocks")
def test_em_starts_from_vote_shares(n_classes: int) -> None:
    votes = votes_of(n_classes)
    prepared = prepared_of(votes)
    state = started(prepared, LabelModel(n_classes).max_iter)
    assert len(state.watched) == 128  # responsibilities of all rows are not kept
    items, sources, labels = triples_of(n_classes)
    tally = np.zeros((N_ITEMS, n_classes))
    np.add.at(tally, (items, labels), 1)
    mass = Settings().share_prior_mass
    shares = (tally + mass * prepared.smoothing) / (tally.sum(1, keepdims=True) + mass)
    shares[tally.sum(1) == 0] = 1 / n_classes
    np.testing.assert_allclose(np.asarray(prepared.rows.share_prior)[prepared.places], shares, atol=1e-6)
    weight = np.where(tally.sum(1) > 0, np.random.default_rng(6).integers(1, 4, N_ITEMS), 0)
    np.testing.assert_array_equal(np.asarray(prepared.rows.weight)[prepared.places], weight)
    counts = np.zeros((N_SOURCES, n_classes, n_classes))
    np.add.at(counts, (sources, labels), weight[items, None] * shares[items])
    np.testing.assert_allclose(state.statistics.sources, counts, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("small_blocks")
def test_what_soft_labels_say_is_what_they_say_where_they_are_kept(n_classes: int) -> None:
    votes = votes_of(n_classes)
    model, prepared = LabelModel(n_classes).fit(votes), prepared_of(votes)
    rows, calibration, mass = prepared.rows, model._fitted.calibration, Settings().share_prior_mass
    _, right = summarize_blocks(rows.votes.layout, rows.weight, calibration, mass, n_sources=N_SOURCES)
    soft = model.predict_proba(votes)
    items, sources, labels = triples_of(n_classes)
    weight = np.random.default_rng(6).integers(1, 4, N_ITEMS)
    expected = np.zeros((N_SOURCES, n_classes))
    np.add.at(expected, (sources, labels), weight[items] * soft[items, labels])
    np.testing.assert_allclose(right, expected, rtol=1e-4)


def test_a_sparse_fit_is_that_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is packed, or one-hot: other code, other sums."""
    items, sources, labels = triples_of(3)
    matrix = np.full((N_ITEMS, N_SOURCES), -1)
    matrix[items, sources] = labels
    by_votes = LabelModel(3).fit(votes_of(3))
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: True)
    dense = LabelModel(3).fit(matrix)
    np.testing.assert_allclose(dense.predict_proba(matrix), by_votes.predict_proba(votes_of(3)), atol=2e-3)
    np.testing.assert_allclose(dense.source_accuracy, by_votes.source_accuracy, atol=2e-3)
    np.testing.assert_allclose(dense.source_accuracy_interval, by_votes.source_accuracy_interval, atol=5e-3)
    assert dense.diagnostics.unanimous_items == by_votes.diagnostics.unanimous_items
    assert dense.diagnostics.balance_shift == pytest.approx(by_votes.diagnostics.balance_shift, abs=2e-3)


def test_a_matrix_of_many_rows_that_is_mostly_silent_is_fitted_by_its_votes() -> None:
    items, sources, labels = triples_of(MANY)
    matrix = np.full((N_ITEMS, N_SOURCES), -1)
    matrix[items, sources] = labels
    found = LabelModel(MANY, sample_rows=200).fit(matrix)
    expected = LabelModel(MANY, sample_rows=None).fit(votes_of(MANY))
    np.testing.assert_array_equal(found.predict_proba(matrix), expected.predict_proba(matrix))


def test_a_sample_whose_rows_go_by_blocks_is_refined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes over all rows converge to what a fit to all of them finds, if both hold to the vote shares alike."""
    held = Independence(doubt=1.0, hold=0.2, correlation=0.0, residual=0.05, effective_sources=float(N_SOURCES))
    monkeypatch.setattr("weaklabel.model.preparation.prepare.check_independence", lambda *_, **__: held)
    items, sources, labels = triples_of(3, 1000)
    matrix = np.full((1000, N_SOURCES), -1)
    matrix[items, sources] = labels
    monkeypatch.setattr("weaklabel.model.pipeline.MOST_VOTES", 0)
    found = LabelModel(3, sample_rows=500).fit(matrix)
    expected = LabelModel(3, sample_rows=None, tol=1e-5).fit(matrix)
    assert found.converged
    soft, of_all = found.predict_proba(matrix), expected.predict_proba(matrix)
    assert np.abs(soft - of_all).sum(1).mean() / 2 < 2e-3
    assert (soft.argmax(1) == of_all.argmax(1)).mean() > 0.995


def test_predictions_in_chunks_are_those_of_all_rows(n_classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "is_dense", lambda *_: False)
    votes = votes_of(n_classes)
    model = LabelModel(n_classes).fit(votes)
    whole, labels = model.predict_proba(votes), model.predict(votes)
    monkeypatch.setattr(predict, "SPARSE_CELLS", 256 * n_classes)
    np.testing.assert_allclose(model.predict_proba(votes), whole, atol=1e-6)
    np.testing.assert_array_equal(model.predict(votes), labels)


@pytest.mark.usefixtures("small_blocks")
def test_rest_of_rows_that_cannot_move_is_no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watched rows that are held wholly: here those of every second group of columns."""
    prepared = prepared_of(votes_of(MANY))
    cannot = np.arange(64) < 32
    still = np.flatnonzero(cannot)[:4]
    monkeypatch.setattr(statistics_module, "_drawn", lambda *_: jnp.asarray(still))
    held = np.asarray(prepared.rows.share_weight).reshape(-1, 64)
    rows = prepared.rows._replace(share_weight=jnp.asarray(np.where(cannot, 1, held).ravel(), jnp.float32))
    state = started(prepared._replace(rows=rows), LabelModel(MANY).max_iter)
    state = run(rows, prepared.profile, state, Settings(), jnp.int32(9), jnp.float32(1e-4))
    assert int(state.iteration) == 9


def test_sparse_votes_without_a_plain_one() -> None:
    rng = np.random.default_rng(9)
    soft = LabelModel(MANY).fit(Votes.from_soft(rng.dirichlet(np.ones(MANY), (N_ITEMS, 3))))
    assert np.isfinite(soft.class_balance).all()
    model = LabelModel(MANY).fit(votes_of(MANY))
    silent = np.full((N_ITEMS, N_SOURCES), -1)
    np.testing.assert_allclose(model.predict_proba(silent), 1 / MANY, atol=1e-6)
    silent[N_ITEMS - 1, 0] = 3
    assert model.predict_proba(silent)[N_ITEMS - 1].argmax() == 3


def test_votes_are_laid_out_once_and_forgotten_with_them() -> None:
    votes = votes_of(30)
    first = lay_out(votes)
    assert lay_out(votes) is first
    other = votes_of(30)
    assert lay_out(other) is not first
    again = lay_out(votes)
    np.testing.assert_array_equal(again.n_rows, first.n_rows)
    assert layout._LAST._kept is not None
    del votes
    gc.collect()
    assert layout._LAST._kept is None


def test_more_votes_than_can_be_numbered_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_SLOTS", 1000)
    with pytest.raises(InvalidVotesError, match="slots, of 1,000 that can be numbered"):
        LabelModel(30).fit(votes_of(30))


@pytest.mark.parametrize("size", [2, 5, 16, 17, 100])
def test_reductions_over_classes(size: int) -> None:
    values = np.round(np.random.default_rng(8).normal(size=(200, size)), 1).astype(np.float32)  # with ties
    np.testing.assert_array_equal(class_axis.highest(jnp.asarray(values)), values.max(1))
    p, log_total = class_axis.normalised(jnp.asarray(values))
    np.testing.assert_allclose(p, softmax(values.astype(float), axis=1), rtol=1e-5)
    np.testing.assert_allclose(log_total, np.log(np.exp(values.astype(float)).sum(1)), rtol=1e-5)
