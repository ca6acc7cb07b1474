"""Fits take turns, by the rules of jobs.schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from weaklabel_server.jobs.operations.schedule import Schedule, WaitingFit


class Turns:
    """A schedule to wait at. It is used on the event loop only."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._begins: dict[int, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, fit: WaitingFit) -> AsyncIterator[None]:
        """Waits until the fit may begin; its turn ends with the block."""
        self._begins[fit.key] = begin = asyncio.get_running_loop().create_future()
        self._schedule.add(fit)
        try:
            self._go_on()
            await begin
            yield
        finally:
            # Also when the waiting was cancelled, be it in the moment in which the turn came.
            self._begins.pop(fit.key, None)
            self._schedule.remove(fit.key)
            self._go_on()

    def _go_on(self) -> None:
        while (fit := self._schedule.take()) is not None:
            begin = self._begins[fit.key]
            if not begin.done():
                begin.set_result(None)
