"""A fit to votes that lie on many machines: a sample of the rows, and passes over all, as sums over partitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.model.em.full_pass import PassParams, PassStatistics
from weaklabel.model.em.subsample import (
    Subsample,
    count_votes,
    pass_over,
    recut,
    reweighted,
    row_ranks,
    sample_size,
)
from weaklabel.model.layout.deduplication import DistinctRowCounter, UniqueRows, counted_once
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.votes import Codes, Votes
from weaklabel.votes.partitions import PartitionedVotes

RANKED_ROWS = 2**22
"""Rows whose ranks are looked at together."""


def draw_from_partitions(votes: PartitionedVotes, sample_rows: int, seed: int) -> Subsample:
    """As `draw_from_chunks`: the same rows. Those of the sample, or the distinct ones, are all that comes here.

    Args:
        votes: all rows.
        sample_rows: see `LabelModel`.
        seed: of the choice.
    """
    names, n_classes = votes.source_names, votes.n_classes
    counted = votes.reduce(Count(n_classes, len(names), sample_rows), _counted_together)
    n_items = sum(counted.n_rows.values())
    if counted.distinct.few:
        codes, weight = counted.distinct.kept()
        unique = Votes.from_codes(codes, n_classes, sources=names)
        return Subsample(counted_once(UniqueRows(unique, weight.astype(np.float32))), is_sample=False)
    size = min(sample_size(n_items, counted.n_votes, len(names), n_classes, sample_rows), n_items)
    numbers = sorted(counted.n_rows)
    before = np.cumsum([0, *(counted.n_rows[number] for number in numbers)]).tolist()
    first = dict(zip(numbers, before, strict=False))
    drawn = votes.reduce(Draw(first, rank_limit(n_items, size, seed), seed), _drawn_together)
    codes = np.concatenate([drawn[number] for number in numbers])
    if len(codes) != size:
        raise InvalidVotesError(
            "the partitions hold other rows than at the first reading: write the votes to files, or cache them",
            field="votes",
        )
    return Subsample(reweighted(Votes.from_codes(codes, n_classes, sources=names), n_items), is_sample=size < n_items)


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


@dataclass(frozen=True)
class Count:
    """Counts the rows and votes of a partition, and its distinct rows while they are few."""

    n_classes: int
    n_sources: int
    most: int

    def __call__(self, number: int, votes: Iterable[Votes]) -> Counted:
        """Reads the partition once."""
        distinct, n_rows, n_votes = DistinctRowCounter(self.n_classes, self.n_sources, self.most), 0, 0
        for codes in recut(votes):
            distinct.add(codes)
            n_rows, n_votes = n_rows + len(codes), n_votes + count_votes([codes])
        return Counted({number: n_rows}, n_votes, distinct)


def _counted_together(one: Counted, other: Counted) -> Counted:
    one.distinct.add_all(other.distinct)
    return Counted(one.n_rows | other.n_rows, one.n_votes + other.n_votes, one.distinct)


@dataclass(frozen=True)
class Draw:
    """The rows of a partition that are in the sample."""

    first: dict[int, int]
    """How many rows stand before each partition."""
    limit: np.uint32
    """The highest rank of the sample."""
    seed: int

    def __call__(self, number: int, votes: Iterable[Votes]) -> dict[int, Codes]:
        """Reads the partition once."""
        start, drawn = self.first.get(number, 0), list[Codes]()
        for codes in recut(votes):
            drawn.append(codes[row_ranks(start, len(codes), self.seed) <= self.limit])
            start += len(codes)
        return {number: np.concatenate(drawn)}


def _drawn_together(one: dict[int, Codes], other: dict[int, Codes]) -> dict[int, Codes]:
    return one | other


@dataclass(frozen=True)
class Pass:
    """The statistics of a partition."""

    copies: sp.csr_array[np.float64]
    n_sources: int
    by: PassParams

    @under_own_settings
    def __call__(self, number: int, votes: Iterable[Votes]) -> PassStatistics:  # noqa: ARG002
        """Reads the partition once."""
        return pass_over(recut(votes), self.copies, self.n_sources, self.by)


def pass_over_partitions(
    votes: PartitionedVotes, copies: sp.csr_array[np.float64], n_sources: int, by: PassParams
) -> PassStatistics:
    """As `pass_over`, of all rows."""
    return votes.reduce(Pass(copies, n_sources, jax.tree.map(np.asarray, by)), _passed_together)


def _passed_together(one: PassStatistics, other: PassStatistics) -> PassStatistics:
    total: PassStatistics = jax.tree.map(np.add, one, other)
    return total
