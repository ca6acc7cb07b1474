"""Votes as notebooks show them: the first items and sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weaklabel._html import Markup, element, joined, shortened, table
from weaklabel.votes.validation import ERROR

if TYPE_CHECKING:
    from weaklabel.votes.matrix import Votes

ITEMS, SOURCES = 5, 8


def preview(votes: Votes) -> Markup:
    """How many votes there are, and a table of the first."""
    items, sources = min(ITEMS, votes.n_items), min(SOURCES, votes.n_sources)
    shown = votes.select_items(np.arange(items)).select_sources(votes.source_names[:sources])
    codes = shown.to_codes().tolist()
    more = f" (the first {items} items and {sources} sources)" if (items, sources) != votes.shape else ""
    ids = range(items) if shown.item_ids is None else shown.item_ids.tolist()
    rows = ([shortened(str(at)), *(_words(shown, code) for code in line)] for at, line in zip(ids, codes, strict=True))
    titles = ["item", *(shortened(name, 24) for name in shown.source_names)]
    return joined([element("p", repr(votes)), table(f"Votes, as class indices{more}", titles, rows)])


def _words(votes: Votes, code: int) -> str:
    if code < 0:
        return "failed" if code == ERROR else ""
    return str(code) if code < votes.n_classes else shortened(repr(votes.symbols.vote(code)))
