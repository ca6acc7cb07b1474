"""Streams of requests that are worked on while others are received, written or sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_groups(
    requests: AsyncIterator[A], work: Callable[[A], Awaitable[B]], ahead: int
) -> AsyncIterator[list[B]]:
    """The results of work(request), in order, in groups of those that are done when the first of them is waited for.

    Work on later requests begins before earlier results are used: at most `ahead` have begun and are not used.

    Raises:
        Exception: What the requests or the work raised, after the results before it.
    """
    begun: asyncio.Queue[asyncio.Future[B] | None] = asyncio.Queue()
    room = asyncio.Semaphore(ahead)
    reader = asyncio.create_task(_begin_each(requests, work, begun, room))
    held: list[asyncio.Future[B]] = []
    try:
        while (first := held.pop(0) if held else await begun.get()) is not None:
            group = [await first]
            while not begun.empty():
                following = begun.get_nowait()
                if following is None:
                    begun.put_nowait(None)
                    break
                held.append(following)
            while held and held[0].done() and held[0].exception() is None:
                group.append(held.pop(0).result())
            yield group
            for _ in group:
                room.release()
        await reader
    finally:
        reader.cancel()
        rest = [*held, *(one for one in _all_of(begun) if one is not None)]
        for one in rest:
            one.cancel()
        await asyncio.gather(reader, *rest, return_exceptions=True)


async def _begin_each(
    requests: AsyncIterator[A],
    work: Callable[[A], Awaitable[B]],
    begun: asyncio.Queue[asyncio.Future[B] | None],
    room: asyncio.Semaphore,
) -> None:
    try:
        await room.acquire()
        async for request in requests:
            begun.put_nowait(asyncio.ensure_future(work(request)))
            del request  # not held until the next one comes
            await room.acquire()
    finally:
        begun.put_nowait(None)


def _all_of(queue: asyncio.Queue[B]) -> list[B]:
    return [queue.get_nowait() for _ in range(queue.qsize())]
