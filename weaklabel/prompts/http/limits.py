"""Limits on the rate of calls to an endpoint."""

from __future__ import annotations

import asyncio
import math

_CREDIT = 1.0  # seconds of unused rate that may be used at once


class RateLimit:
    """So many units a minute, evenly, with a second's worth of credit at most.

    Args:
        per_minute: units; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds_per_unit = 60 / per_minute if per_minute else 0.0
        self._next = -math.inf  # when what was let through so far is worked off

    def take(self, units: float, now: float) -> float:
        """Let units through; returns the seconds to wait for them."""
        start = max(self._next, now - _CREDIT)
        self._next = start + units * self._seconds_per_unit
        return max(start - now, 0.0)

    def correct(self, units: float) -> None:
        """More units were used than were taken, or fewer where negative."""
        self._next += units * self._seconds_per_unit


class Gate:
    """Holds every call back while an endpoint has asked for a pause."""

    def __init__(self) -> None:
        self._open_at = -math.inf

    def close_for(self, seconds: float) -> None:
        """Nothing passes for so many seconds from now; a longer pause stays."""
        self._open_at = max(self._open_at, asyncio.get_running_loop().time() + seconds)

    async def passed(self) -> None:
        """Returns when the pause, which may be made longer meanwhile, is over."""
        while (wait := self._open_at - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110  # for a time
            await asyncio.sleep(wait)
