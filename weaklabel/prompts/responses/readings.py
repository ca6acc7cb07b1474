"""Which part of a reply is the answer, where that is unambiguous: the whole, a JSON value, a line that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from weaklabel.prompts.declaration.prompt_function import Parse

_KEY = "answer"
_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)```", re.DOTALL)
_LOOSE_OBJECT = re.compile(r"\{\s*['\"]?answer['\"]?\s*[:=]\s*([^{}\[\]]*?),?\s*\}", re.IGNORECASE)
_LABEL = re.compile(r"[\W_]*(?:(?:the|my|final|correct|best)\s+)*answer(?:\s+is)?[*_`\"]*\s*[:=]\s*(.*)", re.IGNORECASE)
_ELEMENT = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[-*•]+|\d{1,2}[.)])\s+")


def readings(text: str, most: int) -> Iterator[list[str]]:
    """The ways in which a reply may be meant, the strictest first: the texts that it offers as answers.

    A text with an answer somewhere inside is none of them: it may speak of the answers without giving one, or repeat
    the item.

    Args:
        text: of the reply, without reasoning.
        most: the number of answers that it may name.
    """
    if most == 1:
        yield [text]
    for source in (text, _fenced(text)):
        if source is not None and (values := _json_values(source, most)) is not None:
            yield values
    if most > 1:
        yield [_BULLET.sub("", line, count=1) for line in (_fenced(text) or text).splitlines() if line.strip()]
        return
    if (fenced := _fenced(text)) is not None:
        yield [fenced]
    if (labelled := _labelled(text)) is not None:
        yield [labelled]


def field_readings(text: str, field: str) -> Iterator[list[str]]:
    """The ways in which one field of a reply of several may be meant: the value under its key in the JSON object.

    Args:
        text: of the reply, without reasoning.
        field: the key.
    """
    for source in (text, _fenced(text)):
        if source is not None and (values := _json_values(source, 1, field)) is not None:
            yield values


def json_of(text: str) -> Any:
    """The one JSON object or list that a reply is, alone, in a fence or followed by words; None where there is none."""
    for source in (text, _fenced(text)):
        if source is None or not source.startswith(("{", "[")):
            continue
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(source)
        except (ValueError, RecursionError):  # the latter where brackets are nested deep
            continue
        if "{" not in source[end:]:
            return value
    return None


def parsed_by(parse: Parse, text: str, field: str | None = None) -> list[str]:
    """The texts that a caller's way of reading finds; none where it finds none, or several of a regular expression.

    Raises:
        Exception: whatever the caller's function raises.
    """
    if isinstance(parse, str | re.Pattern):
        found = {match[1] if match.re.groups else match[0] for match in re.finditer(parse, text)}
        return [one for one in found if one is not None] if len(found) == 1 else []
    value: Any = parse(text)
    if field is not None:
        value = value.get(field) if isinstance(value, Mapping) else None
        value = None if value is None else _as_text(value)
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]


def _fenced(text: str) -> str | None:
    """What a reply holds between fences, where it starts or ends with them, and there is one pair."""
    fences = list(_FENCE.finditer(text))
    if len(fences) != 1 or (fences[0].start() > 0 and fences[0].end() < len(text)):
        return None
    return fences[0][1].strip()


def _json_values(text: str, most: int, field: str | None = None) -> list[str] | None:
    """The texts under the key of a JSON object at the start of a text; no text where the object has no such value."""
    key = _KEY if field is None else field.strip().casefold()
    if not text.startswith("{"):
        return None
    try:
        value, end = json.JSONDecoder(object_pairs_hook=_Object, strict=False).raw_decode(text)
    except (ValueError, RecursionError):  # the latter where brackets are nested deep
        loose = _LOOSE_OBJECT.fullmatch(text) if field is None else None
        return None if loose is None else [loose[1]]
    if "{" in text[end:] or (field is None and value.repeats):
        return None  # which of the objects is meant is not told
    found = [one for name, one in value.pairs if name.strip().casefold() == key]
    if len(found) != 1:
        return None
    values = found[0] if isinstance(found[0], list) and (most > 1 or len(found[0]) == 1) else [found[0]]
    return [_as_text(one) for one in values]


class _Object:
    """A JSON object with its pairs as they came."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs
        self.repeats: bool = len(dict(pairs)) < len(pairs) or any(
            isinstance(value, _Object) and value.repeats for _, value in pairs
        )


def _as_text(value: Any) -> str:
    """A value of JSON as an answer may be written: 1 and 1.0 are "1", true is "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def _labelled(text: str) -> str | None:
    """What the one line, or element, that calls itself the answer says; a line must be the first or the last."""
    elements = _ELEMENT.findall(text)
    if elements:
        return str(elements[0]) if len(elements) == 1 else None
    lines = [line for line in text.splitlines() if line.strip()]
    found = [(at, match) for at, line in enumerate(lines) if (match := _LABEL.fullmatch(line.strip()))]
    if len(found) != 1:
        return None
    ((at, match),) = found
    if match[1].strip(" *_`"):
        return match[1] if at in (0, len(lines) - 1) else None
    return lines[-1] if at == len(lines) - 2 else None
