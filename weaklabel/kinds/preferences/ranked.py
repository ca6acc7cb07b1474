"""Rankings by Plackett and Luce within the compiled loop: their local curvature and slope, pair by pair.

The judge picks the best of all items, then the best of the rest, and so on (Luce 1959; Plackett 1975,
doi:10.2307/2346567): item j, of log-weight eta_j = a_k x_j, is picked of a rest R with p_j = exp(eta_j) / the sum of
exp(eta) over R. The curvature of a pick is diag(p) - p p', the sum over pairs of p_i p_j (e_i - e_j)(e_i - e_j)', and
its slope, where w is picked, the sum of p_j (e_w - e_j). So a ranking acts on scores and skills as weighted comparisons
of its pairs do; of i before j, with

    curvature:  the sum over the picks up to that of i of p_i p_j;    slope:  p_j at the pick of i.

Both are exact. A parabola that bounds the log of the sum would have up to n / 2 times the curvature for n equal items.

Shapes: N rankings, M items of the longest, C comparisons.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

NOTHING = -1e30
"""Log-weight of what is not there."""


class Ranked(NamedTuple):
    """Rankings on the device; padding has weight 0."""

    item: Int[Array, "N M"]
    there: Float[Array, "N M"]
    """1 where there is an item."""
    judge: Int[Array, " N"]
    weight: Float[Array, " N"]
    slot_left: Int[Array, " C"]
    """Place of the left item of each comparison in `item`, row after row; -1 where it is of no ranking."""
    slot_right: Int[Array, " C"]


class PairMoments(NamedTuple):
    """What rankings are, pair by pair."""

    curvature: Float[Array, " C"]
    slope: Float[Array, " C"]
    """Derivative by the difference of log-weights of left and right."""


def log_weights(ranked: Ranked, scores: Float[Array, " I"], skill: Float[Array, " J"]) -> Float[Array, "N M"]:
    """Log-weights of the items of each ranking."""
    eta = skill[ranked.judge][:, None] * scores[ranked.item]
    return jnp.where(ranked.there > 0, eta, NOTHING)


def log_rest(eta: Float[Array, "N M"]) -> Float[Array, "N M"]:
    """Log of the sum of the weights of each item and those behind it."""
    return jax.lax.cumlogsumexp(eta, axis=1, reverse=True)


def log_likelihood(ranked: Ranked, eta: Float[Array, "N M"]) -> Float[Array, ""]:
    """Of all rankings."""
    picks = jnp.where(ranked.there > 0, eta - log_rest(eta), 0.0)
    return jnp.sum(ranked.weight * jnp.sum(picks, 1))


def pair_moments(ranked: Ranked, eta: Float[Array, "N M"]) -> PairMoments:
    """Curvature and slope of every comparison that is of a ranking; 0 for the others."""
    rest = log_rest(eta)
    picks = jax.lax.cumlogsumexp(-2 * rest, axis=1)
    better = jnp.maximum(jnp.minimum(ranked.slot_left, ranked.slot_right), 0)
    worse = jnp.maximum(jnp.maximum(ranked.slot_left, ranked.slot_right), 0)
    of_better, of_worse = eta.ravel()[better], eta.ravel()[worse]
    weight = ranked.weight[better // eta.shape[1]] * jnp.where(ranked.slot_left >= 0, 1.0, 0.0)
    slope = jnp.exp(jnp.minimum(of_worse - rest.ravel()[better], 0.0))
    curvature = jnp.exp(jnp.minimum(of_better + of_worse + picks.ravel()[better], 0.0))
    sign = jnp.where(ranked.slot_left < ranked.slot_right, 1.0, -1.0)
    return PairMoments(curvature=weight * curvature, slope=weight * sign * slope)
