"""Padding to sizes that repeat, so that sizes alike share one compiled program."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

SMALLEST_BUCKET = 256
"""Rows, votes or slots: fewer are padded to so many."""


def bucket(size: int, least: int = SMALLEST_BUCKET) -> int:
    """The power of two that a size is padded to: `least`, itself a power of two, or more."""
    return max(least, 1 << max(size - 1, 0).bit_length())


def rounded_up(size: int) -> int:
    """A size rounded up by a quarter at most: finer than `bucket`, where what is padded costs more than compiling."""
    step = max(8, 1 << max((size - 1).bit_length() - 3, 0))
    return -(-size // step) * step


def padded(values: NDArray[Any], size: int, fill: float = 0) -> NDArray[Any]:
    """[size, ...] the values [n, ...], and rows that hold `fill` below; the values themselves where n is `size`."""
    if len(values) == size:
        return values
    wide = np.empty((size, *values.shape[1:]), values.dtype)
    wide[: len(values)] = values
    wide[len(values) :] = fill
    return wide


def to_device(values: NDArray[Any], size: int | None = None, fill: float = 0) -> Array:
    """The values on the device, padded to [size] where a size is given.

    Padded, and of the type wanted, on the host: there, each number of rows and each conversion would be a program to
    compile.
    """
    on_device: Array = jax.device_put(values if size is None else padded(values, size, fill))
    return on_device


def single(values: float | NDArray[np.floating[Any]]) -> Array:
    """Numbers in float32 on the device."""
    return to_device(np.asarray(values).astype(np.float32))
