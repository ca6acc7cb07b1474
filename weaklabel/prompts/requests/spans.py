"""Requests of prompts that find spans: the form of the reply, and solved texts in this form."""

from __future__ import annotations

import json
from typing import Any

from weaklabel.prompts.declaration.places import places
from weaklabel.prompts.declaration.span_prompt import SpanExample, SpanPrompt
from weaklabel.prompts.pricing import expected_tokens
from weaklabel.prompts.requests.builder import PromptRequest, RequestBuilder, object_schema, response_format
from weaklabel.prompts.requests.item_fields import cell

_SCHEMA_TOKENS = 300.0  # of the response format, at most, beside the types
_EMPTY_TOKENS = 8.0  # of a reply without spans
_PER_TEXT_TOKEN = 0.5  # of a reply: a span takes some 20 tokens in JSON, and there is one in some 40 of the text


class SpanRequests(RequestBuilder):
    """Builds the requests of one prompt for spans."""

    def __init__(self, prompt: SpanPrompt) -> None:
        super().__init__(prompt, _SCHEMA_TOKENS)
        self._field, self._numbered = prompt.text_field, prompt.repeats == "numbered"
        types = "\n".join(f"- {name}: {about}" if about else f"- {name}" for name, about in prompt.types.items())
        number = (
            ', "occurrence": 1, or the number of the place if the same text stands in several places'
            if self._numbered
            else ""
        )
        self._question = (
            f"{self._system}\n\nFind all spans of these types:\n{types}\n\n"
            'Reply with one JSON object and nothing else: {"spans": [...]} with an object for each span, of "quote": '
            f'the text of the span, exactly as it stands there, "type"{number}. Without spans: {{"spans": []}}.'
        )
        span: dict[str, Any] = {"quote": {"type": "string"}, "type": {"type": "string", "enum": list(prompt.types)}}
        span |= {"occurrence": {"type": "integer"}} if self._numbered else {}
        schema = {"spans": {"type": "array", "items": object_schema(span)}}
        self._format = response_format(schema) if prompt.structured else None

    def build(self, item: Any) -> PromptRequest:
        """The request for an item; what is shown is the text that is searched.

        Raises:
            LookupError: if the item lacks a field, or its text cannot be sent as it is.
        """
        texts = self._texts(item)
        text, given = texts[self._field], item if isinstance(item, str) else cell(item, self._field)
        if not isinstance(given, str) or len(given) != len(text):
            raise LookupError(f"the item's {self._field!r} is no text, or holds halves of characters")
        return PromptRequest(self._body(texts, self._question, self._format), (text,))

    def reply_tokens(self, request: PromptRequest) -> float:
        """The expected number of tokens of a reply."""
        return _EMPTY_TOKENS + _PER_TEXT_TOKEN * expected_tokens([{"content": (request.shown or ("",))[0]}])

    def _example_reply(self, example: SpanExample, *, as_json: bool) -> str:
        del as_json  # always
        text, spans = example.fields[self._field], []
        for start, end, kind in sorted(example.spans):
            one: dict[str, Any] = {"quote": text[start:end], "type": kind}
            if self._numbered:
                before = [place for place in places(text, text[start:end]) if place[0] < start]
                one["occurrence"] = len(before) + 1
            spans.append(one)
        return json.dumps({"spans": spans}, ensure_ascii=False)
