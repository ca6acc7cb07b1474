"""Calls and bytes a second of a token: a bucket each, which fills at its rate up to what two seconds bring.

Each server has buckets of its own, so that a token may do so much on each replica.
"""

import asyncio
import time
from collections.abc import Callable

from weaklabel_server.errors import Reason, ServiceError

BURST_SECONDS = 2.0


class Bucket:
    """Something that flows at a rate. What is taken beyond its bottom is owed: nothing is given until it is paid."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._level = rate * BURST_SECONDS
        self._time = clock()

    def wait(self) -> float:
        """Seconds until something may be taken, 0 for now."""
        now = self._clock()
        self._level = min(self._rate * BURST_SECONDS, self._level + (now - self._time) * self._rate)
        self._time = now
        return 0.0 if self._level > 0 else (1e-3 - self._level / self._rate)

    def take(self, amount: float) -> None:
        """Takes it, however little there is."""
        self._level -= amount


class Rates:
    """The two buckets of one token. Used on the event loop only."""

    def __init__(self, calls_per_second: float, bytes_per_second: float) -> None:
        self.limits = calls_per_second, bytes_per_second
        self._buckets = {"calls_per_second": Bucket(calls_per_second), "bytes_per_second": Bucket(bytes_per_second)}

    def admit(self, n_bytes: int) -> None:
        """Takes a call with a message of so many bytes.

        Raises:
            ServiceError: QUOTA_EXCEEDED, with the time after which there is room again.
        """
        for (name, bucket), limit in zip(self._buckets.items(), self.limits, strict=True):
            if seconds := bucket.wait():
                raise ServiceError(
                    Reason.QUOTA_EXCEEDED,
                    f"this token may make {limit:g} {name.replace('_', ' ').replace('per', 'a')}; try again in "
                    f"{seconds:.3f} s",
                    metadata={"quota": name, "limit": f"{limit:g}"},
                    retry_seconds=seconds,
                )
        self._take(n_bytes)

    async def pace(self, n_bytes: int) -> None:
        """Takes a message of a stream, and waits for as long as there is no room: streams are slowed, not refused."""
        # Again, since other streams take while this one sleeps.
        while seconds := max(bucket.wait() for bucket in self._buckets.values()):  # noqa: ASYNC110
            await asyncio.sleep(seconds)
        self._take(n_bytes)

    def owe(self, n_bytes: int) -> None:
        """Takes the bytes of an answer, which is given in any case; the next call pays."""
        self._buckets["bytes_per_second"].take(n_bytes)

    def _take(self, n_bytes: int) -> None:
        self._buckets["calls_per_second"].take(1)
        self._buckets["bytes_per_second"].take(n_bytes)
