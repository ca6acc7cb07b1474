"""EM in one compiled loop over state of fixed size."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.em.m_step import m_step
from weaklabel.model.em.squarem import CYCLE, extrapolated
from weaklabel.model.em.statistics import MANY_ROWS, Expected, expect, expect_anchors, goes_by_blocks, watched
from weaklabel.model.numerics import class_axis
from weaklabel.model.records import Params, Rows, Sources, State, Statistics
from weaklabel.model.settings import Settings

FULL_CELLS = 2**21
"""Above so many cells, confusion matrices give way to one accuracy a source."""


@partial(jax.jit, static_argnames="max_iter")
def start(rows: Rows, sources: Sources, settings: Settings, max_iter: int) -> State:
    """State before the first iteration: responsibilities are the anchors, and sources are as good as expected."""
    n_sources, n_classes = sources.vote_counts.shape
    n_symbols = n_classes + (0 if sources.sets is None else sources.sets.members.shape[0])
    full = n_sources * n_classes**2 <= FULL_CELLS
    if full:
        wrong = (1 - settings.accuracy_mean) / (n_classes - 1)
        expected = jnp.eye(n_classes) * (settings.accuracy_mean - wrong) + wrong
        confusion, evidence = jnp.tile(expected, (n_sources, 1, 1)), jnp.zeros((n_sources, n_symbols, n_classes))
    else:
        confusion, evidence = jnp.zeros(n_sources), jnp.zeros((n_sources, n_classes))
    groups = None if sources.log_anchored_groups is None else jnp.zeros_like(sources.log_anchored_groups)
    again = None if groups is None else jnp.zeros_like(groups)
    params = Params(confusion, evidence, jnp.zeros(n_classes), jnp.zeros(n_classes), groups, again)
    # A copy: the loop takes the state's memory, and the rows keep theirs.
    responsibilities = None if goes_by_blocks(rows) else jnp.array(rows.anchor, copy=True)
    none, unknown = jnp.asarray(0, jnp.int32), jnp.asarray(jnp.inf, jnp.float32)
    rate = jnp.asarray(1, jnp.float32)
    counted = expect_anchors(rows, params, 0 if groups is None else len(groups))
    nowhere = jax.tree.map(jnp.zeros_like, counted)
    trail = None if len(rows.weight) < MANY_ROWS else (nowhere, nowhere)
    return State(
        params,
        responsibilities,
        watched(rows, rows.anchor) if responsibilities is None else None,
        counted,
        none,
        unknown,
        rate,
        jnp.full(max_iter, jnp.nan),
        trail,
    )


@partial(jax.jit, donate_argnames="state")
def run(
    rows: Rows,
    sources: Sources,
    state: State,
    settings: Settings,
    stop_at: Int[Array, ""],
    tol: Float[Array, ""],
) -> State:
    """EM until responsibilities change by less than `tol`, or iteration `stop_at`.

    Each iteration is an M-step, then an E-step, so that responsibilities always match the parameters. Called again
    with a later `stop_at` it goes on where it was: the same bits as in one go.
    """
    n_groups = 0 if sources.log_anchored_groups is None else sources.log_anchored_groups.shape[0]

    def going(state: State) -> Array:
        return (state.iteration < stop_at) & (state.change >= tol)

    def step(counted: Statistics, before: Params) -> tuple[Params, Expected]:
        params = m_step(counted, sources, settings, before)
        return params, expect(rows, params, n_groups)

    def iterate(state: State) -> State:
        counted, place, trail = state.counted, state.iteration % CYCLE, state.trail
        if trail is None:
            params, expected = step(counted, state.params)
        else:
            jumps = place == CYCLE - 1
            tried = jax.lax.cond(jumps, extrapolated, lambda _, counted: counted, trail, counted)
            found = step(tried, state.params)
            fell = jumps & (found[1].log_evidence < state.objective[state.iteration - 1])
            params, expected = jax.lax.cond(fell, lambda: step(counted, state.params), lambda: found)
            trail = (trail[1], counted)
        change = _change(rows, expected, state)
        return State(
            params,
            expected.responsibilities,
            expected.watched,
            expected.counted,
            state.iteration + 1,
            change,
            jnp.where(place == 1, change / state.change, state.rate),
            state.objective.at[state.iteration].set(expected.log_evidence),
            trail,
        )

    return jax.lax.while_loop(going, iterate, state)


def _change(rows: Rows, after: Expected, before: State) -> Float[Array, ""]:
    if after.responsibilities is not None:
        assert before.responsibilities is not None
        moved, weight, hold = jnp.abs(after.responsibilities - before.responsibilities), rows.weight, rows.hold
    else:
        assert after.watched is not None
        assert before.watched is not None
        weight, hold = watched(rows, rows.weight), watched(rows, rows.hold)
        moved = jnp.where(weight[:, None] > 0, jnp.abs(after.watched - before.watched), 0)  # padding is left out
    if len(rows.weight) < MANY_ROWS:
        change = moved.max()
    else:
        # One restless row among many says little, and each iteration costs: their mean counts.
        change = (weight * class_axis.total(moved) / 2).sum() / weight.sum().clip(1)
    # Where none of those watched can move but others can, nothing is known.
    seen, there = (((weight > 0) & (hold < 1)).any() for weight, hold in ((weight, hold), (rows.weight, rows.hold)))
    return jnp.where(there & ~seen, jnp.inf, change)
