"""Requests of prompts whose replies are answers: which answers the model may give, and in which form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from weaklabel.prompts.declaration.answer_fields import BOOLEANS, several_fields
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.shown import Example
from weaklabel.prompts.requests.builder import PromptRequest, RequestBuilder, response_format
from weaklabel.prompts.requests.shortlist import AnswerChoice

_CONTENT_FREE = ("N/A", "[MASK]", "")
_REPLY_TOKENS = 12.0  # of a short answer in JSON
_SCHEMA_TOKENS = 300.0  # of a response format, at most, beside the answers


class AnswerRequests(RequestBuilder):
    """Builds the requests of one prompt for its answers."""

    def __init__(self, prompt: PromptFunction) -> None:
        self._prompt = prompt
        self._by_field = several_fields(prompt.answers)
        super().__init__(prompt, _SCHEMA_TOKENS * max(len(self._by_field), 1))
        self._answer_choice = AnswerChoice(prompt)
        shortlist = prompt.shortlist
        self._none = None if shortlist is None else shortlist.none
        self._pick = 1 if shortlist is None else shortlist.pick
        if prompt.votes == "logprobs":
            most = max(map(len, self._by_field.values() if self._by_field else [prompt.answers]))
            self._head |= {"logprobs": True, "top_logprobs": 10 if prompt.show_answers and most <= 4 else 20}
        self._fixed = None if shortlist is not None else self._system_and_format(list(prompt.answers))

    def build(self, item: Any) -> PromptRequest:
        """The request for an item.

        Raises:
            LookupError: if the item lacks a field.
        """
        texts = self._texts(item)
        if self._fixed is not None:
            return PromptRequest(self._body(texts, *self._fixed), None)
        shown = self._answer_choice.choose(item)
        if self._none is not None:
            shown.append(self._none)
        return PromptRequest(self._body(texts, *self._system_and_format(shown)), tuple(shown))

    def build_content_free(self) -> list[PromptRequest]:
        """The requests for inputs without content, with which answers are calibrated."""
        if not self._prompt.calibrate:
            return []
        shown = None if self._fixed else (*self._prompt.answers, *([] if self._none is None else [self._none]))
        fixed = self._fixed or self._system_and_format(shown or ())
        fields = self._template.fields
        return [PromptRequest(self._body(dict.fromkeys(fields, text), *fixed), shown) for text in _CONTENT_FREE]

    def reply_tokens(self, request: PromptRequest) -> float:
        """The expected number of tokens of a reply."""
        del request
        return _REPLY_TOKENS * max(len(self._by_field), 1)

    def _system_and_format(self, shown: Sequence[str]) -> tuple[str, dict[str, Any] | None]:
        """The system message and the response format for these answers."""
        if not self._prompt.show_answers:
            return self._system, None
        if self._by_field:
            return self._fields_and_format()
        number = "exactly one" if self._pick == 1 else f"one to {self._pick}, those that may be right, a line each,"
        lines = "\n".join(f"- {answer}" for answer in shown)
        system = f"{self._system}\n\nReply with {number} of these answers, and nothing else:\n{lines}"
        if not self._prompt.structured:
            return system, None
        one: dict[str, Any] = {"type": "string", "enum": list(shown)}
        return system, response_format({"answer": one if self._pick == 1 else {"type": "array", "items": one}})

    def _fields_and_format(self) -> tuple[str, dict[str, Any] | None]:
        """The system message and the response format for answers of several fields."""
        descriptions = self._prompt.descriptions
        lines, properties = [], {}
        for field, votes in self._by_field.items():
            about = f" ({descriptions[field]})" if field in descriptions else ""
            answers = [_value(text, votes) for text in votes]
            lines.append(f"- {field}{about}: {', '.join(json.dumps(one, ensure_ascii=False) for one in answers)}")
            one = {"type": "boolean"} if set(votes) == set(BOOLEANS) else {"type": "string", "enum": answers}
            properties[field] = one | ({"description": descriptions[field]} if about else {})
        rule = "Reply with one JSON object of these fields, each with exactly one of its answers, and nothing else:"
        system = "\n".join([f"{self._system}\n\n{rule}", *lines])
        return system, response_format(properties) if self._prompt.structured else None

    def _example_reply(self, example: Example, *, as_json: bool) -> str:
        answer = example.answer
        if isinstance(answer, Mapping):
            values = {field: _value(answer[field], votes) for field, votes in self._by_field.items()}
            return json.dumps(values, ensure_ascii=False)
        return json.dumps({"answer": answer}, ensure_ascii=False) if as_json else answer


def _value(answer: str, votes: Mapping[str, Any]) -> str | bool:
    """An answer as its value in JSON: true or false where a field has no other answers."""
    return bool(BOOLEANS[answer]) if set(votes) == set(BOOLEANS) else answer
