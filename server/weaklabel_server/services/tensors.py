"""Votes in requests: the shape and every value are checked, and the first fault is named by its place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN, ERROR, label_dtype
from weaklabel.votes.symbols import SUM_TOLERANCE, TOLERANCE, Symbols, translation
from weaklabel_protocol.tensors import from_tensor, sets_from_tensor, sets_to_tensor, to_tensor
from weaklabel_protocol.v1 import symbols_pb2, tensor_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.store.chunks import Codes

MAX_ROWS = 65_536

_INTEGERS = (tensor_pb2.DATA_TYPE_INT8, tensor_pb2.DATA_TYPE_INT16, tensor_pb2.DATA_TYPE_INT32)


class GivenCodebook(NamedTuple):
    """A codebook as a request gives it."""

    symbols: Symbols
    n_given: int
    table: Codes | None
    """From the labels of the request to the codes of `symbols`; None where they are the same."""

    @property
    def limit(self) -> int:
        """The first label that means nothing."""
        return self.symbols.n_classes + self.n_given

    def translate(self, labels: Codes) -> Codes:
        """Labels of the request as codes of `symbols`."""
        return labels if self.table is None else self.table[labels]


def read_codebook(message: symbols_pb2.Codebook, *, field: str, n_classes: int) -> GivenCodebook:
    """What the labels of a request from K on stand for.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    none = Symbols.empty(n_classes)
    if message.class_count not in (0, n_classes) or (message.ByteSize() and not message.class_count):
        raise invalid(f"{field}.class_count", f"the number of classes, {n_classes}, got {message.class_count}")
    sets, soft = none.sets, none.soft
    if message.HasField("candidate_sets"):
        try:
            sets = sets_from_tensor(message.candidate_sets, n_classes)
        except ValueError as error:
            raise invalid(f"{field}.candidate_sets", str(error)) from None
        if not sets.any(1).all():
            raise invalid(f"{field}.candidate_sets.data", f"set {int(np.argmin(sets.any(1)))} has no class")
    if message.HasField("soft_votes"):
        soft = read_distributions(message.soft_votes, field=f"{field}.soft_votes", n_classes=n_classes)
    if not len(sets) and not len(soft):
        return GivenCodebook(none, 0, None)
    symbols, codes = Symbols.of(sets, soft)
    return GivenCodebook(symbols, len(codes), translation(n_classes, codes))


def write_codebook(symbols: Symbols) -> symbols_pb2.Codebook | None:
    """The message of a codebook; None where it is empty."""
    if not len(symbols):
        return None
    return symbols_pb2.Codebook(
        class_count=symbols.n_classes,
        candidate_sets=sets_to_tensor(symbols.sets) if len(symbols.sets) else None,
        soft_votes=to_tensor(symbols.soft) if len(symbols.soft) else None,
    )


def read_distributions(
    tensor: tensor_pb2.Tensor, *, field: str, n_classes: int, gaps: bool = False
) -> NDArray[np.float32]:
    """Rows of K probabilities, made to sum to 1; with gaps, rows of NaN as well.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    rows = read_floats(tensor, field=field, columns=n_classes).astype(np.float64)
    total = rows.sum(1, keepdims=True)
    wrong = ~((rows >= 0).all(1) & (np.abs(total[:, 0] - 1) <= SUM_TOLERANCE))
    if gaps:
        wrong &= ~np.isnan(rows).all(1)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise invalid(
            f"{field}.data",
            f"row {at}: probabilities of at least 0 that sum to 1 are expected, got {rows[at].tolist()}",
        )
    total[np.abs(total - 1) <= TOLERANCE] = 1  # what was float32 before stays as it is
    shares: NDArray[np.float32] = (rows / total).astype(np.float32)
    return shares


def read_floats(tensor: tensor_pb2.Tensor, *, field: str, columns: int) -> NDArray[np.float32]:
    """FLOAT32 [rows, columns].

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if tensor.data_type != tensor_pb2.DATA_TYPE_FLOAT32:
        raise invalid(f"{field}.data_type", f"DATA_TYPE_FLOAT32, got {_type_name(tensor.data_type)}")
    if tensor.columns != columns:
        raise invalid(f"{field}.columns", f"{columns} columns, got {tensor.columns}")
    floats: NDArray[np.float32] = _decode(tensor, field=field)
    return floats


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
        raise invalid(f"{field}.data_type", f"DATA_TYPE_INT32, got {_type_name(tensor.data_type)}")
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


def read_integers(tensor: tensor_pb2.Tensor, *, field: str) -> Codes:
    """Whole numbers [rows, columns].

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if tensor.data_type not in _INTEGERS:
        raise invalid(
            f"{field}.data_type",
            f"DATA_TYPE_INT8, DATA_TYPE_INT16 or DATA_TYPE_INT32, got {_type_name(tensor.data_type)}",
        )
    return _decode(tensor, field=field)


def _decode(tensor: tensor_pb2.Tensor, *, field: str) -> NDArray[Any]:
    try:
        return from_tensor(tensor)
    except ValueError as error:
        raise invalid(f"{field}.data", str(error)) from None


def _type_name(data_type: int) -> str:
    known = tensor_pb2.DataType.DESCRIPTOR.values_by_number.get(data_type)
    return known.name if known else str(data_type)


def _allowed(codebook: GivenCodebook) -> str:
    n_classes, n_given = codebook.symbols.n_classes, codebook.n_given
    symbols = f", none of the {n_given} symbols {n_classes}..{codebook.limit - 1}" if n_given else ""
    return f"0..{n_classes - 1}{symbols} and neither {ABSTAIN} nor {ERROR}"
