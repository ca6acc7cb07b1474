"""The response parser: an answer of the map, or an error with its reason; never a guess."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.declaration.prompt_function import Parse
from weaklabel.prompts.responses.answer_shares import Token, answer_shares
from weaklabel.prompts.responses.completion import choice_of
from weaklabel.prompts.responses.message_text import MessageText, message_text
from weaklabel.prompts.responses.readings import field_readings, parsed_by, readings

_MOST_QUOTED = 80


class LeftOut(NamedTuple):
    """A span of a reply that is no span of the text.

    Attributes:
        quote, type, occurrence: as the model gave them; the last None where it gave none.
        reason: "not in the text", "no such place", "several places" or "unknown type".
    """

    quote: str
    type: str
    occurrence: int | None
    reason: str


class ParsedResponse(NamedTuple):
    """One response, parsed.

    Attributes:
        answers: the answers named: one, or up to `pick` of a shortlist. Empty where the response is an error.
        spans: (start, end, type) in characters that were found, in order, where the prompt asks for spans.
        left_out: the other spans of the reply.
        shares: the probability of each answer by the log-probabilities; empty where there are none.
        error: why there is no answer, or None.
        refused: whether the model or a filter of the endpoint declined.
        text: of the reply, without reasoning.
        reasoning: of the model, where the endpoint returns it.
        part: the part of the text that is the first answer.
        cached: whether the call was not sent for this place.
        tokens, money: that the call took.
    """

    answers: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    shares: Mapping[str, float] = {}  # never changed
    error: str | None = None
    refused: bool = False
    text: str = ""
    reasoning: str = ""
    part: str = ""
    cached: bool = False
    tokens: float = 0.0
    money: float = 0.0


def parse(
    response: Mapping[str, Any],
    answers: AnswerMap,
    most: int = 1,
    parse_text: Parse | None = None,
    field: str | None = None,
) -> ParsedResponse:
    """The answers of a response, or why there are none.

    Args:
        response: a body of which `is_completion` holds.
        answers: the answers that the model was shown.
        most: how many it may name.
        parse_text: how its text is read, instead of the usual ways.
        field: the one of several fields that is read; None where the answers are one map.
    """
    choice = choice_of(response)
    said, reason = message_text(choice["message"]), choice.get("finish_reason")
    parsed = declined(said, reason) or _read(said, answers, most, parse_text, field)
    if parsed.answers and most == 1 and (tokens := _tokens(choice)):
        shares = answer_shares(
            tokens, part=parsed.part, answers=list(answers.votes), answer=parsed.answers[0], field=field
        )
        parsed = parsed._replace(shares=shares)
    return parsed._replace(text=said.text, reasoning=said.reasoning)


def declined(said: MessageText, reason: Any) -> ParsedResponse | None:
    """Why a reply cannot be read at all; None where it can."""
    if said.refusal:
        return ParsedResponse(error=f"refused: {quoted(said.refusal)}", refused=True)
    if reason == "content_filter":
        return ParsedResponse(error="refused: stopped by the endpoint's content filter", refused=True)
    if not said.ended or (reason == "length" and not said.text):
        return ParsedResponse(error="the reply was cut off inside of its reasoning: raise max_tokens")
    if not said.text and not said.reasoning:
        return ParsedResponse(error=f"no text in the reply (finish_reason {reason!r})")
    return ParsedResponse(error="the reply was cut off: raise max_tokens") if reason == "length" else None


def _read(
    said: MessageText, answers: AnswerMap, most: int, parse_text: Parse | None, field: str | None
) -> ParsedResponse:
    # Some servers take the whole reply for reasoning: where that is an answer and nothing else, it is the answer.
    text = said.text or (said.reasoning.strip() if said.apart else "")
    if parse_text is None:
        ways: Iterable[list[str]] = readings(text, most) if field is None else field_readings(text, field)
    else:
        try:
            ways = [parsed_by(parse_text, text, field)]
        except Exception as error:  # it is the caller's function, and its fault that of one item
            return ParsedResponse(error=f"parse raised {type(error).__name__}: {error}")
    for parts in ways:
        known = tuple(match for part in parts if (match := answers.match(part)) is not None)
        if known and len(set(known)) == len(parts) <= most:
            return ParsedResponse(answers=known, part=parts[0])
    if not said.text:
        return ParsedResponse(error="no text in the reply beside its reasoning")
    return ParsedResponse(error=f"not an answer{'' if field is None else f' to {field!r}'}: {quoted(said.text)}")


def _tokens(choice: Mapping[str, Any]) -> list[Token]:
    """The tokens of the reply; empty where the endpoint returned none, or not in full."""
    try:
        tokens = [
            Token(
                text=str(one["token"]),
                logprob=min(float(one["logprob"]), 0.0),
                alternatives=[
                    (str(other["token"]), min(float(other["logprob"]), 0.0)) for other in one.get("top_logprobs") or ()
                ],
            )
            for one in choice["logprobs"]["content"]
        ]
        numbers = [number for one in tokens for number in (one.logprob, *(other for _, other in one.alternatives))]
        return [] if any(math.isnan(number) for number in numbers) else tokens
    except (TypeError, KeyError, ValueError):
        return []


def quoted(text: str) -> str:
    """The start of a reply, for messages."""
    text = text.strip()
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")
