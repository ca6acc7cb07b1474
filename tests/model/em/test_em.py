"""EM against independent answers: enumeration of all labelings, a plain Dawid-Skene, and symmetries."""

import itertools
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp

from weaklabel.model import LabelModel
from weaklabel.model.em.e_step import e_step
from weaklabel.model.em.loop import run, start
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows, deduplicate
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.model.params import Params, State
from weaklabel.model.preparation.prepare import Prepared, prepare
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.records import RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources import choice
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.one_coin import OneCoin
from weaklabel.model.sources.unipolarity import unipolarity
from weaklabel.votes import Votes

PLAIN = Settings(
    residual_ignored=1e9,
    suspected_copy=1e9,
    hold_gain=0.0,
    least_hold=0.0,
    accuracy_mass=1e-6,
    generative_mass=0.0,
    generative_mass_of_cells=0.0,
    discriminative_mass=0.0,
    floor=1e-6,
)
"""Hardly any prior, no vote-share prior: maximum likelihood, so that EM is the textbook's."""


def sample(
    n_items: int, n_sources: int, n_classes: int, *, seed: int = 0, coverage: float = 0.7
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Votes of independent sources with accuracies .6 to .9, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    accuracy = rng.uniform(0.6, 0.9, n_sources)
    wrong = (truth[:, None] + rng.integers(1, n_classes, (n_items, n_sources))) % n_classes
    votes = np.where(rng.random((n_items, n_sources)) < accuracy, truth[:, None], wrong)
    return np.where(rng.random((n_items, n_sources)) < coverage, votes, -1), truth


def of_items(unique: UniqueRows, rows: Any, matrix: NDArray[Any]) -> NDArray[Any]:
    """Values of the distinct rows as values of the items."""
    distinct = unique.votes.to_dense()
    place = (matrix[:, None, :] == distinct[None]).all(2).argmax(1)
    values: NDArray[Any] = np.asarray(rows)[place]
    return values


MAX_ITER = 60
"""Of all fits: the length of a trace is a shape, and each shape a program to compile."""
expectation = jax.jit(e_step)


def started(prepared: Prepared, settings: Settings) -> State:
    kinds = {"source_model": prepared.source_model, "label_space": prepared.label_space}
    state: State = start(prepared.rows, prepared.profile, settings, **kinds, max_iter=MAX_ITER)
    return state


def fitted(matrix: NDArray[Any], n_classes: int, settings: Settings, n_iter: int) -> tuple[Prepared, State]:
    prepared = prepare(deduplicate(Votes.from_dense(matrix, n_classes)), settings, ClassPrior)
    state = started(prepared, settings)
    limits = jnp.int32(n_iter), jnp.float32(1e-6)
    return prepared, run(prepared.rows, prepared.profile, state, settings, *limits)


def random_params(n_sources: int, n_classes: int, seed: int) -> Params:
    rng = np.random.default_rng(seed)
    confusion = rng.dirichlet(np.ones(n_classes), (n_sources, n_classes))  # [M, true class, vote]
    balance = rng.dirichlet(np.ones(n_classes))
    evidence = single(np.log(confusion).transpose(0, 2, 1))
    labels = ClassPrior(single(np.log(balance)), single(balance))
    return Params(ConfusionMatrices(single(np.exp(evidence)), evidence), labels)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_e_step_and_counts_equal_the_sum_over_all_labelings(n_classes: int) -> None:
    matrix, _ = sample(5, 3, n_classes, seed=n_classes)
    matrix[4] = matrix[0]  # two items with one row
    params = random_params(3, n_classes, 1)
    assert isinstance(params.sources, ConfusionMatrices)
    log_vote = np.asarray(params.sources.log_likelihoods, float)
    log_balance = np.asarray(params.labels.log_prior, float)

    labelings = list(itertools.product(range(n_classes), repeat=5))
    weights = np.array(
        [
            sum(
                log_balance[y] + sum(log_vote[m, s, y] for m, s in enumerate(row) if s >= 0)
                for y, row in zip(labeling, matrix, strict=True)
            )
            for labeling in labelings
        ]
    )
    share = np.exp(weights - logsumexp(weights))
    posterior = np.zeros((5, n_classes))
    counts = np.zeros((3, n_classes, n_classes))
    for labeling, p in zip(labelings, share, strict=True):
        for i, y in enumerate(labeling):
            posterior[i, y] += p
            for m, s in enumerate(matrix[i]):
                if s >= 0:
                    counts[m, s, y] += p

    unique = deduplicate(Votes.from_dense(matrix, n_classes))
    items = to_device(unique.weight, bucket(unique.votes.n_items))
    assert unique.votes.n_items < 5
    rows = build_rows(RowVotes(lay_out(unique.votes)), items, 3, n_classes, PLAIN.share_prior_mass)
    expected = expectation(rows, params)
    covered = (matrix >= 0).any(1)
    found = of_items(unique, expected.responsibilities, matrix)
    np.testing.assert_allclose(found[covered], posterior[covered], atol=1e-5)
    weight = np.asarray(rows.weight)
    weighted = weight[:, None] * np.asarray(expected.responsibilities)
    counted = jax.jit(lambda layout, weighted: layout.counts(weighted, 3, n_classes))(rows.votes.layout, weighted)
    np.testing.assert_allclose(counted, counts, atol=1e-4)
    log_evidence = logsumexp(weights) - sum(logsumexp(log_balance) for row in matrix if not (row >= 0).any())
    np.testing.assert_allclose(weight @ np.asarray(expected.log_marginal), log_evidence, rtol=1e-4)


def generative(prepared: Prepared) -> Prepared:
    """With all votes read as P(vote | class), and no pseudo-votes."""
    profile = prepared.profile
    nothing, unipolarity = single(np.zeros(())), single(np.zeros(profile.unipolarity.shape))
    return prepared._replace(profile=profile._replace(unipolarity=unipolarity, confusion_mass=nothing))


def dawid_skene(matrix: NDArray[Any], n_classes: int, n_iter: int) -> tuple[NDArray[Any], list[float]]:
    """Maximum likelihood by EM from the vote shares, cell by cell in float64 (Dawid and Skene 1979)."""
    votes = np.eye(n_classes + 1)[matrix][:, :, :n_classes]  # -1 picks the last row, which is cut off
    q = (votes.sum(1) + 0.5 / n_classes) / (votes.sum((1, 2)) + 0.5)[:, None]
    trace = []
    for _ in range(n_iter):
        balance = (q.sum(0) + 1) / (q.sum() + n_classes)
        confusion = np.einsum("ims,ic->mcs", votes, q) + 1e-9
        confusion /= confusion.sum(2, keepdims=True)
        log_joint = np.log(balance) + np.einsum("ims,mcs->ic", votes, np.log(confusion))
        trace.append(float(logsumexp(log_joint, axis=1).mean()))
        q = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
    return q, trace


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_priors_em_is_dawid_skene(n_classes: int) -> None:
    matrix, _ = sample(400, 5, n_classes, seed=7, coverage=1.0)
    expected, trace = dawid_skene(matrix, n_classes, 15)
    unique = deduplicate(Votes.from_dense(matrix, n_classes))
    prepared = generative(prepare(unique, PLAIN, ClassPrior))
    state = started(prepared, PLAIN)
    state = run(prepared.rows, prepared.profile, state, PLAIN, jnp.int32(15), jnp.float32(0))
    found = of_items(unique, state.watched, matrix)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_allclose(np.asarray(state.objective)[:15], trace, atol=2e-4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share_weight", [0.0, 0.25], ids=["likelihood", "shares"])
def test_the_objective_never_falls(seed: int, share_weight: float) -> None:
    matrix, _ = sample(250, 5, 3, seed=seed)
    prepared = generative(prepare(deduplicate(Votes.from_dense(matrix, 3)), PLAIN, ClassPrior))
    held = np.where(np.asarray(prepared.rows.share_weight) == 1, 1, share_weight)  # rows without votes stay as they are
    prepared = prepared._replace(rows=prepared.rows._replace(share_weight=single(held)))
    state = started(prepared, PLAIN)
    state = run(prepared.rows, prepared.profile, state, PLAIN, jnp.int32(40), jnp.float32(0))
    trace = np.asarray(state.objective)[:40]
    assert np.isfinite(trace).all()
    assert trace[-1] > trace[0]
    assert (np.diff(trace) >= -2e-6).all()  # float32 noise of a mean over the rows


def test_going_on_gives_the_same_bits_as_one_go() -> None:
    matrix, _ = sample(200, 5, 3)
    settings = Settings()
    prepared, whole = fitted(matrix, 3, settings, 30)
    state = started(prepared, settings)
    for stop_at in (1, 2, 7, 30):
        state = run(prepared.rows, prepared.profile, state, settings, jnp.int32(stop_at), jnp.float32(1e-6))
    assert all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(state), strict=True)
    )


def test_responsibilities_match_the_parameters() -> None:
    matrix, _ = sample(200, 5, 3)
    prepared, state = fitted(matrix, 3, Settings(), 9)
    again = expectation(prepared.rows, state.params).responsibilities
    np.testing.assert_allclose(again, state.watched, atol=1e-6)


def test_jit_changes_nothing() -> None:
    matrix, _ = sample(200, 5, 3)
    prepared, compiled = fitted(matrix, 3, Settings(), 2)
    limits = jnp.int32(2), jnp.float32(1e-6)
    with jax.disable_jit():
        plain = run(prepared.rows, prepared.profile, started(prepared, Settings()), Settings(), *limits)
    np.testing.assert_allclose(plain.watched, compiled.watched, atol=1e-5)


@pytest.mark.parametrize("n_sources", [4, 30], ids=["numbered", "hashed"])
def test_unique_rows_stand_for_their_items(n_sources: int) -> None:
    matrix, _ = sample(700, n_sources, 2, seed=2, coverage=0.05 if n_sources == 30 else 0.7)
    matrix[3, 1] = -2  # a failure is no vote
    unique = deduplicate(Votes.from_codes(matrix, 2))
    found: Counter[tuple[int, ...]] = Counter()
    for row, weight in zip(unique.votes.to_dense().tolist(), unique.weight.tolist(), strict=True):
        found[tuple(row)] += int(weight)
    assert found == Counter(map(tuple, np.maximum(matrix, -1).tolist()))
    assert unique.votes.n_items < 700


def test_one_compilation_a_bucket() -> None:
    compilations: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        compilations.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)

    def distinct_rows(n_items: int, seed: int) -> NDArray[Any]:
        codes = np.random.default_rng(seed).permutation(4**5)[:n_items]
        return np.stack([codes // 4**m % 4 for m in range(5)], axis=1) - 1

    LabelModel(3).fit(distinct_rows(300, 0)).predict(distinct_rows(500, 1))
    assert any("jaxpr_to_mlir" in event for event in compilations), "the listener hears nothing"
    compilations.clear()
    for seed, n_items in enumerate([500, 512, 400], start=2):  # all fall into the bucket of 512
        LabelModel(3).fit(distinct_rows(n_items, seed)).predict(distinct_rows(n_items, seed + 9))
    # Lowered, that is, also where the program itself is kept on disk.
    assert not [event for event in compilations if "jaxpr_to_mlir" in event or "backend_compile" in event]


def test_unipolar_sources_are_told_from_the_others() -> None:
    counts = np.array([[50, 0], [0, 40], [30, 25], [60, 55], [2, 1]], float)
    found = unipolarity(counts)
    assert (found[:2] > 0.5).all()
    assert (found[2:4] < 1e-3).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_many_classes_take_one_accuracy_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, truth = sample(400, 7, 4, seed=5)
    monkeypatch.setattr(choice, "FULL_CELLS", 10)
    prepared, state = fitted(matrix, 4, Settings(), 60)
    sources, rows = state.params.sources, prepared.rows
    assert isinstance(sources, OneCoin)
    assert sources.log_likelihoods.shape == (7, 4)
    unique = deduplicate(Votes.from_dense(matrix, 4))
    found = of_items(unique, state.watched, matrix).argmax(1)
    votes = np.eye(5)[matrix][:, :, :4].sum(1)
    assert (found == truth).mean() > (votes.argmax(1) == truth).mean()
    # The evidence of one coin in closed form: log a / ((1 - a) / (K - 1)).
    accuracy = np.asarray(sources.accuracy, float)
    np.testing.assert_allclose(
        np.asarray(sources.log_likelihoods)[:, 0], np.log(accuracy / ((1 - accuracy) / 3)), rtol=1e-4
    )
    weighted = np.asarray(rows.weight)[:, None] * np.asarray(state.watched)
    assert float(weighted.sum()) == pytest.approx((matrix >= 0).any(1).sum(), rel=1e-5)
