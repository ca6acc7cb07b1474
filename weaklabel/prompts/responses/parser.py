"""What a response says: an answer of the map, or an error with its reason; never a guess."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.pricing import Tokens

_THINKING = "<think>", "</think>"
_FRAME = " \t\r\n\"'`*"  # what may stand around an answer, in plain text and in JSON
_MOST_QUOTED = 80


class Reading(NamedTuple):
    """One response, read.

    Attributes:
        answers: the answers named: one, or up to `pick` of a shortlist. Empty where the reading is an error.
        shares: the probability of each answer by the log-probabilities; empty where there are none.
        error: why there is no answer, or None.
        refused: whether the model or a filter of the endpoint declined.
    """

    answers: tuple[str, ...] = ()
    shares: Mapping[str, float] = {}  # never changed
    error: str | None = None
    refused: bool = False


def is_response(value: Any) -> bool:
    """Whether a body has the shape of a chat completion, so that it counts as answered and is kept."""
    try:
        return isinstance(value["choices"][0]["message"], dict)
    except (TypeError, KeyError, IndexError):
        return False


def usage(completion: dict[str, Any]) -> Tokens | None:
    """What a completion took by the endpoint's account; None where it gives none."""
    try:
        counts = completion["usage"]
        tokens = Tokens(float(counts["prompt_tokens"]), float(counts["completion_tokens"]))
    except (KeyError, TypeError, ValueError):
        return None
    return tokens if tokens.input >= 0 and tokens.output >= 0 and tokens.total < math.inf else None


def read(response: Mapping[str, Any], answers: AnswerMap, most: int = 1) -> Reading:
    """What a chat completion answers.

    Args:
        response: a body of which `is_response` holds.
        answers: the answers that the model was shown.
        most: how many it may name.
    """
    choice = response["choices"][0]
    message = choice["message"]
    content, reason = message.get("content"), choice.get("finish_reason")
    if message.get("refusal"):
        return Reading(error=f"refused: {_quoted(str(message['refusal']))}", refused=True)
    if reason == "content_filter":
        return Reading(error="refused: stopped by the endpoint's content filter", refused=True)
    if not isinstance(content, str) or not content.strip():
        return Reading(error=f"no text in the reply (finish_reason {reason!r})")
    if reason == "length":
        return Reading(error="the reply was cut off: raise max_tokens")
    thought = content.lstrip().startswith(_THINKING[0])
    text = content.partition(_THINKING[1])[2] if thought else content
    named = _named(text, most)
    found = [answers.match(one) for one in named]
    if not found or None in found or len(set(found)) < len(found) or len(found) > most:
        return Reading(error=f"not an answer: {_quoted(text)}")
    known = tuple(one for one in found if one is not None)
    if most > 1:
        return Reading(known)
    tokens = _tokens(choice)
    return Reading(known, answer_shares(tokens, named[0], list(answers.votes), known[0]) if tokens else {})


def _named(text: str, most: int) -> list[str]:
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


def _tokens(choice: Mapping[str, Any]) -> list[tuple[str, float, list[tuple[str, float]]]]:
    """(token, log-probability, alternatives) of the reply; empty where the endpoint returned none, or not in full."""
    try:
        return [
            (
                str(one["token"]),
                min(float(one["logprob"]), 0.0),
                [(str(other["token"]), min(float(other["logprob"]), 0.0)) for other in one.get("top_logprobs") or ()],
            )
            for one in choice["logprobs"]["content"]
        ]
    except (TypeError, KeyError, ValueError):
        return []


def answer_shares(
    tokens: Sequence[tuple[str, float, Sequence[tuple[str, float]]]],
    named: str,
    answers: Sequence[str],
    given: str,
) -> dict[str, float]:
    """The probabilities of the answers, out of those of the tokens where the reply could have become another answer.

    Along the reply, each token's alternatives are followed for one step: an alternative that only one answer can go on
    from counts for it. What belongs to no answer, or may still become several, is left out, and the rest sums to one.

    Args:
        tokens: of the whole reply: (token, log-probability, alternatives).
        named: the part of the reply that is the answer.
        answers: the answers.
        given: the answer that the reply is.

    Returns:
        Probabilities by answer; empty where the tokens are not those of the reply.
    """
    text = "".join(token for token, _, _ in tokens)
    start = text.rfind(named.strip(_FRAME))
    if start < 0 or not named.strip(_FRAME):
        return {}
    forms = {answer: " ".join(answer.casefold().split()) for answer in answers}
    shares: dict[str, float] = {}
    prefix, reached, position = "", 0.0, 0
    for token, logprob, alternatives in tokens:
        position += len(token)
        if position <= start:
            continue
        for other, other_logprob in alternatives:
            if other != token and (meant := _meant(prefix, other, forms)):
                shares[meant] = shares.get(meant, 0.0) + math.exp(reached + other_logprob)
        reached += logprob
        meant = _meant(prefix, token, forms)
        prefix = _joined(prefix, token)
        if meant is not None and sum(form.startswith(prefix) for form in forms.values()) <= 1:
            break
    shares[given] = shares.get(given, 0.0) + math.exp(reached)
    total = sum(shares.values())
    return {answer: share / total for answer, share in shares.items()} if total > 0 else {}


def _joined(prefix: str, token: str) -> str:
    return prefix + token.casefold() if prefix else token.lstrip(_FRAME).casefold()


def _meant(prefix: str, token: str, forms: Mapping[str, str]) -> str | None:
    """The one answer that a reply which goes on with this token can be."""
    text = _joined(prefix, token)
    if not text:
        return None
    ended = [
        answer
        for answer, form in forms.items()
        if text.startswith(form) and not text[len(form) :].strip(_FRAME + "}.,")
    ]
    if ended:
        return max(ended, key=lambda answer: len(forms[answer]))
    open_to = [answer for answer, form in forms.items() if form.startswith(text)]
    return open_to[0] if len(open_to) == 1 else None


def _quoted(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")
