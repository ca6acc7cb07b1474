"""Tensors of requests: type, shape and values are checked, and the error names the place of the first fault."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import SUM_TOLERANCE, TOLERANCE
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import tensor_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.store.chunks import Codes

_INTEGERS = (tensor_pb2.DATA_TYPE_INT8, tensor_pb2.DATA_TYPE_INT16, tensor_pb2.DATA_TYPE_INT32)


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
        raise invalid(f"{field}.data_type", f"DATA_TYPE_FLOAT32, got {type_name(tensor.data_type)}")
    if tensor.columns != columns:
        raise invalid(f"{field}.columns", f"{columns} columns, got {tensor.columns}")
    floats: NDArray[np.float32] = _decode(tensor, field=field)
    return floats


def read_integers(tensor: tensor_pb2.Tensor, *, field: str) -> Codes:
    """Whole numbers [rows, columns].

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if tensor.data_type not in _INTEGERS:
        raise invalid(
            f"{field}.data_type",
            f"DATA_TYPE_INT8, DATA_TYPE_INT16 or DATA_TYPE_INT32, got {type_name(tensor.data_type)}",
        )
    return _decode(tensor, field=field)


def _decode(tensor: tensor_pb2.Tensor, *, field: str) -> NDArray[Any]:
    try:
        return from_tensor(tensor)
    except ValueError as error:
        raise invalid(f"{field}.data", str(error)) from None


def type_name(data_type: int) -> str:
    """The name of a data type for error messages."""
    known = tensor_pb2.DataType.DESCRIPTOR.values_by_number.get(data_type)
    return known.name if known else str(data_type)
