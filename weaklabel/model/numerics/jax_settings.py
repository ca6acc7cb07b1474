"""JAX's settings while the model computes: its own, whatever the user has set. Settings of JAX belong to a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.experimental

from weaklabel import _fork, compile_cache

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# `jax.enable_x64` is newer than the oldest JAX that is supported.
_ENABLE_X64 = vars(jax if "enable_x64" in vars(jax) else jax.experimental)["enable_x64"]
_OWN: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "jax_enable_x64": (_ENABLE_X64, False),
    "jax_debug_nans": (jax.debug_nans, False),  # NaN stands for what is not there yet
    "jax_debug_infs": (jax.debug_infs, False),  # as infinities do, at the start of maxima
    "jax_disable_jit": (jax.disable_jit, False),
    "jax_default_matmul_precision": (jax.default_matmul_precision, "float32"),
    "jax_default_prng_impl": (jax.default_prng_impl, "threefry2x32"),
    "jax_threefry_partitionable": (jax.threefry_partitionable, True),
    "jax_transfer_guard_host_to_device": (jax.transfer_guard_host_to_device, "allow"),
    "jax_transfer_guard_device_to_host": (jax.transfer_guard_device_to_host, "allow"),
    "jax_transfer_guard_device_to_device": (jax.transfer_guard_device_to_device, "allow"),
}
"""By name: how a setting is set for a while, and to what. The default device is the user's choice."""


class _Thread(threading.local):
    users: dict[str, Any] | None = None
    """The user's settings, while those of the model hold; None while they do not."""


_THREAD = _Thread()


@cache
def _keep_programs() -> None:
    """Before the first program is compiled, once."""
    compile_cache.use_by_default()


@contextmanager
def own_settings() -> Iterator[None]:
    """float32 throughout, and no check that stops at a NaN: the same labels whatever is set in JAX.

    Raises:
        ForkedProcessError: in a process that was forked from one in which JAX ran: any call would wait for ever.
    """
    _fork.check()
    _keep_programs()
    if _THREAD.users is not None:
        yield
        return
    users = {name: getattr(jax.config, name) for name in _OWN}
    with _set({name: value for name, (_, value) in _OWN.items() if users[name] != value}):
        _THREAD.users = users
        try:
            yield
        finally:
            _THREAD.users = None


def keep_own_settings() -> None:
    """Sets them for the whole process, where it is the model's alone: `own_settings` has nothing to change then."""
    for name, (_, value) in _OWN.items():
        jax.config.update(name, value)


@contextmanager
def users_settings() -> Iterator[None]:
    """The user's settings again, for a call of the user's code."""
    users = _THREAD.users
    if users is None:
        yield
        return
    with _set(users):
        _THREAD.users = None
        try:
            yield
        finally:
            _THREAD.users = users


def under_own_settings(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run under `own_settings`."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_settings():
            return function(*args, **kwargs)

    return run


def from_user(values: Iterable[T]) -> Iterator[T]:
    """The values of an iterable whose code is the user's."""
    with users_settings():
        iterator = iter(values)
    while True:
        with users_settings():
            try:
                value = next(iterator)
            except StopIteration:
                return
        yield value


@contextmanager
def _set(settings: dict[str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, value in settings.items():
            stack.enter_context(_OWN[name][0](value))
        yield
