"""How a chunk of votes lies in a blob: immutable, compressed, a column at a time, because columns compress well.

Codes of few values are packed, several to a byte, which takes a hundredth of the time of zlib; then compressed where
samples become much smaller. Every blob is a stream of zlib, with its checksum; that of packed codes has one byte before
it, the number of values of a code. Those of earlier versions have none, and begin with 0x78.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN, ERROR
from weaklabel.votes.symbols import Symbols

Codes = NDArray[np.signedinteger[Any]]

# Level 1 is the fastest; higher levels gain little on columns of small integers.
_LEVEL = 1
_UNPACKED = 0  # in place of a number of values: as they are
_EARLIER = 0x78  # the first byte of a stream of zlib
_SAMPLES, _SAMPLE_BYTES = 4, 4096
_WORTHWHILE = 0.5  # of the samples that is left
_POSITION = np.dtype("<i8")


@dataclass(frozen=True, kw_only=True)
class PackedChunk:
    """A chunk as it is stored."""

    rows: int
    vote_count: int
    sparse: bool
    dtype: str
    votes: bytes
    item_ids: bytes | None
    candidate_sets: bytes | None
    soft_votes: bytes | None


def pack_dense(codes: Codes, item_ids: list[str] | None, symbols: Symbols) -> PackedChunk:
    """Packs [rows, columns] of class indices, ABSTAIN, ERROR and codes of the codebook."""
    return PackedChunk(
        rows=len(codes),
        vote_count=int(np.count_nonzero(codes != ABSTAIN)),
        sparse=False,
        dtype=codes.dtype.name,
        votes=_pack_codes(codes),
        item_ids=None if item_ids is None else pack_ids(item_ids),
        **_pack_symbols(symbols),
    )


def pack_sparse(triples: NDArray[np.int32], rows: int, item_ids: list[str] | None, symbols: Symbols) -> PackedChunk:
    """Packs triples [votes, 3] of (row, column, label) as they are; of a cell given twice the later counts."""
    return PackedChunk(
        rows=rows,
        vote_count=len(triples),
        sparse=True,
        dtype=triples.dtype.name,
        votes=_pack_columns(triples),
        item_ids=None if item_ids is None else pack_ids(item_ids),
        **_pack_symbols(symbols),
    )


def unpack_dense(blob: bytes, dtype: str, rows: int, columns: int, chosen: slice = slice(None)) -> Codes:
    """The codes of a dense chunk of so many rows; of the chosen ones, [chosen, columns]."""
    if blob[0] == _EARLIER:
        return _unpack_columns(blob, dtype, columns).reshape(columns, rows).T[chosen]
    data, n_values = zlib.decompress(memoryview(blob)[1:]), blob[0]
    if n_values == _UNPACKED:
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(columns, rows).T[chosen]
    packed = np.frombuffer(data, np.uint8).reshape(columns, -1)
    low, high, _ = chosen.indices(rows)
    firsts = np.arange(_per_byte(n_values)) * packed.shape[1]  # rows of a byte are so far apart
    begins, ends = np.maximum(low, firsts), np.minimum(high, firsts + packed.shape[1])
    here = begins < ends
    start, stop = (begins - firsts)[here].min(initial=packed.shape[1]), (ends - firsts)[here].max(initial=0)
    rest = np.ascontiguousarray(packed[:, start:stop].T)
    codes: Codes = np.empty((high - low, columns), dtype)
    for first, begin, end in zip(firsts + start, begins, ends, strict=True):
        above = rest // np.uint8(n_values)  # arithmetic: a lookup in a table takes four times as long
        if begin < end:
            part = slice(begin - first, end - first)
            digits = rest[part] - above[part] * np.uint8(n_values)
            np.add(digits.view(np.int8), np.int8(ERROR), out=codes[begin - low : end - low])
        rest = above
    return codes


def unpack_sparse(blob: bytes, dtype: str) -> NDArray[np.int32]:
    """The triples of a sparse chunk, [votes, 3]."""
    return _unpack_columns(blob, dtype, 3).T


def unpack_symbols(candidate_sets: bytes | None, soft_votes: bytes | None, n_classes: int) -> Symbols:
    """The codebook of a chunk."""
    symbols = Symbols.empty(n_classes)
    sets, soft = symbols.sets, symbols.soft
    if candidate_sets is not None:
        bits = unpack_array(candidate_sets, "uint8").reshape(-1, -(-n_classes // 8))
        sets = np.unpackbits(bits, axis=1, count=n_classes).astype(bool)
    if soft_votes is not None:
        soft = unpack_array(soft_votes, "float32").reshape(-1, n_classes)
    return Symbols(sets, soft)


def pack_ids(item_ids: list[str]) -> bytes:
    """Packs item ids; the service lets no NUL into one."""
    return zlib.compress("\0".join(item_ids).encode(), _LEVEL)


def unpack_ids(blob: bytes) -> list[str]:
    """The item ids of a chunk."""
    return zlib.decompress(blob).decode().split("\0")


def pack_positions(positions: NDArray[np.int64]) -> bytes:
    """Packs item positions, [rows]."""
    return zlib.compress(positions.astype(_POSITION).tobytes(), _LEVEL)


def unpack_positions(blob: bytes) -> NDArray[np.int64]:
    """The item positions of a chunk, [rows]."""
    return np.frombuffer(zlib.decompress(blob), _POSITION).astype(np.int64)


def pack_array(array: NDArray[Any]) -> bytes:
    """Packs any array, row by row, little-endian."""
    return compressed(_bytes_of(array))


def unpack_array(blob: bytes, dtype: str) -> NDArray[Any]:
    """The elements of pack_array, in one dimension."""
    return np.frombuffer(zlib.decompress(blob), np.dtype(dtype).newbyteorder("<"))


def compressed(data: bytes) -> bytes:
    """A stream of zlib, in which data that would hardly become smaller are as they were.

    Soft labels that all differ lose a tenth of their size, and take fifty times as long.
    """
    step = max(1, len(data) // _SAMPLES)
    sample = b"".join(data[start : start + _SAMPLE_BYTES] for start in range(0, len(data), step))
    return zlib.compress(data, _LEVEL if len(zlib.compress(sample, _LEVEL)) < _WORTHWHILE * len(sample) else 0)


def _bytes_of(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _pack_symbols(symbols: Symbols) -> dict[str, bytes | None]:
    # Compressed in any case: the memory of a fit is estimated by their size.
    def packed(array: NDArray[Any]) -> bytes | None:
        return zlib.compress(_bytes_of(array), _LEVEL) if len(array) else None

    return {"candidate_sets": packed(np.packbits(symbols.sets, axis=1)), "soft_votes": packed(symbols.soft)}


def _pack_codes(codes: Codes) -> bytes:
    """Packs [rows, columns]; with V values a code, g of them make a byte, of rows that are a g-th of all apart."""
    n_values = int(codes.max(initial=ERROR)) - ERROR + 1
    per_byte = _per_byte(n_values)
    if per_byte == 1:
        whole = np.ascontiguousarray(codes.T)
        return bytes([_UNPACKED]) + compressed(_bytes_of(whole))
    step = -(-len(codes) // per_byte)
    digits = (codes - ERROR).astype(np.uint8)
    packed = np.zeros((step, codes.shape[1]), np.uint8)
    for place in range(per_byte):
        of_place = digits[place * step : (place + 1) * step]
        packed[: len(of_place)] += of_place * np.uint8(n_values**place)
    return bytes([n_values]) + compressed(np.ascontiguousarray(packed.T).tobytes())


def _per_byte(n_values: int) -> int:
    """So many codes of so many values make a byte, at least 1."""
    fit = 1
    while n_values ** (fit + 1) <= 256 and fit < 8:
        fit += 1
    return fit


def _pack_columns(matrix: NDArray[Any]) -> bytes:
    return pack_array(np.ascontiguousarray(matrix.T))


def _unpack_columns(blob: bytes, dtype: str, columns: int) -> NDArray[Any]:
    return unpack_array(blob, dtype).reshape(columns, -1)
