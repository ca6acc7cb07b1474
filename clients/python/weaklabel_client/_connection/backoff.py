"""When to try a broken stream again, and when to give up."""

import random
import time

from weaklabel_client._exceptions import Aborted, ClientError, DeadlineExceeded, can_go_on

_LEEWAY = 0.1  # seconds by which the clock of grpc may be ahead
_MOST_DOUBLINGS = 16  # beyond that every wait is the longest


class Retries:
    """Waits before the next try of a unary call that the server has no place for now, within the call's timeout."""

    def __init__(self, timeout: float) -> None:
        """Begins the time of the call, in seconds."""
        self._deadline = time.monotonic() + timeout
        self._refusals = 0

    def remaining(self) -> float:
        """Seconds left for the call."""
        return max(0.0, self._deadline - time.monotonic())

    def wait(self, error: ClientError) -> float | None:
        """Seconds to wait before the next try: as the server says, longer each time; None to give up on this error."""
        if error.retry_seconds is None:
            return None
        # Jitter keeps callers that were refused together from coming back all at once.
        longest = max(error.retry_seconds, Backoff.first_wait) * 2 ** min(self._refusals, 4)
        delay = error.retry_seconds + random.uniform(0.0, longest)  # noqa: S311
        self._refusals += 1
        return delay if delay < self.remaining() else None


class Backoff:
    """Exponential waits with jitter, within two limits: of the whole call, and of time without progress."""

    first_wait = 0.1
    longest_wait = 5.0

    def __init__(self, timeout: float | None, reconnect_timeout: float) -> None:
        """Begins the time of the call.

        Args:
            timeout: Seconds for the whole call; None for any time.
            reconnect_timeout: Seconds from a failure to the last try, where nothing arrives in between.
        """
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._reconnect_timeout = reconnect_timeout
        self._failures = 0
        self._first_failure = 0.0
        self._takeovers = 0

    def remaining(self) -> float | None:
        """Seconds left for the whole call; None for any time."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def progressed(self) -> None:
        """Something arrived: the next failure is the first again."""
        self._failures = 0

    def wait(self, error: ClientError) -> float | None:
        """Seconds to wait before the next try, or None to give up on this error."""
        if not can_go_on(error):
            return None
        now = time.monotonic()
        if self._failures == 0:
            self._first_failure = now
        doublings = self._failures
        self._failures += 1
        if isinstance(error, Aborted):
            # Counted whether or not something arrives in between: callers that take the same work from each other
            # leave it longer each time, until one of them comes to its end.
            doublings = self._takeovers
            self._takeovers += 1
        # Jitter keeps callers that failed together from coming back all at once.
        longest = min(self.longest_wait, self.first_wait * 2 ** min(doublings, _MOST_DOUBLINGS))
        delay = random.uniform(longest / 2, longest) + (error.retry_seconds or 0.0)  # noqa: S311
        ends = [self._first_failure + self._reconnect_timeout]
        if self._deadline is not None:
            ends.append(self._deadline)
        return delay if now + delay < min(ends) else None

    def ended_by(self, error: ClientError) -> ClientError:
        """What ended the call, once there is no next try: the error, or the timeout that has passed.

        A deadline that passes while a message is being sent shows as a fault inside grpc, as a lost connection does.
        """
        left = self.remaining()
        if left is None or left > _LEEWAY or error.reason or isinstance(error, DeadlineExceeded):
            return error
        ended = DeadlineExceeded(f"the timeout of {self._timeout:g} s ended the call: {error.message}")
        ended.__cause__ = error
        return ended
