"""From EM to predictions: what a source's votes are worth, and how far the combined value may be off."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.kinds.numbers import settings
from weaklabel.kinds.numbers.fitting import State, VoteArrays, per_item, per_source, vote_variance
from weaklabel.model.numerics.compiled import compiled


class Regression(NamedTuple):
    """How the errors of each source go with the values of items: error = shift + (gain - 1) * (value - center)."""

    gain: Float[Array, " M"]
    gain_sd: Float[Array, " M"]
    shift: Float[Array, " M"]
    shift_sd: Float[Array, " M"]
    genuine: Float[Array, " M"]
    """Expected number of votes that are no gross errors."""
    free: Float[Array, " M"]
    """Degrees of freedom of the source's variance: these votes, less the part that each has in its item's value."""


class Combined(NamedTuple):
    """Items, before the width of predictions is settled."""

    value: Float[Array, " N"]
    effective: Float[Array, " N"]
    """Effective number of votes: the variance of a vote, weighted as the votes are, over that of their weighted mean.
    Of sources alike, their number; 0 without votes."""
    scatter: Float[Array, " N"]
    """Unbiased weighted variance of the item's votes; 0 where there is one."""
    expected: Float[Array, " N"]
    """The same as the model expects it of a pooled item."""


@compiled
def regress(state: State, votes: VoteArrays, center: Array) -> Regression:
    """Gain and shift of each source against the values that EM found.

    Args:
        state: of EM.
        votes: the votes.
        center: value at which shifts are measured.
    """
    at = state.value[votes.item] - center
    error = votes.value - state.value[votes.item]
    precision = state.genuine / vote_variance(state, votes)
    free = state.genuine * (1 - jnp.minimum(precision * state.variance[votes.item], 1.0))
    columns = [precision, precision * at, precision * at**2, precision * error, precision * at * error]
    sums = per_source(votes, [*columns, state.genuine, free], len(state.scale))
    total, first, second, of_error, product, genuine, freedom = sums
    safe = jnp.maximum(total, 1e-30)
    spread = jnp.maximum(second - first**2 / safe, 0.0) + 1 / settings.GAIN_PRIOR_SD**2
    slope = (product - first * of_error / safe) / spread
    shift = jnp.where(total > 0, of_error / safe, 0.0)
    return Regression(
        gain=1 + slope,
        gain_sd=1 / jnp.sqrt(spread),
        shift=shift,
        shift_sd=1 / jnp.sqrt(safe),
        genuine=genuine,
        free=freedom,
    )


@partial(compiled, static_argnames=("n_items",))
def combine(
    state: State, votes: VoteArrays, gain: Float[Array, " M"], shift: Float[Array, " M"], *, n_items: int
) -> Combined:
    """Weighted means of the votes. A vote weighs gain^2 / variance, its Fisher information on the item's value.

    Args:
        state: of EM on these votes.
        votes: the votes.
        gain: of each source.
        shift: of each source, in standard deviations of its votes: taken off.
        n_items: N, padded.
    """
    variance = vote_variance(state, votes)
    bounded = jnp.clip(gain, settings.LEAST_GAIN, settings.MOST_GAIN)
    weight = state.genuine * bounded[votes.source] ** 2 / variance
    value = votes.value - shift[votes.source] * jnp.sqrt(variance)
    own = state.base * state.scale[votes.source]
    sums = per_item(votes, [weight, weight**2 * own, weight * value, weight * own], n_items)
    total = jnp.where(sums[0] > 0, sums[0], 1.0)
    mean = jnp.where(sums[0] > 0, sums[2] / total, state.value)
    effective = jnp.where(sums[0] > 0, sums[3] * total / jnp.where(sums[1] > 0, sums[1], 1.0), 0.0)
    squares = per_item(votes, [weight * (value - mean[votes.item]) ** 2], n_items)[0]
    free = jnp.maximum(effective - 1, 1e-3)
    scatter = jnp.where(effective > 1 + 1e-3, squares / total * effective / free, 0.0)
    return Combined(mean, effective, scatter, sums[3] / total)
