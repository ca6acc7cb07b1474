"""What was found, in the forms that it is shown and written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from weaklabel.cli.session import aligned


class Findings(NamedTuple):
    """Suspects, worst first."""

    n_suspects: int
    head: str
    """What is said before them."""
    titles: list[str]
    rows: list[list[str]]
    """A line for each suspect."""
    table: Mapping[str, Sequence[Any]]
    """The same as columns of a file."""
    as_json: dict[str, Any]


def shown(found: Findings, top: int) -> str:
    """The first of them, as text."""
    if not (rows := found.rows[:top]):
        return found.head
    rest = [f"... and {found.n_suspects - top:,} more: -o FILE writes all"] if found.n_suspects > top else []
    return "\n".join([found.head, "", aligned([found.titles, *rows]), *rest])


def name_of(item: int, item_id: str | None) -> str:
    """The id of an item, or its position."""
    return str(item) if item_id is None else item_id
