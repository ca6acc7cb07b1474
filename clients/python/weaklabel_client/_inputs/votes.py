"""What users pass as votes, checked.

N items, M sources, K classes. Votes for more than one class are codes below -2 here, see
weaklabel_client._results.codebook.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.vote_blocks import Block, DenseBlock, SparseBlock
from weaklabel_client._inputs.vote_list import Symbols, VoteList
from weaklabel_client._results.codebook import FIRST, Codebook, IntArray
from weaklabel_protocol.arrays import column_of, floats, is_number, is_sparse_matrix, place_of, read_array
from weaklabel_protocol.errors import InvalidVotesError
from weaklabel_protocol.names import column_names, row_ids
from weaklabel_protocol.tensors import smallest_dtype
from weaklabel_protocol.vote_objects import ABSTAIN, ERROR, ImpreciseVote, probability_rows


@runtime_checkable
class NamedVotes(Protocol):
    """What weaklabel's Votes have, by which they are recognized here without an import."""

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


def is_matrix(votes: object) -> bool:
    """Whether an argument is one matrix of votes, or else an iterable of chunks."""
    return isinstance(votes, Sequence | NamedVotes) or hasattr(votes, "__array__")


def own_sources(votes: object) -> tuple[str, ...] | None:
    """The source names that votes bring along: those of Votes, or the columns of a table, numbers written out.

    Raises:
        ValueError: They are not distinct.
    """
    if isinstance(votes, NamedVotes):
        return names(votes.source_names, None, "sources")
    columns = column_names(votes)
    return None if columns is None else names(columns, None, "sources")


def matrix_block(votes: Any, items: Any = None, codebook: Codebook | None = None) -> Block:
    """Checks votes [N, M] and the ids of their rows; Votes and a pandas index bring theirs, where none are given.

    Raises:
        ValueError: It is not a matrix of votes; the message names the place.
    """
    if isinstance(votes, NamedVotes):
        items = votes.item_ids if items is None else items
        codebook = _codebook_of(votes)
        if votes.is_sparse:
            return sparse_block(
                *votes.triples(), n_items=votes.n_items, source_names=votes.source_names, ids=items, codebook=codebook
            )
    array, symbols = vote_matrix(votes, codebook)
    item_ids = _item_ids(votes, items, array.shape[0])
    return DenseBlock(array, item_ids, own_sources(votes), symbols)


def _item_ids(votes: Any, items: Any, n_rows: int) -> tuple[str, ...] | None:
    """The ids of the rows: those given, or those of a pandas index."""
    own = row_ids(votes)
    if items is None:
        return None if own is None else names(own, n_rows, "items")
    given = names(items, n_rows, "items")
    if own is not None and list(given) != own and set(given) == set(own):
        raise ValueError("items: they are those of the index of votes in another order; leave items out, or the index")
    return given


def votes_ids(votes: Any) -> list[str] | None:
    """The ids that votes bring along: those of Votes, or those of a pandas index."""
    if isinstance(votes, NamedVotes):
        return None if votes.item_ids is None else [str(one) for one in votes.item_ids]
    return row_ids(votes)


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
    listed, symbols = _numbered(read_array(labels, "labels").filled(ABSTAIN), codebook)
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
    if (values == ABSTAIN).any():  # the same as no triple: it withdraws no vote of the same upload
        says = values != ABSTAIN
        rows, columns, values = rows[says], columns[says], values[says]
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
    if is_sparse_matrix(votes):
        raise ValueError(
            "votes: a sparse matrix does not say whether a cell that is not stored is class 0 or an abstain. Where it "
            "abstains, write m = matrix.tocoo() and upload_triples(project, m.row, m.col, m.data, n_items=m.shape[0]); "
            "where it is class 0, write matrix.toarray()"
        )
    read = read_array(votes.to_codes() if isinstance(votes, NamedVotes) else votes, "votes", InvalidVotesError)
    if read.values.ndim == 3:
        return _soft_matrix(floats(read, "votes"))
    if read.values.dtype.kind == "b":
        raise ValueError("votes: the type is bool: expected are integers, -1 where a source abstains")
    array, symbols = _numbered(read.filled(ABSTAIN), codebook)
    if array.ndim != 2:
        raise ValueError(f"votes: the shape is {list(array.shape)}: expected are two dimensions, [items, sources]")
    if 0 in array.shape:
        raise ValueError(f"votes: there are {array.shape[0]} items and {array.shape[1]} sources")
    wrong: npt.NDArray[np.bool_]
    if array.dtype.kind == "O":
        wrong = np.vectorize(lambda value: not is_number(value) or value != int(value), otypes=[bool])(array)
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
    rows, silent, wrong = probability_rows(array)
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
        is_object = isinstance(value, ImpreciseVote)
        numbered[at] = listed.code(value) if is_object else value
        if not is_object and isinstance(value, int | np.integer) and value < ERROR:
            raise ValueError(f"votes: {value} at {list(at)} is no class index, -1 or -2")
    if not len(listed):
        return array, None
    whole = all(is_number(value) and value == int(value) for value in numbered.flat)
    return numbered.astype(np.int64) if whole else numbered, listed


def _codebook_of(votes: Any) -> Codebook | None:
    """The codebook of weaklabel's Votes."""
    symbols = getattr(votes, "symbols", None)
    return Codebook(symbols.sets, symbols.soft) if symbols is not None and len(symbols) else None


def _integers(values: Any, name: str) -> IntArray:
    read = column_of(read_array(values, name))
    array = read.values
    if (at := read.first_missing) is not None:
        raise ValueError(f"{name}: {place_of(at)} is missing")
    if array.dtype.kind == "O":
        whole = all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in array.flat)
    else:
        whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.trunc(array)).all()))
    if array.ndim != 1 or (not whole and array.size):
        hint = "; of names, write indices, and the names as source_names or item_ids"
        raise ValueError(
            f"{name}: one dimension of integers is expected, this is {array.dtype} {list(array.shape)}"
            + (hint if array.dtype.kind == "O" else "")
        )
    return array.astype(np.int64)


def _refuse(array: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"votes: row {row}, column {column} is {array[row, column]}: {expected}")
