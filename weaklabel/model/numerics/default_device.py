"""The device that the user has chosen, and what programs run on."""

from __future__ import annotations

import jax


def default_device() -> jax.Device | None:
    """The device that the user has chosen (`jax.default_device`); None for all."""
    chosen: jax.Device | str | None = getattr(jax.config, "jax_default_device")  # noqa: B009  # which has no type
    return jax.local_devices(backend=chosen)[0] if isinstance(chosen, str) else chosen


def on_cpu() -> bool:
    """Whether programs run on a CPU."""
    chosen = default_device()
    return (jax.default_backend() if chosen is None else chosen.platform) == "cpu"
