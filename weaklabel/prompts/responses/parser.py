"""The response parser: an answer of the map, or an error with its reason; never a guess."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.pricing import Tokens
from weaklabel.prompts.responses.answer_shares import Token, answer_shares

_THINKING = "<think>", "</think>"
_MOST_QUOTED = 80


class ParsedResponse(NamedTuple):
    """One response, parsed.

    Attributes:
        answers: the answers named: one, or up to `pick` of a shortlist. Empty where the response is an error.
        shares: the probability of each answer by the log-probabilities; empty where there are none.
        error: why there is no answer, or None.
        refused: whether the model or a filter of the endpoint declined.
    """

    answers: tuple[str, ...] = ()
    shares: Mapping[str, float] = {}  # never changed
    error: str | None = None
    refused: bool = False


def is_completion(value: Any) -> bool:
    """Whether a body is a chat completion that ran to an end, so that it counts as answered and is kept."""
    try:
        choice = value["choices"][0]
        broken = value.get("error") or choice.get("error") or choice.get("finish_reason") == "error"
        return isinstance(choice["message"], dict) and not broken
    except (TypeError, KeyError, IndexError, AttributeError):
        return False


def usage(completion: dict[str, Any]) -> Tokens | None:
    """What a completion took by the endpoint's account; None where it gives none."""
    try:
        counts = completion["usage"]
        tokens = Tokens(float(counts["prompt_tokens"]), float(counts["completion_tokens"]))
    except (KeyError, TypeError, ValueError):
        return None
    return tokens if tokens.input >= 0 and tokens.output >= 0 and tokens.total < math.inf else None


def parse(response: Mapping[str, Any], answers: AnswerMap, most: int = 1) -> ParsedResponse:
    """The answers of a chat completion, or why there are none.

    Args:
        response: a body of which `is_completion` holds.
        answers: the answers that the model was shown.
        most: how many it may name.
    """
    choice = response["choices"][0]
    message = choice["message"]
    content, reason = message.get("content"), choice.get("finish_reason")
    if message.get("refusal"):
        return ParsedResponse(error=f"refused: {_quoted(str(message['refusal']))}", refused=True)
    if reason == "content_filter":
        return ParsedResponse(error="refused: stopped by the endpoint's content filter", refused=True)
    if not isinstance(content, str) or not content.strip():
        return ParsedResponse(error=f"no text in the reply (finish_reason {reason!r})")
    if reason == "length":
        return ParsedResponse(error="the reply was cut off: raise max_tokens")
    thought = content.lstrip().startswith(_THINKING[0])
    text = content.partition(_THINKING[1])[2] if thought else content
    parts = _answer_texts(text, most)
    matches = [answers.match(part) for part in parts]
    known = tuple(match for match in matches if match is not None)
    if not known or len(set(known)) < len(parts) or len(known) > most:
        return ParsedResponse(error=f"not an answer: {_quoted(text)}")
    if most > 1:
        return ParsedResponse(known)
    tokens = _tokens(choice)
    shares = answer_shares(tokens, part=parts[0], answers=list(answers.votes), answer=known[0]) if tokens else {}
    return ParsedResponse(known, shares)


def _answer_texts(text: str, most: int) -> list[str]:
    """The texts offered as answers: the value of {"answer": ...}, or the text; a line each where several may be."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):  # the latter where brackets are nested deep
            value = None
        value = value["answer"] if isinstance(value, dict) and set(value) == {"answer"} else None
        values = value if isinstance(value, list) and most > 1 else [value]
        return [one if isinstance(one, str) else "" for one in values]
    return [text] if most == 1 else [line.lstrip("-* ") for line in text.splitlines() if line.strip()]


def _tokens(choice: Mapping[str, Any]) -> list[Token]:
    """The tokens of the reply; empty where the endpoint returned none, or not in full."""
    try:
        return [
            Token(
                text=str(one["token"]),
                logprob=min(float(one["logprob"]), 0.0),
                alternatives=[
                    (str(other["token"]), min(float(other["logprob"]), 0.0)) for other in one.get("top_logprobs") or ()
                ],
            )
            for one in choice["logprobs"]["content"]
        ]
    except (TypeError, KeyError, ValueError):
        return []


def _quoted(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")
