"""The codec between numpy arrays and weaklabel.v1.Tensor. The client and the server share it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_protocol.v1 import tensor_pb2

_DTYPES: dict[tensor_pb2.DataType, np.dtype[Any]] = {
    tensor_pb2.DATA_TYPE_INT8: np.dtype("i1"),
    tensor_pb2.DATA_TYPE_INT16: np.dtype("<i2"),
    tensor_pb2.DATA_TYPE_INT32: np.dtype("<i4"),
    tensor_pb2.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.DATA_TYPE_FLOAT64: np.dtype("<f8"),
}
_DATA_TYPES = {dtype: data_type for data_type, dtype in _DTYPES.items()}
_INTEGERS = (np.dtype("i1"), np.dtype("<i2"), np.dtype("<i4"))


def smallest_dtype(array: npt.NDArray[np.integer[Any]]) -> np.dtype[Any]:
    """Returns the smallest integer type of the contract that holds every element of an integer array.

    Raises:
        ValueError: An element does not fit into 32 bits.
    """
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in _INTEGERS:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    raise ValueError(f"integers from {low} to {high} do not fit into 32 bits")


def to_tensor(array: npt.NDArray[Any], dtype: npt.DTypeLike | None = None) -> tensor_pb2.Tensor:
    """Encodes a matrix of any memory layout and byte order.

    Args:
        array: Integers or floating point numbers, [rows, columns].
        dtype: int8, int16, int32, float32 or float64. By default the smallest integer type that holds every element, or
            float32.

    Raises:
        ValueError: The array has not two dimensions, or its elements cannot be sent.
    """
    if array.ndim != 2:
        raise ValueError(f"a tensor has two dimensions, this array has {array.ndim}")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"a tensor holds integers or floating point numbers, not {array.dtype}")
    if dtype is not None:
        target = np.dtype(dtype).newbyteorder("<")
    else:
        target = np.dtype("<f4") if array.dtype.kind == "f" else smallest_dtype(array)
    if target not in _DATA_TYPES:
        raise ValueError(f"a tensor holds int8, int16, int32, float32 or float64, not {np.dtype(dtype)}")
    rows, columns = array.shape
    data = np.ascontiguousarray(array, dtype=target).tobytes()
    return tensor_pb2.Tensor(data_type=_DATA_TYPES[target], rows=rows, columns=columns, data=data)


def sets_to_tensor(sets: npt.NDArray[np.bool_]) -> tensor_pb2.Tensor:
    """Encodes candidate sets [C, K] as Codebook.candidate_sets: one bit per class, the least significant one first."""
    return to_tensor(np.packbits(sets, axis=1, bitorder="little").view(np.int8), np.int8)


def sets_from_tensor(tensor: tensor_pb2.Tensor, n_classes: int) -> npt.NDArray[np.bool_]:
    """Decodes Codebook.candidate_sets, bool [C, K].

    Raises:
        ValueError: It is not a bitmap of K classes; see from_tensor.
    """
    bits = from_tensor(tensor)
    width = -(-n_classes // 8)
    if tensor.data_type != tensor_pb2.DATA_TYPE_INT8 or tensor.columns != width:
        raise ValueError(f"expected are {width} columns of INT8, a bit for each of the {n_classes} classes")
    sets = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little").astype(bool)
    beyond = sets[:, n_classes:].any(1)
    if beyond.any():
        raise ValueError(f"set {int(np.argmax(beyond))} has a class from {n_classes} on")
    return sets[:, :n_classes]


def from_tensor(tensor: tensor_pb2.Tensor) -> npt.NDArray[Any]:
    """Decodes a tensor: a read-only array [rows, columns] of the bytes that it holds.

    Raises:
        ValueError: The data type is not known, or the length of the data is not that of the shape.
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise ValueError(f"data_type {tensor.data_type} is none of int8, int16, int32, float32, float64")
    expected = tensor.rows * tensor.columns * dtype.itemsize
    data = tensor.data  # a copy each time
    if len(data) != expected:
        raise ValueError(
            f"data has {len(data)} bytes; {tensor.rows} rows x {tensor.columns} columns of {dtype.name} take {expected}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(tensor.rows, tensor.columns)
