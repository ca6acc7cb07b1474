"""Results come in order, whatever is done first; what fails comes after what was before it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from weaklabel_server.jobs.ahead import in_groups


async def _numbers(stop: int, error: Exception | None = None) -> AsyncIterator[int]:
    for number in range(stop):
        yield number
    if error is not None:
        raise error


async def test_later_requests_are_worked_on_meanwhile() -> None:
    begun: list[int] = []
    first = asyncio.Event()

    async def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            await first.wait()
        return 10 * number

    groups = in_groups(_numbers(7), work, 3)
    waiting = asyncio.ensure_future(anext(groups))
    await asyncio.sleep(0.01)
    assert begun == [0, 1, 2], "three are held, and no more"
    first.set()
    assert await waiting == [0, 10, 20]
    assert [one async for group in groups for one in group] == [30, 40, 50, 60]


@pytest.mark.parametrize("of_work", [True, False])
async def test_what_fails_comes_after_what_was_before_it(of_work: bool) -> None:
    async def work(number: int) -> int:
        if of_work and number == 2:
            raise ValueError("2")
        return number

    found: list[int] = []

    async def take() -> None:
        async for group in in_groups(_numbers(2 + of_work, ValueError("2")), work, 4):
            found.extend(group)

    with pytest.raises(ValueError, match="2"):
        await take()
    assert found == [0, 1]
