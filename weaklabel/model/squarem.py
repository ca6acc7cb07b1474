"""Longer steps for EM, which creeps where classes are many: squared iterative extrapolation, scheme S3.

Varadhan and Roland 2008, doi:10.1111/j.1467-9469.2007.00585.x. Of three iterations in a row, the third goes on in the
direction of the other two, and counts only if the objective does not fall by it.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from weaklabel.model.params import Params, Trail

CYCLE = 3
LONGEST = 8.0
"""Step length; 1 is EM's own."""


def trail_of(params: Params) -> Trail:
    """That of a start."""
    return Trail(jnp.stack([params.evidence] * 2), jnp.stack([params.log_prior] * 2))


def onward(trail: Trail, params: Params) -> Trail:
    """One iteration on."""
    return Trail(jnp.stack([trail.evidence[1], params.evidence]), jnp.stack([trail.log_prior[1], params.log_prior]))


def extrapolated(trail: Trail, params: Params) -> Params:
    """What two iterations and a third lead to, in the log-evidence of votes and the log-prior."""
    steps = [
        (end - middle, end - 2 * middle + start)
        for (start, middle), end in ((trail.evidence, params.evidence), (trail.log_prior, params.log_prior))
    ]
    first = sum(((step - bend) ** 2).sum() for step, bend in steps)
    bend = sum((bend**2).sum() for _, bend in steps)
    length = jnp.sqrt(first / jnp.maximum(bend, 1e-12)).clip(1, LONGEST)

    def ahead(points: Array, end: Array) -> Array:
        start, middle = points
        there: Array = start + 2 * length * (middle - start) + length**2 * (end - 2 * middle + start)
        return there

    return params._replace(
        evidence=ahead(trail.evidence, params.evidence), log_prior=ahead(trail.log_prior, params.log_prior)
    )
