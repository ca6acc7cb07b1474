"""Pairs for judges: each as two items, one for each order in which it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.judge_prompt import FIRST, SECOND
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.template import Template
from weaklabel.prompts.requests.item_fields import cell

SIDES = ("left", "right")


class Pairs(NamedTuple):
    """N pairs, read.

    Attributes:
        left, right: N names of the items.
        shown: 2 N items for prompts: of each pair, left shown first, then right shown first.
    """

    left: list[str]
    right: list[str]
    shown: list[dict[str, Any]]


def read_pairs(rows: Iterable[Any], prompts: Sequence[Prompt]) -> Pairs:
    """Pairs with both orders of each.

    Args:
        rows: rows of a table, mappings or records with left and right, the names of two items; with left_text and
            right_text, what is shown of them, where that is not their names; and further fields of the templates.
        prompts: whose templates tell which further fields are read.

    Raises:
        InvalidArgumentError: for a pair without a name, one of an item and itself, and a pair that is asked twice, in
            either order; the message names the rows.
    """
    fields = {name for one in prompts for name in Template(one.template).fields} - {FIRST, SECOND}
    pairs = Pairs([], [], [])
    seen: dict[Any, int] = {}
    for at, row in enumerate(rows):
        names = [_name(row, side, at) for side in SIDES]
        if names[0] == names[1]:
            raise InvalidArgumentError(f"pair {at}: {names[0]!r} is compared with itself", field="data")
        texts = [cell(row, f"{side}_text") for side in SIDES]
        texts = [name if text is None else str(text) for name, text in zip(names, texts, strict=True)]
        more = {name: value for name in sorted(fields) if (value := cell(row, name)) is not None}
        key = frozenset(zip(names, texts, strict=True)), tuple((name, str(value)) for name, value in more.items())
        if seen.setdefault(key, at) != at:
            raise InvalidArgumentError(
                f"pair {at} is pair {seen[key]} again, {names[0]!r} and {names[1]!r}: both orders are asked anyway",
                field="data",
            )
        pairs.left.append(names[0])
        pairs.right.append(names[1])
        pairs.shown.append({**more, FIRST: texts[0], SECOND: texts[1]})
        pairs.shown.append({**more, FIRST: texts[1], SECOND: texts[0]})
    return pairs


def _name(row: Any, side: str, at: int) -> str:
    value = None if isinstance(row, str) else cell(row, side)
    if value is None or not str(value).strip():
        raise InvalidArgumentError(f"pair {at} has no {side!r}, the name of an item", field="data")
    return str(value)
