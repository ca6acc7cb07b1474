"""The fields of an item as text, and what an item holds in a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.template import Template


def field_texts(item: Any, fields: tuple[str, ...]) -> dict[str, str]:
    """The texts of an item's fields: cells of a row or a mapping, attributes of a record; a text is its own `text`.

    Raises:
        LookupError: if a field is not there, or holds nothing (None or NaN).
    """
    if isinstance(item, str):
        item = {"text": item}
    texts = {}
    for field in fields:
        value = cell(item, field)
        if value is None:
            raise LookupError(f"the item has no {field!r}")
        texts[field] = _well_formed(value if isinstance(value, str) else str(value))
    return texts


def cell(item: Any, field: str) -> Any:
    """What an item holds in a field; None for nothing: None, NaN, or pandas' NA."""
    if isinstance(item, Mapping):
        value = item[field] if field in item else None  # noqa: SIM401  # a column may be called "get"
    else:
        value = None if field.startswith("_") else getattr(item, field, None)
    try:
        return None if value != value else value  # NaN differs from itself
    except TypeError:  # NA tells of nothing whether it differs
        return None
    except ValueError:  # an array
        return value


def _well_formed(text: str) -> str:
    """The text with halves of surrogate pairs joined, or replaced where they stand alone: they cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def check_fields(prompts: Sequence[Prompt], items: Sequence[Any]) -> None:
    """Refuse templates with fields that the first item does not have at all: misspelt, not just empty.

    Raises:
        InvalidArgumentError: names the prompt, the field, and those that are there.
    """
    if not items or not isinstance(items[0], Mapping):
        return
    names = [str(name) for name in items[0]]
    for prompt in prompts:
        missing = [name for name in Template(prompt.template).fields if name not in items[0]]
        if missing:
            raise InvalidArgumentError(
                f"prompt {prompt.name!r}: items have no field {missing[0]!r}; they have {', '.join(names)}",
                field="template",
            )
