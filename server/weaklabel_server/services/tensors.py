"""Votes in requests: the shape and every value are checked, and the first fault is named by its place."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN, ERROR, label_dtype
from weaklabel_client._gen import tensor_pb2
from weaklabel_client._tensors import from_tensor
from weaklabel_server.errors import invalid
from weaklabel_server.store.chunks import Codes

MAX_ROWS = 65_536

_INTEGERS = (tensor_pb2.DATA_TYPE_INT8, tensor_pb2.DATA_TYPE_INT16, tensor_pb2.DATA_TYPE_INT32)


def read_codes(tensor: tensor_pb2.Tensor, *, field: str, sources: Sequence[str], n_classes: int) -> Codes:
    """Votes, ABSTAIN and ERROR as [rows, len(sources)] of the smallest type that holds K classes.

    Args:
        tensor: The votes.
        field: Where the tensor stands in the request.
        sources: Names of the columns.
        n_classes: K.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not 1 <= tensor.rows <= MAX_ROWS:
        raise invalid(f"{field}.rows", f"1 to {MAX_ROWS} rows, got {tensor.rows}")
    if tensor.columns != len(sources):
        raise invalid(f"{field}.columns", f"one column for each of the {len(sources)} sources, got {tensor.columns}")
    codes = _integers(tensor, field=field)
    if int(codes.min()) < ERROR or int(codes.max()) >= n_classes:
        row, column = np.argwhere((codes < ERROR) | (codes >= n_classes))[0]
        raise invalid(
            f"{field}.data",
            f"row {row}, column {column} (source '{sources[column]}'): label {codes[row, column]} is outside "
            f"{_allowed(n_classes)}",
        )
    return codes.astype(label_dtype(n_classes))


def read_triples(
    tensor: tensor_pb2.Tensor, *, field: str, rows: int, sources: Sequence[str], n_classes: int
) -> NDArray[np.int32]:
    """Sparse votes as [votes, 3] of (row, column, label). Arguments and errors as read_codes."""
    if tensor.columns != 3:
        raise invalid(f"{field}.columns", f"3 columns (row, column, label), got {tensor.columns}")
    if tensor.data_type != tensor_pb2.DATA_TYPE_INT32:
        raise invalid(f"{field}.data_type", f"DATA_TYPE_INT32, got {_type_name(tensor.data_type)}")
    triples: NDArray[np.int32] = _integers(tensor, field=field)
    if not len(triples):
        return triples
    bounds = (("row", 0, rows - 1), ("column", 0, len(sources) - 1))
    for index, (what, low, high) in enumerate(bounds):
        values = triples[:, index]
        if int(values.min()) < low or int(values.max()) > high:
            at = int(np.argmax((values < low) | (values > high)))
            raise invalid(f"{field}.data", f"triple {at}: {what} {values[at]} is outside {low}..{high}")
    labels = triples[:, 2]
    if int(labels.min()) < ERROR or int(labels.max()) >= n_classes:
        at = int(np.argmax((labels < ERROR) | (labels >= n_classes)))
        row, column, label = triples[at]
        raise invalid(
            f"{field}.data",
            f"triple {at} (row {row}, source '{sources[column]}'): label {label} is outside {_allowed(n_classes)}",
        )
    return triples


def _integers(tensor: tensor_pb2.Tensor, *, field: str) -> Codes:
    if tensor.data_type not in _INTEGERS:
        raise invalid(
            f"{field}.data_type",
            f"DATA_TYPE_INT8, DATA_TYPE_INT16 or DATA_TYPE_INT32, got {_type_name(tensor.data_type)}",
        )
    try:
        return from_tensor(tensor)
    except ValueError as error:
        raise invalid(f"{field}.data", str(error)) from None


def _type_name(data_type: int) -> str:
    known = tensor_pb2.DataType.DESCRIPTOR.values_by_number.get(data_type)
    return known.name if known else str(data_type)


def _allowed(n_classes: int) -> str:
    return f"0..{n_classes - 1} and neither {ABSTAIN} nor {ERROR}"
