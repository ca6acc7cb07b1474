"""What users pass as votes, checked and cut into pieces that fit into a message. No I/O.

N items, M sources, K classes. Votes for more than one class are codes below -2 here, see weaklabel_client._symbols.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from weaklabel_client._names import check_text
from weaklabel_client._symbols import FIRST, SUM_TOLERANCE, Codebook, VoteList, is_vote_object
from weaklabel_protocol.tensors import smallest_dtype, to_tensor
from weaklabel_protocol.v1 import symbols_pb2, tensor_pb2, votes_pb2

ABSTAIN = -1
ERROR = -2
MAX_ROWS = 65_536
MAX_BYTES = 3_500_000  # of a chunk; a message of gRPC has at most 4 MiB by default
FEW_ROWS = 4096  # answers of so many rows fit into a message before the number of classes is known
MAX_NAME = 255
_STRING_OVERHEAD = 3  # bytes that protobuf adds to a string of up to 16 KiB

IntArray = npt.NDArray[np.integer[Any]]
Symbols = Codebook | VoteList | None
"""What codes below -2 stand for; a VoteList until the number of classes is known."""


@runtime_checkable
class NamedVotes(Protocol):
    """What weaklabel's Votes have, by which they are known here without an import."""

    n_items: int
    source_names: tuple[str, ...]
    item_ids: npt.NDArray[np.str_] | None
    is_sparse: bool

    def to_codes(self) -> IntArray:
        """Every cell, [N, M], -2 where a source failed."""
        ...

    def triples(self) -> tuple[IntArray, IntArray, IntArray]:
        """Items, sources and labels of the votes. Sparse Votes hold no failures, so these are all there is."""
        ...


class Block(Protocol):
    """Votes of some items, from which chunks are cut."""

    n_rows: int
    n_sources: int
    sources: tuple[str, ...] | None
    """The names that the votes bring along."""
    symbols: Symbols

    def resolve(self, n_classes: int) -> None:
        """Takes the number of classes, where symbols are a VoteList."""
        ...

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Bytes that each of these rows takes in a chunk, [stop - start]."""
        ...

    def chunk(self, start: int, stop: int, row_offset: int) -> votes_pb2.UploadVotesChunk:
        """Makes the chunk of these rows; row_offset is the place of the first in the upload."""
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
        for start in range(0, self.n_rows, MAX_ROWS):
            digest.update(np.ascontiguousarray(self.votes[start : start + MAX_ROWS]).data)
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


def rows_that_fit(row_bytes: npt.NDArray[np.int64], limit: int) -> int:
    """How many of the first rows fit into so many bytes.

    Raises:
        ValueError: Not even one does.
    """
    count = int(np.searchsorted(np.cumsum(row_bytes), limit, side="right"))
    if count == 0:
        size = f"{int(row_bytes[0]):,} bytes, and a message holds {limit:,}"
        raise ValueError(f"votes: one item takes {size}: upload fewer sources at a time")
    return count


def is_matrix(votes: object) -> bool:
    """Whether an argument is one matrix of votes, or else an iterable of chunks."""
    return isinstance(votes, Sequence | NamedVotes) or hasattr(votes, "__array__")


def own_sources(votes: object) -> tuple[str, ...] | None:
    """The source names that votes bring along: those of Votes, or the columns of a data frame where all are strings.

    Raises:
        ValueError: They are not distinct.
    """
    if isinstance(votes, NamedVotes):
        return names(votes.source_names, None, "sources")
    columns = list(getattr(votes, "columns", ()))
    if columns and all(isinstance(column, str) for column in columns):
        return names(columns, None, "sources")
    return None


def matrix_block(votes: Any, items: Any = None, codebook: Codebook | None = None) -> Block:
    """Checks votes [N, M] and the ids of their rows; Votes bring their own ids, where no others are given.

    Raises:
        ValueError: It is not a matrix of votes; the message names the place.
    """
    if isinstance(votes, NamedVotes):
        items = votes.item_ids if items is None else items
        codebook = _codebook_of(votes)
        if votes.is_sparse:
            return sparse_block(*votes.triples(), votes.n_items, votes.source_names, items, codebook)
    array, symbols = vote_matrix(votes, codebook)
    item_ids = None if items is None else names(items, array.shape[0], "items")
    return DenseBlock(array, item_ids, own_sources(votes), symbols)


def chunk_block(chunk: Any) -> Block:
    """Reads one element of an iterable of chunks: votes [n, M], or a pair of these and n item ids."""
    if isinstance(chunk, tuple) and len(chunk) == 2:
        return matrix_block(*chunk)
    return matrix_block(chunk)


def sparse_block(
    items: Any,
    sources: Any,
    labels: Any,
    n_items: int | None,
    source_names: Any,
    ids: Any,
    codebook: Codebook | None = None,
) -> Block:
    """Checks three index arrays of one length, and the names of the sources and the ids of the items, if any.

    Raises:
        ValueError: They are not, or an index is out of range; the message names the place.
    """
    rows, columns = _integers(items, "items"), _integers(sources, "sources")
    listed, symbols = _numbered(np.asarray(labels), codebook)
    values = _integers(listed, "labels")
    if not rows.size == columns.size == values.size:
        raise ValueError(f"items, sources and labels have {rows.size}, {columns.size} and {values.size} elements")
    item_ids = None if ids is None else names(ids, n_items, "item_ids")
    if n_items is None:
        n_items = len(item_ids) if item_ids is not None else int(rows.max(initial=-1)) + 1
    own = None if source_names is None else names(source_names, None, "source_names")
    n_sources = int(columns.max(initial=-1)) + 1 if own is None else len(own)
    if n_items < 1 or n_sources < 1:
        raise ValueError("votes: there are no items or no sources")
    for name, array, low, high in (
        ("items", rows, 0, n_items - 1),
        ("sources", columns, 0, n_sources - 1),
        ("labels", values, ERROR if symbols is None else FIRST - len(symbols) + 1, np.iinfo(np.int32).max),
    ):
        wrong = np.flatnonzero((array < low) | (array > high))
        if wrong.size:
            raise ValueError(f"{name}: element {wrong[0]} is {array[wrong[0]]}: allowed are {low} to {high}")
    order = np.argsort(rows, kind="stable")  # stable: of repeated votes the last one counts
    triples = np.stack([rows[order], columns[order], values[order]], axis=1).astype(np.int32)
    return SparseBlock(triples, n_items, n_sources, item_ids, own, symbols)


def predict_block(votes: Any, codebook: Codebook | None = None) -> DenseBlock:
    """Returns votes [N, M] to predict from, -1 where a source failed: to a model that is the same.

    Raises:
        ValueError: See vote_matrix.
    """
    codebook = _codebook_of(votes) if isinstance(votes, NamedVotes) else codebook
    matrix, symbols = vote_matrix(votes, codebook)
    return DenseBlock(np.where(matrix == ERROR, matrix.dtype.type(ABSTAIN), matrix), None, own_sources(votes), symbols)


def vote_matrix(votes: Any, codebook: Codebook | None) -> tuple[IntArray, Symbols]:
    """Returns votes as the smallest integer type, [N, M], after checking them, and what those below -2 stand for.

    Raises:
        ValueError: It is not a matrix of votes; the message names the place.
    """
    try:
        array = np.asarray(votes.to_codes() if isinstance(votes, NamedVotes) else votes)
    except ValueError as error:
        raise ValueError(f"votes: {_ragged(votes) or error}") from None
    if array.ndim == 3:
        return _soft_matrix(array)
    array, symbols = _numbered(array, codebook)
    if array.ndim != 2:
        raise ValueError(f"votes: the shape is {list(array.shape)}: expected are two dimensions, [items, sources]")
    if 0 in array.shape:
        raise ValueError(f"votes: there are {array.shape[0]} items and {array.shape[1]} sources")
    wrong: npt.NDArray[np.bool_]
    if array.dtype.kind == "O":
        wrong = np.vectorize(lambda value: not isinstance(value, int | np.integer) or isinstance(value, bool))(array)
    elif array.dtype.kind == "f":
        wrong = ~(np.isfinite(array) & (np.trunc(array) == array))
    elif array.dtype.kind in "iu":
        wrong = np.zeros_like(array, dtype=bool)
    else:
        raise ValueError(f"votes: the type is {array.dtype}: expected are integers, -1 where a source abstains")
    _refuse(array, wrong, "an integer is expected, -1 where a source abstains")
    lowest = ERROR if symbols is None else FIRST - len(symbols) + 1
    _refuse(array, (array < lowest) | (array > np.iinfo(np.int32).max), "a class index, -1 or -2 is expected")
    integers = array if array.dtype.kind in "iu" else array.astype(np.int32)
    return integers.astype(smallest_dtype(integers), copy=False), symbols


def _soft_matrix(array: npt.NDArray[Any]) -> tuple[IntArray, Symbols]:
    """Soft votes [N, M, K]; a row of NaN or of zeros abstains."""
    if array.dtype.kind not in "fiu" or array.shape[2] < 2 or 0 in array.shape:
        raise ValueError(f"votes: soft votes are numbers [items, sources, classes], not {array.dtype} {array.shape}")
    rows = array.reshape(-1, array.shape[2]).astype(np.float64)
    silent = np.isnan(rows).all(1) | (rows == 0).all(1)
    wrong = ~silent & ~((rows >= 0).all(1) & (np.abs(rows.sum(1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        row, column = divmod(int(np.argmax(wrong)), array.shape[1])
        raise ValueError(f"votes: row {row}, column {column}: probabilities that sum to 1 are expected")
    codes = np.full(len(rows), ABSTAIN, np.int32)
    codes[~silent] = FIRST - np.arange(np.count_nonzero(~silent))
    book = Codebook(np.empty((0, array.shape[2]), bool), rows[~silent].astype(np.float32))
    return codes.reshape(array.shape[:2]), book


def _numbered(array: npt.NDArray[Any], codebook: Codebook | None) -> tuple[npt.NDArray[Any], Symbols]:
    """The array with the codes of the client in place of vote objects, or of the codes of a codebook."""
    if codebook is not None and len(codebook) and array.dtype.kind in "iu":
        wide: npt.NDArray[np.int64] = array.astype(np.int64)
        beyond = wide >= codebook.n_classes
        wide[beyond] = FIRST - (wide[beyond] - codebook.n_classes)
        return wide, codebook
    if array.dtype.kind != "O":
        return array, None
    listed = VoteList()
    numbered = np.empty(array.shape, object)
    for at, value in np.ndenumerate(array):
        numbered[at] = listed.code(value) if is_vote_object(value) else value
        if not is_vote_object(value) and isinstance(value, int | np.integer) and value < ERROR:
            raise ValueError(f"votes: {value} at {list(at)} is no class index, -1 or -2")
    if not len(listed):
        return array, None
    whole = all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in numbered.flat)
    return numbered.astype(np.int64) if whole else numbered, listed


def _codebook_of(votes: Any) -> Codebook | None:
    """The codebook of weaklabel's Votes."""
    symbols = getattr(votes, "symbols", None)
    return Codebook(symbols.sets, symbols.soft) if symbols is not None and len(symbols) else None


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


def names(values: Any, count: int | None, what: str) -> tuple[str, ...]:
    """Returns names as distinct strings; integers are written out.

    Raises:
        ValueError: Not as many as expected, not distinct, empty or too long; the message names the place.
    """
    if isinstance(values, str):
        raise ValueError(f'{what}: "{values}" is one string, a sequence of names is expected')
    listed = list(values.tolist() if hasattr(values, "tolist") else values)
    if count is not None and len(listed) != count:
        raise ValueError(f"{what}: there are {len(listed)} names for {count} in votes")
    for place, value in enumerate(listed):
        if isinstance(value, int) and not isinstance(value, bool):
            listed[place] = str(value)
        elif not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
            raise ValueError(f"{what}: name {place} is {value!r}: a string of 1 to {MAX_NAME} characters is expected")
        else:
            check_text(f"{what}: name {place}", value)
    if len(set(listed)) != len(listed):
        seen: dict[str, int] = {}
        for place, value in enumerate(listed):
            if seen.setdefault(value, place) != place:
                raise ValueError(f'{what}: names {seen[value]} and {place} are both "{value}"')
    return tuple(listed)


def default_sources(count: int) -> tuple[str, ...]:
    """Names for sources that have none."""
    return tuple(f"source_{place}" for place in range(count))


def _integers(values: Any, name: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(f"{name}: one dimension of integers is expected, this is {array.dtype} {list(array.shape)}")
    return array.astype(np.int64)


def _refuse(array: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"votes: row {row}, column {column} is {array[row, column]}: {expected}")


def _ragged(votes: Any) -> str | None:
    lengths = [len(row) for row in votes if hasattr(row, "__len__")]
    for place, length in enumerate(lengths):
        if length != lengths[0]:
            return f"row {place} has {length} values, row 0 has {lengths[0]}"
    return None


def id_bytes(items: Sequence[str] | None, start: int, stop: int) -> npt.NDArray[np.int64]:
    """Bytes that each of these ids takes in a message, [stop - start]; 0 where there are none."""
    if items is None:
        return np.zeros(stop - start, dtype=np.int64)
    lengths = (len(item.encode()) + _STRING_OVERHEAD for item in items[start:stop])
    return np.fromiter(lengths, dtype=np.int64, count=stop - start)


def _digest(head: Iterable[str], sources: Sequence[str], items: tuple[str, ...] | None) -> "hashlib.blake2b":
    digest = hashlib.blake2b(digest_size=32)
    for strings in (head, sources, items or ()):
        encoded = [string.encode() for string in strings]
        # The lengths make the joined text unambiguous.
        digest.update(np.array([len(encoded), *map(len, encoded)], dtype="<i8").data)
        digest.update(b"".join(encoded))
    return digest
