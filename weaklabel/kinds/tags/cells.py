"""Cells, an item and a tag that somebody voted on, and what each source of the item says of them; sparse."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.tags.votes import TagVotes

NO, YES, OMITTED = 0, 1, 2
ANSWERS = 3
EXPLICIT = 0.05
"""Share of no among the votes of a source from which its omissions say nothing: it says no where it means no."""
UNLISTED = ("learned", "no", "unknown")


class Pairs(NamedTuple):
    """Sources on tags, those that voted or omitted; P of them, in the order of source and tag."""

    code: NDArray[np.int64]
    """[P] source * K + tag, ascending."""
    explicit: NDArray[np.bool_]
    """[M] whether omissions of the source say nothing."""
    n_tags: int

    @property
    def source(self) -> NDArray[np.int32]:
        """[P] of each pair."""
        return (self.code // self.n_tags).astype(np.int32)

    @property
    def tag(self) -> NDArray[np.int32]:
        """[P] of each pair."""
        return (self.code % self.n_tags).astype(np.int32)

    def place(self, code: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of each code, P for those that are none."""
        at = np.minimum(np.searchsorted(self.code, code), max(len(self.code) - 1, 0))
        return np.where(self.code[at] == code, at, len(self.code)) if len(self.code) else np.zeros(len(code), np.int64)


class Cells(NamedTuple):
    """C cells in the order of item and tag, and J answers on them."""

    item: NDArray[np.int32]
    """[C]"""
    tag: NDArray[np.int32]
    """[C]"""
    cell: NDArray[np.int32]
    """[J] ascending."""
    pair: NDArray[np.int32]
    """[J] 0..P; P is a source on a tag that the fit has not seen."""
    answer: NDArray[np.int8]
    """[J] NO, YES or OMITTED."""
    looked_item: NDArray[np.int32]
    """[L] items and the sources that looked at them, in their order."""
    looked_source: NDArray[np.int32]
    """[L]"""


def pairs_of(votes: TagVotes, n_tags: int) -> Pairs:
    """The pairs that voted, and the sources that say no."""
    listed = votes.tag >= 0
    code = np.unique(votes.source[listed].astype(np.int64) * n_tags + votes.tag[listed])
    given = np.bincount(votes.source[listed], minlength=votes.n_sources)
    no = np.bincount(votes.source[listed & ~votes.yes], minlength=votes.n_sources)
    return Pairs(code, no > EXPLICIT * given, n_tags)


def cells_of(votes: TagVotes, pairs: Pairs, unlisted: str) -> Cells:
    """Cells and answers.

    Args:
        votes: the votes.
        pairs: of the fit.
        unlisted: "learned": a positives-only source that looked at the item omits the tags that it lists elsewhere;
            "no": a source that looked says no to all that it does not list; "unknown": it says nothing.
    """
    listed = np.flatnonzero(votes.tag >= 0)
    n_tags = pairs.n_tags
    codes, cell = np.unique(votes.item[listed].astype(np.int64) * n_tags + votes.tag[listed], return_inverse=True)
    item, tag = (codes // n_tags).astype(np.int32), (codes % n_tags).astype(np.int32)
    looked = np.unique(votes.item.astype(np.int64) * votes.n_sources + votes.source)
    looked_item = (looked // votes.n_sources).astype(np.int32)
    looked_source = (looked % votes.n_sources).astype(np.int32)
    source = votes.source[listed]
    pair = pairs.place(source.astype(np.int64) * n_tags + votes.tag[listed]).astype(np.int32)
    answer = votes.yes[listed].astype(np.int8)
    if unlisted != "unknown":
        count = np.bincount(looked_item, minlength=votes.n_items)
        first = np.cumsum(count) - count
        at = np.searchsorted(looked, votes.item[listed].astype(np.int64) * votes.n_sources + source)
        more = _omitted(item, tag, cell, at - first[votes.item[listed]], count, first, looked_source, pairs, unlisted)
        cell, pair = np.concatenate([cell, more[0]]), np.concatenate([pair, more[1]])
        kind = OMITTED if unlisted == "learned" else NO
        answer = np.concatenate([answer, np.full(len(more[0]), kind, np.int8)])
    order = np.argsort(cell, kind="stable")
    return Cells(
        item=item,
        tag=tag,
        cell=cell[order].astype(np.int32),
        pair=pair[order],
        answer=answer[order],
        looked_item=looked_item,
        looked_source=looked_source,
    )


def _omitted(
    item: NDArray[np.int32],
    tag: NDArray[np.int32],
    cell: NDArray[np.int64],
    rank: NDArray[np.int64],
    count: NDArray[np.int64],
    first: NDArray[np.int64],
    looked_source: NDArray[np.int32],
    pairs: Pairs,
    unlisted: str,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cell and pair of what sources that looked at a cell's item left out; `rank` is a voter's place among them."""
    size = count[item]
    start = np.cumsum(size) - size
    left = np.ones(int(size.sum()), np.bool_)
    left[start[cell] + rank] = False
    if unlisted == "learned":
        by_item = ~pairs.explicit[looked_source]
        offsets = np.arange(len(left)) - np.repeat(start, size)
        left &= by_item[np.repeat(first[item], size) + offsets]
    kept = np.flatnonzero(left)
    of_cell = np.searchsorted(start, kept, side="right") - 1
    source = looked_source[first[item[of_cell]] + kept - start[of_cell]]
    pair = pairs.place(source.astype(np.int64) * pairs.n_tags + tag[of_cell])
    known = np.ones(len(pair), np.bool_) if unlisted == "no" else pair < len(pairs.code)
    return of_cell[known].astype(np.int32), pair[known].astype(np.int32)
