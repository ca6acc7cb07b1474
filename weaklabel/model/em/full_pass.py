"""One pass of EM over rows that need not fit in memory: an E-step and its statistics.

Statistics add up, so chunks, devices and processes each make their own, and the M-step follows on the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.em.e_step import e_step
from weaklabel.model.em.statistics import statistics
from weaklabel.model.layout.protocol import Block, Layout
from weaklabel.model.numerics.compute_once import materialized
from weaklabel.model.params import Params
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.protocols import Information
from weaklabel.model.records import RowVotes, Statistics


class PassStatistics(NamedTuple):
    """What a pass adds up."""

    statistics: Statistics
    n_votes: Float[Array, " M"]
    """Votes of each source."""
    share_totals: Float[Array, " K"]
    """Number of items of each class by the vote-share priors."""
    log_marginal: Float[Array, ""]
    """Of the votes."""
    weight: Float[Array, ""]
    """Items in the statistics."""


class PassParams(NamedTuple):
    """What a pass goes by: what the fit of a subsample has estimated."""

    params: Params
    share_prior_mass: Float[Array, ""]
    share_weight: Float[Array, ""]
    smoothing: Float[Array, " K"]


def full_pass(
    layout: Layout, items: Float[Array, " U"], information: Information | None, by: PassParams, n_sources: int
) -> PassStatistics:
    """One pass.

    Args:
        layout: a chunk of votes.
        items: [U] 1 for rows, 0 for padding.
        information: what is known of the rows beside their votes: a tree of arrays with rows first.
        by: parameters.
        n_sources: M.
    """

    def add(block: Block, total: PassStatistics) -> PassStatistics:
        known = jax.tree.map(block.part, information)
        of_block = _of_block(block.layout, block.part(items), known, by, n_sources)
        summed: PassStatistics = jax.tree.map(jnp.add, total, of_block)
        return summed

    return layout.fold_blocks(add, _zeros(layout, information, by, n_sources))


def _of_block(
    layout: Layout, items: Float[Array, " U"], information: Information | None, by: PassParams, n_sources: int
) -> PassStatistics:
    n_classes = by.params.labels.log_prior.shape[0]
    mass, weight = by.share_prior_mass, by.share_weight
    rows = build_rows(RowVotes(layout), items, n_sources, n_classes, mass, weight, smoothing=by.smoothing)
    if information is not None:
        rows = information.attach(rows, items, weight)
    expected = e_step(rows, by.params)
    responsibilities, log_marginal = materialized(expected.responsibilities), materialized(expected.log_marginal)
    of_block = statistics(rows, responsibilities, by.params, expected=expected.expected)
    n_votes = by.params.sources.vote_totals(of_block.sources)
    if n_votes is None:
        n_votes = layout.counts(rows.weight[:, None], n_sources, n_classes).sum((1, 2))
    return PassStatistics(
        statistics=of_block,
        n_votes=n_votes,
        share_totals=rows.weight @ rows.share_prior,
        log_marginal=rows.weight @ log_marginal,
        weight=rows.weight.sum(),
    )


def _zeros(layout: Layout, information: Information | None, by: PassParams, n_sources: int) -> PassStatistics:
    def first(block: Block) -> PassStatistics:
        return _of_block(block.layout, jnp.zeros(block.layout.n_rows), information, by, n_sources)

    shapes = jax.eval_shape(lambda: first(Block(0, layout, lambda values: values)))
    zeros: PassStatistics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return zeros
