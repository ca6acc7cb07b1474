"""Votes: what sources say about items, in one matrix, dense or sparse, or in chunks.

Shape letters used everywhere: N items, M sources, K classes, S vote symbols, U unique vote rows.
"""

import warnings
from importlib import import_module
from typing import Any

from weaklabel.votes.matrix import ABSTAIN, ERROR, Cells, Codes, Votes, as_votes, label_dtype

__all__ = ["ABSTAIN", "ERROR", "Cells", "Codes", "Votes", "as_votes", "label_dtype"]


def __getattr__(name: str) -> Any:
    if name != "as_gold":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "weaklabel.votes.as_gold has moved to weaklabel.side_information.gold", DeprecationWarning, stacklevel=2
    )
    return import_module("weaklabel.side_information.gold").as_gold
