"""Values that a program computes once and keeps."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array


def once(function: Callable[..., Array], values: Array, *others: Array) -> Array:
    """The function of the arrays, none of which, nor its result, is computed again by what reads it.

    XLA's compiler for CPUs moves the computation of an array into each loop that reads it: cheap for sums, ruinous for
    look-ups. It takes no notice of `optimization_barrier`, but what goes into and comes out of a branch is kept.

    Args:
        function: of the arrays.
        values: [..] floats.
        others: any arrays.
    """
    if values.size == 0 or jax.default_backend() != "cpu":
        return function(values, *others)
    shape = jax.eval_shape(function, values, *others)
    broken = jnp.isnan(values.ravel()[0])  # never, but the compiler cannot know
    found: Array = jax.lax.cond(
        broken, lambda *_: jnp.full(shape.shape, jnp.nan, shape.dtype), function, values, *others
    )
    return found


def kept(values: Array) -> Array:
    """The values, computed once."""
    return once(lambda values: values, values)
