"""What the client returns of prompts that the server runs: plain frozen data classes."""

import datetime
import enum
from dataclasses import dataclass

from weaklabel_protocol.v1 import operations_pb2, prompts_pb2


class PromptStage(enum.Enum):
    """What a run of prompts is doing."""

    UNKNOWN = operations_pb2.PROMPT_STAGE_UNSPECIFIED
    QUEUED = operations_pb2.PROMPT_STAGE_QUEUED
    READING = operations_pb2.PROMPT_STAGE_READING
    ASKING = operations_pb2.PROMPT_STAGE_ASKING
    STORING = operations_pb2.PROMPT_STAGE_STORING
    DONE = operations_pb2.PROMPT_STAGE_DONE
    FAILED = -1
    CANCELLED = -2

    @classmethod
    def _missing_(cls, _value: object) -> "PromptStage":
        return cls.UNKNOWN  # of a newer server


@dataclass(frozen=True)
class PromptProgress:
    """How far a run of prompts is. A call is one sample of one prompt on one item.

    Attributes:
        stage: What it is doing.
        total: Calls that the run needs.
        done: Calls that are answered or given up.
        cached: Those of them that were answered before, or by another call of the run.
        errors: Those of them that have no answer.
        missing: Calls that the budget does not hold.
        money: USD spent since the run was last started.
        tokens: Tokens taken since then.
        seconds: Seconds since then.
        rate: Calls done per second.
    """

    stage: PromptStage
    total: int
    done: int
    cached: int
    errors: int
    missing: int
    money: float
    tokens: float
    seconds: float
    rate: float

    @classmethod
    def from_message(cls, message: operations_pb2.PromptProgress) -> "PromptProgress":
        """Reads the contract's message."""
        return cls(
            stage=PromptStage(message.stage),
            total=message.total,
            done=message.done,
            cached=message.cached,
            errors=message.errors,
            missing=message.missing,
            money=message.money,
            tokens=message.tokens,
            seconds=message.seconds,
            rate=message.rate,
        )

    @property
    def fraction(self) -> float | None:
        """Share of the calls that are done, from 0 to 1; None where it is not known yet."""
        if self.stage is PromptStage.DONE:
            return 1.0
        return self.done / self.total if self.total else None

    def __str__(self) -> str:
        if not self.total:
            return self.stage.name.lower()
        calls = f"{self.done:,} of {self.total:,} calls, {self.cached:,} cached, {self.errors:,} errors"
        missing = f", {self.missing:,} missing" if self.missing else ""
        return f"{calls}{missing}, ${self.money:.4f}, {self.rate:,.0f}/s"


@dataclass(frozen=True)
class PromptSpending:
    """What prompts have cost.

    Attributes:
        money: USD.
        tokens: Of questions and answers together.
        unconfirmed_money: The most USD that calls without a reply may have cost; it counts against the budget.
        unconfirmed_tokens: The same in tokens.
        budget_money: USD that all runs of the project may spend; None without a limit, and for a single run.
        budget_tokens: The same in tokens.
    """

    money: float
    tokens: float
    unconfirmed_money: float
    unconfirmed_tokens: float
    budget_money: float | None
    budget_tokens: float | None

    @classmethod
    def from_message(cls, message: prompts_pb2.PromptSpending) -> "PromptSpending":
        """Reads the contract's message."""
        return cls(
            money=message.money,
            tokens=message.tokens,
            unconfirmed_money=message.unconfirmed_money,
            unconfirmed_tokens=message.unconfirmed_tokens,
            budget_money=message.budget_money if message.HasField("budget_money") else None,
            budget_tokens=message.budget_tokens if message.HasField("budget_tokens") else None,
        )


@dataclass(frozen=True)
class PromptPlan:
    """What one prompt would take.

    Attributes:
        name: Of the prompt.
        model: Of the prompt.
        calls: Calls to be sent.
        cached: Calls that are answered without being sent.
        errors: Calls that cannot be made, and known answers that are none of the prompt's.
        input_tokens: Estimated from the length of the text.
        output_tokens: Of short answers.
        most_tokens: At most, of both kinds.
        money: USD by the estimate; None where the server knows no price.
        most_money: USD at most.
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

    @classmethod
    def from_message(cls, message: prompts_pb2.PromptPlan) -> "PromptPlan":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            model=message.model,
            calls=message.calls,
            cached=message.cached,
            errors=message.errors,
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens,
            most_tokens=message.most_tokens,
            money=message.money if message.HasField("money") else None,
            most_money=message.most_money if message.HasField("most_money") else None,
        )

    def __str__(self) -> str:
        price = "no price known" if self.money is None else f"about ${self.money:.4f}, at most ${self.most_money:.4f}"
        return f"{self.name} ({self.model}): {self.calls:,} calls, {self.cached:,} cached, {price}"


@dataclass(frozen=True)
class Plan:
    """What a run of prompts would take. `print(plan)` shows it.

    Attributes:
        prompts: One line per prompt.
        spending: What the project has spent, and may spend.
    """

    prompts: tuple[PromptPlan, ...]
    spending: PromptSpending

    @classmethod
    def from_message(cls, message: prompts_pb2.PlanPromptsResponse) -> "Plan":
        """Reads the contract's message."""
        return cls(
            prompts=tuple(PromptPlan.from_message(one) for one in message.prompts),
            spending=PromptSpending.from_message(message.spending),
        )

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
        prices = [one.money for one in self.prompts if one.money is not None]
        return sum(prices) if len(prices) == len(self.prompts) else None

    @property
    def most_money(self) -> float | None:
        """USD at most; None where a price is not known."""
        prices = [one.most_money for one in self.prompts if one.most_money is not None]
        return sum(prices) if len(prices) == len(self.prompts) else None

    def __str__(self) -> str:
        total = "no price known" if self.money is None else f"about ${self.money:.4f}, at most ${self.most_money:.4f}"
        return "\n".join([*map(str, self.prompts), f"in all: {self.calls:,} calls, {self.cached:,} cached, {total}"])


@dataclass(frozen=True)
class PromptSummary:
    """How one prompt answered, and what it took.

    Attributes:
        name: Of the prompt.
        group: Its dependence group: prompts of one family err together.
        voted: Number of items that it voted on.
        abstained: Number of items on which it abstained.
        errors: Number of items on which it failed; the vote is -2.
        refused: Those of them on which the model or a filter declined to answer.
        missing: Number of items that were not asked, because the budget was spent.
        agreement: Share of the other prompts' votes that agree; None where there are none.
        calls: Calls that were answered, or given up.
        cached: Calls that were answered without being sent.
        input_tokens: Of the questions.
        output_tokens: Of the answers.
        money: USD; None where the server knows no price.
        calibrated: Whether inputs without content corrected it.
        plain: Number of items with votes="logprobs" whose votes are plain answers, because the endpoint returned no
            probabilities of others.
    """

    name: str
    group: str
    voted: int
    abstained: int
    errors: int
    refused: int
    missing: int
    agreement: float | None
    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float | None
    calibrated: bool
    plain: int

    @classmethod
    def from_message(cls, message: prompts_pb2.PromptSummary) -> "PromptSummary":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            group=message.group,
            voted=message.voted,
            abstained=message.abstained,
            errors=message.errors,
            refused=message.refused,
            missing=message.missing,
            agreement=message.agreement if message.HasField("agreement") else None,
            calls=message.calls,
            cached=message.cached,
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens,
            money=None if message.price_unknown else message.money,
            calibrated=message.calibrated,
            plain=message.plain,
        )

    def __str__(self) -> str:
        counts = f"{self.voted:,} voted, {self.abstained:,} abstained, {self.errors:,} errors, {self.missing:,} missing"
        counts += f", {self.plain:,} without probabilities" if self.plain else ""
        price = "no price known" if self.money is None else f"${self.money:.4f}"
        return f"{self.name}: {counts}; {self.calls:,} calls, {self.cached:,} cached, {price}"


@dataclass(frozen=True)
class PromptFailure:
    """Why a prompt has no answer for an item.

    Attributes:
        prompt: Name of the prompt.
        row: Row of the items that were given.
        reason: In words.
    """

    prompt: str
    row: int
    reason: str


@dataclass(frozen=True)
class PromptRun:
    """A run of prompts over items. `print(run)` shows it.

    Attributes:
        name: "projects/ID/promptRuns/ID".
        operation: Name of its operation.
        items: Name of the side data that holds the items.
        votes_version: The version of the votes that it made; 0 while it has made none.
        prompts: One summary per prompt, once it has made votes.
        spending: What it has spent so far.
        budget_reached: Whether the budget ended it before everything was asked.
        failures: The first cells without an answer; none in listings.
        create_time: When it was asked for, in UTC.
    """

    name: str
    operation: str
    items: str
    votes_version: int
    prompts: tuple[PromptSummary, ...]
    spending: PromptSpending
    budget_reached: bool
    failures: tuple[PromptFailure, ...]
    create_time: datetime.datetime

    @classmethod
    def from_message(cls, message: prompts_pb2.PromptRun) -> "PromptRun":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            operation=message.operation,
            items=message.items,
            votes_version=message.votes_version,
            prompts=tuple(PromptSummary.from_message(one) for one in message.prompts),
            spending=PromptSpending.from_message(message.spending),
            budget_reached=message.budget_reached,
            failures=tuple(PromptFailure(one.prompt, one.row, one.reason) for one in message.failures),
            create_time=message.create_time.ToDatetime(tzinfo=datetime.UTC),
        )

    def __str__(self) -> str:
        lines = [*map(str, self.prompts), f"spent ${self.spending.money:.4f}"]
        return "\n".join([*lines, "the budget ended it"] if self.budget_reached else lines)
