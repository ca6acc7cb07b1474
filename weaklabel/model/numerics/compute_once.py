"""Values that a compiled program computes once: XLA on CPU otherwise recomputes them in every consumer."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from weaklabel.model.numerics.default_device import on_cpu


def compute_once(function: Callable[..., Array], values: Array, *others: Array) -> Array:
    """The function of the arrays; neither they nor its result are recomputed by consumers.

    XLA's compiler for CPUs moves the computation of an array into each loop that reads it: cheap for sums, ruinous for
    table look-ups. It ignores `optimization_barrier`, but keeps what goes into and comes out of a branch.

    Args:
        function: of the arrays.
        values: [..] floats.
        others: any arrays.
    """
    if values.size == 0 or not on_cpu():
        return function(values, *others)
    shape = jax.eval_shape(function, values, *others)
    broken = jnp.isnan(values.ravel()[0])  # never, but the compiler cannot know
    result: Array = jax.lax.cond(
        broken, lambda *_: jnp.full(shape.shape, jnp.nan, shape.dtype), function, values, *others
    )
    return result


def materialized(values: Array) -> Array:
    """The values, computed once."""
    return compute_once(lambda values: values, values)
