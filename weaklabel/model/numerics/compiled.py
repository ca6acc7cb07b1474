"""Compiled programs. Where arrays are small, a program is compiled in haste: it takes longer to compile than to run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeVar

import jax
import numpy as np

from weaklabel.model.numerics.default_device import on_cpu
from weaklabel.model.numerics.memory_maps import LOOK_EVERY, give_up_programs_if_many

R = TypeVar("R")

SMALL = 2**15
"""Elements of the largest array that is given to a program that is compiled in haste."""
IN_HASTE: dict[str, bool | int | str | float] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
}
"""Options of XLA's compiler for CPUs, which later versions may not know."""

_compiling = threading.Lock()
_made = itertools.count(1)


@cache
def _is_traced(kind: Any) -> bool:
    return issubclass(kind, jax.core.Tracer)


@cache
def _is_array(kind: Any) -> bool:
    return issubclass(kind, jax.Array | np.ndarray)


def compiled(
    function: Callable[..., R],
    static_argnames: str | Sequence[str] = (),
    donate_argnames: str | Sequence[str] = (),
    *,
    runs_often: bool = False,
) -> Callable[..., R]:
    """The function as a program for each shape of its arguments; within another program, it is part of that.

    Args:
        function: what is compiled.
        static_argnames: arguments that are no arrays.
        donate_argnames: arguments whose memory the program may use for its result.
        runs_often: whether a program with small arrays runs so often that none is compiled in haste.
    """

    def program(options: dict[str, Any] | None) -> Callable[..., R]:
        return jax.jit(
            function, static_argnames=static_argnames, donate_argnames=donate_argnames, compiler_options=options
        )

    thoroughly, in_haste = program(None), program(IN_HASTE)
    known: set[object] = set()

    def in_haste_if_possible(*args: Any, **kwargs: Any) -> R:
        try:
            return in_haste(*args, **kwargs)
        except jax.errors.JaxRuntimeError as error:
            if not any(option in str(error) for option in IN_HASTE):
                raise
            return thoroughly(*args, **kwargs)

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> R:
        leaves, structure = jax.tree.flatten((args, kwargs))
        kinds: list[Any] = list(map(type, leaves))
        if any(map(_is_traced, set(kinds))):
            return function(*args, **kwargs)
        arrays = [leaf for leaf, kind in zip(leaves, kinds, strict=True) if _is_array(kind)]
        small = not runs_often and on_cpu() and max((array.size for array in arrays), default=0) <= SMALL
        chosen = in_haste_if_possible if small else thoroughly
        key = structure, *((array.shape, array.dtype) for array in arrays)
        if key in known:
            return chosen(*args, **kwargs)
        with _compiling:  # threads that work on parts of one size would each compile the same
            if next(_made) % LOOK_EVERY == 0:
                give_up_programs_if_many()
            result = chosen(*args, **kwargs)
        known.add(key)
        return result

    return run
