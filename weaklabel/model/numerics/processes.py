"""What processes that `jax.distributed` has joined tell each other: arrays of the host, bit by bit.

Every process must make the same calls in the same order. In a process by itself, they answer at once.
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from numpy.typing import NDArray

T = TypeVar("T")


def gathered(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The arrays of all processes, in their order; they may differ in length, but not in type or width."""
    if jax.process_count() == 1:
        return [array]
    lengths = _exchanged(np.asarray([len(array)], np.int64)).reshape(-1)
    padded = np.zeros((int(lengths.max()), *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return [part[:length] for part, length in zip(_exchanged(padded), lengths, strict=True)]


def summed(tree: T) -> T:
    """The sum, over all processes, of trees of float64 arrays of one shape."""
    if jax.process_count() == 1:
        return tree
    total: T = jax.tree.map(lambda leaf: _exchanged(np.asarray(leaf, np.float64)).sum(0), tree)
    return total


def of_first(tree: T) -> T:
    """The tree of the first process, whose arrays have the same shapes as here."""
    if jax.process_count() == 1:
        return tree
    first: T = jax.tree.map(lambda leaf: _exchanged(np.asarray(leaf))[0], tree)
    return first


def _exchanged(array: NDArray[Any]) -> NDArray[Any]:
    """[processes, ...] the arrays of all processes. As bytes: JAX would make float32 of float64."""
    flat = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    joined = np.asarray(multihost_utils.process_allgather(flat))
    return joined.reshape(jax.process_count(), -1).view(array.dtype).reshape(-1, *array.shape)
