"""Votes in requests: the shape and every value are checked, and the error names the place of the first fault."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN, ERROR, label_dtype
from weaklabel_protocol.v1 import tensor_pb2, votes_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.codebooks import GivenCodebook, read_codebook
from weaklabel_server.messages.rows import MAX_ROWS
from weaklabel_server.messages.tensors import read_integers, type_name
from weaklabel_server.messages.uploads import check_chunk_rows, read_item_ids
from weaklabel_server.store.chunks import Codes, PackedChunk, pack_dense, pack_sparse


def read_chunk(chunk: votes_pb2.UploadVotesChunk, *, sources: Sequence[str], n_classes: int) -> PackedChunk:
    """Checks a chunk of an upload, and compresses it as it is stored.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    check_chunk_rows(chunk.rows)
    item_ids = read_item_ids(chunk.item_ids, rows=chunk.rows)
    codebook = read_codebook(chunk.codebook, field="chunk.codebook", n_classes=n_classes)
    match chunk.WhichOneof("votes"):
        case "dense":
            tensor = chunk.dense.votes
            if tensor.rows != chunk.rows:
                raise invalid("chunk.dense.votes.rows", f"as many rows as the chunk, {chunk.rows}, got {tensor.rows}")
            codes = read_codes(tensor, field="chunk.dense.votes", sources=sources, codebook=codebook)
            return pack_dense(codes, item_ids, codebook.symbols)
        case "sparse":
            triples = read_triples(
                chunk.sparse.triples,
                field="chunk.sparse.triples",
                rows=chunk.rows,
                sources=sources,
                codebook=codebook,
            )
            return pack_sparse(triples, chunk.rows, item_ids, codebook.symbols)
        case _:
            raise invalid("chunk.votes", "one of dense and sparse must be set")


def read_codes(tensor: tensor_pb2.Tensor, *, field: str, sources: Sequence[str], codebook: GivenCodebook) -> Codes:
    """Votes, ABSTAIN and ERROR as [rows, len(sources)] of the smallest type that holds them.

    Args:
        tensor: The votes.
        field: Where the tensor stands in the request.
        sources: Names of the columns.
        codebook: What the labels from K on stand for; the codes returned are those of its symbols.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not 1 <= tensor.rows <= MAX_ROWS:
        raise invalid(f"{field}.rows", f"1 to {MAX_ROWS} rows, got {tensor.rows}")
    if tensor.columns != len(sources):
        raise invalid(f"{field}.columns", f"one column for each of the {len(sources)} sources, got {tensor.columns}")
    codes = read_integers(tensor, field=field)
    limit = codebook.limit
    if int(codes.min()) < ERROR or int(codes.max()) >= limit:
        row, column = np.argwhere((codes < ERROR) | (codes >= limit))[0]
        raise invalid(
            f"{field}.data",
            f"row {row}, column {column} (source '{sources[column]}'): label {codes[row, column]} is outside "
            f"{_allowed(codebook)}",
        )
    symbols = codebook.symbols
    return codebook.translate(codes).astype(label_dtype(symbols.n_classes + len(symbols)))


def read_triples(
    tensor: tensor_pb2.Tensor, *, field: str, rows: int, sources: Sequence[str], codebook: GivenCodebook
) -> NDArray[np.int32]:
    """Sparse votes as [votes, 3] of (row, column, label). Arguments and errors as read_codes."""
    if tensor.columns != 3:
        raise invalid(f"{field}.columns", f"3 columns (row, column, label), got {tensor.columns}")
    if tensor.data_type != tensor_pb2.DATA_TYPE_INT32:
        raise invalid(f"{field}.data_type", f"DATA_TYPE_INT32, got {type_name(tensor.data_type)}")
    triples: NDArray[np.int32] = read_integers(tensor, field=field)
    if not len(triples):
        return triples
    bounds = (("row", 0, rows - 1), ("column", 0, len(sources) - 1))
    for index, (what, low, high) in enumerate(bounds):
        values = triples[:, index]
        if int(values.min()) < low or int(values.max()) > high:
            at = int(np.argmax((values < low) | (values > high)))
            raise invalid(f"{field}.data", f"triple {at}: {what} {values[at]} is outside {low}..{high}")
    labels = triples[:, 2]
    limit = codebook.limit
    if int(labels.min()) < ERROR or int(labels.max()) >= limit:
        at = int(np.argmax((labels < ERROR) | (labels >= limit)))
        row, column, label = triples[at]
        raise invalid(
            f"{field}.data",
            f"triple {at} (row {row}, source '{sources[column]}'): label {label} is outside {_allowed(codebook)}",
        )
    return np.column_stack([triples[:, :2], codebook.translate(labels).astype(np.int32)])


def _allowed(codebook: GivenCodebook) -> str:
    n_classes, n_given = codebook.symbols.n_classes, codebook.n_given
    symbols = f", none of the {n_given} symbols {n_classes}..{codebook.limit - 1}" if n_given else ""
    return f"0..{n_classes - 1}{symbols} and neither {ABSTAIN} nor {ERROR}"
