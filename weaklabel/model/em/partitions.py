"""A fit to votes that lie on many machines: a sample of the rows, and passes over all, as sums over partitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.model.em.full_pass import PassParams, PassStatistics
from weaklabel.model.em.subsample import (
    Chunk,
    Subsample,
    chosen,
    count_votes,
    joined,
    pass_over,
    recut,
    recut_with,
    reweighted,
    row_ranks,
    sample_size,
)
from weaklabel.model.layout.deduplication import DistinctRowCounter, UniqueRows, counted_once
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.side_information.by_id import KnownById, ids_of
from weaklabel.votes import Votes
from weaklabel.votes.partitions import PartitionedVotes

RANKED_ROWS = 2**22
"""Rows whose ranks are looked at together."""


class DrawnRows(NamedTuple):
    """A sample of the rows in partitions, or all distinct ones, and where the partitions lie."""

    sample: Subsample
    first: dict[int, int]
    """How many rows stand before each partition."""
    n_items: int
    """N."""


def draw_from_partitions(
    votes: PartitionedVotes, sample_rows: int, seed: int, known: KnownById | None = None
) -> DrawnRows:
    """As `draw_from_chunks`: the same rows. Those of the sample, or the distinct ones, are all that comes here.

    Args:
        votes: all rows.
        sample_rows: see `LabelModel`.
        seed: of the choice.
        known: what is known of items beside their votes; with priors or groups each is a row of its own.

    Raises:
        InvalidArgumentError: for what is known of items that are not there.
        InvalidVotesError: where the partitions cannot be read twice; for items that are there twice.
    """
    names, n_classes = votes.source_names, votes.n_classes
    by_item, ids = known is not None and known.by_item, known is not None
    count = Count(n_classes, len(names), 0 if by_item else sample_rows, known)
    counted = votes.reduce(count, _counted_together, ids=ids)
    for lookup, times in zip(known.lookups if known else (), counted.found, strict=True):
        lookup.check_found(times)
    n_items = sum(counted.n_rows.values())
    numbers = sorted(counted.n_rows)
    before = np.cumsum([0, *(counted.n_rows[number] for number in numbers)]).tolist()
    first = dict(zip(numbers, before, strict=False))
    if counted.distinct.few and not by_item:
        codes, weight = counted.distinct.kept()
        unique = Votes.from_codes(codes, n_classes, sources=names)
        rows = counted_once(UniqueRows(unique, weight.astype(np.float32)))
        return DrawnRows(Subsample(rows, is_sample=False), first, n_items)
    size = min(sample_size(n_items, counted.n_votes, len(names), n_classes, sample_rows), n_items)
    draw = Draw(first, rank_limit(n_items, size, seed), seed, known)
    parts = votes.reduce(draw, _joined, ids=ids)
    drawn = joined([parts[number] for number in numbers])
    codes = drawn.codes
    if len(codes) != size:
        raise InvalidVotesError(
            "the partitions hold other rows than at the first reading: write the votes to files, or cache them",
            field="votes",
        )
    sampled = Votes.from_codes(codes, n_classes, sources=names)
    if not by_item:
        return DrawnRows(Subsample(reweighted(sampled, n_items), is_sample=size < n_items), first, n_items)
    rows = UniqueRows(sampled, np.full(size, n_items / size, np.float32), n_items / size)
    return DrawnRows(Subsample(rows, size < n_items, drawn.information), first, n_items)


def rank_limit(n_items: int, size: int, seed: int) -> np.uint32:
    """The highest rank of a sample of so many rows: no row need be read for it."""
    share = size / n_items
    likely = min(share + 10 * np.sqrt(share / n_items), 1.0)  # ten standard deviations: more than `size` are below
    limit, near = np.uint32(likely * 0xFFFFFFFF), list[NDArray[np.uint32]]()
    for start in range(0, n_items, RANKED_ROWS):
        ranks = row_ranks(start, min(RANKED_ROWS, n_items - start), seed)
        near.append(ranks[ranks <= limit])
    return np.uint32(np.partition(np.concatenate(near), size - 1)[size - 1])


class Counted(NamedTuple):
    """Of some partitions."""

    n_rows: dict[int, int]
    """By the number of a partition."""
    n_votes: int
    distinct: DistinctRowCounter
    found: tuple[NDArray[np.int64], ...] = ()
    """In how many rows each id of what is known of items was found."""


@dataclass(frozen=True)
class Count:
    """Counts the rows and votes of a partition, and its distinct rows while they are few."""

    n_classes: int
    n_sources: int
    most: int
    known: KnownById | None = None

    def __call__(self, number: int, votes: Iterable[Votes]) -> Counted:
        """Reads the partition once."""
        distinct, n_rows, n_votes = DistinctRowCounter(self.n_classes, self.n_sources, self.most), 0, 0
        lookups = self.known.lookups if self.known else ()
        found = tuple(np.zeros(len(one.row), np.int64) for one in lookups)

        def seen() -> Iterator[Votes]:
            for part in votes:
                for lookup, times in zip(lookups, found, strict=True):
                    rows = lookup.rows(ids_of(part), all_items=False)
                    np.add.at(times, rows[rows >= 0], 1)
                yield part

        for codes in recut(seen()):
            distinct.add(codes)
            n_rows, n_votes = n_rows + len(codes), n_votes + count_votes([codes])
        return Counted({number: n_rows}, n_votes, distinct, found)


def _counted_together(one: Counted, other: Counted) -> Counted:
    one.distinct.add_all(other.distinct)
    found = tuple(left + right for left, right in zip(one.found, other.found, strict=True))
    return Counted(one.n_rows | other.n_rows, one.n_votes + other.n_votes, one.distinct, found)


@dataclass(frozen=True)
class Draw:
    """The rows of a partition that are in the sample."""

    first: dict[int, int]
    """How many rows stand before each partition."""
    limit: np.uint32
    """The highest rank of the sample."""
    seed: int
    known: KnownById | None = None

    def __call__(self, number: int, votes: Iterable[Votes]) -> dict[int, Chunk]:
        """Reads the partition once."""
        start, drawn = self.first.get(number, 0), list[Chunk]()
        for chunk in recut_with(self.known, votes):
            n_rows = len(chunk.codes)
            drawn.append(chosen(chunk, row_ranks(start, n_rows, self.seed) <= self.limit))
            start += n_rows
        return {number: joined(drawn)}


def _joined(one: dict[int, Chunk], other: dict[int, Chunk]) -> dict[int, Chunk]:
    return one | other


@dataclass(frozen=True)
class Pass:
    """The statistics of a partition."""

    copies: sp.csr_array[np.float64]
    n_sources: int
    by: PassParams
    known: KnownById | None = None

    @under_own_settings
    def __call__(self, number: int, votes: Iterable[Votes]) -> PassStatistics:  # noqa: ARG002
        """Reads the partition once."""
        return pass_over(recut_with(self.known, votes), self.copies, self.n_sources, self.by)


def pass_over_partitions(
    votes: PartitionedVotes,
    known: KnownById | None,
    copies: sp.csr_array[np.float64],
    n_sources: int,
    by: PassParams,
) -> PassStatistics:
    """As `pass_over`, of all rows, with what is known of items beside their votes."""
    one_pass = Pass(copies, n_sources, jax.tree.map(np.asarray, by), known)
    return votes.reduce(one_pass, _passed_together, ids=known is not None)


def _passed_together(one: PassStatistics, other: PassStatistics) -> PassStatistics:
    total: PassStatistics = jax.tree.map(np.add, one, other)
    return total
