import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weaklabel_protocol.tensors import from_tensor, to_tensor
from weaklabel_protocol.v1 import tensor_pb2


@pytest.mark.parametrize(
    ("values", "data_type", "code"),
    [
        ([[-128, 127]], tensor_pb2.DATA_TYPE_INT8, "<2b"),
        ([[-1, 128]], tensor_pb2.DATA_TYPE_INT16, "<2h"),
        ([[-32769, 0]], tensor_pb2.DATA_TYPE_INT32, "<2i"),
        ([[0.5, -2.0]], tensor_pb2.DATA_TYPE_FLOAT32, "<2f"),
    ],
)
def test_bytes_are_those_of_the_contract(values: list[list[float]], data_type: int, code: str) -> None:
    tensor = to_tensor(np.array(values))
    assert tensor.data_type == data_type
    assert (tensor.rows, tensor.columns) == (1, 2)
    assert tensor.data == struct.pack(code, *values[0])


@given(
    hnp.arrays(
        dtype=st.sampled_from(["i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "u1"]),
        shape=hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7),
        elements=st.integers(0, 127),
    ),
    st.sampled_from(["C", "F", "reversed", "strided"]),
)
def test_round_trip_of_any_layout_and_byte_order(array: npt.NDArray[np.int64], layout: str) -> None:
    given_array = {
        "C": array,
        "F": np.asfortranarray(array),
        "reversed": array[::-1, ::-1],
        "strided": np.repeat(array, 2, axis=1)[:, ::2],
    }[layout]
    decoded = from_tensor(to_tensor(given_array))
    np.testing.assert_array_equal(decoded, given_array)
    assert decoded.dtype == np.int8


def test_a_type_can_be_asked_for() -> None:
    assert from_tensor(to_tensor(np.array([[1]]), np.int32)).dtype == np.int32


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, dtype=np.int8), "two dimensions"),
        (np.array([["a"]]), "not <U1"),
        (np.array([[2**31]]), "do not fit into 32 bits"),
    ],
)
def test_what_cannot_be_sent_is_refused(array: npt.NDArray[np.int64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_tensor(array)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (tensor_pb2.Tensor(data_type="DATA_TYPE_INT16", rows=2, columns=3, data=b"12345678901"), "has 11 bytes"),
        (tensor_pb2.Tensor(data_type="DATA_TYPE_INT8", rows=2**32 - 1, columns=2**32 - 1), "take 18446744065119617025"),
        (tensor_pb2.Tensor(rows=1, columns=1, data=b"1"), "data_type 0"),
    ],
)
def test_what_does_not_fit_its_shape_is_refused(tensor: tensor_pb2.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_tensor(tensor)
