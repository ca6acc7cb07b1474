"""The rows of large fits: in chunks, subsampled, and passed over as a whole.

Parameters fitted on a subsample are off by its sampling error. Each pass over all rows is an EM iteration, which
shrinks that error by EM's own rate; see `weaklabel.model.em.estimate`.

Statistics add up over chunks, over the devices of a process, and over the processes that `jax.distributed` has joined,
of which each reads its own chunks. The subsample is the same however rows are cut and spread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.model.em.full_pass import PassParams, PassStatistics, full_pass
from weaklabel.model.layout.choice import lay_out_codes
from weaklabel.model.layout.deduplication import DistinctRowCounter, UniqueRows, counted_once, deduplicate
from weaklabel.model.layout.protocol import Layout
from weaklabel.model.numerics import processes
from weaklabel.model.numerics.devices import at_once, summed_over_rows
from weaklabel.model.numerics.jax_settings import from_user
from weaklabel.model.numerics.padding import padded, single
from weaklabel.model.protocols import Information
from weaklabel.model.records import Profile
from weaklabel.side_information.by_id import Beside, KnownById
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes import Codes, Votes, label_dtype
from weaklabel.votes.chunks import VoteChunks

CHUNK_ROWS = 2**17
"""Rows on the device at once."""
VOTES_PER_PARAMETER = 8
"""A sample holds so many votes for each cell of the confusion matrices ..."""
MOST_SAMPLED_CELLS = 2**24
"""... unless its matrix is larger than this."""


def chunks_of(votes: Votes) -> Iterator[Codes]:
    """Votes in memory [n, M], in chunks that are views."""
    codes = votes.to_codes()
    for start in range(0, votes.n_items, CHUNK_ROWS):
        yield codes[start : start + CHUNK_ROWS]


class Chunk(NamedTuple):
    """Rows of votes, and what is known of them."""

    codes: Codes
    information: ItemInformation | None = None


def chosen(chunk: Chunk, rows: NDArray[Any]) -> Chunk:
    """Some rows of a chunk."""
    known = chunk.information
    return Chunk(chunk.codes[rows], None if known is None else known.of_rows(rows))


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """The rows of chunks, all of which the same kinds of things are known of."""
    known = [one.information for one in chunks if one.information is not None]
    return Chunk(np.concatenate([one.codes for one in chunks]), ItemInformation.joined(known) if known else None)


def recut(chunks: Iterable[Votes]) -> Iterator[Codes]:
    """Votes that are read anew, cut as `chunks_of` would."""
    return (chunk.codes for chunk in recut_with(None, chunks))


def recut_with(known: KnownById | None, chunks: Iterable[Votes]) -> Iterator[Chunk]:
    """As `recut`, with what is known of the items."""
    known = known or KnownById()
    waiting: list[Sequence[NDArray[Any] | None]] = []
    n_waiting = 0
    for votes in from_user(chunks):
        if not votes.is_plain:
            raise InvalidVotesError("votes that are read in chunks must be plain classes", field="votes")
        rows, start = (votes.to_codes(), *known.beside(votes)), 0
        while n_waiting + votes.n_items - start >= CHUNK_ROWS:
            end = start + CHUNK_ROWS - n_waiting
            yield _together([*waiting, _cut(rows, start, end)], known)
            waiting, n_waiting, start = [], 0, end
        if start < votes.n_items:
            waiting.append(_cut(rows, start, votes.n_items))
            n_waiting += votes.n_items - start
    if waiting:
        yield _together(waiting, known)


def _cut(rows: Sequence[NDArray[Any] | None], start: int, end: int) -> Sequence[NDArray[Any] | None]:
    return [None if part is None else part[start:end] for part in rows]


def _together(parts: list[Sequence[NDArray[Any] | None]], known: KnownById) -> Chunk:
    codes, *beside = (
        None if some[0] is None else some[0] if len(some) == 1 else np.concatenate(some)
        for some in zip(*parts, strict=True)
    )
    assert codes is not None
    return Chunk(codes, known.information(Beside(*beside)))


def count_votes(chunks: Iterable[Codes]) -> int:
    """Number of votes."""
    return sum(int(np.count_nonzero(codes >= 0)) for codes in chunks)


def sample_size(n_items: int, n_votes: int, n_sources: int, n_classes: int, sample_rows: int) -> int:
    """Rows of a sample: at least `sample_rows`; more where there are many parameters, if memory allows."""
    wanted = VOTES_PER_PARAMETER * n_sources * n_classes**2 * n_items / max(n_votes, 1)
    return max(sample_rows, int(min(wanted, most_sampled(n_sources, sample_rows))))


def most_sampled(n_sources: int, sample_rows: int) -> int:
    """The largest `sample_size`."""
    return max(sample_rows, MOST_SAMPLED_CELLS // n_sources)


def draw_subsample(votes: Votes, size: int, seed: int) -> UniqueRows:
    """A subsample of the rows, deduplicated.

    Args:
        votes: N items.
        size: number of rows, below N.
        seed: of the choice.
    """
    ranks = row_ranks(0, votes.n_items, seed)
    chosen = np.flatnonzero(ranks <= np.partition(ranks, size - 1)[size - 1])
    return reweighted(votes.select_items(chosen), votes.n_items)


def reweighted(votes: Votes, n_items: int) -> UniqueRows:
    """Sampled rows, deduplicated, with weights that add up to the number of all items."""
    unique, scale = deduplicate(votes), n_items / max(votes.n_items, 1)
    return unique._replace(weight=(unique.weight * scale).astype(np.float32), scale=scale)


class Subsample(NamedTuple):
    """Rows to run EM on."""

    rows: UniqueRows
    is_sample: bool
    """Or all rows."""
    items: ItemInformation | None = None
    """What is known of the rows."""


def draw_from_chunks(chunks: VoteChunks, sample_rows: int, seed: int) -> Subsample:
    """All rows, where few are distinct or there are few; else a subsample of the rows of all processes.

    Args:
        chunks: those of this process.
        sample_rows: see `LabelModel`.
        seed: of the choice.
    """
    first = next(from_user(chunks), None)
    n_classes, names = _agreed(chunks.n_classes, None if first is None else first.source_names)
    distinct, sample = (
        DistinctRowCounter(n_classes, len(names), sample_rows),
        _LowestRanks(chunks, len(names), sample_rows, seed),
    )
    n_votes = 0
    for codes in recut(chunks):
        distinct.add(codes)
        sample.add(codes)
        n_votes += count_votes([codes])
    totals = processes.summed(np.asarray([sample.n_items, n_votes, not distinct.few], np.float64))
    n_items, n_votes, n_overflown = (int(total) for total in totals)
    if n_overflown == 0:
        everywhere = DistinctRowCounter(n_classes, len(names), sample_rows)
        for codes, weight in zip(*map(processes.gathered, distinct.kept()), strict=True):
            everywhere.add(codes, weight)
        if everywhere.few:
            codes, weight = everywhere.kept()
            votes = Votes.from_codes(codes, n_classes, sources=names)
            return Subsample(counted_once(UniqueRows(votes, weight.astype(np.float32))), is_sample=False)
    size = sample_size(n_items, n_votes, len(names), n_classes, sample_rows)
    votes = Votes.from_codes(sample.lowest(size), n_classes, sources=names)
    return Subsample(reweighted(votes, n_items), is_sample=size < n_items)


def _agreed(n_classes: int, names: tuple[str, ...] | None) -> tuple[int, tuple[str, ...]]:
    """K and the names of the sources, which must be the same in all processes that have rows."""
    own = "" if names is None else json.dumps([n_classes, *names])
    given = {bytes(part).decode() for part in processes.gathered(np.frombuffer(own.encode(), np.uint8))} - {""}
    if not given:
        raise InvalidVotesError("there are no rows", field="votes")
    if len(given) > 1:
        raise InvalidVotesError("the processes have votes of unlike sources or classes", field="votes")
    n_classes, *agreed = json.loads(given.pop())
    if not agreed:
        raise InvalidVotesError("votes of at least one source are needed", field="votes")
    return n_classes, tuple(agreed)


class _LowestRanks:
    """The rows of the lowest ranks, of rows that come in chunks."""

    def __init__(self, chunks: VoteChunks, n_sources: int, sample_rows: int, seed: int) -> None:
        self._most, self._seed = most_sampled(n_sources, sample_rows), seed
        self._limit = np.uint32(0xFFFFFFFF)
        self._codes: list[Codes] = [np.empty((0, n_sources), label_dtype(chunks.n_classes))]
        self._ranks: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)]
        self._first = _rows_before(chunks)
        self.n_items = 0

    def add(self, codes: Codes) -> None:
        """Takes the next rows."""
        ranks = row_ranks(self._first + self.n_items, len(codes), self._seed)
        self.n_items += len(codes)
        near = ranks <= self._limit
        self._codes.append(codes[near])
        self._ranks.append(ranks[near])
        if sum(map(len, self._ranks)) > 2 * self._most:
            self._keep(self._most, np.concatenate(self._ranks))

    def _keep(self, size: int, ranks: NDArray[np.uint32]) -> None:
        """Drops the rows that are not among the `size` lowest of these ranks."""
        if len(ranks) > size:
            self._limit = np.partition(ranks, size - 1)[size - 1]
        codes, own = np.concatenate(self._codes), np.concatenate(self._ranks)
        near = own <= self._limit
        self._codes, self._ranks = [codes[near]], [own[near]]

    def lowest(self, size: int) -> Codes:
        """The sample of `size` rows from those of all processes, in their order."""
        self._keep(size, np.concatenate(self._ranks))
        self._keep(size, np.concatenate(processes.gathered(self._ranks[0])))
        return np.concatenate(processes.gathered(self._codes[0]))


def _rows_before(chunks: VoteChunks) -> int:
    """Rows of the processes before this one."""
    if jax.process_count() == 1:
        return 0
    n_items = np.asarray([sum(map(len, recut(chunks)))], np.int64)
    return int(np.concatenate(processes.gathered(n_items))[: jax.process_index()].sum())


def row_ranks(start: int, n_rows: int, seed: int) -> NDArray[np.uint32]:
    """[n] the places of rows in a random order that depends on their number and the seed alone (a 32-bit mixer)."""
    x = np.arange(n_rows, dtype=np.uint32)
    x += np.uint32((start + seed * 0x9E3779B9 + 1) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return x


def pass_over(
    chunks: Iterable[Chunk], copies: sp.csr_array[np.float64], n_sources: int, by: PassParams
) -> PassStatistics:
    """Sums over the rows of this process, in float64.

    Args:
        chunks: of the rows, all of which the same kinds of things are known of.
        copies: [M, M] how surely sources copy each other.
        n_sources: M.
        by: parameters.
    """
    of_sources = single(copies.toarray()) if copies.nnz else None
    n_symbols = by.params.labels.log_prior.shape[0]

    def of_chunk(chunk: Chunk) -> PassStatistics:
        codes, known = chunk
        items = (np.arange(CHUNK_ROWS) < len(codes)).astype(np.float32)  # of the last one, too: one program
        information = None if known is None else by.params.labels.on_device(known, CHUNK_ROWS)
        layout = lay_out_codes(padded(codes, CHUNK_ROWS, -1), of_sources, n_symbols=n_symbols)
        return _in_double(_passed(n_sources)((layout, items, information), by))

    def of_nothing() -> PassStatistics:
        codes = jnp.full((CHUNK_ROWS, n_sources), -1, label_dtype(n_symbols))
        layout = lay_out_codes(codes, of_sources, n_symbols=n_symbols)
        return full_pass(layout, jnp.zeros(CHUNK_ROWS), None, by, n_sources)

    total: PassStatistics | None = None
    for summed in at_once(of_chunk, chunks):
        total = summed if total is None else jax.tree.map(np.add, total, summed)
    if total is None:  # a process without rows; tracing what the shapes are takes as long as a small pass
        total = jax.tree.map(lambda leaf: np.zeros(leaf.shape), jax.eval_shape(of_nothing))
    return total


def _in_double(summed: PassStatistics) -> PassStatistics:
    in_double: PassStatistics = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), summed)
    return in_double


@cache
def _passed(n_sources: int) -> Callable[..., PassStatistics]:
    """`full_pass`, rows spread over the devices."""

    def of_rows(rows: tuple[Layout, Array, Information | None], by: PassParams) -> PassStatistics:
        return full_pass(*rows, by, n_sources)

    return summed_over_rows(of_rows)


def refreshed(profile: Profile, summed: PassStatistics) -> Profile:
    """The profile with the counts of all rows in place of the subsample's."""
    totals = np.asarray(summed.share_totals) + 1
    return profile._replace(
        n_votes=single(np.asarray(summed.n_votes)),
        log_share_balance=single(np.log(totals / totals.sum())),
    )
