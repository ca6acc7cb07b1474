"""What came back to each call of a run, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weaklabel.prompts.runner.outcome import Outcome
from weaklabel.votes import Votes


@dataclass(frozen=True, kw_only=True)
class PromptReply:
    """The reply to one call.

    Attributes:
        prompt: name of the prompt.
        item: position of the item, 0..N-1.
        item_id: its id; None where items have none.
        sample: 0..samples-1.
        text: of the reply, without reasoning.
        reasoning: of the model, where the endpoint returns it.
        answers: the answers that were read: one, several of a shortlist, or none where it is an error.
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
    probabilities: Mapping[str, float]
    error: str | None
    cached: bool
    tokens: float
    money: float | None


def replies(outcome: Outcome, votes: Votes) -> Iterator[PromptReply]:
    """The replies of a run, prompt by prompt in the order of items; calls that were not sent are left out."""
    ids = votes.item_ids
    for name, responses, tally in zip(
        outcome.votes.source_names, outcome.result.responses, outcome.result.tallies, strict=True
    ):
        for i, samples in enumerate(responses[: votes.n_items]):
            for s, one in enumerate(samples):
                if one is not None:
                    yield PromptReply(
                        prompt=name,
                        item=i,
                        item_id=None if ids is None else str(ids[i]),
                        sample=s,
                        text=one.text,
                        reasoning=one.reasoning,
                        answers=one.answers,
                        probabilities=dict(one.shares),
                        error=one.error,
                        cached=one.cached,
                        tokens=one.tokens,
                        money=one.money if tally.priced else (0.0 if one.cached else None),
                    )
