"""Whether this process was forked from one in which JAX ran. JAX's threads do not come along: calls never end."""

from __future__ import annotations

import os
import sys

from weaklabel.errors import ForkedProcessError

_jax_ran = False
_is_broken = False


def install() -> None:
    """Watches the forks of this process from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_look, after_in_child=_note)


def _look() -> None:
    global _jax_ran
    bridge = sys.modules.get("jax._src.xla_bridge")
    # JAX has no public name for it; an import of JAX alone starts no threads, and may be followed by a fork.
    started = getattr(bridge, "backends_are_initialized", None)
    _jax_ran = started is not None and bool(started())


def _note() -> None:
    global _is_broken
    _is_broken = _is_broken or _jax_ran


def check() -> None:
    """Refuses to go on where JAX cannot answer.

    Raises:
        ForkedProcessError: if this process was forked after JAX had started.
    """
    if _is_broken:
        raise ForkedProcessError(
            "this process was forked after JAX had started (by a fit, a prediction, or the program's own use of JAX), "
            "and JAX does not survive a fork: the call would never return. Start worker processes with "
            'multiprocessing.get_context("spawn"), of torch with DataLoader(..., multiprocessing_context="spawn"); or '
            "compute soft labels before the fork and give the workers those"
        )
