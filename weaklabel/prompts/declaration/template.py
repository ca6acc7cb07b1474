"""Templates: text with {field} placeholders, filled with the texts of an item and nothing else.

No attribute, index, conversion or format is evaluated, of the template or of the item. The text of an item is put
between marks that do not occur in it, so that it cannot end its own place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from weaklabel.errors import InvalidArgumentError

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD = re.compile(r"[^\W\d][\w -]*")
# What chat templates of common models take for the end of a message or the start of another. Servers that tokenize
# these inside of a message would let an item speak as someone else; a zero-width space makes them plain text.
_CONTROL = re.compile(
    r"<(?=\|[^<>|]{1,40}\|>|/?s>|<SYS>>|</SYS>>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>|/?think>)|\[(?=/?INST\])",
    re.IGNORECASE,
)
BREAK = "\u200b"
"""What is put into marks of chat templates."""


class Template:
    """A template, read once.

    Attributes:
        fields: names of the fields that it holds, in order of appearance.

    Raises:
        InvalidArgumentError: for single braces, and placeholders that are more than the name of a field.
    """

    def __init__(self, text: str) -> None:
        self._pieces: list[tuple[str, str | None]] = []  # text, and the field that follows it
        literal, position = "", 0
        for match in _TOKEN.finditer(text):
            literal += text[position : match.start()]
            position = match.end()
            if match[0] in ("{{", "}}"):
                literal += match[0][0]
            elif match[1] is None:
                raise InvalidArgumentError(
                    f"template: single {match[0]!r} at {match.start()}; write it twice", field="template"
                )
            elif not _FIELD.fullmatch(match[1]):
                raise InvalidArgumentError(
                    f"template: {match[0]!r} is not the name of a field; attributes, indices and formats are not "
                    "evaluated; write braces of the text itself twice",
                    field="template",
                )
            else:
                self._pieces.append((literal, match[1]))
                literal = ""
        self._pieces.append((literal + text[position:], None))
        self.fields = tuple(dict.fromkeys(field for _, field in self._pieces if field is not None))
        self._mark = _mark(text)

    def fill(self, values: Mapping[str, str]) -> str:
        """The template with each field's text in its place, between marks that occur in none of the texts."""
        mark = self._mark
        texts = {field: _CONTROL.sub(lambda match: match[0] + BREAK, values[field]) for field in self.fields}
        while any(mark in text.lower() for text in texts.values()):
            mark = _mark(mark)
        return "".join(
            text if field is None else f"{text}<{mark}>{texts[field]}</{mark}>" for text, field in self._pieces
        )


def _mark(text: str) -> str:
    return "data-" + hashlib.sha256(text.encode()).hexdigest()[:8]
