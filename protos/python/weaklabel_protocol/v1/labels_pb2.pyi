from weaklabel_protocol.v1 import side_data_pb2 as _side_data_pb2
from weaklabel_protocol.v1 import symbols_pb2 as _symbols_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadSoftLabelsRequest(_message.Message):
    __slots__ = ("model", "row_offset", "row_limit")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    row_limit: int
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., row_limit: _Optional[int] = ...) -> None: ...

class ReadSoftLabelsResponse(_message.Message):
    __slots__ = ("model", "row_offset", "item_ids", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("model", "sources", "votes", "codebook", "side")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    side: _side_data_pb2.SideRows
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., side: _Optional[_Union[_side_data_pb2.SideRows, _Mapping]] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("model", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class PredictStreamRequest(_message.Message):
    __slots__ = ("model", "sources", "votes", "codebook", "side")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    side: _side_data_pb2.SideRows
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., side: _Optional[_Union[_side_data_pb2.SideRows, _Mapping]] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("model", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class NextToLabelRequest(_message.Message):
    __slots__ = ("model", "n", "seed", "gold")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    n: int
    seed: int
    gold: str
    def __init__(self, model: _Optional[str] = ..., n: _Optional[int] = ..., seed: _Optional[int] = ..., gold: _Optional[str] = ...) -> None: ...

class NextToLabelResponse(_message.Message):
    __slots__ = ("model", "positions", "item_ids", "weights")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, model: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., item_ids: _Optional[_Iterable[str]] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...
