"""What a person knows of a source: its accuracy lies between two bounds.

The M-step with that constraint is exact. Let d_c = P(vote c | class c) be the diagonal without bounds, w_c the share of
class c among the items on which the source votes, and b the bound that the accuracy sum_c w_c d_c misses. To maximise
the expected log-posterior, sum over votes k and classes c of C_kc log T_kc, with columns that sum to one and accuracy
b, the conditions of Karush, Kuhn and Tucker leave each column's errors in proportion, and give the diagonal as the root
in [0, 1] of

    d_c - t_c + z t_c (1 - t_c) = 0,

with one multiplier z for all classes, in which the accuracy rises. It is found by bisection. Where the accuracy lies
within the bounds z is 0 and nothing changes. Where a source has one accuracy and no matrix, clipping is the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BISECTIONS = 40
LARGEST = 16.0
"""Of asinh(z), on either side."""


def bounded_confusion(
    confusion: Float[Array, "M K K"],
    class_balance: Float[Array, " K"] | Float[Array, "M K"],
    low: Float[Array, " M"],
    high: Float[Array, " M"],
) -> Float[Array, "M K K"]:
    """Confusion matrices whose accuracies lie within bounds, at the maximum of the M-step.

    Args:
        confusion: P(vote | class) without bounds, vote on the second axis, class on the last.
        class_balance: what weighs the classes in a source's accuracy: their shares among the items on which it votes,
            for which the maximum is exact and the accuracy is the share of its votes that are right; or those of all
            items.
        low: [M] least accuracy; 0 for none.
        high: [M] largest accuracy; 1 for none.
    """
    n_sources, n_classes = confusion.shape[:2]
    diagonal = jnp.diagonal(confusion, axis1=1, axis2=2)
    weight = jnp.broadcast_to(class_balance, (n_sources, n_classes))

    def accuracy(diagonal: Float[Array, "M K"]) -> Float[Array, " M"]:
        return (weight * diagonal).sum(1)

    unbounded = accuracy(diagonal)
    target = jnp.clip(unbounded, low, high)

    def halve(_: Array, interval: tuple[Array, Array]) -> tuple[Array, Array]:
        below, above = interval
        middle = (below + above) / 2
        short = accuracy(_tilted(diagonal, jnp.sinh(middle)[:, None])) < target
        return jnp.where(short, middle, below), jnp.where(short, above, middle)

    edge = jnp.full_like(unbounded, LARGEST)
    below, above = jax.lax.fori_loop(0, BISECTIONS, halve, (-edge, edge))
    tilted = _tilted(diagonal, jnp.sinh((below + above) / 2)[:, None])
    eye = jnp.eye(n_classes, dtype=confusion.dtype)[None]
    errors = confusion * (1 - eye)
    total = errors.sum(1, keepdims=True)
    even = jnp.broadcast_to((1 - eye) / (n_classes - 1), confusion.shape)
    shape = jnp.where(total > 0, errors / jnp.where(total > 0, total, 1), even)
    bounded = tilted[:, None, :] * eye + (1 - tilted)[:, None, :] * shape
    return jnp.where((target == unbounded)[:, None, None], confusion, bounded)


def _tilted(diagonal: Float[Array, "M K"], z: Float[Array, "M 1"]) -> Float[Array, "M K"]:
    """The root t in [0, 1] of d - t + z t (1 - t) = 0."""
    root = jnp.sqrt(jnp.maximum((1 - z) ** 2 + 4 * z * diagonal, 0))
    # Two forms of the same, each without cancellation on its side.
    up = (z - 1 + root) / (2 * jnp.where(z < 1, 1, z))
    down = 2 * diagonal / jnp.where(z < 1, 1 - z + root, 1)
    return jnp.clip(jnp.where(z < 1, down, up), 0, 1)
