"""EM in one compiled loop over state of fixed size."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.estep import e_step
from weaklabel.model.mstep import m_step
from weaklabel.model.params import Params, Rows, Settings, Sources, State

FULL_CELLS = 2**21
"""Above so many cells, confusion matrices give way to one accuracy a source."""


def start(rows: Rows, n_sources: int, max_iter: int) -> State:
    """State before the first iteration: responsibilities are the anchors."""
    n_classes = rows.anchor.shape[1]
    full = n_sources * n_classes**2 <= FULL_CELLS
    matrices = (n_sources, n_classes, n_classes)
    params = Params(
        jnp.zeros(matrices if full else (n_sources,)),
        jnp.zeros(matrices if full else (n_sources, n_classes)),
        jnp.zeros(n_classes),
        jnp.zeros(n_classes),
    )
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
    full = state.params.evidence.ndim == 3

    def going(state: State) -> Array:
        return (state.iteration < stop_at) & (state.change >= tol)

    def iterate(state: State) -> State:
        params = m_step(rows, sources, state.responsibilities, settings, full=full)
        expected = e_step(rows, params)
        change = jnp.abs(expected.responsibilities - state.responsibilities).max()
        trace = state.objective.at[state.iteration].set(expected.log_evidence)
        return State(params, expected.responsibilities, state.iteration + 1, change, trace)

    return jax.lax.while_loop(going, iterate, state)


@partial(jax.jit, static_argnames="n_sources")
def votes_by_class(rows: Rows, responsibilities: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
    """How often each source is expected to have voted on items of each class."""
    return rows.layout.counts(rows.weight[:, None] * responsibilities, n_sources).sum(1)
