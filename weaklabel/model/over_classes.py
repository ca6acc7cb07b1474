"""Reductions over the last axis, the classes: term by term where they are few.

A compiler that reduces rows of two or ten numbers one row at a time spends most of its time between them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FEW = 16


def total(values: Float[Array, "U K"]) -> Float[Array, " U"]:
    """Sum."""
    return _reduced(values, jnp.add, jnp.sum)


def of_all_rows(values: Float[Array, "U K"]) -> Float[Array, " K"]:
    """Sum over the rows, of each class."""
    if values.shape[1] > FEW:
        return values.sum(0)
    return jnp.stack([values[:, k].sum() for k in range(values.shape[1])])


def log_total(values: Float[Array, "U K"]) -> Float[Array, " U"]:
    """Logarithm of the sum of exponentials, for finite maxima."""
    highest = _reduced(values, jnp.maximum, jnp.max)
    return highest + jnp.log(total(jnp.exp(values - highest[:, None])))


def softmax(values: Float[Array, "U K"]) -> Float[Array, "U K"]:
    """Exponentials over their sum."""
    if values.shape[1] > FEW:
        return jax.nn.softmax(values, axis=1)
    exponentials = jnp.exp(values - _reduced(values, jnp.maximum, jnp.max)[:, None])
    return exponentials / total(exponentials)[:, None]


def _reduced(values: Array, of_two: Callable[[Array, Array], Array], of_all: Callable[..., Array]) -> Array:
    if values.shape[1] > FEW:
        return of_all(values, axis=1)
    return reduce(of_two, [values[:, k] for k in range(values.shape[1])])
