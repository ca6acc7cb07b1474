"""Checks of what a declaration holds, each with the attribute at fault."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.template import Template

_OWN_FIELDS = {
    "model",
    "messages",
    "stream",
    "n",
    "logprobs",
    "top_logprobs",
    "response_format",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "a": re.ASCII}


def from_json(kind: Any, values: Any, place: str) -> Any:
    """A record out of its JSON form.

    Raises:
        InvalidArgumentError: names the place.
    """
    if not isinstance(values, Mapping):
        raise InvalidArgumentError(f"{place}: expected an object, got {values!r}", field=place)
    check_names(values, kind, place)
    try:
        return kind(**values)
    except TypeError as error:
        raise InvalidArgumentError(f"{place}: {error}", field=place) from None


def check_names(values: Mapping[str, Any], kind: Any, place: str) -> None:
    """Refuses attributes that a record lacks.

    Raises:
        InvalidArgumentError: names the place.
    """
    unknown = sorted(map(str, set(values) - {one.name for one in dataclasses.fields(kind)}))
    if unknown:
        raise InvalidArgumentError(
            f"{place + ': ' if place else ''}unknown attribute {unknown[0]!r}", field=place or unknown[0]
        )


def check_list(value: Any, place: str) -> list[Any]:
    """Refuses what is no list.

    Raises:
        InvalidArgumentError: names the place.
    """
    if not isinstance(value, list | tuple):
        raise InvalidArgumentError(f"{place} must be a list, got {value!r}", field=place)
    return list(value)


def check_choice(value: Any, choices: tuple[str, ...], name: str) -> None:
    """Refuses what is none of the choices.

    Raises:
        InvalidArgumentError: names the place.
    """
    if value not in choices:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}, got {value!r}", field=name)


def check_whole(value: Any, least: int, most: int, name: str) -> None:
    """Refuses what is no whole number in a range.

    Raises:
        InvalidArgumentError: names the place.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidArgumentError(f"{name} must be a whole number in {least}..{most}, got {value!r}", field=name)


def as_parse(value: Any) -> Any:
    """A way of reading replies: a regular expression as its text, or a function as it is.

    Raises:
        InvalidArgumentError: if it is neither, or no regular expression, or one of several groups.
    """
    if value is None or callable(value):
        return value
    try:
        pattern = re.compile(value)
    except (re.error, TypeError) as error:
        raise InvalidArgumentError(
            f"parse must be a regular expression or a function of the reply's text, got {value!r}: {error}",
            field="parse",
        ) from None
    if pattern.groups > 1 or not isinstance(pattern.pattern, str):
        raise InvalidArgumentError(
            f"parse: {pattern.pattern!r} must be a text with one group, the answer, or none; write others as (?:...)",
            field="parse",
        )
    flags = "".join(letter for letter, flag in _FLAGS.items() if pattern.flags & flag)
    return f"(?{flags}){pattern.pattern}" if flags and pattern is value else pattern.pattern


def check_prompt(prompt: Prompt) -> Template:
    """The template of a prompt, after checks of what all prompts have.

    Raises:
        InvalidArgumentError: names the attribute.
    """
    for name in ("name", "template", "model", "endpoint"):
        value = getattr(prompt, name)
        if not isinstance(value, str) or not value.strip():
            raise InvalidArgumentError(f"{name} must be a text, got {value!r}", field=name)
    template = Template(prompt.template)
    if not template.fields:
        raise InvalidArgumentError(
            "the template holds no {field}: every item would get the same request", field="template"
        )
    check_whole(prompt.max_tokens, 1, 1_000_000, "max_tokens")
    check_whole(prompt.n_examples, 0, 1000, "n_examples")
    if prompt.temperature is not None and not (
        isinstance(prompt.temperature, int | float) and 0 <= prompt.temperature <= 2
    ):
        raise InvalidArgumentError(f"temperature must be in 0..2, got {prompt.temperature!r}", field="temperature")
    _check_parameters(prompt.parameters)
    if prompt.n_examples and not prompt.examples:
        raise InvalidArgumentError("n_examples needs examples to choose from: see with_examples", field="examples")
    return template


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    taken = sorted(_OWN_FIELDS & set(parameters))
    if taken:
        raise InvalidArgumentError(f"parameters: {taken[0]!r} is set by the prompt itself", field="parameters")
    try:
        json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"parameters must be JSON: {error}", field="parameters") from None


def check_example_fields(fields: Any, at: int, template: Template) -> None:
    """Refuses an example that lacks texts of the template.

    Raises:
        InvalidArgumentError: names the example and the field.
    """
    if not isinstance(fields, Mapping):
        raise InvalidArgumentError(f"examples: the fields of example {at} must be an object", field="examples")
    missing = [name for name in template.fields if not isinstance(fields.get(name), str)]
    if missing:
        raise InvalidArgumentError(f"examples: example {at} has no text {missing[0]!r}", field="examples")
