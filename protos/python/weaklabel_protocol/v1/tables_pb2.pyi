from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TextColumn(_message.Message):
    __slots__ = ("names", "indices")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    indices: _tensor_pb2.Tensor
    def __init__(self, names: _Optional[_Iterable[str]] = ..., indices: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("name", "texts", "numbers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    texts: TextColumn
    numbers: _tensor_pb2.Tensor
    def __init__(self, name: _Optional[str] = ..., texts: _Optional[_Union[TextColumn, _Mapping]] = ..., numbers: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class ColumnTable(_message.Message):
    __slots__ = ("rows", "columns")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ...) -> None: ...
