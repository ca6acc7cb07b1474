from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Codebook(_message.Message):
    __slots__ = ("class_count", "candidate_sets", "soft_votes")
    CLASS_COUNT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_SETS_FIELD_NUMBER: _ClassVar[int]
    SOFT_VOTES_FIELD_NUMBER: _ClassVar[int]
    class_count: int
    candidate_sets: _tensor_pb2.Tensor
    soft_votes: _tensor_pb2.Tensor
    def __init__(self, class_count: _Optional[int] = ..., candidate_sets: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., soft_votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...
