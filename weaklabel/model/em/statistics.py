"""Statistics for the M-step: expected counts, made together with an E-step where rows are streamed."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.em.e_step import e_step
from weaklabel.model.layout.protocol import Block, Layout
from weaklabel.model.numerics.compute_once import materialized
from weaklabel.model.params import Params
from weaklabel.model.records import Rows, RowVotes, Statistics

MANY_ROWS = 2**16
"""From so many on, padding included, EM converges by a mean over rows, and where rows are streamed by some: ..."""
WATCHED_ROWS = 2**14
"""... so many of them."""
MOST_SUMMED = 2**14
"""Votes of a source for one class, on the mean, up to which they are summed one after the other."""
BLOCK_STRIDE = 7919
"""The watched rows of a block are so many places further on than those of the block before: a prime."""


class EStepSummary(NamedTuple):
    """An E-step, and what EM goes on with."""

    watched: Float[Array, "W K"]
    """Responsibilities of the rows whose change tells whether EM goes on."""
    log_marginal: Float[Array, ""]
    """Mean over the items; see `weaklabel.model.em.e_step.EStep`."""
    statistics: Statistics


def statistics(
    rows: Rows,
    responsibilities: Float[Array, "U K"],
    params: Params,
    start: Statistics | None = None,
    expected: Any = None,
) -> Statistics:
    """Expected counts under the responsibilities.

    Args:
        rows: the data.
        responsibilities: of the E-step.
        params: those of the E-step; they say what is counted.
        start: statistics that those of the sources are added to; None for none.
        expected: what else the label space counts, of the E-step.
    """
    weighted = rows.weight[:, None] * responsibilities
    of_sources = params.sources.statistics(rows.votes, weighted, None if start is None else start.sources)
    return Statistics(of_sources, params.labels.statistics(weighted, rows.information, rows.weight, expected))


def watched(rows: Rows, values: Float[Array, "U ..."]) -> Float[Array, "W ..."]:
    """Values of the rows whose change tells whether EM goes on: all, or where rows are streamed some of each block."""
    layout = rows.votes.layout
    if not layout.streams:
        return values
    of_blocks = values.reshape(-1, layout.block_rows, *values.shape[1:])
    some: Array = jax.vmap(lambda number, part: part[_watched_places(layout, number)])(
        jnp.arange(len(of_blocks)), of_blocks
    )
    return some.reshape(-1, *values.shape[1:])


def _drawn(layout: Layout) -> NDArray[np.int32]:
    """Places in a block that are watched, drawn at random: none that return regularly, as rows of a kind may."""
    share = 1 if layout.n_rows < MANY_ROWS else max(layout.n_rows // WATCHED_ROWS, 1)
    drawn = np.random.default_rng(0).permutation(layout.block_rows)[: max(layout.block_rows // share, 1)]
    return np.sort(drawn).astype(np.int32)


def _watched_places(layout: Layout, number: Array | int) -> Int[Array, " w"]:
    return (jnp.asarray(_drawn(layout)) + number * BLOCK_STRIDE) % layout.block_rows


def e_step_with_statistics(rows: Rows, params: Params) -> EStepSummary:
    """E-step and statistics; rows that are streamed are counted block by block, before they leave the cache."""
    layout = rows.votes.layout
    if not layout.streams:
        expected = e_step(rows, params)
        responsibilities = materialized(expected.responsibilities)
        log_marginal = rows.weight @ materialized(expected.log_marginal) / rows.weight.sum().clip(1)
        counts = statistics(rows, responsibilities, params, expected=expected.expected)
        return EStepSummary(responsibilities, log_marginal, counts)
    n_watched, in_place = len(_drawn(layout)), _counts_in_place(layout, params)

    def of_block(block: Block, so_far: EStepSummary) -> EStepSummary:
        part = _rows_of(block, rows)
        expected = e_step(part, params)
        responsibilities, log_marginal = materialized(expected.responsibilities), materialized(expected.log_marginal)
        some = responsibilities[_watched_places(layout, block.number)]
        return EStepSummary(
            jax.lax.dynamic_update_slice_in_dim(so_far.watched, some, block.number * n_watched, 0),
            so_far.log_marginal + part.weight @ log_marginal,
            _plus(so_far.statistics, part, responsibilities, params, expected.expected, in_place=in_place),
        )

    n_blocks, n_classes = layout.n_rows // layout.block_rows, rows.share_prior.shape[1]
    none = jnp.zeros((n_blocks * n_watched, n_classes), rows.share_prior.dtype)
    total = layout.fold_blocks(of_block, EStepSummary(none, jnp.zeros(()), _nothing(rows, params)))
    return total._replace(log_marginal=total.log_marginal / rows.weight.sum().clip(1))


def first_statistics(rows: Rows, params: Params) -> Statistics:
    """Statistics before the first E-step, with the vote-share priors for responsibilities."""
    layout = rows.votes.layout
    if not layout.streams:
        return statistics(rows, rows.share_prior, params)
    in_place = _counts_in_place(layout, params)

    def of_block(block: Block, so_far: Statistics) -> Statistics:
        part = _rows_of(block, rows)
        return _plus(so_far, part, part.share_prior, params, None, in_place=in_place)

    return layout.fold_blocks(of_block, _nothing(rows, params))


def _nothing(rows: Rows, params: Params) -> Statistics:
    shapes = jax.eval_shape(statistics, rows, rows.share_prior, params)
    zeros: Statistics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return zeros


def _plus(
    so_far: Statistics,
    part: Rows,
    responsibilities: Float[Array, "B K"],
    params: Params,
    expected: Any,
    *,
    in_place: bool,
) -> Statistics:
    of_part = statistics(part, responsibilities, params, so_far if in_place else None, expected)
    sources = of_part.sources if in_place else _sum(so_far.sources, of_part.sources)
    return Statistics(sources, _sum(so_far.labels, of_part.labels))


def _sum(left: Any, right: Any) -> Any:
    return jax.tree.map(jnp.add, left, right)


def _counts_in_place(layout: Layout, params: Params) -> bool:
    """Whether blocks add to one table of counts, rather than each to its own.

    They do where its entries are sums of few numbers, so that float32 loses nothing.
    """
    size = params.sources.table_size
    return size > 0 and size * MOST_SUMMED >= layout.n_cells


def _rows_of(block: Block, rows: Rows) -> Rows:
    return Rows(
        votes=RowVotes(block.layout),
        weight=block.part(rows.weight),
        n_votes=block.part(rows.n_votes),
        share_prior=block.part(rows.share_prior),
        share_weight=block.part(rows.share_weight),
    )
