"""Simulated votes of the sizes that are timed: independent sources, seeded, made in seconds. Needs numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Size(NamedTuple):
    """What to simulate. Votes are handed over as an int8 matrix, or as triples where they are of a crowd."""

    name: str
    n_items: int
    n_sources: int
    n_classes: int
    coverage: float = 0.3
    """Probability of a vote, in each cell of the matrix."""
    votes_per_item: int = 0
    """Where above 0: a crowd, of which so many workers vote on an item, some far oftener than others."""

    @property
    def n_votes(self) -> int:
        """Number of votes, expected."""
        return int(self.n_items * (self.votes_per_item or self.n_sources * self.coverage))


SIZES = (
    Size("1M x 10, K=2", 1_000_000, 10, 2),
    Size("1M x 50, K=2", 1_000_000, 50, 2),
    Size("1M x 20, K=10", 1_000_000, 20, 10),
    Size("100k x 10, K=100", 100_000, 10, 100),
    # The shape of the crowd of arXiv:2403.08826 (6 million votes on 1 million tasks, three choices in most), with twice
    # its workers.
    Size("crowd, 1M x 5,000, K=3", 1_000_000, 5_000, 3, votes_per_item=6),
    Size("100k x 300, 2 %, K=2", 100_000, 300, 2, coverage=0.02),
    Size("10M x 10, K=2", 10_000_000, 10, 2),
)
LARGE = {"10M x 10, K=2"}


class Problem(NamedTuple):
    """Votes with the truth that they were drawn from."""

    votes: NDArray[np.int8] | None
    """[N, M], -1 abstains; None where there are triples."""
    triples: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]] | None
    """(items, sources, labels), [V] each, sorted by item; None where there is a matrix."""
    truth: NDArray[np.int8]
    """[N]."""
    n_sources: int
    n_classes: int

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.truth)

    @property
    def n_votes(self) -> int:
        """Number of votes."""
        if self.triples is not None:
            return len(self.triples[0])
        assert self.votes is not None
        return int(np.count_nonzero(self.votes >= 0))

    @property
    def nbytes(self) -> int:
        """Bytes of the votes as they are given."""
        if self.triples is not None:
            return sum(column.nbytes for column in self.triples)
        assert self.votes is not None
        return self.votes.nbytes

    def first(self, n: int) -> Problem:
        """The first n items."""
        if self.triples is not None:
            items, sources, labels = self.triples
            stop = int(np.searchsorted(items, n))
            return self._replace(triples=(items[:stop], sources[:stop], labels[:stop]), truth=self.truth[:n])
        assert self.votes is not None
        return self._replace(votes=self.votes[:n], truth=self.truth[:n])

    def save(self, path: Path) -> None:
        """Writes an archive."""
        arrays: dict[str, Any] = {"truth": self.truth, "n_sources": self.n_sources, "n_classes": self.n_classes}
        if self.triples is not None:
            arrays |= dict(zip(("item", "worker", "label"), self.triples, strict=True))
        else:
            arrays["votes"] = self.votes
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Problem:
        """Reads what `save` wrote."""
        archive: Mapping[str, Any] = np.load(path)
        votes = archive.get("votes")
        triples = None if votes is not None else (archive["item"], archive["worker"], archive["label"])
        return cls(votes, triples, archive["truth"], int(archive["n_sources"]), int(archive["n_classes"]))


def simulate(size: Size, seed: int = 0) -> Problem:
    """Votes of independent sources, right with a probability in [.55, .9] of their own, errors spread evenly."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, size.n_classes, size.n_items, dtype=np.int8)
    accuracy = rng.uniform(0.55, 0.9, size.n_sources).astype(np.float32)
    if size.votes_per_item:
        return Problem(None, _crowd(size, truth, accuracy, rng), truth, size.n_sources, size.n_classes)
    votes = np.full((size.n_items, size.n_sources), -1, np.int8)
    for m in range(size.n_sources):
        draw = rng.random(size.n_items, dtype=np.float32)
        said = np.where(draw < size.coverage * accuracy[m], truth, _wrong(truth, size.n_classes, rng))
        np.copyto(votes[:, m], said, where=draw < size.coverage)
    return Problem(votes, None, truth, size.n_sources, size.n_classes)


def _crowd(
    size: Size, truth: NDArray[np.int8], accuracy: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
    """Triples; how active a worker is, is log-normal, so that a tenth of the workers casts over half of the votes."""
    activity = np.cumsum(rng.lognormal(0, 1.5, size.n_sources))
    items = np.repeat(np.arange(size.n_items), size.votes_per_item)
    # A worker votes once on an item: pairs that come twice are drawn again, for items at random.
    pairs = np.empty(0, np.int64)
    while len(pairs) < size.n_votes:
        workers = np.searchsorted(activity, rng.random(len(items)) * activity[-1])
        pairs = np.sort(np.concatenate([pairs, items * size.n_sources + workers]))
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        items = rng.integers(0, size.n_items, size.n_votes - len(pairs))
    rows, columns = (pairs // size.n_sources).astype(np.int32), (pairs % size.n_sources).astype(np.int32)
    right = rng.random(len(rows), dtype=np.float32) < accuracy[columns]
    labels = np.where(right, truth[rows], _wrong(truth[rows], size.n_classes, rng))
    return rows, columns, labels


def _wrong(truth: NDArray[np.int8], n_classes: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """[N] one of the other classes."""
    if n_classes == 2:
        return 1 - truth
    shift = rng.integers(1, n_classes, len(truth), dtype=np.int8)
    return np.asarray((truth.astype(np.int16) + shift) % n_classes, np.int8)
