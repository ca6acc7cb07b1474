"""The runner: sends what is pending call by call, to several endpoints at once, within budget and deadline."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from contextlib import AsyncExitStack

from weaklabel.prompts.cache import Entry, GroupWriter
from weaklabel.prompts.http.call import Call
from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.http.transport import Transport
from weaklabel.prompts.runner.progress import TICK, ProgressCallback
from weaklabel.prompts.runner.state import RunResult, RunState


class CallRunner:
    """A run by calls.

    Args:
        state: the run, not looked up yet.
    """

    def __init__(self, state: RunState) -> None:
        self._state, self._cache = state, state.cache

    async def run(self, progress: ProgressCallback | None) -> RunResult:
        """Look up, send what is pending, and return what came of it.

        Raises:
            EndpointError: if an endpoint refuses the key or the model, or answers nothing, or the first replies to a
                prompt fail alike.
            Whatever `progress` raises: it ends the run.
        """
        await self._state.look_up(progress)
        if self._state.pending:
            await self._send(progress)
        return self._state.finish(progress)

    async def _send(self, progress: ProgressCallback | None) -> None:
        async with AsyncExitStack() as stack:
            writer = None if self._cache is None else GroupWriter(self._cache)
            if writer is not None:
                stack.push_async_callback(writer.close)
            tasks: set[asyncio.Task[None]] = set()
            for endpoint, keys in self._by_endpoint().items():
                transport = await stack.enter_async_context(Transport(endpoint, self._state.ledger))
                queue = iter(keys)
                n_workers = min(endpoint.concurrency, len(keys))
                tasks |= {asyncio.create_task(self._work(queue, transport, writer)) for _ in range(n_workers)}
            try:
                await self._watch(tasks, progress)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _by_endpoint(self) -> dict[Endpoint, list[bytes]]:
        keys: dict[Endpoint, list[bytes]] = {}
        for key in self._state.pending:
            keys.setdefault(self._state.prompt_of(key).endpoint, []).append(key)
        return keys

    async def _watch(self, tasks: set[asyncio.Task[None]], progress: ProgressCallback | None) -> None:
        waiting = tasks
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=TICK, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if progress is not None:
                progress(self._state.progress())
            if waiting and self._state.deadline_passed():
                return

    async def _work(self, keys: Iterator[bytes], transport: Transport, writer: GroupWriter | None) -> None:
        state = self._state
        for key in keys:
            if self._cache is not None and state.read_cached(key, self._cache.get(key)):
                continue  # another process has sent it since
            prepared, first = state.prompt_of(key), state.pending[key][0]
            await state.first_replies.admit(first.prompt)
            request = state.request(first)
            reply = await transport.send(
                Call(
                    body=request.body,
                    expected=prepared.requests.expected_tokens(request),
                    most=prepared.most_cost(request),
                    cost=prepared.cost,
                )
            )
            if not reply.affordable:
                state.miss(key)
            elif writer is None or reply.body is None:
                state.take(key, reply)
            else:
                entry = Entry(key, prepared.url, prepared.prompt.model, reply.raw, replaces=key in state.replaced)
                # Nothing more is sent before it is on disk: what is sent twice after a crash was in flight.
                await asyncio.shield(writer.put(entry, functools.partial(state.take, key, reply)))
            state.first_replies.check(first.prompt)
