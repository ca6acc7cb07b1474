"""Counts of bags that are too large to sum over: they hold in expectation.

Of all distributions of a bag's labels with the known expected counts, the one nearest to the posterior without them, in
Kullback-Leibler divergence (posterior regularisation, Ganchev et al. 2010, JMLR 11:2001). Items stay independent: class
k of each gains the same log-odds l_k, at the maximum of the concave dual

    sum_k (l_k m_k - s_k^2 l_k^2 / 2) - sum_i log sum_k p_ik exp l_k,

with the counts m, and s^2 the variance of counts that are known up to an error. The exact marginals differ from these
by an order of one over the size of the bag. The maximum is found by Newton steps, shortened so that none overshoots
(Bach 2010, doi:10.1214/09-EJS521).

Shapes: B bags of at most L items, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

NEWTON_STEPS = 25
RIDGE = 1e-4
"""On the curvature of the dual: it is flat where all classes gain alike, and where labels are sure."""


class ExpectedCounts(NamedTuple):
    """Bags whose counts hold in expectation."""

    rows: Int[Array, "B L"]
    """Rows of the members; beyond the last row for padding."""
    size: Int[Array, " B"]
    """Number of members, which come first."""
    target: Float[Array, "B K"]
    """Expected number of items of each class; 0 where it is not known."""
    variance: Float[Array, "B K"]
    """Of the error of that number."""
    known: Bool[Array, "B K"]
    excluded: Bool[Array, "B K"]
    """Classes that no item of the bag has."""


def expected_posterior(
    members: Float[Array, "B L K"], bags: ExpectedCounts
) -> tuple[Float[Array, "B L K"], Float[Array, " B"]]:
    """Probability of each class for each item, and the dual at its maximum, which bounds the log marginal likelihood.

    Args:
        members: finite logarithms of the probabilities of each item, without the bag.
        bags: what is known.
    """
    real = jnp.arange(members.shape[1])[None, :] < bags.size[:, None]
    given = bags.known & ~bags.excluded
    log_p = jnp.where(bags.excluded[:, None, :], -jnp.inf, members)

    def probabilities(gain: Float[Array, "B K"]) -> Float[Array, "B L K"]:
        return jnp.where(real[:, :, None], jax.nn.softmax(log_p + gain[:, None, :], axis=2), 0)

    def step(_: Array, gain: Float[Array, "B K"]) -> Float[Array, "B K"]:
        p = probabilities(gain)
        expected = p.sum(1)
        slope = jnp.where(given, bags.target - bags.variance * gain - expected, 0)
        pairs = jnp.einsum("blj,blk->bjk", p, p, precision="highest")
        free = given[:, :, None] & given[:, None, :]
        eye = jnp.eye(members.shape[2])[None]
        curvature = jnp.where(free, eye * (expected + bags.variance)[:, :, None] - pairs, 0) + RIDGE * eye
        move = jnp.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        reach = (move.max(1) - move.min(1) + 1e-9)[:, None]
        shortened: Array = move * jnp.log1p(reach) / reach
        return gain + shortened

    gain = jax.lax.fori_loop(0, NEWTON_STEPS, step, jnp.zeros_like(bags.target))
    total = jax.scipy.special.logsumexp(log_p + gain[:, None, :], axis=2)
    dual = (bags.target * gain - bags.variance * gain**2 / 2).sum(1)
    return probabilities(gain), jnp.where(real, total, 0).sum(1) - dual
