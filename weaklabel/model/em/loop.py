"""EM in one compiled loop over state of fixed size."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.em.m_step import m_step
from weaklabel.model.em.squarem import CYCLE, extrapolated
from weaklabel.model.em.statistics import MANY_ROWS, EStepSummary, e_step_with_statistics, first_statistics, watched
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.params import Params, State
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.records import Profile, Rows, Statistics
from weaklabel.model.settings import Settings


@partial(compiled, static_argnames=("source_model", "label_space", "max_iter"))
def start(
    rows: Rows,
    profile: Profile,
    settings: Settings,
    source_model: type[SourceModel],
    label_space: type[LabelSpace],
    max_iter: int,
) -> State:
    """State before the first iteration: responsibilities are the vote-share priors.

    Args:
        rows: the data.
        profile: what is known of sources and classes.
        settings: constants.
        source_model: how sources vote.
        label_space: what labels are.
        max_iter: limit of iterations.
    """
    params = Params(source_model.start(profile, settings), label_space.start(profile, settings))
    counts = first_statistics(rows, params)
    nowhere = jax.tree.map(jnp.zeros_like, counts)
    return State(
        params=params,
        # A copy: the loop takes the state's memory, and the rows keep theirs.
        watched=jnp.array(watched(rows, rows.share_prior), copy=True),
        statistics=counts,
        iteration=jnp.asarray(0, jnp.int32),
        change=jnp.asarray(jnp.inf, jnp.float32),
        rate=jnp.asarray(1, jnp.float32),
        objective=jnp.full(max_iter, jnp.nan),
        trail=None if len(rows.weight) < MANY_ROWS else (nowhere, nowhere),
    )


@partial(compiled, donate_argnames="state")
def run(
    rows: Rows,
    profile: Profile,
    state: State,
    settings: Settings,
    stop_at: Int[Array, ""],
    tol: Float[Array, ""],
) -> State:
    """EM until responsibilities change by less than `tol`, or iteration `stop_at`.

    Each iteration is an M-step, then an E-step, so that responsibilities always match the parameters. Called again
    with a later `stop_at` it goes on where it was: the same bits as in one go.
    """

    def goes_on(state: State) -> Array:
        return (state.iteration < stop_at) & (state.change >= tol)

    def step(statistics: Statistics, before: Params) -> tuple[Params, EStepSummary]:
        params = m_step(statistics, before, profile, settings)
        return params, e_step_with_statistics(rows, params)

    def iterate(state: State) -> State:
        statistics, place, trail = state.statistics, state.iteration % CYCLE, state.trail
        if trail is None:
            params, summary = step(statistics, state.params)
        else:
            jumps = place == CYCLE - 1
            tried = jax.lax.cond(jumps, extrapolated, lambda _, statistics: statistics, trail, statistics)
            outcome = step(tried, state.params)
            fell = jumps & (outcome[1].log_marginal < state.objective[state.iteration - 1])
            params, summary = jax.lax.cond(fell, lambda: step(statistics, state.params), lambda: outcome)
            trail = (trail[1], statistics)
        change = _change(rows, summary, state)
        return State(
            params=params,
            watched=summary.watched,
            statistics=summary.statistics,
            iteration=state.iteration + 1,
            change=change,
            rate=jnp.where(place == 1, change / state.change, state.rate),
            objective=state.objective.at[state.iteration].set(summary.log_marginal),
            trail=trail,
        )

    return jax.lax.while_loop(goes_on, iterate, state)


def _change(rows: Rows, after: EStepSummary, before: State) -> Float[Array, ""]:
    weight, share_weight = watched(rows, rows.weight), watched(rows, rows.share_weight)
    moved = jnp.abs(after.watched - before.watched)
    if rows.votes.layout.streams:  # padding was never written
        moved = jnp.where(weight[:, None] > 0, moved, 0)
    if len(rows.weight) < MANY_ROWS:
        change = moved.max()
    else:
        # One restless row among many says little, and each iteration costs: their mean counts.
        change = (weight * class_axis.total(moved) / 2).sum() / weight.sum().clip(1)
    # Where none of those watched can move but others can, nothing is known.
    seen, exist = (
        ((of_row > 0) & (of_prior < 1)).any()
        for of_row, of_prior in ((weight, share_weight), (rows.weight, rows.share_weight))
    )
    return jnp.where(exist & ~seen, jnp.inf, change)
