"""Labeling functions for `weaklabel apply`: x.title and x.body are the cells of an issue."""

from weaklabel import ABSTAIN, labeling_function
from weaklabel.labeling import Row

CLASSES = ["bug", "question", "request"]
BUG, QUESTION, REQUEST = range(3)


@labeling_function
def traceback(x: Row) -> int:
    """A crash is a bug."""
    return BUG if "Traceback" in x.body or "Crash" in x.title else ABSTAIN


@labeling_function
def asks(x: Row) -> int:
    """A title that asks is a question."""
    return QUESTION if x.title.endswith("?") else ABSTAIN


@labeling_function
def please(x: Row) -> int:
    """Who says please wants something."""
    return REQUEST if "please" in (x.title + x.body).lower() else ABSTAIN


@labeling_function
def expected(x: Row) -> int:
    """Fails on most issues, to show what is told of it."""
    return {"Expected": BUG, "It": REQUEST}[x.body.split()[0]]
