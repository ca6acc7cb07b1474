"""The state of a run of prompts over items: what the cache holds, what is pending, what came back, what it took."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from weaklabel.prompts.budget import Budget, Cost, Ledger
from weaklabel.prompts.cache import ResponseCache
from weaklabel.prompts.http.call import Reply
from weaklabel.prompts.requests.builder import PromptRequest
from weaklabel.prompts.responses.completion import is_completion
from weaklabel.prompts.responses.parser import ParsedResponse
from weaklabel.prompts.runner.first_replies import FirstReplies
from weaklabel.prompts.runner.prepared_prompt import PreparedPrompt
from weaklabel.prompts.runner.progress import TICK, ProgressCallback, PromptProgress

_LOOKED_UP_TOGETHER = 256

Stopped = Literal["budget", "deadline"]


@dataclass
class Tally:
    """What one prompt took.

    Attributes:
        calls: calls that were answered by the endpoint, or given up.
        cached: calls answered by the cache, or by another call of the run.
        input_tokens, output_tokens: of the calls answered by the endpoint.
        money: USD; 0 where no price is known.
        priced: whether the price of the model is known.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    money: float = 0.0
    priced: bool = True


class Slot(NamedTuple):
    """Where a parsed response belongs: prompt, item (inputs without content stand after the N items), sample."""

    prompt: int
    item: int
    sample: int


@dataclass(kw_only=True)
class RunResult:
    """What came of a run.

    Attributes:
        responses: [P][N + content-free][samples], parsed; None where nothing was sent.
        shown: [P][N + content-free] the answers that the model was shown, where there is a shortlist; the text, where
            spans are asked for.
        tallies: [P] what each prompt took.
        spent, unconfirmed: what replies have cost, and the most that calls without one may have cost.
        stopped: what ended the run early.
    """

    responses: list[list[list[ParsedResponse | None]]]
    shown: list[dict[int, tuple[str, ...]]]
    tallies: list[Tally]
    spent: Cost = field(default_factory=lambda: Cost(0, 0))
    unconfirmed: Cost = field(default_factory=lambda: Cost(0, 0))
    stopped: Stopped | None = None


class RunState:
    """A run of P prompts over N items, whatever sends its calls.

    Args:
        prompts: P prompts, ready to run.
        items: N items.
        cache: the responses known.
        budget: what the run may spend.
        deadline: seconds that the run may take.
        ask_again: read no cached reply that is an error, of these items where items are named; all are asked again.
        give_up_after: the run ends where so many first replies to a prompt fail alike; None to go on.

    Attributes:
        pending: what the cache does not hold: by key, where the response belongs.
        replaced: cached replies that are asked again, by key; the new ones take their place.
        result: what came of the run so far.
        ledger: the account of the run.
        first_replies: whether they fail alike.
    """

    def __init__(
        self,
        *,
        prompts: Sequence[PreparedPrompt],
        items: Sequence[Any],
        cache: ResponseCache | None,
        budget: Budget | None = None,
        deadline: float | None = None,
        give_up_after: int | None = None,
        ask_again: bool | Collection[int] = False,
    ) -> None:
        self._again = ask_again
        self.prompts, self.items, self.cache, self._deadline = prompts, items, cache, deadline
        self.pending: dict[bytes, list[Slot]] = {}
        self.replaced: dict[bytes, dict[str, Any]] = {}
        self._content_free = [one.requests.build_content_free() for one in prompts]
        responses: list[list[list[ParsedResponse | None]]] = []
        for one, content_free in zip(prompts, self._content_free, strict=True):
            samples = [one.prompt.samples] * len(items) + [1] * len(content_free)
            responses.append([[None] * n for n in samples])
        self.result = RunResult(
            responses=responses,
            shown=[{} for _ in prompts],
            tallies=[Tally(priced=one.price is not None) for one in prompts],
        )
        self._total = sum(len(samples) for one in responses for samples in one)
        self._done = self._errors = self._missing = self._cached = 0
        self.ledger = Ledger(budget)
        self.first_replies = FirstReplies([one.name for one in prompts], give_up_after)
        self._started = time.monotonic()

    def request(self, slot: Slot) -> PromptRequest:
        """The request of a slot.

        Raises:
            LookupError: if the item lacks a field.
        """
        beyond = slot.item - len(self.items)
        if beyond >= 0:
            return self._content_free[slot.prompt][beyond]
        return self.prompts[slot.prompt].requests.build(self.items[slot.item])

    def prompt_of(self, key: bytes) -> PreparedPrompt:
        """The prompt of a pending call."""
        return self.prompts[self.pending[key][0].prompt]

    # --------------------------------------------------------------- the cache

    async def look_up(self, progress: ProgressCallback | None = None) -> None:
        """Read what the cache holds; what it does not is then pending. Gives way to other tasks now and then."""
        group: dict[bytes, list[Slot]] = {}
        reported = self._started
        item = -1
        for slot, key in self._keys():
            # Not within an item: one response may hold the answers to several fields of it.
            if len(group) >= _LOOKED_UP_TOGETHER and slot.item != item:
                self._look_up(group)
                group = {}
                await asyncio.sleep(0)
                if progress is not None and time.monotonic() - reported > TICK:
                    progress(self.progress())
                    reported = time.monotonic()
            group.setdefault(key, []).append(slot)
            item = slot.item
        self._look_up(group)

    def _keys(self) -> Iterator[tuple[Slot, bytes]]:
        """The slots in the order of calls, inputs without content first, with the keys of their calls."""
        for p, content_free in enumerate(self._content_free):
            for i, request in enumerate(content_free, len(self.items)):
                yield from self._keys_of(p, i, request, 1)
        for i in range(len(self.items)):
            for p, prepared in enumerate(self.prompts):
                samples = prepared.prompt.samples
                try:
                    request = self.request(Slot(p, i, 0))
                except LookupError as error:
                    for s in range(samples):
                        self._settle(Slot(p, i, s), ParsedResponse(error=str(error)))
                else:
                    yield from self._keys_of(p, i, request, samples)

    def _keys_of(self, p: int, i: int, request: PromptRequest, samples: int) -> Iterator[tuple[Slot, bytes]]:
        if request.shown is not None:
            self.result.shown[p][i] = request.shown
        for s in range(samples):
            yield Slot(p, i, s), self.prompts[p].key(request, s)

    def _look_up(self, group: dict[bytes, list[Slot]]) -> None:
        known = {} if self.cache is None else self.cache.get_many(list(group))
        for key, slots in group.items():
            if not self._read_cached(key, known.get(key), slots):
                self.pending.setdefault(key, []).extend(slots)

    def read_cached(self, key: bytes, raw: bytes | None) -> bool:
        """Read a response that has come into the cache since; whether it is one."""
        return self._read_cached(key, raw, self.pending[key])

    def _asked_again(self, response: dict[str, Any], slots: Sequence[Slot], key: bytes) -> bool:
        """Whether a cached reply is an error that the caller wants to be asked again; once a run."""
        if self._again is False or key in self.replaced:
            return key in self.replaced and self.replaced[key] == response
        named = self._again is True or any(slot.item in self._again for slot in slots)
        failed = named and any(self._parsed(response, slot).error is not None for slot in slots)
        if failed:
            self.replaced[key] = response
        return failed

    def _read_cached(self, key: bytes, raw: bytes | None, slots: Sequence[Slot]) -> bool:
        response = None if raw is None else json.loads(raw)
        if response is None:
            return False
        if not is_completion(response):  # an earlier version kept it
            self.replaced[key] = response
            return False
        if self._asked_again(response, slots, key):
            return False
        for slot in slots:
            self.result.tallies[slot.prompt].cached += 1
            self._cached += 1
            self._settle(slot, self._parsed(response, slot)._replace(cached=True))
        self._note(slots)
        return True

    # ----------------------------------------------------------------- replies

    def take(self, key: bytes, reply: Reply, part: float = 1.0) -> None:
        """Read a reply wherever it belongs, and note what it took, of which `part` of the price is paid."""
        slots = self.pending[key]
        first = slots[0]
        tally = self.result.tallies[first.prompt]
        tally.calls += 1
        tally.input_tokens += reply.tokens.input
        tally.output_tokens += reply.tokens.output
        cost = self.prompts[first.prompt].cost(reply.tokens, part)
        tally.money += cost.money
        for slot in slots:
            if reply.body is None:
                response = ParsedResponse(error=reply.error, refused=reply.refused)
            else:
                response = self._parsed(reply.body, slot)
            if slot is first:
                response = response._replace(tokens=cost.tokens, money=cost.money)
            else:
                self.result.tallies[slot.prompt].cached += 1
                self._cached += 1
                response = response._replace(cached=True)
            self._settle(slot, response)
        self._note(slots)

    def miss(self, key: bytes) -> None:
        """Note a call that the budget did not hold."""
        self._missing += len(self.pending[key])
        self.first_replies.pass_on(self.pending[key][0].prompt)

    def _note(self, slots: Sequence[Slot]) -> None:
        """Note whether a reply holds an answer, be it to one field of several."""
        read = [self.result.responses[slot.prompt][slot.item][slot.sample] for slot in slots]
        errors = [one.error for one in read if one is not None]
        self.first_replies.note(slots[0].prompt, None if None in errors else errors[0])

    def _parsed(self, response: dict[str, Any], slot: Slot) -> ParsedResponse:
        shown = self.result.shown[slot.prompt].get(slot.item)
        return self.prompts[slot.prompt].reader.parse(response, shown)

    def _settle(self, slot: Slot, response: ParsedResponse) -> None:
        self.result.responses[slot.prompt][slot.item][slot.sample] = response
        self._done += 1
        self._errors += response.error is not None

    # --------------------------------------------------------------------- end

    def deadline_passed(self) -> bool:
        """Whether the time is over, which then ends the run."""
        passed = self._deadline is not None and time.monotonic() - self._started > self._deadline
        if passed:
            self.result.stopped = "deadline"
        return passed

    def finish(self, progress: ProgressCallback | None) -> RunResult:
        """What came of the run: all that is not answered by now is missing. Reports the progress once more."""
        if self.result.stopped is None and self._missing:
            self.result.stopped = "budget"
        self._missing = self._total - self._done
        self.result.spent, self.result.unconfirmed = self.ledger.spent, self.ledger.unconfirmed
        if progress is not None:
            progress(self.progress())
        return self.result

    def progress(self) -> PromptProgress:
        """How far the run is."""
        seconds = time.monotonic() - self._started
        return PromptProgress(
            total=self._total,
            done=self._done,
            cached=self._cached,
            errors=self._errors,
            missing=self._missing,
            money=self.ledger.spent.money,
            tokens=self.ledger.spent.tokens,
            seconds=seconds,
            rate=self._done / seconds if seconds > 0 else 0.0,
        )
