"""The few rows that gold is learned from, out of votes that are not held in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.em.subsample import Chunk, chosen, joined
from weaklabel.side_information.by_id import KnownById, ids_of
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes import Votes
from weaklabel.votes.partitions import PartitionedVotes


class SomeRows(NamedTuple):
    """Rows in the order of the items."""

    votes: Votes
    items: ItemInformation | None
    """What is known of them beside their votes and gold."""


class GatheredRows(NamedTuple):
    """What a fit with gold looks at."""

    of_gold: SomeRows
    """Of the items with gold, by their ids."""
    sampled: SomeRows


class _Part(NamedTuple):
    ids: NDArray[np.str_]
    of_gold: Chunk
    sampled: Chunk


def gather(
    votes: PartitionedVotes, known: KnownById, first: dict[int, int], sampled: NDArray[np.int64]
) -> GatheredRows:
    """Reads the votes once.

    Args:
        votes: all rows.
        known: gold, and what is known beside.
        first: how many rows stand before each partition.
        sampled: positions of further rows, ascending.
    """
    found = votes.reduce(Gather(first, sampled, known), _together, ids=True)
    parts = [found[number] for number in sorted(found)]
    ids = np.concatenate([part.ids for part in parts])
    names, n_classes = votes.source_names, votes.n_classes
    of_gold, some = joined([part.of_gold for part in parts]), joined([part.sampled for part in parts])
    return GatheredRows(
        SomeRows(Votes.from_codes(of_gold.codes, n_classes, sources=names, items=ids), of_gold.information),
        SomeRows(Votes.from_codes(some.codes, n_classes, sources=names), some.information),
    )


@dataclass(frozen=True)
class Gather:
    """The rows of a partition that have gold, or are sampled."""

    first: dict[int, int]
    sampled: NDArray[np.int64]
    known: KnownById

    def __call__(self, number: int, votes: Iterable[Votes]) -> dict[int, _Part]:
        """Reads the partition once."""
        assert self.known.gold is not None
        start, parts = self.first.get(number, 0), list[_Part]()
        for part in votes:
            ids, chunk = ids_of(part), Chunk(part.to_codes(), self.known.information(self.known.beside(part)))
            has_gold = self.known.gold.rows(ids, all_items=False) >= 0
            borders = np.searchsorted(self.sampled, [start, start + part.n_items])
            here = self.sampled[borders[0] : borders[1]] - start
            parts.append(_Part(ids[has_gold], chosen(chunk, has_gold), chosen(chunk, here)))
            start += part.n_items
        return {number: _joined(parts)}


def _joined(parts: list[_Part]) -> _Part:
    ids, of_gold, sampled = zip(*parts, strict=True)
    return _Part(np.concatenate(ids), joined(of_gold), joined(sampled))


def _together(one: dict[int, _Part], other: dict[int, _Part]) -> dict[int, _Part]:
    return one | other
