"""What EM makes of parameters: responsibilities, and the expected counts for the next M-step."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.estep import e_step, e_step_by_row
from weaklabel.model.mstep import statistics
from weaklabel.model.once import kept
from weaklabel.model.params import Params, Rows, Statistics
from weaklabel.model.sparse import SparseLayout


class Expected(NamedTuple):
    """An E-step and its counts."""

    responsibilities: Float[Array, "U K"]
    """See `weaklabel.model.estep.Expectation`."""
    log_evidence: Float[Array, ""]
    """See there."""
    counted: Statistics


def can_go_by_blocks(rows: Rows) -> bool:
    """Whether rows can go block by block: what is made of a block is counted before it leaves the cache."""
    return isinstance(rows.layout, SparseLayout) and rows.soft is None and rows.side is None


def arranged(rows: Rows) -> Rows:
    """The rows in the order in which they go by blocks, if they can."""
    return _by_place(rows) if can_go_by_blocks(rows) else rows


@jax.jit
def _by_place(rows: Rows) -> Rows:
    layout = rows.layout
    assert isinstance(layout, SparseLayout)
    weight, n_votes, anchor, hold = map(layout.by_place, (rows.weight, rows.n_votes, rows.anchor, rows.hold))
    return Rows(layout.without_order(), weight, n_votes, anchor, hold)


def places(rows: Rows, chosen: NDArray[np.intp]) -> NDArray[np.integer[Any]]:
    """Where some rows are among those that are `arranged`."""
    if not can_go_by_blocks(rows):
        return chosen
    assert isinstance(rows.layout, SparseLayout)
    return chosen if rows.layout.places is None else np.asarray(rows.layout.places)[chosen]


def expect(rows: Rows, params: Params, n_groups: int, into: Float[Array, "U K"]) -> Expected:
    """E-step and counts.

    Args:
        rows: the data.
        params: of the M-step.
        n_groups: G; 0 where there are no groups.
        into: [U, K] memory for the responsibilities.
    """
    layout = rows.layout
    if not (can_go_by_blocks(rows) and isinstance(layout, SparseLayout) and layout.rows is None):
        found = e_step(rows, params)
        return Expected(*found, statistics(rows, found.responsibilities, params, n_groups))

    def of_block(at: Array, so_far: Expected) -> Expected:
        part = partial(layout.part, at=at)
        block = Rows(layout.block(at), part(rows.weight), part(rows.n_votes), part(rows.anchor), part(rows.hold))
        found = e_step_by_row(block, params)
        responsibilities = kept(found.responsibilities)
        return Expected(
            layout.with_part(so_far.responsibilities, responsibilities, at),
            so_far.log_evidence + block.weight @ found.log_evidence,
            jax.tree.map(jnp.add, so_far.counted, statistics(block, responsibilities, params)),
        )

    shapes = jax.eval_shape(statistics, rows, into, params)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    total: Expected = jax.lax.fori_loop(0, layout.n_blocks, of_block, Expected(into, jnp.zeros(()), nothing))
    return total._replace(log_evidence=total.log_evidence / rows.weight.sum().clip(1))
