"""What a run would take, before anything is sent: `plan`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.sources import DataSource
from weaklabel.prompts.declaration.judge_prompt import JudgePrompt
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.requests.item_fields import check_fields
from weaklabel.prompts.runner.event_loop import run_to_end
from weaklabel.prompts.runner.state import RunState
from weaklabel.prompts.running import prompts_and_items


@dataclass(frozen=True, kw_only=True)
class PromptPlan:
    """What one prompt would take.

    Attributes:
        name, model: of the prompt.
        calls: calls to be sent.
        cached: calls that the cache answers, or another call of the run.
        errors: calls that cannot be made, as where an item lacks a field, and cached responses that are not an answer.
        input_tokens: estimated from the length of the text.
        output_tokens: of short answers; reasoning comes on top where a model reasons.
        most_tokens: what all calls together take at most: one token per byte, and replies as long as `max_tokens`.
        money: USD for the estimate; None where no price is known.
        most_money: USD for the most.
    """

    name: str
    model: str
    calls: int
    cached: int
    errors: int
    input_tokens: float
    output_tokens: float
    most_tokens: float
    money: float | None
    most_money: float | None

    def __str__(self) -> str:
        price = "no price known" if self.money is None else f"about ${self.money:.4f}, at most ${self.most_money:.4f}"
        tokens = f"{self.input_tokens + self.output_tokens:,.0f}"
        return (
            f"{self.name} ({self.model}): {self.calls:,} calls, {self.cached:,} cached, about {tokens} tokens, {price}"
        )


@dataclass(frozen=True)
class Plan:
    """What a run would take. `print(plan)` shows it.

    Attributes:
        prompts: one plan per prompt.
    """

    prompts: tuple[PromptPlan, ...]

    @property
    def calls(self) -> int:
        """Calls to be sent."""
        return sum(one.calls for one in self.prompts)

    @property
    def cached(self) -> int:
        """Calls that are answered without being sent."""
        return sum(one.cached for one in self.prompts)

    @property
    def money(self) -> float | None:
        """USD by the estimate; None where a price is not known."""
        prices = [one.money for one in self.prompts]
        return None if None in prices else sum(one for one in prices if one is not None)

    @property
    def most_money(self) -> float | None:
        """USD at most; None where a price is not known."""
        prices = [one.most_money for one in self.prompts]
        return None if None in prices else sum(one for one in prices if one is not None)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        prompts = [dataclasses.asdict(one) for one in self.prompts]
        totals = {"calls": self.calls, "cached": self.cached, "money": self.money, "most_money": self.most_money}
        return {"prompts": prompts, **totals}

    def __str__(self) -> str:
        total = "no price known" if self.money is None else f"about ${self.money:.4f}, at most ${self.most_money:.4f}"
        return "\n".join([*map(str, self.prompts), f"in all: {self.calls:,} calls, {self.cached:,} cached, {total}"])


def plan(
    functions: Sequence[LabelingFunction | DataSource] | Sequence[SpanPrompt] | Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
) -> Plan:
    """What the prompts among the functions would take on the data. Nothing is sent.

    Raises:
        InvalidArgumentError: as of `run`.
    """
    engine = engine or PromptEngine()
    prompts, items = prompts_and_items(functions, data)
    prepared = engine.prepare(prompts)
    check_fields(prompts, items)
    with engine.opened_cache() as cache:
        state = RunState(prompts=prepared, items=items, cache=cache)
        run_to_end(state.look_up())
    numbers = [
        dict.fromkeys(("calls", "cached", "input", "output", "most", "money", "most_money"), 0.0) for _ in prepared
    ]
    for slots in state.pending.values():
        first = slots[0]
        request, one = state.request(first), prepared[first.prompt]
        expected, most = one.requests.expected_tokens(request), one.requests.most_tokens(request)
        number = numbers[first.prompt]
        number["calls"] += 1
        number["input"] += expected.input
        number["output"] += expected.output
        number["most"] += most.total
        number["money"] += one.cost(expected).money
        number["most_money"] += one.cost(most).money
        for slot in slots[1:]:
            numbers[slot.prompt]["cached"] += 1
    return Plan(
        tuple(
            PromptPlan(
                name=one.name,
                model=one.prompt.model,
                calls=int(number["calls"]),
                cached=int(number["cached"]) + tally.cached,
                errors=sum(
                    response is not None and response.error is not None for samples in responses for response in samples
                ),
                input_tokens=number["input"],
                output_tokens=number["output"],
                most_tokens=number["most"],
                money=None if one.price is None else number["money"],
                most_money=None if one.price is None else number["most_money"],
            )
            for one, number, tally, responses in zip(
                prepared, numbers, state.result.tallies, state.result.responses, strict=True
            )
        )
    )
