"""Longer steps lead where EM's own lead, in fewer iterations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model import FitProgress, LabelModel
from weaklabel.model.em import segments
from weaklabel.model.em.loop import run, start
from weaklabel.model.em.squarem import LONGEST, extrapolated
from weaklabel.model.em.statistics import MANY_ROWS, statistics
from weaklabel.model.labels.classes import ClassPrior, ClassStatistics
from weaklabel.model.layout.deduplication import deduplicate
from weaklabel.model.params import State
from weaklabel.model.preparation.prepare import prepare
from weaklabel.model.records import Rows, Statistics
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.votes import Votes


def counts_at(point: NDArray[np.float64]) -> Statistics:
    counts, totals = (jax.device_put(part.astype(np.float32)) for part in (point.reshape(2, 3, 3), point[:3]))
    return Statistics(counts, ClassStatistics(totals))


def test_a_sequence_that_shrinks_by_one_rate_is_ended_in_one_step() -> None:
    rng = np.random.default_rng(0)
    end, away = rng.uniform(5, 9, 18), rng.normal(size=18)
    first, second, third = (counts_at(end + away * 0.8**n) for n in (3, 4, 5))
    found = jax.jit(extrapolated)((first, second), third)
    np.testing.assert_allclose(found.sources, end.reshape(2, 3, 3), atol=1e-3)
    np.testing.assert_allclose(found.labels.totals, end[:3], atol=1e-3)


def test_steps_are_bounded_and_counts_stay_counts() -> None:
    rng = np.random.default_rng(1)
    end, away = rng.uniform(5, 9, 18), rng.normal(size=18)
    first, second, third = (counts_at(end + away * 0.99**n) for n in (0, 1, 2))
    moved, step = (
        np.asarray(other.sources) - np.asarray(first.sources)
        for other in (jax.jit(extrapolated)((first, second), third), second)
    )
    # Nearly straight on: 2 LONGEST steps, less what they bend.
    np.testing.assert_allclose(moved, (2 * LONGEST - 0.01 * LONGEST**2) * step, atol=1e-4)
    lower = counts_at(np.full(18, 1.0)), counts_at(np.full(18, 0.5))
    assert np.min(jax.jit(extrapolated)(lower, counts_at(np.full(18, 0.05))).sources) == 0


def matrix_of(n_items: int, n_sources: int, n_classes: int, seed: int = 3) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_items)
    wrong = (truth[:, None] + rng.integers(1, n_classes, (n_items, n_sources))) % n_classes
    right = rng.random((n_items, n_sources)) < rng.uniform(0.4, 0.8, n_sources)
    return np.where(rng.random((n_items, n_sources)) < 0.5, np.where(right, truth[:, None], wrong), -1)


def fits(n_iter: int, *, longer_steps: bool, n_sources: int = 6, n_classes: int = 8) -> tuple[Rows, State]:
    """Few votes of many classes: EM creeps."""
    settings = Settings()
    votes = Votes.from_dense(matrix_of(1500, n_sources, n_classes), n_classes)
    prepared = prepare(deduplicate(votes), settings, ClassPrior)
    rows, profile = prepared.rows, prepared.profile
    state = start(rows, profile, settings, source_model=ConfusionMatrices, label_space=ClassPrior, max_iter=400)
    if longer_steps:
        counted = jax.eval_shape(statistics, rows, rows.share_prior, state.params)
        trail = tuple(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), counted) for _ in range(2))
        state = state._replace(trail=trail)
    return rows, run(rows, profile, state, settings, jnp.int32(n_iter), jnp.float32(0))


def distance(one: State, other: State) -> float:
    return float(np.abs(np.asarray(one.watched) - np.asarray(other.watched)).max())


evidence = jax.jit(lambda rows, sources: rows.votes.layout.evidence(sources.log_likelihoods))


def test_longer_steps_come_to_rest_where_em_does_and_earlier() -> None:
    _, rest = fits(400, longer_steps=False)
    assert distance(rest, fits(399, longer_steps=False)[1]) < 1e-5  # it is the rest
    (_, own), (_, longer) = fits(30, longer_steps=False), fits(30, longer_steps=True)
    assert distance(longer, rest) < 0.3 * distance(own, rest)
    assert distance(fits(120, longer_steps=True)[1], rest) < 1e-3


@pytest.mark.parametrize(("n_sources", "n_classes"), [(6, 8), (3, 20)])
def test_no_longer_step_lowers_the_objective(n_sources: int, n_classes: int) -> None:
    _, state = fits(60, longer_steps=True, n_sources=n_sources, n_classes=n_classes)
    objective = np.asarray(state.objective)[:60]
    rises = np.diff(objective)
    assert (
        rises[1::3] > -2e-5
    ).all()  # EM's own step may fall so far, by shrinkage: of the third iteration, the sixth, ...
    assert (rises > -2e-4).all()  # where a longer step has left what shrinkage allows, the next draws it back
    own = np.asarray(fits(60, longer_steps=False, n_sources=n_sources, n_classes=n_classes)[1].objective)[:60]
    assert (objective[10:] >= own[10:] - 2e-5).all()


@pytest.mark.parametrize("n_iter", [2, 3, 4, 6])
def test_parameters_and_responsibilities_belong_together(n_iter: int) -> None:
    rows, state = fits(n_iter, longer_steps=True)
    sources, labels = state.params
    assert isinstance(sources, ConfusionMatrices)
    log_joint = np.asarray(labels.log_prior)[None] + np.asarray(evidence(rows, sources))
    model = softmax(log_joint, axis=1)
    weight, prior = np.asarray(rows.share_weight)[:, None], np.asarray(rows.share_prior)
    np.testing.assert_allclose(state.watched, (1 - weight) * model + weight * prior, atol=1e-5)
    spread = np.exp(np.asarray(sources.log_likelihoods)).sum(1)
    np.testing.assert_allclose(spread, 1, atol=1e-4)  # sources are read generatively


def test_watching_longer_steps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "REPORTED_ITERATIONS", 3)
    votes = matrix_of(MANY_ROWS, 16, 6)
    seen: list[FitProgress] = []
    plain, watched = LabelModel(6, sample_rows=None), LabelModel(6, sample_rows=None)
    plain.fit(votes)
    watched.fit(votes, progress=seen.append)
    assert len(seen) > 1
    assert plain.n_iter == watched.n_iter == seen[-1].iteration
    np.testing.assert_array_equal(plain.predict_proba(votes), watched.predict_proba(votes))
