"""The class axis: reductions over the last axis, term by term where classes are few.

A compiler that reduces rows of two or ten numbers one row at a time spends most of its time between them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.numerics.compute_once import materialized
from weaklabel.votes.counting import FEW_CLASSES


def total(values: Float[Array, "U K"]) -> Float[Array, " U"]:
    """Sum."""
    return _reduced(values, jnp.add, jnp.sum)


def highest(values: Float[Array, "U K"]) -> Float[Array, " U"]:
    """Maximum."""
    return _reduced(values, jnp.maximum, jnp.max)


def of_all_rows(values: Float[Array, "U K"]) -> Float[Array, " K"]:
    """Sum over the rows, of each class."""
    if values.shape[1] > FEW_CLASSES:
        return values.sum(0)
    return jnp.stack([values[:, k].sum() for k in range(values.shape[1])])


def normalised(log_values: Float[Array, "U K"]) -> tuple[Float[Array, "U K"], Float[Array, " U"]]:
    """Exponentials over their sum, and the logarithm of the sum; for finite maxima."""
    largest = highest(log_values)
    if log_values.shape[1] > FEW_CLASSES:
        exponentials = materialized(jnp.exp(log_values - largest[:, None]))
        sums = exponentials.sum(1)
        return exponentials / sums[:, None], largest + jnp.log(sums)
    log_sums = largest + jnp.log(total(jnp.exp(log_values - largest[:, None])))
    return jnp.exp(log_values - log_sums[:, None]), log_sums


def softmax(values: Float[Array, "U K"]) -> Float[Array, "U K"]:
    """Exponentials over their sum."""
    if values.shape[1] > FEW_CLASSES:
        return jax.nn.softmax(values, axis=1)
    exponentials = jnp.exp(values - highest(values)[:, None])
    return exponentials / total(exponentials)[:, None]


def _reduced(values: Array, of_two: Callable[[Array, Array], Array], of_all: Callable[..., Array]) -> Array:
    if values.shape[1] > FEW_CLASSES:
        return of_all(values, axis=1)
    return reduce(of_two, [values[:, k] for k in range(values.shape[1])])
