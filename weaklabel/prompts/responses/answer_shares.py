"""The probabilities of the answers, out of the log-probabilities of the tokens of a reply."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_AFTER_KEY = r"[\"']\s*:\s*\[?\s*[\"']?"
_FRAME = " \t\r\n\"'`*"  # what may stand around an answer, in plain text and in JSON


class Token(NamedTuple):
    """A token of a reply.

    Attributes:
        text: of the token.
        logprob: its log-probability.
        alternatives: the likeliest tokens in its place, with their log-probabilities.
    """

    text: str
    logprob: float
    alternatives: Sequence[tuple[str, float]]


def answer_shares(
    tokens: Sequence[Token],
    *,
    part: str,
    answers: Sequence[str],
    answer: str,
    field: str | None = None,
) -> dict[str, float]:
    """The probabilities of the answers, out of those of the tokens where the reply could have become another answer.

    Along the reply, each token's alternatives are followed for one step: an alternative that only one answer can go on
    from counts for it. What belongs to no answer, or may still become several, is left out, and the rest sums to one.
    Where a token that tells answers apart has no alternatives, nothing is known, and nothing is returned.

    Args:
        tokens: of the whole reply.
        part: the part of the reply that is the answer.
        answers: the answers.
        answer: the answer that the reply is.
        field: the key of the answer in a reply of several fields.

    Returns:
        Probabilities by answer; empty where the tokens are not those of the reply, or come without alternatives.
    """
    text, part = "".join(token.text for token in tokens), part.strip(_FRAME)
    if not part or (start := _start(text, part, field)) < 0:
        return {}
    forms = {one: " ".join(one.casefold().split()) for one in answers}
    shares: dict[str, float] = {}
    prefix, reached, position = "", 0.0, 0
    for token, logprob, alternatives in tokens:
        position += len(token)
        if position <= start:
            continue
        others = [one for one in alternatives if one[0] != token]
        if not others and _tells_apart(prefix, token, forms):
            return {}  # the reply's own probability says nothing of what else it could have been
        for other, other_logprob in others:
            if meant := _answer_of(prefix, other, forms):
                shares[meant] = shares.get(meant, 0.0) + math.exp(reached + other_logprob)
        reached += logprob
        meant = _answer_of(prefix, token, forms)
        prefix = _joined(prefix, token)
        if meant is not None and sum(form.startswith(prefix) for form in forms.values()) <= 1:
            break
    shares[answer] = shares.get(answer, 0.0) + math.exp(reached)
    total = sum(shares.values())
    return {one: share / total for one, share in shares.items()} if total > 0 else {}


def _start(text: str, part: str, field: str | None) -> int:
    """Where the answer starts: after its key, where there is one; else, and in one field only, where it stands last."""
    key = r"[\"']" + re.escape(field or "answer") + _AFTER_KEY
    keyed = list(re.finditer(key + re.escape(part), text, re.IGNORECASE))
    if keyed:
        return keyed[-1].end() - len(part)
    return text.rfind(part) if field is None else -1


def _tells_apart(prefix: str, token: str, forms: Mapping[str, str]) -> bool:
    """Whether some answer that the reply could still have become is none that goes on with this token."""
    text = _joined(prefix, token)
    still = [form for form in forms.values() if form.startswith(prefix)]
    return any(not form.startswith(text) and not text.startswith(form) for form in still)


def _joined(prefix: str, token: str) -> str:
    return prefix + token.casefold() if prefix else token.lstrip(_FRAME).casefold()


def _answer_of(prefix: str, token: str, forms: Mapping[str, str]) -> str | None:
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
