"""Votes of some items, dense or sparse, from which chunks are cut.

N items, M sources, K classes. Votes for more than one class are codes below -2 here, see
weaklabel_client._results.codebook.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.chunks import Rows, id_bytes
from weaklabel_client._inputs.vote_list import Symbols, VoteList
from weaklabel_client._results.codebook import FIRST, Codebook, IntArray
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import symbols_pb2, tensor_pb2, votes_pb2


class Block(Rows, Protocol):
    """Votes of some items, from which chunks are cut."""

    n_sources: int
    sources: tuple[str, ...] | None
    """The names that the votes bring along."""
    symbols: Symbols

    def resolve(self, n_classes: int) -> None:
        """Takes the number of classes, where symbols are a VoteList."""
        ...

    def digest(self, sources: Sequence[str]) -> bytes:
        """A digest of everything that the server would store."""
        ...


class DenseBlock:
    """Votes [N, M], every cell."""

    def __init__(
        self,
        votes: IntArray,
        items: tuple[str, ...] | None,
        sources: tuple[str, ...] | None = None,
        symbols: Symbols = None,
    ) -> None:
        self.n_rows, self.n_sources = votes.shape
        self.sources = sources
        self.votes = votes
        self.items = items
        self.symbols = symbols

    def resolve(self, n_classes: int) -> None:
        if isinstance(self.symbols, VoteList):
            self.votes, self.symbols = self.symbols.resolved(self.votes, n_classes)

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        vote_bytes = np.full(stop - start, self.n_sources * self.votes.itemsize, dtype=np.int64)
        return vote_bytes + id_bytes(self.items, start, stop) + _entry_bytes(self.symbols, self.votes[start:stop])

    def part(self, start: int, stop: int) -> tuple[tensor_pb2.Tensor, symbols_pb2.Codebook | None]:
        """The votes of some rows, and what they stand for."""
        votes = self.votes[start:stop]
        if self.symbols is None:
            return to_tensor(votes, votes.dtype), None
        labels, codebook = _resolved(self.symbols).to_message(votes)
        return to_tensor(labels, labels.dtype), codebook

    def chunk(self, start: int, stop: int, row_offset: int) -> votes_pb2.UploadVotesChunk:
        votes, codebook = self.part(start, stop)
        return votes_pb2.UploadVotesChunk(
            row_offset=row_offset,
            rows=stop - start,
            item_ids=self.items[start:stop] if self.items else (),
            dense=votes_pb2.DenseVotes(votes=votes),
            codebook=codebook,
        )

    def digest(self, sources: Sequence[str]) -> bytes:
        head = ["dense", str(self.n_rows), str(self.n_sources), self.votes.dtype.str]
        digest = _digest(head, sources, self.items)
        for start in range(0, self.n_rows, chunks.MAX_ROWS):
            digest.update(np.ascontiguousarray(self.votes[start : start + chunks.MAX_ROWS]).data)
        return _with_symbols(digest, self.symbols).digest()


class SparseBlock:
    """Votes as triples (row, column, label), sorted by row."""

    def __init__(
        self,
        triples: npt.NDArray[np.int32],
        n_rows: int,
        n_sources: int,
        items: tuple[str, ...] | None,
        sources: tuple[str, ...] | None = None,
        symbols: Symbols = None,
    ) -> None:
        self.n_rows, self.n_sources = n_rows, n_sources
        self.sources = sources
        self.triples = triples
        self.items = items
        self.symbols = symbols
        # bounds[r] : bounds[r + 1] are the triples of row r.
        self._bounds = np.searchsorted(triples[:, 0], np.arange(n_rows + 1))

    def resolve(self, n_classes: int) -> None:
        if isinstance(self.symbols, VoteList):
            labels, self.symbols = self.symbols.resolved(self.triples[:, 2], n_classes)
            self.triples = np.column_stack([self.triples[:, :2], labels]).astype(np.int32)

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        n_triples = np.diff(self._bounds[start : stop + 1]).astype(np.int64)
        entry_bytes = 0 if self.symbols is None else _resolved(self.symbols).entry_bytes
        return n_triples * (3 * self.triples.itemsize + entry_bytes) + id_bytes(self.items, start, stop)

    def chunk(self, start: int, stop: int, row_offset: int) -> votes_pb2.UploadVotesChunk:
        triples = self.triples[self._bounds[start] : self._bounds[stop]] - np.array([start, 0, 0], dtype=np.int32)
        codebook = None
        if self.symbols is not None:
            labels, codebook = _resolved(self.symbols).to_message(triples[:, 2])
            triples = np.column_stack([triples[:, :2], labels]).astype(np.int32)
        return votes_pb2.UploadVotesChunk(
            row_offset=row_offset,
            rows=stop - start,
            item_ids=self.items[start:stop] if self.items else (),
            sparse=votes_pb2.SparseVotes(triples=to_tensor(triples, np.int32)),
            codebook=codebook,
        )

    def digest(self, sources: Sequence[str]) -> bytes:
        digest = _digest(["sparse", str(self.n_rows), str(self.n_sources)], sources, self.items)
        digest.update(np.ascontiguousarray(self.triples).data)
        return _with_symbols(digest, self.symbols).digest()


def _resolved(symbols: Codebook | VoteList) -> Codebook:
    assert isinstance(symbols, Codebook), "the number of classes is not known yet"
    return symbols


def _entry_bytes(symbols: Symbols, votes: IntArray) -> npt.NDArray[np.int64]:
    """Bytes that the entries of the codebook of each row take, at most; codes may take 4 bytes with them."""
    if symbols is None:
        return np.zeros(len(votes), np.int64)
    n_entries = np.count_nonzero(votes <= FIRST, axis=1)
    size: npt.NDArray[np.int64] = n_entries * _resolved(symbols).entry_bytes + 4 * votes.shape[1]
    return size


def _with_symbols(digest: "hashlib.blake2b", symbols: Symbols) -> "hashlib.blake2b":
    if isinstance(symbols, VoteList):
        digest.update(symbols.digest_bytes())
    elif symbols is not None:
        digest.update(np.packbits(symbols.candidate_sets, axis=1).tobytes())
        digest.update(np.ascontiguousarray(symbols.soft_votes).data)
    return digest


def _digest(head: Iterable[str], sources: Sequence[str], items: tuple[str, ...] | None) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=32)
    for strings in (head, sources, items or ()):
        encoded = [string.encode() for string in strings]
        # The lengths make the joined text unambiguous.
        digest.update(np.array([len(encoded), *map(len, encoded)], dtype="<i8").data)
        digest.update(b"".join(encoded))
    return digest
