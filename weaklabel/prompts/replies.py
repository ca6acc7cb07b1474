"""What came back to each call of a run, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weaklabel.prompts.responses.parser import LeftOut
from weaklabel.prompts.runner.state import RunResult


@dataclass(frozen=True, kw_only=True)
class PromptReply:
    """The reply to one call.

    Attributes:
        prompt: name of the prompt.
        item: position of the item, 0..N-1; of the pair, where judges were asked.
        item_id: its id; None where items have none.
        sample: 0..samples-1.
        text: of the reply, without reasoning.
        reasoning: of the model, where the endpoint returns it.
        answers: the answers that were read: one, several of a shortlist, or none where it is an error.
        spans: (start, end, type) in characters, where spans are asked for.
        left_out: spans of the reply that are none of the text, with the reason.
        shown_first: "left" or "right", where judges were asked; None of other prompts.
        probabilities: of the answers, by their log-probabilities; empty where there are none.
        error: why there is no answer, or None.
        cached: whether the cache answered, or another call of the run.
        tokens: that the call took, input and output together; 0 where it is cached.
        money: USD that the call cost; 0 where it is cached, None where no price is known.
    """

    prompt: str
    item: int
    item_id: str | None
    sample: int
    text: str
    reasoning: str
    answers: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    shown_first: str | None = None
    probabilities: Mapping[str, float]
    error: str | None
    cached: bool
    tokens: float
    money: float | None


def replies(
    result: RunResult, names: Sequence[str], n_items: int, ids: Sequence[str] | None, orders: Sequence[str] = ()
) -> Iterator[PromptReply]:
    """The replies of a run, prompt by prompt in the order of items; calls that were not sent are left out.

    Args:
        result: of the run.
        names: of the prompts.
        n_items: the number of items; those behind them are without content.
        ids: of the items, or of the pairs.
        orders: which side is shown first in the items of each pair; none where items are no pairs.
    """
    for name, responses, tally in zip(names, result.responses, result.tallies, strict=True):
        for i, samples in enumerate(responses[:n_items]):
            item = i // max(len(orders), 1)
            for s, one in enumerate(samples):
                if one is not None:
                    yield PromptReply(
                        prompt=name,
                        item=item,
                        item_id=None if ids is None else str(ids[item]),
                        sample=s,
                        text=one.text,
                        reasoning=one.reasoning,
                        answers=one.answers,
                        spans=one.spans,
                        left_out=one.left_out,
                        shown_first=orders[i % len(orders)] if orders else None,
                        probabilities=dict(one.shares),
                        error=one.error,
                        cached=one.cached,
                        tokens=one.tokens,
                        money=one.money if tally.priced else (0.0 if one.cached else None),
                    )
