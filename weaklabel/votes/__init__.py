"""Votes: what sources say about items, in one matrix, dense or sparse, or in chunks.

Shape letters used everywhere: N items, M sources, K classes, S vote symbols, U unique vote rows.
"""

from weaklabel.votes.frames import gold_of
from weaklabel.votes.gold import as_gold
from weaklabel.votes.matrix import ABSTAIN, ERROR, Cells, Codes, Votes, as_votes, check_votes, label_dtype

__all__ = [
    "ABSTAIN",
    "ERROR",
    "Cells",
    "Codes",
    "Votes",
    "as_gold",
    "as_votes",
    "check_votes",
    "gold_of",
    "label_dtype",
]
