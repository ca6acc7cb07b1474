"""One run of prompts over items: what the cache answers, then what is asked, within budget and time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from weaklabel.prompts.budget import Cost, Ledger
from weaklabel.prompts.cache import Entry, GroupWriter, ResponseCache
from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.http.transport import Call, Reply, Transport
from weaklabel.prompts.requests.builder import PromptRequest
from weaklabel.prompts.responses.parser import Reading, is_response
from weaklabel.prompts.runner.prepared_prompt import PreparedPrompt

if TYPE_CHECKING:
    from weaklabel.prompts.engine import PromptEngine

_LOOKED_UP_TOGETHER = 256
_TICK = 0.2  # seconds between looks at the clock, and calls of progress

Stopped = Literal["budget", "deadline"]
T = TypeVar("T")


@dataclass(frozen=True)
class PromptProgress:
    """How far a run is. A call is one sample of one prompt on one item.

    Attributes:
        total: calls that the run needs.
        done: calls that are answered or given up.
        cached: those of them that the cache answered, or another call of the run.
        errors: those of them without an answer.
        missing: calls that the budget did not hold.
        money: USD spent so far.
        tokens: tokens spent so far.
        seconds: since the run started.
        rate: calls done a second.
    """

    total: int
    done: int
    cached: int
    errors: int
    missing: int
    money: float
    tokens: float
    seconds: float
    rate: float


@dataclass
class Tally:
    """What one prompt took.

    Attributes:
        calls: calls that were answered by the endpoint, or given up.
        cached: calls answered by the cache, or by another call of the run.
        input_tokens, output_tokens: of the calls answered by the endpoint.
        money: USD.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    money: float = 0.0


class Slot(NamedTuple):
    """Where a reading belongs: prompt, item (inputs without content stand after the N items), sample."""

    prompt: int
    item: int
    sample: int


@dataclass
class Asked:
    """What came of a run.

    Attributes:
        readings: [P][N + content-free][samples]; None where nothing was asked.
        shown: [P][N + content-free] the answers that the model was shown, where there is a shortlist.
        tallies: [P] what each prompt took.
        spent, unconfirmed: what replies have cost, and the most that calls without one may have cost.
        stopped: what ended the run early.
    """

    readings: list[list[list[Reading | None]]]
    shown: list[dict[int, tuple[str, ...]]]
    tallies: list[Tally]
    spent: Cost = field(default_factory=lambda: Cost(0, 0))
    unconfirmed: Cost = field(default_factory=lambda: Cost(0, 0))
    stopped: Stopped | None = None


@dataclass
class Asking:
    """A run of P prompts over N items.

    Attributes:
        engine: the settings.
        prompts: P prompts, made ready.
        items: N items.
        cache: the responses known.
    """

    engine: PromptEngine
    prompts: Sequence[PreparedPrompt]
    items: Sequence[Any]
    cache: ResponseCache | None
    pending: dict[bytes, list[Slot]] = field(default_factory=dict)
    """What the cache does not hold: by key, where the answer belongs."""

    def __post_init__(self) -> None:
        self._content_free = [one.requests.build_content_free() for one in self.prompts]
        readings: list[list[list[Reading | None]]] = []
        for one, free in zip(self.prompts, self._content_free, strict=True):
            samples = [one.prompt.samples] * len(self.items) + [1] * len(free)
            readings.append([[None] * n for n in samples])
        self.asked = Asked(readings, [{} for _ in self.prompts], [Tally() for _ in self.prompts])
        self._total = sum(len(samples) for one in readings for samples in one)
        self._done = self._errors = self._missing = self._cached = 0
        self.ledger = Ledger(self.engine.budget)
        self._started = time.monotonic()

    # --------------------------------------------------------------- the cache

    def question(self, slot: Slot) -> PromptRequest:
        """What is asked for a slot.

        Raises:
            LookupError: if the item lacks a field.
        """
        beyond = slot.item - len(self.items)
        if beyond >= 0:
            return self._content_free[slot.prompt][beyond]
        return self.prompts[slot.prompt].requests.build(self.items[slot.item])

    async def look_up(self, progress: Callable[[PromptProgress], object] | None = None) -> None:
        """Read what the cache holds; what it does not is then pending. Gives way to other tasks now and then."""
        together: dict[bytes, list[Slot]] = {}
        told = self._started
        for slot, key in self._keys():
            together.setdefault(key, []).append(slot)
            if len(together) >= _LOOKED_UP_TOGETHER:
                self._look_up(together)
                together = {}
                await asyncio.sleep(0)
                if progress is not None and time.monotonic() - told > _TICK:
                    progress(self.progress())
                    told = time.monotonic()
        self._look_up(together)

    def _keys(self) -> Iterator[tuple[Slot, bytes]]:
        """The slots in the order of asking, inputs without content first, with the keys of their calls."""
        for p, free in enumerate(self._content_free):
            for i, question in enumerate(free, len(self.items)):
                if question.shown is not None:
                    self.asked.shown[p][i] = question.shown
                yield Slot(p, i, 0), self.prompts[p].key(question, 0)
        for i in range(len(self.items)):
            for p, compiled in enumerate(self.prompts):
                try:
                    question = self.question(Slot(p, i, 0))
                except LookupError as error:
                    for s in range(compiled.prompt.samples):
                        self._settle(Slot(p, i, s), Reading(error=str(error)))
                    continue
                if question.shown is not None:
                    self.asked.shown[p][i] = question.shown
                for s in range(compiled.prompt.samples):
                    yield Slot(p, i, s), compiled.key(question, s)

    def _look_up(self, together: dict[bytes, list[Slot]]) -> None:
        known = {} if self.cache is None else self.cache.get_many(list(together))
        for key, slots in together.items():
            if not self._read_cached(known.get(key), slots):
                self.pending.setdefault(key, []).extend(slots)

    def read_cached(self, key: bytes, raw: bytes | None) -> bool:
        """Read a response that has come into the cache since; whether it is one."""
        return self._read_cached(raw, self.pending[key])

    def _read_cached(self, raw: bytes | None, slots: Sequence[Slot]) -> bool:
        response = None if raw is None else json.loads(raw)
        if response is None or not is_response(response):
            return False
        for slot in slots:
            self.asked.tallies[slot.prompt].cached += 1
            self._cached += 1
            self._read(response, slot)
        return True

    def _read(self, response: dict[str, Any], slot: Slot) -> None:
        shown = self.asked.shown[slot.prompt].get(slot.item)
        self._settle(slot, self.prompts[slot.prompt].votes.read(response, shown))

    def _settle(self, slot: Slot, reading: Reading) -> None:
        self.asked.readings[slot.prompt][slot.item][slot.sample] = reading
        self._done += 1
        self._errors += reading.error is not None

    # ------------------------------------------------------------------ asking

    async def run(self, progress: Callable[[PromptProgress], object] | None) -> Asked:
        """Look up, ask, and return what came of it.

        Raises:
            EndpointError: if an endpoint cannot be asked.
            Whatever `progress` raises: it ends the run.
        """
        await self.look_up(progress)
        if self.pending:
            await self._ask(progress)
        if self.asked.stopped is None and self._missing:
            self.asked.stopped = "budget"
        return self.finish(progress)

    def finish(self, progress: Callable[[PromptProgress], object] | None) -> Asked:
        """What came of it: all that is not answered by now is missing. Tells the progress once more."""
        self._missing = self._total - self._done
        self.asked.spent, self.asked.unconfirmed = self.ledger.spent, self.ledger.unconfirmed
        if progress is not None:
            progress(self.progress())
        return self.asked

    async def _ask(self, progress: Callable[[PromptProgress], object] | None) -> None:
        async with AsyncExitStack() as stack:
            writer = None if self.cache is None else GroupWriter(self.cache)
            if writer is not None:
                stack.push_async_callback(writer.close)
            tasks: set[asyncio.Task[None]] = set()
            for endpoint, keys in self._by_endpoint().items():
                transport = await stack.enter_async_context(Transport(endpoint, self.ledger))
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
        found: dict[Endpoint, list[bytes]] = {}
        for key, slots in self.pending.items():
            found.setdefault(self.engine.endpoint_of(self.prompts[slots[0].prompt].prompt), []).append(key)
        return found

    async def _watch(self, tasks: set[asyncio.Task[None]], progress: Callable[[PromptProgress], object] | None) -> None:
        waiting = tasks
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=_TICK, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if progress is not None:
                progress(self.progress())
            if waiting and self.engine.deadline is not None and time.monotonic() - self._started > self.engine.deadline:
                self.asked.stopped = "deadline"
                return

    async def _work(self, keys: Iterator[bytes], transport: Transport, writer: GroupWriter | None) -> None:
        for key in keys:
            if self.cache is not None and self.read_cached(key, self.cache.get(key)):
                continue  # another process has asked it since
            slots = self.pending[key]
            compiled = self.prompts[slots[0].prompt]
            question = self.question(slots[0])
            most = compiled.most_cost(question)
            reply = await transport.send(
                Call(question.body, compiled.requests.expected_tokens(question), most, compiled.cost)
            )
            if not reply.affordable:
                self._missing += len(slots)
            elif writer is None or reply.body is None:
                self.take(key, reply)
            else:
                entry = Entry(key, compiled.url, compiled.prompt.model, reply.raw)
                # Nothing more is sent before it is on disk: what is asked twice after a crash was in flight.
                await asyncio.shield(writer.put(entry, functools.partial(self.take, key, reply)))

    def take(self, key: bytes, reply: Reply, part: float = 1.0) -> None:
        """Read a reply wherever it belongs, and note what it took, of which `part` of the price is paid."""
        slots = self.pending[key]
        first = slots[0]
        tally = self.asked.tallies[first.prompt]
        tally.calls += 1
        tally.input_tokens += reply.tokens.input
        tally.output_tokens += reply.tokens.output
        tally.money += self.prompts[first.prompt].cost(reply.tokens, part).money
        for slot in slots:
            if slot is not first:
                self.asked.tallies[slot.prompt].cached += 1
                self._cached += 1
            if reply.body is None:
                self._settle(slot, Reading(error=reply.error))
            else:
                self._read(reply.body, slot)

    def progress(self) -> PromptProgress:
        """How far the run is."""
        seconds = time.monotonic() - self._started
        spent = self.ledger.spent
        rate = self._done / seconds if seconds > 0 else 0.0
        counts = self._total, self._done, self._cached, self._errors, self._missing
        return PromptProgress(*counts, spent.money, spent.tokens, seconds, rate)


def run_here(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where this thread has a running loop already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def told() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(1, thread_name_prefix="weaklabel-prompts") as pool:
        done = pool.submit(asyncio.run, told())
        try:
            return done.result()
        except KeyboardInterrupt:  # in this thread; the other would go on asking
            loop, task = started.result()
            if task is not None and not done.done():
                with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                    loop.call_soon_threadsafe(task.cancel)
            raise
