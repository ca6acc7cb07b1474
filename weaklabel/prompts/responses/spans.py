"""Spans out of responses: quotes of a text, found in it, or left out with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.declaration.places import places
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.responses.completion import choice_of
from weaklabel.prompts.responses.message_text import message_text
from weaklabel.prompts.responses.parser import LeftOut, ParsedResponse, declined, quoted
from weaklabel.prompts.responses.readings import json_of


class SpanReader:
    """Reads the responses to one prompt for spans."""

    def __init__(self, prompt: SpanPrompt) -> None:
        self._types = AnswerMap(dict.fromkeys(prompt.types, 0))
        self._all = prompt.repeats == "all"

    def parse(self, response: Mapping[str, Any], shown: tuple[str, ...] | None) -> ParsedResponse:
        """The spans of a response in the text that was shown, or why there are none."""
        (text,) = shown or ("",)
        choice = choice_of(response)
        said, reason = message_text(choice["message"]), choice.get("finish_reason")
        parsed = declined(said, reason) or self._read(said.text or (said.reasoning.strip() if said.apart else ""), text)
        return parsed._replace(text=said.text, reasoning=said.reasoning)

    def _read(self, reply: str, text: str) -> ParsedResponse:
        value = json_of(reply)
        listed = value.get("spans") if isinstance(value, Mapping) else value
        if not isinstance(listed, list) or not all(
            isinstance(one, Mapping) and isinstance(one.get("quote"), str) and isinstance(one.get("type"), str)
            for one in listed
        ):
            return ParsedResponse(error=f"no list of spans: {quoted(reply)}")
        found: dict[tuple[int, int, str], None] = {}  # each once, however often it is named
        left_out = []
        for one in listed:
            spans, reason = self._find(one, text)
            found |= dict.fromkeys(spans)
            if reason is not None:
                left_out.append(LeftOut(one["quote"], one["type"], _number(one), reason))
        if left_out and not found:
            first = left_out[0]
            return ParsedResponse(
                error=f"no span of the reply is one of the text: {quoted(first.quote)}, {first.reason}",
                left_out=tuple(left_out),
            )
        return ParsedResponse(spans=tuple(sorted(found)), left_out=tuple(left_out))

    def _find(self, one: Mapping[str, Any], text: str) -> tuple[list[tuple[int, int, str]], str | None]:
        """The spans that one of the reply stands for; or why there is none."""
        kind = self._types.match(one["type"])
        if kind is None:
            return [], "unknown type"
        found = [(*place, kind) for place in places(text, one["quote"])]
        if not found:
            return [], "not in the text"
        if self._all or len(found) == 1:
            return found, None
        number = _number(one)
        if number is None:
            return [], "several places"
        return (found[number - 1 : number], None) if 1 <= number <= len(found) else ([], "no such place")


def _number(one: Mapping[str, Any]) -> int | None:
    number = one.get("occurrence")
    return number if isinstance(number, int) and not isinstance(number, bool) else None
