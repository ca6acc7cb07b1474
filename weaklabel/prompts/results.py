"""What runs of prompts give: votes, spans or comparisons, with failures, replies and what was spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel.labeling.failures import Failure
from weaklabel.prompts.replies import PromptReply, replies
from weaklabel.prompts.requests.pairs import SIDES
from weaklabel.prompts.runner.judgements import consistency
from weaklabel.prompts.runner.span_outcome import Spans
from weaklabel.prompts.runner.state import RunResult, Stopped
from weaklabel.prompts.runner.summary import PromptSummary, SpanSummary
from weaklabel.votes import Votes


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run took.

    Attributes:
        calls: calls that the endpoints answered, or that were given up.
        cached: calls that the cache answered, or another call of the run.
        input_tokens, output_tokens: of the calls answered by an endpoint.
        money: USD by the table of prices; calls of models without a price are not in it.
        unpriced: calls of models whose price is not known.
        unconfirmed: USD that calls without a reply (timeouts, lost connections) may have cost at most. It counts
            against the budget.
        unconfirmed_tokens: tokens that these calls may have taken at most, likewise.
    """

    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float
    unpriced: int
    unconfirmed: float
    unconfirmed_tokens: float

    @classmethod
    def of(cls, result: RunResult) -> Spent:
        """What a run took, by its tallies."""
        return cls(
            calls=sum(one.calls for one in result.tallies),
            cached=sum(one.cached for one in result.tallies),
            input_tokens=sum(one.input_tokens for one in result.tallies),
            output_tokens=sum(one.output_tokens for one in result.tallies),
            money=result.spent.money,
            unpriced=sum(tally.calls for tally in result.tallies if not tally.priced),
            unconfirmed=result.unconfirmed.money,
            unconfirmed_tokens=result.unconfirmed.tokens,
        )

    def __str__(self) -> str:
        unpriced = f" ({self.unpriced:,} of unknown price)" if self.unpriced else ""
        known = f"${self.money:.4f}" if not self.unpriced or self.money else "an unknown price"
        return f"spent {known} on {self.calls:,} calls{unpriced}; {self.cached:,} were cached"


@dataclass(frozen=True, kw_only=True)
class PromptRun:
    """The result of a run.

    Attributes:
        votes: Votes [N, M], one column per function, in the order given.
        missing: [N, M] whether a cell was not sent, because the budget or the time was over. It is neither a vote nor
            an abstain: running again sends it.
        failures: every cell of a prompt that is an error, with its reason.
        spent: what the run took.
        summary: one line per prompt; `print(run)` shows them.
        families: the model family of each prompt, by name: prompts of one family err together, and
            `LabelModel.fit(votes, families=run.families)` counts them for less than independent sources.
        stopped: "budget" or "deadline" where one of them ended the run.
    """

    votes: Votes
    missing: NDArray[np.bool_]
    failures: tuple[Failure, ...]
    spent: Spent
    summary: tuple[PromptSummary, ...]
    families: dict[str, str]
    stopped: Stopped | None
    _result: RunResult = dataclasses.field(repr=False, compare=False)

    def replies(self) -> Iterator[PromptReply]:
        """What came back to each call: the reply, its probabilities, cost, and why it is no answer."""
        names = [one.name for one in self.summary]
        return replies(self._result, names, self.votes.n_items, _listed(self.votes.item_ids))

    def __str__(self) -> str:
        return _told(str(self.votes), self.summary, self.spent, self.stopped, self.missing)


@dataclass(frozen=True, kw_only=True)
class SpanRun:
    """The result of a run of prompts that find spans, in N documents.

    Attributes:
        spans: by prompt, the spans (start, end, type) of each document in characters, None where there is no answer:
            an error, or missing. `weaklabel.kinds.sequences.token_votes` makes votes for `SequenceModel` out of them.
        missing: [N, M] whether a document was not sent, because the budget or the time was over. Running again sends
            it.
        failures: every document of a prompt that is an error, with its reason.
        spent: what the run took.
        summary: one line per prompt; `print(run)` shows them.
        families: the model family of each prompt, by name.
        stopped: "budget" or "deadline" where one of them ended the run.
    """

    spans: dict[str, Spans]
    missing: NDArray[np.bool_]
    failures: tuple[Failure, ...]
    spent: Spent
    summary: tuple[SpanSummary, ...]
    families: dict[str, str]
    stopped: Stopped | None
    _result: RunResult = dataclasses.field(repr=False, compare=False)
    _ids: Sequence[str] | None = dataclasses.field(repr=False, compare=False)

    def replies(self) -> Iterator[PromptReply]:
        """What came back to each call: the reply, its spans, what was left out of it, cost, and why it is no answer."""
        return replies(self._result, list(self.spans), len(self.missing), self._ids)

    def __str__(self) -> str:
        start = f"{len(self.missing):,} documents, {len(self.spans):,} sources of spans"
        return _told(start, self.summary, self.spent, self.stopped, self.missing)


@dataclass(frozen=True, kw_only=True)
class JudgeRun:
    """The result of a run of judges on N pairs, each asked in both orders.

    Attributes:
        comparisons: columns left, right, judge, winner ("left", "right" or "tie") and shown_first, a row for each
            judgement: what `PreferenceModel.fit` takes.
        votes: [N, J, 2] who wins where left is shown first, and where right is: 0 left, 1 right, 2 tie, -1 none. For
            pairs that stand alone, `PreferenceModel.fit(run.votes, judges=run.judges)`.
        judges: J names.
        missing: [N, J, 2] whether a pair was not sent in an order, because the budget or the time was over.
        failures: every judgement that is an error, by its pair, with its reason.
        spent: what the run took.
        summary: one line per judge, of its calls; `print(run)` shows them.
        families: the model family of each judge, by name.
        stopped: "budget" or "deadline" where one of them ended the run.
    """

    comparisons: dict[str, list[str]]
    votes: NDArray[np.int8]
    judges: tuple[str, ...]
    missing: NDArray[np.bool_]
    failures: tuple[Failure, ...]
    spent: Spent
    summary: tuple[PromptSummary, ...]
    families: dict[str, str]
    stopped: Stopped | None
    _result: RunResult = dataclasses.field(repr=False, compare=False)
    _ids: Sequence[str] | None = dataclasses.field(repr=False, compare=False)

    @property
    def consistency(self) -> dict[str, float]:
        """By judge, the share of the pairs answered in both orders that have the same winner in both."""
        return dict(zip(self.judges, consistency(self.votes).tolist(), strict=True))

    def replies(self) -> Iterator[PromptReply]:
        """What came back to each call: the reply, which side was shown first, cost, and why it is no answer."""
        return replies(self._result, self.judges, 2 * len(self.votes), self._ids, SIDES)

    def __str__(self) -> str:
        start = f"{len(self.votes):,} pairs, {len(self.judges):,} judges, {(self.votes >= 0).sum():,} judgements"
        lines = [f"{name}: the same winner in both orders: {share:.2f}" for name, share in self.consistency.items()]
        return _told("\n".join([start, *lines]), self.summary, self.spent, self.stopped, self.missing)


def _told(
    start: str,
    summary: Sequence[PromptSummary | SpanSummary],
    spent: Spent,
    stopped: Stopped | None,
    missing: NDArray[np.bool_],
) -> str:
    lines = [start, *map(str, summary), str(spent)]
    if stopped is not None:
        lines.append(f"stopped by the {stopped}: {int(missing.sum()):,} cells are missing")
    return "\n".join(lines)


def _listed(ids: NDArray[np.str_] | None) -> list[str] | None:
    return None if ids is None else ids.tolist()
