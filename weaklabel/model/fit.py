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
"""Above, one restless row among them says little, and the mean change counts ..."""
MEAN_FACTOR = 5.0
"""... times this."""


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
        counted = statistics(rows, state.responsibilities, sources.precision.shape[0], full=full)
        params = m_step(counted, sources, settings)
        expected = e_step(rows, params)
        change = _change(rows, expected.responsibilities, state.responsibilities)
        trace = state.objective.at[state.iteration].set(expected.log_evidence)
        return State(params, expected.responsibilities, state.iteration + 1, change, trace)

    return jax.lax.while_loop(going, iterate, state)


def _change(rows: Rows, after: Float[Array, "U K"], before: Float[Array, "U K"]) -> Float[Array, ""]:
    difference = jnp.abs(after - before)
    if len(rows.weight) <= MANY_ROWS:
        return difference.max()
    return MEAN_FACTOR * (rows.weight * difference.sum(1) / 2).sum() / rows.weight.sum().clip(1)
