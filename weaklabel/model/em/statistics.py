"""What EM makes of parameters: responsibilities, and the expected counts for the next M-step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from weaklabel.model.em.e_step import constrained, e_step, e_step_by_row, log_joint
from weaklabel.model.em.m_step import statistics
from weaklabel.model.layout.choice import AnyLayout
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.numerics.compute_once import kept
from weaklabel.model.records import Params, Rows, Statistics

MANY_ROWS = 2**16
"""From so many on, padding included, a few are watched for EM to come to rest: ..."""
WATCHED_ROWS = 2**14
"""... so many of them, where rows go by blocks."""
MOST_SUMMED = 2**14
"""Votes of a source for one class, on the mean, up to which they are summed one after the other."""
BETWEEN_BLOCKS = 7919
"""By so many places the watched rows of a block are further on than those of the block before: a prime."""


class Expected(NamedTuple):
    """An E-step and its counts."""

    responsibilities: Float[Array, "U K"] | None
    """See `weaklabel.model.em.e_step.Expectation`; None where rows go by blocks, which costs less than to keep them."""
    watched: Float[Array, "W K"] | None
    """Those of some rows, whose change tells whether EM goes on; None where all are kept."""
    log_evidence: Float[Array, ""]
    """See `weaklabel.model.em.e_step.Expectation`."""
    counted: Statistics


def goes_by_blocks(rows: Rows) -> bool:
    """Whether rows go block by block: what is made of a block is counted before it leaves the cache."""
    return isinstance(rows.layout, SparseLayout) and rows.layout.rows is None


def watched(rows: Rows, of_rows: Float[Array, "U ..."]) -> Float[Array, "W ..."]:
    """Values of the rows whose change tells whether EM goes on: all, or some of each block, drawn at random."""
    if not goes_by_blocks(rows):
        return of_rows
    layout = rows.layout
    assert isinstance(layout, SparseLayout)
    of_blocks = of_rows.reshape(-1, layout.block_rows, *of_rows.shape[1:])
    some: Array = jax.vmap(lambda at, part: part[_drawn(rows, at)])(jnp.arange(len(of_blocks)), of_blocks)
    return some.reshape(-1, *of_rows.shape[1:])


def _drawn(rows: Rows, at: Array) -> Array:
    """Places in a block of its rows that are watched: none that return regularly, as rows of a kind may."""
    layout = rows.layout
    assert isinstance(layout, SparseLayout)
    size = layout.block_rows
    share = 1 if layout.n_rows < MANY_ROWS else max(layout.n_rows // WATCHED_ROWS, 1)
    drawn = np.random.default_rng(0).permutation(size)[: max(size // share, 1)]
    return (jnp.asarray(np.sort(drawn), jnp.int32) + at * BETWEEN_BLOCKS) % size


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
        responsibilities = kept(found.responsibilities)
        counted = statistics(rows, responsibilities, params, n_groups)
        return Expected(responsibilities, None, found.log_evidence, counted)
    assert isinstance(layout, SparseLayout)
    n_drawn, in_place = len(_drawn(rows, jnp.asarray(0))), _counts_in_place(rows, params)

    def of_block(at: Array, so_far: Expected) -> Expected:
        block = _block(rows, at, so_far.counted.counts if in_place else None)
        found = e_step_by_row(block, params)
        responsibilities, log_evidence = kept(found.responsibilities), kept(found.log_evidence)
        assert so_far.watched is not None
        return Expected(
            None,
            jax.lax.dynamic_update_slice_in_dim(so_far.watched, responsibilities[_drawn(rows, at)], at * n_drawn, 0),
            so_far.log_evidence + block.weight @ log_evidence,
            _added(so_far.counted, statistics(block, responsibilities, params), in_place=in_place),
        )

    some = jnp.zeros((len(layout.starts) * n_drawn, n_classes), rows.anchor.dtype)
    nothing = Expected(None, some, jnp.zeros(()), _no_counts(rows, params))
    total: Expected = jax.lax.fori_loop(0, layout.n_blocks, of_block, nothing)
    return total._replace(log_evidence=total.log_evidence / rows.weight.sum().clip(1))


def expect_anchors(rows: Rows, params: Params, n_groups: int) -> Statistics:
    """The counts before the first E-step, as if the anchors were the responsibilities; see `expect`."""
    layout = rows.layout
    if not goes_by_blocks(rows):
        return statistics(rows, rows.anchor, params, n_groups)
    assert isinstance(layout, SparseLayout)
    in_place = _counts_in_place(rows, params)

    def of_block(at: Array, so_far: Statistics) -> Statistics:
        block = _block(rows, at, so_far.counts if in_place else None)
        return _added(so_far, statistics(block, block.anchor, params), in_place=in_place)

    total: Statistics = jax.lax.fori_loop(0, layout.n_blocks, of_block, _no_counts(rows, params))
    return total


def _no_counts(rows: Rows, params: Params) -> Statistics:
    shapes = jax.eval_shape(statistics, rows, rows.anchor, params)
    nothing: Statistics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return nothing


def _added(so_far: Statistics, of_block: Statistics, *, in_place: bool) -> Statistics:
    return Statistics(of_block.counts if in_place else so_far.counts + of_block.counts, so_far.totals + of_block.totals)


@jax.jit
def posterior(rows: Rows, params: Params) -> Float[Array, "U K"]:
    """Probability of each class by the model alone: without anchor, untempered."""
    return constrained(log_joint(rows, params), rows.side).probabilities


@jax.jit
def posterior_of_votes(layout: AnyLayout, params: Params) -> Float[Array, "U K"]:
    """The same, of rows of which nothing but votes for classes or candidate sets is known."""
    nothing = jnp.zeros(layout.n_rows)
    return constrained(log_joint(Rows(layout, nothing, nothing, nothing[:, None], nothing), params), None).probabilities


def _counts_in_place(rows: Rows, params: Params) -> bool:
    """Whether blocks add to one table of counts, not each to its own.

    They do where its entries are sums of few numbers, so that float32 loses nothing.
    """
    assert isinstance(rows.layout, SparseLayout)
    return params.evidence.ndim == 3 and params.evidence[..., 0].size * MOST_SUMMED >= len(rows.layout.symbols)


def _block(rows: Rows, at: Array, counted: Array | None) -> Rows:
    """The rows of one block, and the counts that its own are added to."""
    layout = rows.layout
    assert isinstance(layout, SparseLayout)
    part, block = partial(layout.part, at=at), replace(layout.block(at), counted=counted)
    return Rows(block, part(rows.weight), part(rows.n_votes), part(rows.anchor), part(rows.hold))
