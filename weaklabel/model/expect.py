"""What EM makes of parameters: responsibilities, and the expected counts for the next M-step."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.estep import constrained, e_step, e_step_by_row, log_joint
from weaklabel.model.mstep import statistics
from weaklabel.model.once import kept
from weaklabel.model.params import Params, Rows, Statistics
from weaklabel.model.sparse import SparseBlock, SparseLayout

MANY_ROWS = 2**16
"""From so many on, padding included, a few are watched for EM to come to rest: ..."""
WATCHED_ROWS = 2**14
"""... so many of them."""


class Expected(NamedTuple):
    """An E-step and its counts."""

    responsibilities: Float[Array, "U K"] | None
    """See `weaklabel.model.estep.Expectation`; None where rows go by blocks, which costs less than to keep them."""
    watched: Float[Array, "W K"]
    """Those of some rows, whose change tells whether EM goes on."""
    log_evidence: Float[Array, ""]
    """See `weaklabel.model.estep.Expectation`."""
    counted: Statistics


def goes_by_blocks(rows: Rows) -> bool:
    """Whether rows go block by block: what is made of a block is counted before it leaves the cache."""
    return isinstance(rows.layout, SparseLayout) and rows.layout.rows is None


def watched(rows: Rows, of_rows: Float[Array, "U ..."]) -> Float[Array, "W ..."]:
    """Values of the rows whose change tells whether EM goes on."""
    return of_rows[:: _stride(rows)]


def _stride(rows: Rows) -> int:
    n_rows = rows.layout.n_rows
    stride = 1 if n_rows < MANY_ROWS else n_rows // WATCHED_ROWS
    return min(stride, rows.layout.block_rows) if isinstance(rows.layout, SparseLayout) else stride


def expect(rows: Rows, params: Params, n_groups: int) -> Expected:
    """E-step and counts.

    Args:
        rows: the data.
        params: of the M-step.
        n_groups: G; 0 where there are no groups.
    """
    layout, n_classes = rows.layout, rows.anchor.shape[1]
    if not goes_by_blocks(rows):
        found = e_step(rows, params)
        counted = statistics(rows, found.responsibilities, params, n_groups)
        return Expected(found.responsibilities, watched(rows, found.responsibilities), found.log_evidence, counted)
    assert isinstance(layout, SparseLayout)
    stride = _stride(rows)

    def of_block(at: Array, so_far: Expected) -> Expected:
        block = _block(rows, at)
        found = e_step_by_row(block, params)
        responsibilities = kept(found.responsibilities)
        some = responsibilities[::stride]
        return Expected(
            None,
            jax.lax.dynamic_update_slice_in_dim(so_far.watched, some, at * len(some), 0),
            so_far.log_evidence + block.weight @ found.log_evidence,
            jax.tree.map(jnp.add, so_far.counted, statistics(block, responsibilities, params)),
        )

    shapes = jax.eval_shape(statistics, rows, rows.anchor, params)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    some = jnp.zeros((layout.n_rows // stride, n_classes), rows.anchor.dtype)
    total: Expected = jax.lax.fori_loop(0, layout.n_blocks, of_block, Expected(None, some, jnp.zeros(()), nothing))
    return total._replace(log_evidence=total.log_evidence / rows.weight.sum().clip(1))


@jax.jit
def posterior(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Probability of each class by the model alone: without anchor, untempered."""
    if not goes_by_blocks(rows):
        return constrained(log_joint(rows, params), rows.side).probabilities
    layout = rows.layout
    assert isinstance(layout, SparseLayout)

    def of_block(block: SparseBlock) -> Array:
        nothing = jnp.zeros(block.n_rows)
        return constrained(
            log_joint(Rows(block, nothing, nothing, nothing[:, None], nothing), params), None
        ).probabilities

    return layout.of_blocks(of_block)


def _block(rows: Rows, at: Array) -> Rows:
    """The rows of one block."""
    layout = rows.layout
    assert isinstance(layout, SparseLayout)
    part = partial(layout.part, at=at)
    return Rows(layout.block(at), part(rows.weight), part(rows.n_votes), part(rows.anchor), part(rows.hold))
