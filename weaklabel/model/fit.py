"""EM in one compiled loop over state of fixed size."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.estep import e_step
from weaklabel.model.mstep import m_step, statistics
from weaklabel.model.params import Params, Rows, Settings, Sources, State

FULL_CELLS = 2**21
"""Above so many cells, confusion matrices give way to one accuracy a source."""
MANY_ROWS = 2**16
"""From so many on, one restless row among them says little, and the mean change counts ..."""
MEAN_FACTOR = 5.0
"""... times this."""


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
    trace = jnp.full(max_iter, jnp.nan)
    # A copy: the loop takes the state's memory, and the rows keep theirs.
    responsibilities = jnp.array(rows.anchor, copy=True)
    return State(params, responsibilities, jnp.asarray(0, jnp.int32), jnp.asarray(jnp.inf, jnp.float32), trace)


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

    def iterate(state: State) -> State:
        counted = statistics(rows, state.responsibilities, state.params, n_groups)
        params = m_step(counted, sources, settings, state.params)
        expected = e_step(rows, params)
        change = _change(rows, expected.responsibilities, state.responsibilities)
        trace = state.objective.at[state.iteration].set(expected.log_evidence)
        return State(params, expected.responsibilities, state.iteration + 1, change, trace)

    return jax.lax.while_loop(going, iterate, state)


def _change(rows: Rows, after: Float[Array, "U K"], before: Float[Array, "U K"]) -> Float[Array, ""]:
    difference = jnp.abs(after - before)
    if len(rows.weight) < MANY_ROWS:
        return difference.max()
    return MEAN_FACTOR * (rows.weight * difference.sum(1) / 2).sum() / rows.weight.sum().clip(1)
