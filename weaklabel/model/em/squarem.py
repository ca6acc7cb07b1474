"""Longer steps for EM, which creeps where classes are many: squared iterative extrapolation, scheme S3.

Varadhan and Roland 2008, doi:10.1111/j.1467-9469.2007.00585.x. Of three iterations in a row, the third goes on in the
direction of the other two, and counts only if the objective does not fall by it. What is extrapolated are the
statistics, so that the M-step makes parameters of them like of any others: normalised, and shrunk.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from weaklabel.model.records import Statistics

CYCLE = 3
LONGEST = 8.0
"""Step length; 1 is EM's own."""

Trail = tuple[Statistics, Statistics]
"""The statistics of the last two iterations."""


def extrapolated(trail: Trail, statistics: Statistics) -> Statistics:
    """The statistics that two iterations and a third lead to."""

    def squares(of: Array) -> Array:
        return (of**2).sum()

    step = jax.tree.map(jnp.subtract, trail[1], trail[0])
    bend = jax.tree.map(lambda start, middle, end: end - 2 * middle + start, *trail, statistics)
    lengths = [sum(squares(leaf) for leaf in jax.tree.leaves(tree)) for tree in (step, bend)]
    length = jnp.sqrt(lengths[0] / jnp.maximum(lengths[1], 1e-12)).clip(1, LONGEST)
    ahead: Statistics = jax.tree.map(
        lambda start, step, bend: jnp.maximum(start + 2 * length * step + length**2 * bend, 0), trail[0], step, bend
    )
    return ahead
