"""What a response says in the terms of a chat completion, be it one or one of the Responses API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from weaklabel.prompts.pricing import Tokens

_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a response of the Responses API is incomplete, in the words of chat completions."""


def is_completion(value: Any) -> bool:
    """Whether a body is a response that ran to an end, so that it counts as answered and is kept."""
    try:
        choice = choice_of(value)
        broken = value.get("error") or choice.get("error") or choice.get("finish_reason") == "error"
        return isinstance(choice["message"], dict) and not broken
    except (TypeError, KeyError, IndexError, AttributeError):
        return False


def choice_of(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice of a chat completion; a response of the Responses API as if it were one.

    Raises:
        TypeError, KeyError, IndexError, AttributeError: if it is neither.
    """
    if "choices" in response or "output" not in response:
        choice: Mapping[str, Any] = response["choices"][0]
        return choice
    parts: list[Any] = []
    reasoning: list[str] = []
    tokens: list[Any] = []
    for one in response["output"]:
        if one.get("type") == "message":
            parts += one["content"]
        elif one.get("type") == "reasoning":
            reasoning += [str(part.get("text") or "") for part in one.get("content") or one.get("summary") or ()]
    for part in parts:
        tokens += part.get("logprobs") or ()
    return {
        "finish_reason": _finish_reason(response),
        "message": {"content": parts, "reasoning": "\n".join(reasoning)},
        "logprobs": {"content": tokens},
    }


def _finish_reason(response: Mapping[str, Any]) -> str:
    status = response.get("status", "completed")
    if status == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        return _REASONS.get(str(reason), str(reason))
    return "stop" if status == "completed" else "error"  # failed, cancelled, or not at its end


def is_cut_off(response: Mapping[str, Any]) -> bool:
    """Whether a reply ended at its limit of tokens."""
    return choice_of(response).get("finish_reason") == "length"


def usage(response: Mapping[str, Any]) -> Tokens | None:
    """What a response took by the endpoint's account; None where it gives none."""
    names = ("prompt_tokens", "completion_tokens") if "choices" in response else ("input_tokens", "output_tokens")
    try:
        counts = response["usage"]
        tokens = Tokens(float(counts[names[0]]), float(counts[names[1]]))
    except (KeyError, TypeError, ValueError):
        return None
    return tokens if tokens.input >= 0 and tokens.output >= 0 and tokens.total < math.inf else None
