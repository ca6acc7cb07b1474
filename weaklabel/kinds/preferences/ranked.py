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
    better: Int[Array, " C"]
    """Place of the better item of each comparison in `item`, row after row; 0 where it is of no ranking."""
    worse: Int[Array, " C"]
    """Place of the other."""
    sign: Float[Array, " C"]
    """1 where left is better, -1 where right is, 0 where the comparison is of no ranking."""


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

    def add(behind: Array, own: Array) -> tuple[Array, Array]:
        total = jnp.logaddexp(behind, own)
        return total, total

    found: Array = jax.lax.scan(add, jnp.full(eta.shape[0], NOTHING), eta.T, reverse=True)[1]
    return found.T


def log_likelihood(ranked: Ranked, eta: Float[Array, "N M"]) -> Float[Array, ""]:
    """Of all rankings."""
    picks = jnp.where(ranked.there > 0, eta - log_rest(eta), 0.0)
    return jnp.sum(ranked.weight * jnp.sum(picks, 1))


def pair_moments(ranked: Ranked, eta: Float[Array, "N M"]) -> PairMoments:
    """Curvature and slope of every comparison that is of a ranking; 0 for the others."""
    rest = log_rest(eta)

    def square_sum(before: tuple[Array, Array], own: Array) -> tuple[tuple[Array, Array], Array]:
        total, last = before  # sum over the picks so far of (rest now / rest then)^2
        total = 1 + total * jnp.exp(2 * jnp.minimum(own - last, 0.0))
        return (total, own), total

    start = jnp.zeros(eta.shape[0]), rest[:, 0]
    picks: Array = jax.lax.scan(square_sum, start, rest.T)[1]
    of_better = (jnp.exp(jnp.minimum(eta - rest, 0.0)) * picks.T).ravel()[ranked.better]
    weight = ranked.weight[ranked.better // eta.shape[1]] * jnp.abs(ranked.sign)
    of_worse = weight * jnp.exp(jnp.minimum(eta.ravel()[ranked.worse] - rest.ravel()[ranked.better], 0.0))
    return PairMoments(curvature=of_better * of_worse, slope=ranked.sign * of_worse)
