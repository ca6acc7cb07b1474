from weaklabel_protocol.v1 import estimates_pb2 as _estimates_pb2
from weaklabel_protocol.v1 import models_pb2 as _models_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadLabelErrorsRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "labels", "gold", "families", "seed")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    labels: _estimates_pb2.GivenLabels
    gold: str
    families: _containers.RepeatedCompositeFieldContainer[_models_pb2.SourceFamily]
    seed: int
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., labels: _Optional[_Union[_estimates_pb2.GivenLabels, _Mapping]] = ..., gold: _Optional[str] = ..., families: _Optional[_Iterable[_Union[_models_pb2.SourceFamily, _Mapping]]] = ..., seed: _Optional[int] = ...) -> None: ...

class ReadLabelErrorsResponse(_message.Message):
    __slots__ = ("votes_version", "expected_count", "row_offset", "item_ids", "probabilities", "classes", "reasons")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    expected_count: float
    row_offset: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    classes: _tensor_pb2.Tensor
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, votes_version: _Optional[int] = ..., expected_count: _Optional[float] = ..., row_offset: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., probabilities: _Optional[_Iterable[float]] = ..., classes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...
