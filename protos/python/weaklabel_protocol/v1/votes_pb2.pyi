from weaklabel_protocol.v1 import symbols_pb2 as _symbols_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UploadVotesOpen(_message.Message):
    __slots__ = ("parent", "upload_id", "sources", "content_digest")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    parent: str
    upload_id: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    content_digest: bytes
    def __init__(self, parent: _Optional[str] = ..., upload_id: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., content_digest: _Optional[bytes] = ...) -> None: ...

class DenseVotes(_message.Message):
    __slots__ = ("votes",)
    VOTES_FIELD_NUMBER: _ClassVar[int]
    votes: _tensor_pb2.Tensor
    def __init__(self, votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class SparseVotes(_message.Message):
    __slots__ = ("triples",)
    TRIPLES_FIELD_NUMBER: _ClassVar[int]
    triples: _tensor_pb2.Tensor
    def __init__(self, triples: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class UploadVotesChunk(_message.Message):
    __slots__ = ("row_offset", "rows", "item_ids", "dense", "sparse", "codebook")
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    row_offset: int
    rows: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    dense: DenseVotes
    sparse: SparseVotes
    codebook: _symbols_pb2.Codebook
    def __init__(self, row_offset: _Optional[int] = ..., rows: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., dense: _Optional[_Union[DenseVotes, _Mapping]] = ..., sparse: _Optional[_Union[SparseVotes, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ...) -> None: ...

class UploadVotesFinish(_message.Message):
    __slots__ = ("total_rows",)
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    total_rows: int
    def __init__(self, total_rows: _Optional[int] = ...) -> None: ...

class UploadVotesRequest(_message.Message):
    __slots__ = ("open", "chunk", "finish")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    open: UploadVotesOpen
    chunk: UploadVotesChunk
    finish: UploadVotesFinish
    def __init__(self, open: _Optional[_Union[UploadVotesOpen, _Mapping]] = ..., chunk: _Optional[_Union[UploadVotesChunk, _Mapping]] = ..., finish: _Optional[_Union[UploadVotesFinish, _Mapping]] = ...) -> None: ...

class UploadVotesResponse(_message.Message):
    __slots__ = ("upload_id", "committed_rows", "finished", "votes_version")
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_ROWS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    committed_rows: int
    finished: bool
    votes_version: int
    def __init__(self, upload_id: _Optional[str] = ..., committed_rows: _Optional[int] = ..., finished: bool = ..., votes_version: _Optional[int] = ...) -> None: ...

class ReadVotesRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "row_offset", "row_limit")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    row_offset: int
    row_limit: int
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., row_offset: _Optional[int] = ..., row_limit: _Optional[int] = ...) -> None: ...

class ReadVotesResponse(_message.Message):
    __slots__ = ("votes_version", "sources", "row_offset", "item_ids", "votes", "codebook")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    row_offset: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    def __init__(self, votes_version: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., row_offset: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ...) -> None: ...
