"""Time as the store keeps it: whole microseconds since 1970, UTC."""

import time

MICROS_PER_DAY = 24 * 3600 * 1_000_000


def now_micros() -> int:
    """The time now."""
    return time.time_ns() // 1000
