"""Rows spread over the devices of this process. With one device nothing is spread, and nothing is copied.

Of a number of devices that is no power of two, the largest power of two below is used: rows are padded to a power of
two, and each device takes an equal share.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, wraps
from itertools import chain, islice
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import DTypeLike, NDArray

from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.default_device import default_device, on_cpu
from weaklabel.model.numerics.jax_settings import own_settings

P = TypeVar("P")
R = TypeVar("R")

ROWS = "rows"
ALIGNMENT = 64
"""Bytes: an array that begins at a multiple of so many is used by a CPU device where it lies, not copied."""


def mesh() -> Mesh:
    """The devices to compute on, in a line: those of this process, or the one that the user has chosen."""
    chosen = default_device()
    return _line(tuple(jax.local_devices()) if chosen is None else (chosen,))


@cache
def _line(devices: tuple[jax.Device, ...]) -> Mesh:
    return Mesh(np.asarray(devices[: 1 << (len(devices).bit_length() - 1)]), (ROWS,))


def aligned(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """[size] new memory that a CPU device need not copy."""
    n_bytes = size * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(dtype)


def at_once(function: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
    """The results, in order, of parts that are worked on at once: on a CPU, one a core; a loop uses one core only."""
    n_workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_workers == 1 or mesh().size > 1 or not on_cpu():
        yield from map(function, parts)
        return
    rest = iter(parts)
    first = list(islice(rest, 2))
    if len(first) < 2:  # a thread takes longer to start than a few rows to label
        yield from map(function, first)
        return
    chosen = default_device()

    def of_part(part: P) -> R:
        with own_settings(), jax.default_device(chosen):  # settings of JAX belong to a thread
            return function(part)

    with ThreadPoolExecutor(n_workers) as pool:
        waiting: deque[Future[R]] = deque()
        for part in chain(first, rest):
            waiting.append(pool.submit(of_part, part))
            if len(waiting) > n_workers:  # no more than that is held in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def summed_over_rows(function: Callable[..., R]) -> Callable[..., R]:
    """The function, whose result adds up over rows, run on each device's share of them.

    Args:
        function: takes a tree of arrays with rows first, then anything that is the same for all rows.
    """
    return _shared_out(function, PartitionSpec(), add=True)


def over_rows(function: Callable[..., R]) -> Callable[..., R]:
    """As `summed_over_rows`, for a function whose results are arrays with rows first."""
    return _shared_out(function, PartitionSpec(ROWS), add=False)


def _shared_out(function: Callable[..., R], out: PartitionSpec, *, add: bool) -> Callable[..., R]:
    on_one = compiled(function)

    def on_each(*args: Any) -> R:
        result = function(*args)
        summed: R = jax.lax.psum(result, ROWS) if add else result
        return summed

    @cache
    def on_many(mesh: Mesh, n_args: int) -> Callable[..., R]:
        specs = (PartitionSpec(ROWS), *[PartitionSpec()] * (n_args - 1))
        # The loops over blocks begin with zeros, which are the same on each device: varying axes are not checked.
        mapped: Callable[..., R] = jax.jit(
            jax.shard_map(on_each, mesh=mesh, in_specs=specs, out_specs=out, check_vma=False)
        )
        return mapped

    @wraps(function)
    def run(rows: Any, *rest: Any) -> R:
        devices = mesh()
        if devices.size == 1:
            result: R = on_one(rows, *rest)
            return result
        spread = jax.device_put(rows, NamedSharding(devices, PartitionSpec(ROWS)))
        return on_many(devices, 1 + len(rest))(spread, *rest)

    return run
