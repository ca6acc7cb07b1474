"""Limits of streams: how many there are at a time, and how long a client may be silent."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from weaklabel_server.errors import Reason, ServiceError


class StreamLimit:
    """Places for calls that last. Used on the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place for the length of the block.

        Raises:
            ServiceError: TOO_MANY_STREAMS when all are taken.
        """
        if self._taken == self._limit:
            raise ServiceError(
                Reason.TOO_MANY_STREAMS,
                f"{self._limit} streams are open, and this server allows no more; see WEAKLABEL_MAX_STREAMS",
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


async def until_idle(messages: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The messages of a client, for as long as none of them is late.

    Raises:
        ServiceError: STREAM_IDLE when the client sends nothing for so many seconds.
    """
    incoming = aiter(messages)
    while True:
        try:
            async with asyncio.timeout(seconds):
                message = await anext(incoming)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ServiceError(
                Reason.STREAM_IDLE, f"the client sent nothing for {seconds:g} s; open the stream again"
            ) from None
        yield message
