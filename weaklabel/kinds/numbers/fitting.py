"""EM of the numeric model: the values of items, the scale of sources, the difficulty of items, in one compiled loop.

A vote is y = t + sqrt(base * scale[source] * difficulty[item]) * noise, with t flat, noise normal, and a small share of
gross errors that are flat over a wide range. Scale and difficulty have priors about 1 that act as pseudo-votes (inverse
gamma). Each step is a coordinate's maximum of the evidence lower bound, which therefore never falls. Robust location by
mixtures: Aitkin and Wilson 1980, doi:10.1080/00401706.1980.10486163.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from weaklabel.kinds.numbers import settings
from weaklabel.model.numerics.compiled import compiled

LOG_2PI = 1.8378770664093453


class VoteArrays(NamedTuple):
    """J votes on the device, in units of the spread of all values; padded votes are not present."""

    item: Int[Array, " J"]
    source: Int[Array, " J"]
    value: Float[Array, " J"]
    present: Float[Array, " J"]
    """1 for a vote, 0 for padding."""


class Known(NamedTuple):
    """Values that are known of items."""

    value: Float[Array, " N"]
    mask: Float[Array, " N"]
    """1 where known."""


class State(NamedTuple):
    """What EM estimates, in units of the spread of all values."""

    value: Float[Array, " N"]
    """Posterior mean of the votes alone, or the known value."""
    variance: Float[Array, " N"]
    """Posterior variance, 0 where known."""
    base: Float[Array, ""]
    """Variance of a vote of the pooled source on the pooled item."""
    scale: Float[Array, " M"]
    """Variance of a source relative to the pooled one."""
    difficulty: Float[Array, " N"]
    """Variance of an item's votes relative to the pooled one."""
    genuine: Float[Array, " J"]
    """Probability that a vote is no gross error."""


class Progress(NamedTuple):
    """How far the loop is."""

    state: State
    objective: Float[Array, " T"]
    change: Float[Array, ""]
    iteration: Int[Array, ""]


def per_item(votes: VoteArrays, columns: list[Array], n_items: int) -> list[Array]:
    """Sums over the votes of each item."""
    return _sums(votes.item, columns, n_items, in_order=True)


def per_source(votes: VoteArrays, columns: list[Array], n_sources: int) -> list[Array]:
    """Sums over the votes of each source."""
    return _sums(votes.source, columns, n_sources, in_order=False)


def _sums(index: Array, columns: list[Array], size: int, *, in_order: bool) -> list[Array]:
    sums = jax.ops.segment_sum(jnp.stack(columns, 1), index, size, indices_are_sorted=in_order)
    return [sums[:, column] for column in range(len(columns))]


def vote_variance(state: State, votes: VoteArrays) -> Float[Array, " J"]:
    """Variance of each vote about the item's value, unless it is a gross error."""
    return state.base * state.scale[votes.source] * state.difficulty[votes.item]


def e_step(state: State, votes: VoteArrays) -> tuple[Float[Array, " J"], Float[Array, " J"], Float[Array, ""]]:
    """Expected squared errors, probabilities that votes are genuine, and the lower bound."""
    error = votes.value - state.value[votes.item]
    squared = error**2 + state.variance[votes.item]
    variance = vote_variance(state, votes)
    genuine = jnp.log1p(-settings.GROSS_SHARE) - 0.5 * (LOG_2PI + jnp.log(variance) + squared / variance)
    both = jnp.logaddexp(genuine, jnp.log(settings.GROSS_SHARE / settings.GROSS_RANGE))
    entropy = jnp.where(state.variance > 0, 0.5 * (LOG_2PI + 1 + jnp.log(jnp.maximum(state.variance, 1e-30))), 0.0)
    bound = (votes.present * both).sum() + entropy.sum()
    for prior, relative in ((settings.SOURCE_PRIOR, state.scale), (settings.ITEM_PRIOR, state.difficulty)):
        bound -= 0.5 * prior * (jnp.log(relative) + 1 / relative - 1).sum()
    return squared, votes.present * jnp.exp(genuine - both), bound


def update(
    state: State, votes: VoteArrays, known: Known, squared: Array, genuine: Array, *, learn_sources: bool
) -> State:
    """The parameters, one after the other, each at its maximum given the rest; then the values of items."""
    n_items, n_sources = len(state.value), len(state.scale)
    base, scale = state.base, state.scale
    weighted = genuine * squared
    if learn_sources:
        relative = weighted / (scale[votes.source] * state.difficulty[votes.item])
        base = jnp.maximum(relative.sum() / jnp.maximum(genuine.sum(), 1.0), settings.LEAST_VARIANCE)
        sums = per_source(votes, [weighted / (base * state.difficulty[votes.item]), genuine], n_sources)
        scale = (settings.SOURCE_PRIOR + sums[0]) / (settings.SOURCE_PRIOR + sums[1])
        scale, base = _centred(scale, base, sums[1] > 0.5)
    precision = genuine / (base * scale[votes.source])
    sums = per_item(votes, [precision * squared, genuine, precision, precision * votes.value], n_items)
    difficulty = (settings.ITEM_PRIOR + sums[0]) / (settings.ITEM_PRIOR + sums[1])
    voted = sums[2] > 0
    inverse = 1 / jnp.where(voted, sums[2], 1.0)
    value = jnp.where(voted, sums[3] * inverse, state.value)
    variance = jnp.where(voted & (known.mask == 0), difficulty * inverse, 0.0)
    if learn_sources:
        difficulty, base = _centred(difficulty, base, voted)
    return State(
        value=jnp.where(known.mask > 0, known.value, value),
        variance=variance,
        base=base,
        scale=scale,
        difficulty=difficulty,
        genuine=genuine,
    )


def _centred(relative: Array, base: Array, counts: Array) -> tuple[Array, Array]:
    """Relative variances where their prior is highest, and the base that leaves each product as it was.

    Without it, base and relative variances trade places over hundreds of iterations.
    """
    factor = jnp.where(counts, 1 / relative, 0.0).sum() / jnp.maximum(counts.sum(dtype=jnp.float32), 1.0)
    return jnp.where(counts, relative * factor, relative), base / factor


@partial(compiled, static_argnames=("n_sources",))
def start(votes: VoteArrays, known: Known, median: Array, n_sources: int) -> State:
    """From the medians of items, and all votes that are not wildly far from them."""
    value = jnp.where(known.mask > 0, known.value, median)
    squared = (votes.value - value[votes.item]) ** 2
    genuine = jnp.where(squared < settings.WILD**2, votes.present, 0.0)
    base = jnp.maximum((genuine * squared).sum() / jnp.maximum(genuine.sum(), 1.0), settings.LEAST_VARIANCE)
    sums = per_source(votes, [genuine * squared / base, genuine], n_sources)
    count = per_item(votes, [votes.present], len(value))[0]
    return State(
        value=value,
        variance=jnp.where((count > 0) & (known.mask == 0), base / jnp.maximum(count, 1.0), 0.0),
        base=base,
        scale=(settings.SOURCE_PRIOR + sums[0]) / (settings.SOURCE_PRIOR + sums[1]),
        difficulty=jnp.ones_like(value),
        genuine=genuine,
    )


@compiled
def start_items(votes: VoteArrays, median: Float[Array, " N"], base: Array, scale: Float[Array, " M"]) -> State:
    """From the medians of items and known sources: all votes are genuine, and variances are what they give."""
    total = per_item(votes, [votes.present / (base * scale[votes.source])], len(median))[0]
    variance = jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1.0), 0.0)
    return State(
        value=median,
        variance=variance,
        base=base,
        scale=scale,
        difficulty=jnp.ones_like(median),
        genuine=votes.present,
    )


def before_first(state: State, max_iter: int) -> Progress:
    """The loop, about to begin with a state; at most `max_iter` iterations."""
    return Progress(state, *jax.device_put((np.zeros(max_iter, np.float32), np.float32(np.inf), np.int32(0))))


@partial(compiled, static_argnames=("learn_sources",))
def run(
    begin: Progress, votes: VoteArrays, known: Known, stop_at: Array, tol: Array, *, learn_sources: bool
) -> Progress:
    """EM until no value moves by more than `tol`, or until iteration `stop_at`.

    Args:
        begin: where to begin; without `learn_sources` its `base` and `scale` stay.
        votes: the votes.
        known: values that are known.
        stop_at: called again with a later one, it goes on where it was.
        tol: largest change of a value, in spreads of all values.
        learn_sources: whether sources are estimated, or only items.
    """

    def goes_on(progress: Progress) -> Array:
        return (progress.iteration < stop_at) & (progress.change > tol)

    def step(progress: Progress) -> Progress:
        state = progress.state
        squared, genuine, bound = e_step(state, votes)
        new = update(state, votes, known, squared, genuine, learn_sources=learn_sources)
        change = jnp.abs(new.value - state.value).max()
        settled = jnp.where(progress.iteration < 2, jnp.inf, change)  # medians may be where means are
        return Progress(new, progress.objective.at[progress.iteration].set(bound), settled, progress.iteration + 1)

    return jax.lax.while_loop(goes_on, step, begin)
