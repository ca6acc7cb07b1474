"""One summary per prompt: its votes, agreement and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel.prompts.runner.outcome import Outcome
from weaklabel.prompts.runner.span_outcome import SpanOutcome
from weaklabel.votes import ABSTAIN, ERROR, Votes


@dataclass(frozen=True, kw_only=True)
class PromptSummary:
    """One prompt of a run.

    Attributes:
        name: of the prompt.
        voted, abstained, errors, refused, missing: numbers of items; refused ones are among the errors.
        plain: items with votes="logprobs" whose votes are plain answers, or frequencies of `samples`, because the
            endpoint returned no probabilities of other answers.
        agreement: among its votes for one likeliest class on items where other sources have such votes, the share of
            these others that agree; NaN where there are none.
        calls: calls that the endpoint answered, or that were given up.
        cached: calls that the cache answered, or another call of the run.
        input_tokens, output_tokens: of the calls answered.
        money: USD; None where the price of the model is not known.
        calibrated: whether inputs without content corrected its probabilities.
    """

    name: str
    voted: int
    abstained: int
    errors: int
    refused: int
    missing: int
    plain: int
    agreement: float
    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float | None
    calibrated: bool

    def __str__(self) -> str:
        parts = [f"{self.voted:,} voted", f"{self.abstained:,} abstained", f"{self.errors:,} errors"]
        parts += [f"{self.refused:,} refused"] if self.refused else []
        parts += [f"{self.missing:,} missing"] if self.missing else []
        parts += [f"{self.plain:,} without probabilities"] if self.plain else []
        parts += [f"agreement {self.agreement:.2f}"] if not np.isnan(self.agreement) else []
        price = "no price known" if self.money is None else f"${self.money:.4f}"
        return f"{self.name}: {', '.join(parts)}; {self.calls:,} calls, {self.cached:,} cached, {price}"


@dataclass(frozen=True, kw_only=True)
class SpanSummary:
    """One prompt of a run that finds spans.

    Attributes:
        name: of the prompt.
        spans: number of spans found.
        answered, errors, refused, missing: numbers of documents; refused ones are among the errors.
        left_out: what was left out of replies that are answers, by reason: "not in the text", "no such place" where
            there are fewer places than the number given, "several places" where none was named, "unknown type".
        calls: calls that the endpoint answered, or that were given up.
        cached: calls that the cache answered, or another call of the run.
        input_tokens, output_tokens: of the calls answered.
        money: USD; None where the price of the model is not known.
    """

    name: str
    spans: int
    answered: int
    errors: int
    refused: int
    missing: int
    left_out: Mapping[str, int]
    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float | None

    def __str__(self) -> str:
        parts = [f"{self.spans:,} spans in {self.answered:,} documents", f"{self.errors:,} errors"]
        parts += [f"{self.refused:,} refused"] if self.refused else []
        parts += [f"{self.missing:,} missing"] if self.missing else []
        parts += [f"{count:,} left out, {reason}" for reason, count in self.left_out.items()]
        price = "no price known" if self.money is None else f"${self.money:.4f}"
        return f"{self.name}: {', '.join(parts)}; {self.calls:,} calls, {self.cached:,} cached, {price}"


def summarize_spans(outcome: SpanOutcome) -> tuple[SpanSummary, ...]:
    """One summary per prompt that finds spans."""
    lines = []
    for p, ((name, found), tally) in enumerate(zip(outcome.spans.items(), outcome.result.tallies, strict=True)):
        missing = int(outcome.missing[:, p].sum())
        answered = sum(one is not None for one in found)
        lines.append(
            SpanSummary(
                name=name,
                spans=sum(len(one) for one in found if one is not None),
                answered=answered,
                errors=len(found) - answered - missing,
                refused=int(outcome.refused[:, p].sum()),
                missing=missing,
                left_out=outcome.left_out[p],
                calls=tally.calls,
                cached=tally.cached,
                input_tokens=tally.input_tokens,
                output_tokens=tally.output_tokens,
                money=tally.money if tally.priced else None,
            )
        )
    return tuple(lines)


def summarize(outcome: Outcome, votes: Votes) -> tuple[PromptSummary, ...]:
    """One summary per prompt.

    Args:
        outcome: of the run.
        votes: [N, M] of all sources, Python functions included.
    """
    codes, agreement = outcome.votes.to_codes(), agreements(votes)
    column_of = {name: at for at, name in enumerate(votes.source_names)}
    lines = []
    for p, (name, tally) in enumerate(zip(outcome.votes.source_names, outcome.result.tallies, strict=True)):
        missing = int(outcome.missing[:, p].sum())
        lines.append(
            PromptSummary(
                name=name,
                voted=int((codes[:, p] >= 0).sum()),
                abstained=int((codes[:, p] == ABSTAIN).sum()) - missing,
                errors=int((codes[:, p] == ERROR).sum()),
                refused=int(outcome.refused[:, p].sum()),
                missing=missing,
                plain=int(outcome.plain[:, p].sum()),
                agreement=float(agreement[column_of[name]]),
                calls=tally.calls,
                cached=tally.cached,
                input_tokens=tally.input_tokens,
                output_tokens=tally.output_tokens,
                money=tally.money if tally.priced else None,
                calibrated=bool(outcome.calibrated[p]),
            )
        )
    return tuple(lines)


def agreements(votes: Votes) -> NDArray[np.float64]:
    """[M] the share of other sources' votes that agree with a source, by the one likeliest class of each vote."""
    supports = votes.symbols.supports()
    likeliest = np.append(
        np.where(supports.sum(1) == 1, supports.argmax(1), -1), [-1, -1]
    )  # ERROR and ABSTAIN at the end
    classes = likeliest[votes.to_codes()]
    counts = np.zeros((votes.n_items, votes.n_classes), np.int32)
    items, sources = np.nonzero(classes >= 0)
    np.add.at(counts, (items, classes[items, sources]), 1)
    others = counts.sum(1)[items] - 1
    same = counts[items, classes[items, sources]] - 1
    compared = np.bincount(sources, others, minlength=votes.n_sources)
    agreed = np.bincount(sources, same, minlength=votes.n_sources)
    shares = np.full(votes.n_sources, np.nan)
    np.divide(agreed, compared, out=shares, where=compared > 0)
    return shares
