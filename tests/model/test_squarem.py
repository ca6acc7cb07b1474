"""Longer steps lead where EM's own lead, in fewer iterations."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from weaklabel.model.fit import run, start
from weaklabel.model.init import prepare
from weaklabel.model.merge import merge_rows
from weaklabel.model.params import Params, Settings, State
from weaklabel.model.squarem import LONGEST, extrapolated, onward, trail_of
from weaklabel.votes import Votes


def params_at(point: NDArray[np.float64]) -> Params:
    evidence = jnp.asarray(point.reshape(2, 3, 3), jnp.float32)
    return Params(jnp.exp(evidence), evidence, jnp.asarray(point[:3], jnp.float32), jnp.ones(3))


def test_a_sequence_that_shrinks_by_one_rate_is_ended_in_one_step() -> None:
    rng = np.random.default_rng(0)
    end, away = rng.normal(size=18), rng.normal(size=18)
    first, second, third = (params_at(end + away * 0.8**n) for n in (3, 4, 5))
    found = extrapolated(onward(trail_of(first), second), third)
    np.testing.assert_allclose(found.evidence, end.reshape(2, 3, 3), atol=1e-4)
    np.testing.assert_allclose(found.log_prior, end[:3], atol=1e-4)


def test_steps_are_bounded() -> None:
    rng = np.random.default_rng(1)
    end, away = rng.normal(size=18), rng.normal(size=18)
    first, second, third = (params_at(end + away * 0.99**n) for n in (0, 1, 2))
    found = extrapolated(onward(trail_of(first), second), third)
    # n steps of a rate r, of which each is r times the one before: LONGEST of them at most, squared.
    moved = np.linalg.norm(np.asarray(found.evidence) - np.asarray(first.evidence))
    step = np.linalg.norm(np.asarray(second.evidence) - np.asarray(first.evidence))
    assert moved < 2 * LONGEST * step + 1e-3


def fits(n_iter: int, *, longer_steps: bool) -> State:
    """Few votes of many classes: EM creeps."""
    rng = np.random.default_rng(3)
    n_items, n_sources, n_classes = 1500, 6, 8
    truth = rng.integers(0, n_classes, n_items)
    wrong = (truth[:, None] + rng.integers(1, n_classes, (n_items, n_sources))) % n_classes
    right = rng.random((n_items, n_sources)) < rng.uniform(0.4, 0.8, n_sources)
    matrix = np.where(rng.random((n_items, n_sources)) < 0.5, np.where(right, truth[:, None], wrong), -1)
    settings = Settings()
    rows, sources, *_ = prepare(merge_rows(Votes.from_dense(matrix, n_classes)), settings)
    state = start(rows, sources, settings, 400)
    if longer_steps:
        state = state._replace(trail=trail_of(state.params))
    found: State = run(rows, sources, state, settings, jnp.int32(n_iter), jnp.float32(0))
    return found


def distance(one: State, other: State) -> float:
    return float(jnp.abs(one.responsibilities - other.responsibilities).max())


def test_longer_steps_come_to_rest_where_em_does_and_earlier() -> None:
    rest = fits(400, longer_steps=False)
    assert distance(rest, fits(399, longer_steps=False)) < 1e-5  # it is the rest
    own, longer = fits(30, longer_steps=False), fits(30, longer_steps=True)
    assert distance(longer, rest) < 0.3 * distance(own, rest)
    assert distance(fits(120, longer_steps=True), rest) < 1e-3


def test_longer_steps_never_lower_the_objective() -> None:
    state = fits(60, longer_steps=True)
    objective = np.asarray(state.objective)[:60]
    assert (np.diff(objective) > -1e-5).all()  # but for shrinkage, and float32
    own = np.asarray(fits(60, longer_steps=False).objective)[:60]
    assert (objective[10:] >= own[10:] - 1e-5).all()


def test_the_last_iteration_is_a_step_of_em() -> None:
    """So that parameters and responsibilities belong together."""
    rng = np.random.default_rng(5)
    matrix = rng.integers(-1, 3, (400, 5))
    settings = Settings()
    rows, sources, *_ = prepare(merge_rows(Votes.from_dense(matrix, 3)), settings)
    for n_iter in (3, 6):
        state = start(rows, sources, settings, n_iter)
        state = state._replace(trail=trail_of(state.params))
        state = run(rows, sources, state, settings, jnp.int32(n_iter), jnp.float32(0))
        log_joint = state.params.log_prior[None] + rows.layout.evidence(state.params.evidence)
        model = jnp.exp(log_joint - jnp.log(jnp.exp(log_joint).sum(1, keepdims=True)))
        hold = rows.hold[:, None]
        np.testing.assert_allclose(state.responsibilities, (1 - hold) * model + hold * rows.anchor, atol=1e-5)
