"""EM over blocks of time: in each, sources have skills of their own, which counts of other blocks tell as they fade.

Shapes: B blocks, U rows of a block (padded), M sources, K classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.em.e_step import e_step
from weaklabel.model.layout.choice import Room, is_dense, lay_out
from weaklabel.model.layout.slots import FEWEST_ROWS
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.compute_once import materialized
from weaklabel.model.numerics.padding import bucket, to_device
from weaklabel.model.params import Params
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.protocols import SourceModel
from weaklabel.model.records import Profile, Rows, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.votes import Votes


class Counted(NamedTuple):
    """Expected counts by block."""

    sources: Float[Array, "B M K K"]
    labels: Any
    """Statistics of the label space over all blocks."""


class Others(NamedTuple):
    """What is counted already and stays as it is."""

    sources: Float[Array, "B M K K"]
    """Counts of other blocks, as they have faded in each."""
    labels: Any


def lay_out_blocks(
    votes: Votes,
    number: NDArray[np.int32],
    n_blocks: int,
    copies: sp.csr_array[np.float64],
    *,
    smoothing: Array,
    share_prior_mass: float,
    hold: float,
) -> Rows:
    """The rows of each block on the device, stacked: block by block on the first axis of each array.

    Args:
        votes: N items.
        number: [N] block of each.
        n_blocks: B.
        copies: [M, M] how surely sources copy each other.
        smoothing: [K] over which the pseudo-votes of the vote-share priors are spread.
        share_prior_mass: those pseudo-votes.
        hold: weight of the vote-share prior.
    """
    parts = [votes.select_items(np.flatnonzero(number == block)) for block in range(n_blocks)]
    n_rows = bucket(max(part.n_items for part in parts))
    dense = is_dense(votes, copies)
    room = Room(n_rows, 0, FEWEST_ROWS)
    layouts = [lay_out(part, copies, room, dense=dense) for part in parts]
    if not dense:
        room = room._replace(n_slots=max(layout.n_cells for layout in layouts))
        layouts = [lay_out(part, copies, room, dense=False) for part in parts]
    rows = [
        build_rows(
            RowVotes(layout),
            to_device(np.ones(part.n_items, np.float32), n_rows),
            n_sources=votes.n_sources,
            n_classes=votes.n_classes,
            share_prior_mass=share_prior_mass,
            share_weight=hold,
            smoothing=smoothing,
        )
        for part, layout in zip(parts, layouts, strict=True)
    ]
    stacked: Rows = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    return stacked


@compiled
def skills(faded: Float[Array, "B M K K"], params: Params, labels: Any, profile: Profile, settings: Settings) -> Params:
    """Parameters of each block, stacked where they are of sources.

    Args:
        faded: counts that tell them.
        params: of any earlier M-step.
        labels: statistics of the label space.
        profile: what is known of sources and classes.
        settings: constants.
    """
    balance = params.labels.m_step(labels, profile, settings)

    def of_block(counts: Array) -> SourceModel:
        alone = profile._replace(n_votes=counts.sum((1, 2)))
        return params.sources.m_step(counts, balance.log_balance, alone, settings)

    return Params(jax.vmap(of_block)(faded), balance)


@compiled
def count(rows: Rows, params: Params) -> Counted:
    """E-step and counts of each block, by its own parameters."""
    nothing = jax.tree.map(jnp.zeros_like, _totals(params, rows, 0))

    def of_block(so_far: Any, block: tuple[Rows, SourceModel]) -> tuple[Any, Array]:
        own, sources = block
        expected = e_step(own, Params(sources, params.labels))
        weighted = own.weight[:, None] * materialized(expected.responsibilities)
        more = params.labels.statistics(weighted, None, own.weight, None)
        return jax.tree.map(jnp.add, so_far, more), sources.statistics(own.votes, weighted)

    labels, sources = jax.lax.scan(of_block, nothing, (rows, params.sources))
    return Counted(sources, labels)


def _totals(params: Params, rows: Rows, block: int) -> Any:
    shape = jax.eval_shape(lambda: params.labels.statistics(rows.share_prior[block], None, rows.weight[block], None))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)


@partial(compiled, static_argnames="rounds")
def iterate(
    rows: Rows,
    counted: Counted,
    others: Others,
    weights: Float[Array, "M B B"],
    params: Params,
    profile: Profile,
    settings: Settings,
    rounds: int,
) -> Counted:
    """The counts after so many EM iterations.

    Args:
        rows: of `lay_out_blocks`.
        counted: the counts so far.
        others: what stays as it is.
        weights: of the counts of a block (last axis) in the skills of another.
        params: of any earlier M-step.
        profile: what is known of sources and classes.
        settings: constants.
        rounds: number of iterations.
    """

    def again(_: Any, counted: Counted) -> Counted:
        faded = others.sources + jnp.einsum("mij,jmkc->imkc", weights, counted.sources)
        labels = jax.tree.map(jnp.add, others.labels, counted.labels)
        after: Counted = count(rows, skills(faded, params, labels, profile, settings))
        return after

    after: Counted = jax.lax.fori_loop(0, rounds, again, counted)
    return after
