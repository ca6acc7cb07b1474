"""The batch runner: sends what is pending by the Batch API, at a part of the price. It may be killed and run again.

What is sent is noted in the cache before it is, under a tag that goes with the batch; the endpoint's list of batches
then tells whether it arrived. Responses go into the cache and the note is deleted in one transaction.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Literal

import openai

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.budget import Cost
from weaklabel.prompts.cache import Batch, Entry
from weaklabel.prompts.http.call import Reply
from weaklabel.prompts.http.endpoint import Endpoint, EndpointError
from weaklabel.prompts.http.transport import Transport
from weaklabel.prompts.pricing import Price
from weaklabel.prompts.runner.batch_lines import BatchLine, read_line, split
from weaklabel.prompts.runner.batch_options import BatchOptions
from weaklabel.prompts.runner.progress import TICK, ProgressCallback
from weaklabel.prompts.runner.state import RunResult, RunState

_URLS: dict[str, Literal["/v1/chat/completions", "/v1/responses"]] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
}
_TAG = "weaklabel"
_MOST_OUTPUT = 1 << 30
_ENDED = {"completed", "failed", "expired", "cancelled"}
_LISTED = 300  # batches of an endpoint that are looked through for one that was being sent
_LONGEST_SENDING = 3600.0  # seconds after which another process's batch that never arrived is given up


_sending: set[str] = set()  # tags of the batches that this process is sending


class BatchRunner:
    """A run by batches.

    Args:
        state: the run, not looked up yet.
        options: how batches are waited for.

    Raises:
        InvalidArgumentError: if the run has no cache.
    """

    def __init__(self, state: RunState, options: BatchOptions) -> None:
        if state.cache is None:
            raise InvalidArgumentError("batches need a cache, in which they are found again", field="cache")
        self._state, self._cache, self._options = state, state.cache, options
        self._transports: dict[str, Transport] = {}
        self._unanswered: set[bytes] = set()  # keys without an answer
        self._held: dict[bytes, Cost] = {}  # the most that those under way may cost

    async def run(self, progress: ProgressCallback | None) -> RunResult:
        """Send what is not cached and not under way, and read what came back.

        Raises:
            EndpointError: if the endpoint refuses files or batches, or finds a batch faulty.
        """
        state = self._state
        await state.look_up(progress)
        self._unanswered = set(state.pending)
        async with AsyncExitStack() as stack:
            for endpoint in dict.fromkeys(one.endpoint for one in state.prompts):
                if endpoint.url in self._transports:
                    self._check_same(endpoint)
                transport = Transport(endpoint, state.ledger, most_bytes=_MOST_OUTPUT)
                self._transports[endpoint.url] = await stack.enter_async_context(transport)
            try:
                await self._collect()
                await self._check_replies()
                for url in self._transports:
                    for lines in split(self._lines(url)):
                        await self._send(url, lines)
                while self._options.wait and self._own_batches() and not state.deadline_passed():
                    await self._sleep(progress)
                    await self._collect()
                    await self._check_replies()
            except openai.OpenAIError as error:
                raise EndpointError(f"the Batch API: {self._error_text(error)}") from None
        return state.finish(progress)

    def _check_same(self, endpoint: Endpoint) -> None:
        """Refuses two endpoints of one URL and of different APIs: a batch is found again by the URL."""
        if self._transports[endpoint.url].endpoint.api != endpoint.api:
            raise InvalidArgumentError(
                f"batches at {endpoint.url} go by one API: run the prompts of each apart",
                field="endpoints",
            )

    def _error_text(self, error: openai.OpenAIError) -> str:
        text = str(error).encode()
        for transport in self._transports.values():
            text = transport.without_key(text)
        return text.decode()

    async def _check_replies(self) -> None:
        """Ends the run, and cancels what is under way, where the first replies to a prompt fail alike.

        Where nothing is left to be paid the run goes on to its end.

        Raises:
            EndpointError: says how to go on.
        """
        if not self._unanswered:
            return
        try:
            for p in range(len(self._state.prompts)):
                self._state.first_replies.check(p)
        except EndpointError:
            for batch in self._own_batches():
                if batch.id is not None:  # what it has answered by then is read by the next call
                    with suppress(openai.APIStatusError):  # it has ended meanwhile
                        await self._transports[batch.endpoint].client.batches.cancel(batch.id)
            raise

    async def _sleep(self, progress: ProgressCallback | None) -> None:
        until = time.monotonic() + self._options.poll
        while (left := until - time.monotonic()) > 0:
            if progress is not None:
                progress(self._state.progress())
            await asyncio.sleep(min(left, TICK))

    def _own_batches(self) -> list[Batch]:
        """The batches under way that hold answers to this run."""
        batches = [one for one in self._cache.open_batches() if one.endpoint in self._transports]
        return [one for one in batches if not self._unanswered.isdisjoint(self._cache.batch_keys(one.tag))]

    # ----------------------------------------------------------------- sending

    def _lines(self, url: str) -> Iterator[BatchLine]:
        """The requests to an endpoint that are neither answered nor under way; those of one model together."""
        state, ledger = self._state, self._state.ledger
        under_way = {key for batch in self._own_batches() for key in self._cache.batch_keys(batch.tag)}
        keys = [key for key in state.pending if key in self._unanswered and state.prompt_of(key).url == url]
        keys.sort(key=lambda key: (key not in under_way, state.prompt_of(key).prompt.model))
        for key in keys:
            prepared = state.prompt_of(key)
            request = state.request(state.pending[key][0])
            most = prepared.most_cost(request, _part_paid(prepared.price))
            if key not in under_way and not ledger.fits(most):
                state.result.stopped = "budget"
                continue
            ledger.hold(most)
            self._held[key] = most
            if key not in under_way:
                body = self._transports[url].wire.body(request.body)
                line = {"custom_id": key.hex(), "method": "POST", "url": _URLS[prepared.endpoint.api], "body": body}
                yield BatchLine(key, prepared.prompt.model, json.dumps(line).encode() + b"\n")

    async def _send(self, url: str, lines: Sequence[BatchLine]) -> None:
        batch = Batch(
            tag=f"{_TAG}-{uuid.uuid4().hex}",
            endpoint=url,
            owner=f"{socket.gethostname()}:{os.getpid()}",
            created=time.time(),
        )
        _sending.add(batch.tag)
        try:
            free = set(self._cache.begin_batch(batch, [line.key for line in lines]))
            if not free:
                return
            transport = self._transports[url]
            data = b"".join(line.text for line in lines if line.key in free)
            file = await transport.client.files.create(file=(f"{batch.tag}.jsonl", data), purpose="batch")
            self._cache.name_batch(batch.tag, await self._make(batch.tag, transport, file.id))
        finally:
            _sending.discard(batch.tag)

    async def _make(self, tag: str, transport: Transport, file_id: str) -> str:
        """Make a batch, once: one whose reply was lost may have arrived, which the endpoint's list of batches tells."""
        client, attempt = transport.client.with_options(max_retries=0), 0
        while True:
            try:
                batch = await client.batches.create(
                    input_file_id=file_id,
                    endpoint=_URLS[transport.endpoint.api],
                    completion_window="24h",
                    metadata={_TAG: tag},
                )
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                attempt += 1
                await asyncio.sleep(transport.backoff(attempt))
                if (arrived := await _find_by_tag(tag, transport.client)) is not None:
                    return arrived
                if attempt > transport.endpoint.max_retries:
                    raise
            else:
                return batch.id

    # -------------------------------------------------------------- collecting

    async def _collect(self) -> None:
        """Receive the batches that have ended, and what other processes received."""
        for batch in self._own_batches():
            transport = self._transports[batch.endpoint]
            batch_id = batch.id or await self._find(batch, transport.client)
            if batch_id is None:
                continue
            state = await transport.client.batches.retrieve(batch_id)
            if state.status not in _ENDED:
                continue
            if state.status == "failed":
                self._cache.end_batch(batch.tag, [])
                errors = state.errors.data if state.errors is not None and state.errors.data else []
                reason = "; ".join(str(one.message) for one in errors[:3]) or "no reason given"
                raise EndpointError(f"{batch.endpoint} finds the batch {batch_id} faulty: {reason}")
            await self._receive(batch, transport, [state.output_file_id, state.error_file_id], state.status)
        for key, raw in self._cache.get_many(list(self._unanswered)).items():
            if self._state.read_cached(key, raw):
                self._answered(key, Cost(0, 0))

    async def _find(self, batch: Batch, client: openai.AsyncOpenAI) -> str | None:
        """The endpoint's name of a batch that was being sent when a process ended; forgotten where it never arrived."""
        alive = _alive(batch)  # before the list is read: what is sent by then is in it
        batch_id = await _find_by_tag(batch.tag, client)
        if batch_id is not None:
            self._cache.name_batch(batch.tag, batch_id)
        elif not alive:
            self._cache.end_batch(batch.tag, [])
        return batch_id

    async def _receive(self, batch: Batch, transport: Transport, files: Sequence[str | None], status: str) -> None:
        expected = self._cache.batch_keys(batch.tag)
        lost = Reply(error=f"the batch ended ({status}) without a reply to it")
        replies = dict.fromkeys(expected, lost)
        for name in files:
            if name is None:
                continue
            content = await transport.client.files.content(name)
            lines = map(read_line, transport.without_key(content.content).splitlines())
            # Only keys of this batch count: an endpoint cannot put answers elsewhere.
            replies |= {line[0]: line[1] for line in lines if line is not None and line[0] in expected}
        self._cache.end_batch(
            batch.tag,
            [
                Entry(key, batch.endpoint, str(reply.body.get("model", "")), reply.raw, key in self._state.replaced)
                for key, reply in replies.items()
                if reply.body is not None
            ],
        )
        for key in replies.keys() & self._unanswered:
            prepared = self._state.prompt_of(key)
            part = _part_paid(prepared.price)
            if replies[key] is lost:
                self._state.first_replies.pass_on(self._state.pending[key][0].prompt)  # the prompt is not at fault
            self._state.take(key, replies[key], part)
            self._answered(key, prepared.cost(replies[key].tokens, part))

    def _answered(self, key: bytes, actual: Cost) -> None:
        self._unanswered.discard(key)
        if (most := self._held.pop(key, None)) is None:
            self._state.ledger.hold(most := actual)
        self._state.ledger.settle(most, actual)


def _part_paid(price: Price | None) -> float:
    return 1.0 if price is None else price.batch


async def _find_by_tag(tag: str, client: openai.AsyncOpenAI) -> str | None:
    """The endpoint's name of the batch that carries a tag; None where there is none."""
    seen = 0
    async for one in client.batches.list(limit=100):
        if (one.metadata or {}).get(_TAG) == tag:
            return one.id
        seen += 1
        if seen >= _LISTED:
            break
    return None


def _alive(batch: Batch) -> bool:
    """Whether the process that was sending a batch may still be at it."""
    host, _, number = batch.owner.rpartition(":")
    if host == socket.gethostname():
        if int(number) == os.getpid():
            return batch.tag in _sending
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it is there, and another user's
    return time.time() - batch.created < _LONGEST_SENDING  # later, another process may have its number
