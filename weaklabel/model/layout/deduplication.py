"""Deduplication of vote rows: identical rows are kept once and counted, since EM costs per distinct row.

On the host, in numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN, Codes, Votes, label_dtype

MOST_KEYS = 2**20
"""Up to so many possible rows, a row's number in the positional system of its symbols is its key."""
ALWAYS_DEDUPLICATED = 2**17
"""More items than this are deduplicated only where a look at some of them promises that it pays."""
PROBED_ROWS = 4096
PAYS_BELOW = 0.5
"""Share of distinct rows among those looked at."""
FEWEST_SPARSE = 2**16
"""Items whose votes are sparse are deduplicated from so many on: with fewer, EM costs less than ..."""
SPARSE_PAYS_BELOW = 0.98
"""... and where so many rows are distinct among those looked at: of all, far fewer are."""
FEWEST_REPEATED = 20
"""Distinct rows from which on numbers of items with a common divisor are no chance: one in a million."""
PROBED_REPEATS = 16
"""Rows whose numbers of items are looked at in large sets."""
BLOCK_ROWS = 8192


class UniqueRows(NamedTuple):
    """Votes with identical rows kept once."""

    votes: Votes
    """The U distinct rows."""
    weight: NDArray[np.float32]
    """[U] how many items have the row."""
    scale: float = 1.0
    """Items that each sampled one stands for, and that its weight counts."""


def deduplicate(votes: Votes) -> UniqueRows:
    """The distinct rows of votes, where finding them pays."""
    apart = UniqueRows(votes, np.ones(votes.n_items, np.float32))
    if votes.is_sparse:
        return _deduplicated_sparse(votes) or apart
    if votes.n_items == 0 or votes.n_sources == 0:
        return apart
    codes = votes.to_codes()
    if (len(votes.symbols) + votes.n_classes + 1) ** votes.n_sources <= MOST_KEYS:
        return _by_number(votes, codes)
    if votes.n_items > ALWAYS_DEDUPLICATED and not _seems_repeated(codes):
        probed = codes[:: votes.n_items // PROBED_ROWS]
        if len(np.unique(_hashed(probed))) > PAYS_BELOW * len(probed):
            return apart
    _, first, inverse, weight = np.unique(_hashed(codes), return_index=True, return_inverse=True, return_counts=True)
    collided = not np.array_equal(codes, codes[first[inverse]])
    if len(first) == votes.n_items or collided:
        return apart
    return counted_once(UniqueRows(votes.select_items(first), weight.astype(np.float32)))


def counted_once(unique: UniqueRows) -> UniqueRows:
    """Rows of a set in which each is there two times, or three, ..., as if it were there once.

    That says no more than the set does, so that labels must not be surer. Sets of few distinct rows are left: there,
    numbers of items have a common divisor by chance.
    """
    if not _is_repeated(unique.weight):
        return unique
    return unique._replace(weight=unique.weight / np.float32(np.gcd.reduce(unique.weight.astype(np.int64))))


def _is_repeated(weight: NDArray[np.generic]) -> bool:
    return len(weight) >= FEWEST_REPEATED and int(np.gcd.reduce(weight.astype(np.int64))) > 1


def _seems_repeated(codes: Codes) -> bool:
    """Whether numbers of items of some rows have a common divisor; of most sets the first row tells."""
    divisor = 0
    for row in codes[:: max(len(codes) // PROBED_REPEATS, 1)]:
        alike = np.flatnonzero(codes[:, 0] == row[0])
        for column in range(1, codes.shape[1]):
            alike = alike[codes[alike, column] == row[column]]
        divisor = int(np.gcd(divisor, len(alike)))
        if divisor == 1:
            return False
    return True


def _deduplicated_sparse(votes: Votes) -> UniqueRows | None:
    """As `deduplicate`, at a cost per vote; None where rows stay apart: those of many sources are rarely identical."""
    if votes.n_items < FEWEST_SPARSE:
        if not _is_repeated(np.unique(_keys_of_votes(votes), return_counts=True)[1]):
            return None
    else:
        probed = votes.select_items(np.arange(0, votes.n_items, max(votes.n_items // PROBED_ROWS, 1)))
        if len(np.unique(_keys_of_votes(probed))) > SPARSE_PAYS_BELOW * probed.n_items:
            return None
    keys = _keys_of_votes(votes)
    _, first, inverse, weight = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    alike = first[inverse]
    rows, sources, labels = votes.triples()
    length = np.bincount(rows, minlength=votes.n_items)
    if not np.array_equal(length, length[alike]):
        return None
    start = np.cumsum(length) - length
    there = np.arange(len(rows)) + (start[alike] - start)[rows]  # the same vote of the first row with this key
    if not (np.array_equal(sources, sources[there]) and np.array_equal(labels, labels[there])):
        return None
    order = np.argsort(first)  # rows stay in order: neighbours in memory
    first, weight = first[order], weight[order]
    return counted_once(UniqueRows(votes.select_items(first), weight.astype(np.float32)))


class DistinctRowCounter:
    """Distinct rows of plain votes that come in parts, counted for as long as they are few."""

    def __init__(self, n_classes: int, n_sources: int, most: int) -> None:
        """Starts without rows.

        Args:
            n_classes: K.
            n_sources: M.
            most: where there are more distinct rows, none are kept.
        """
        self._most, self._base = most, n_classes + 1
        self._by_number = self._base ** (n_sources + 1) <= MOST_KEYS
        self._keys = np.empty(0, np.uint64)
        self._rows: Codes = np.empty((0, n_sources), label_dtype(n_classes))
        self._weight = np.zeros(self._base**n_sources if self._by_number else 0)
        self.few = True
        """Whether they are kept."""

    def add(self, codes: Codes, weight: NDArray[np.float64] | None = None) -> None:
        """Counts rows [n, M], each as often as its weight says."""
        if not self.few:
            return
        if self._by_number:
            self._weight += np.bincount(_numbers(codes, self._base), weight, len(self._weight))
            self.few = bool(np.count_nonzero(self._weight) <= self._most)
            return
        weight = np.ones(len(codes)) if weight is None else weight
        keys, rows, weight, collided = _distinct(_hashed(codes), codes, weight)
        together = (np.concatenate(pair) for pair in ((self._keys, keys), (self._rows, rows), (self._weight, weight)))
        self._keys, self._rows, self._weight, collided_later = _distinct(*together)
        self.few = len(self._keys) <= self._most and not collided and not collided_later

    def add_all(self, other: DistinctRowCounter) -> None:
        """Counts what another one has counted."""
        self.few = self.few and other.few
        self.add(*other.kept())

    def kept(self) -> tuple[Codes, NDArray[np.float64]]:
        """The distinct rows [U, M], and how often each was counted [U]."""
        if not self._by_number:
            return self._rows, self._weight
        numbers = np.flatnonzero(self._weight)
        rows = _rows_of(numbers, self._base, self._rows)
        return rows, self._weight[numbers]


def _distinct(
    keys: NDArray[np.uint64], rows: Codes, weight: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], Codes, NDArray[np.float64], bool]:
    """Keys, rows and weights with those of equal key put together, and whether unequal rows have equal keys."""
    distinct, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    collided = not np.array_equal(rows, rows[first[inverse]])
    return distinct, rows[first], np.asarray(np.bincount(inverse, weight, len(distinct)), np.float64), collided


def _by_number(votes: Votes, codes: Codes) -> UniqueRows:
    """Few possible rows: counted at their numbers, which need no sorting, and from which they are read back."""
    base = len(votes.symbols) + votes.n_classes + 1
    numbers = _numbers(codes, base)
    weight = np.bincount(numbers)
    distinct = np.flatnonzero(weight)
    rows = _rows_of(distinct, base, codes)
    unique = Votes.from_codes(rows, votes.n_classes, sources=votes.source_names, symbols=votes.symbols)
    return counted_once(UniqueRows(unique, weight[distinct].astype(np.float32)))


def _numbers(codes: Codes, base: int) -> NDArray[np.int32]:
    """[N] the number of each row in the positional system of its symbols; errors count as abstains."""
    places = (base ** np.arange(codes.shape[1])).astype(np.float32)
    numbers = np.empty(len(codes), np.int32)
    for start in range(0, len(codes), BLOCK_ROWS):  # in cache; exact, since the numbers are below 2^24
        digits = np.maximum(codes[start : start + BLOCK_ROWS], ABSTAIN).astype(np.float32) + 1
        numbers[start : start + BLOCK_ROWS] = digits @ places
    return numbers


def _rows_of(numbers: NDArray[np.int64], base: int, like: Codes) -> Codes:
    """The rows with these numbers, of as many columns and the type of `like`."""
    rest, rows = numbers.copy(), np.empty((len(numbers), like.shape[1]), like.dtype)
    for source in range(like.shape[1]):
        rest, digit = np.divmod(rest, base)
        rows[:, source] = digit - 1
    return rows


def _hashed(codes: Codes) -> NDArray[np.uint64]:
    """[N] a 64-bit key of each row: equal rows have equal keys."""
    generator = np.random.default_rng(0x5EED)
    factors = np.asarray(generator.integers(2**63, size=codes.shape[1], dtype=np.uint64) * 2 + 1, np.uint64)
    keys = np.zeros(codes.shape[0], np.uint64)
    for column, factor in enumerate(factors):
        keys = (keys ^ (codes[:, column].astype(np.int64).view(np.uint64) + np.uint64(3))) * factor
        keys ^= keys >> np.uint64(29)
    return keys


def _keys_of_votes(votes: Votes) -> NDArray[np.uint64]:
    """[N] a 64-bit key of each row of sparse votes: equal rows have equal keys."""
    rows, sources, labels = votes.triples()
    n_symbols = votes.n_classes + len(votes.symbols)
    of_votes = _mixed(sources.astype(np.uint64) * np.uint64(n_symbols) + labels.astype(np.uint64))
    before = np.concatenate([np.zeros(1, np.uint64), np.cumsum(of_votes)])  # sums wrap around: their differences do not
    ends = np.cumsum(np.bincount(rows, minlength=votes.n_items))
    return np.diff(before[ends], prepend=np.uint64(0))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that look random: the finalizer of SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195)."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)
