"""HTML and SVG out of small pieces: all text is escaped, but for what is a piece already."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

PREVIEW_ROWS = 10
"""Lines of a table in a notebook."""
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_VOID = frozenset(("br", "hr", "input", "meta"))


class Markup(str):
    """HTML that is not to be escaped again."""

    __slots__ = ()


def element(tag: str, *inside: object, **attributes: object) -> Markup:
    """An element with what is inside it; text is escaped.

    Args:
        tag: its name.
        *inside: pieces and texts, one after another.
        **attributes: `_` stands for `-`, and one at the end is left out, as in `class_`; True gives the name alone,
            None and False nothing.
    """
    told = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{told}>" if tag in _VOID else f"<{tag}{told}>{joined(inside)}</{tag}>")


def joined(pieces: Iterable[object]) -> Markup:
    """Pieces and texts one after another."""
    return Markup(
        "".join(one if isinstance(one, Markup) else html.escape(_shown(str(one)), quote=False) for one in pieces)
    )


def table(caption: str, titles: Iterable[object], rows: Iterable[Iterable[object]], **attributes: object) -> Markup:
    """A table whose lines begin with their titles.

    Args:
        caption: what it shows.
        titles: of the columns.
        rows: cells of each line; cells that are marked up as such stay as they are.
        **attributes: of the table.
    """
    head = (one if str(one).startswith("<th") else element("th", one, scope="col") for one in titles)
    body = (element("tr", *(_cell(at, cell) for at, cell in enumerate(row))) for row in rows)
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", *body),
        **attributes,
    )


def shortened(text: str, most: int = 60) -> str:
    """The text, or its beginning where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _cell(at: int, cell: object) -> Markup:
    if isinstance(cell, Markup) and cell.startswith(("<td", "<th")):
        return cell
    return element("td", cell) if at else element("th", cell, scope="row")


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{html.escape(_shown(str(value)))}"'


def _shown(text: str) -> str:
    """The text without what no page may hold: control characters, and halves of surrogate pairs."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
