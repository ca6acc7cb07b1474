"""Time as the store keeps it: whole microseconds since 1970, UTC."""

import time

MICROS_PER_DAY = 24 * 3600 * 1_000_000

_STARTED_MICROS = time.time_ns() // 1000 - time.monotonic_ns() // 1000


def now_micros() -> int:
    """The time now: that of the start of this process, and what has passed since. A clock set anew changes nothing."""
    return _STARTED_MICROS + time.monotonic_ns() // 1000
