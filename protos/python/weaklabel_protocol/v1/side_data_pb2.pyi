from google.protobuf import timestamp_pb2 as _timestamp_pb2
from weaklabel_protocol.v1 import symbols_pb2 as _symbols_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SideDataKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_DATA_KIND_UNSPECIFIED: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_GOLD: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_PRIOR: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_GROUPS: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_FEATURES: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_BAGS: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_FIELDS: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_GOLD_WEIGHT: _ClassVar[SideDataKind]
    SIDE_DATA_KIND_LABELS: _ClassVar[SideDataKind]

class BagKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BAG_KIND_UNSPECIFIED: _ClassVar[BagKind]
    BAG_KIND_CLASS_COUNTS: _ClassVar[BagKind]
    BAG_KIND_PROPORTIONS: _ClassVar[BagKind]
    BAG_KIND_AT_LEAST_ONE: _ClassVar[BagKind]
    BAG_KIND_NONE_OF: _ClassVar[BagKind]
    BAG_KIND_SAME_LABEL: _ClassVar[BagKind]
    BAG_KIND_DIFFERENT_LABEL: _ClassVar[BagKind]
SIDE_DATA_KIND_UNSPECIFIED: SideDataKind
SIDE_DATA_KIND_GOLD: SideDataKind
SIDE_DATA_KIND_PRIOR: SideDataKind
SIDE_DATA_KIND_GROUPS: SideDataKind
SIDE_DATA_KIND_FEATURES: SideDataKind
SIDE_DATA_KIND_BAGS: SideDataKind
SIDE_DATA_KIND_FIELDS: SideDataKind
SIDE_DATA_KIND_GOLD_WEIGHT: SideDataKind
SIDE_DATA_KIND_LABELS: SideDataKind
BAG_KIND_UNSPECIFIED: BagKind
BAG_KIND_CLASS_COUNTS: BagKind
BAG_KIND_PROPORTIONS: BagKind
BAG_KIND_AT_LEAST_ONE: BagKind
BAG_KIND_NONE_OF: BagKind
BAG_KIND_SAME_LABEL: BagKind
BAG_KIND_DIFFERENT_LABEL: BagKind

class SideData(_message.Message):
    __slots__ = ("name", "kind", "row_count", "column_count", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLUMN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: SideDataKind
    row_count: int
    column_count: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[SideDataKind, str]] = ..., row_count: _Optional[int] = ..., column_count: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Groups(_message.Message):
    __slots__ = ("names", "indices")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    indices: _tensor_pb2.Tensor
    def __init__(self, names: _Optional[_Iterable[str]] = ..., indices: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class SparseRows(_message.Message):
    __slots__ = ("columns", "lengths", "indices", "values")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    columns: int
    lengths: _tensor_pb2.Tensor
    indices: _tensor_pb2.Tensor
    values: _tensor_pb2.Tensor
    def __init__(self, columns: _Optional[int] = ..., lengths: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., indices: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., values: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class Bags(_message.Message):
    __slots__ = ("kind", "sizes", "items", "item_ids", "values", "tolerance")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    kind: BagKind
    sizes: _tensor_pb2.Tensor
    items: _tensor_pb2.Tensor
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    values: _tensor_pb2.Tensor
    tolerance: float
    def __init__(self, kind: _Optional[_Union[BagKind, str]] = ..., sizes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., items: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ..., values: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., tolerance: _Optional[float] = ...) -> None: ...

class ItemFields(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, str]
    def __init__(self, values: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Fields(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ItemFields]
    def __init__(self, items: _Optional[_Iterable[_Union[ItemFields, _Mapping]]] = ...) -> None: ...

class SideRows(_message.Message):
    __slots__ = ("gold", "prior", "groups", "features", "sparse_features", "bags", "fields", "gold_weight", "labels", "gold_codebook")
    GOLD_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FEATURES_FIELD_NUMBER: _ClassVar[int]
    BAGS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    GOLD_CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    gold: _tensor_pb2.Tensor
    prior: _tensor_pb2.Tensor
    groups: Groups
    features: _tensor_pb2.Tensor
    sparse_features: SparseRows
    bags: Bags
    fields: Fields
    gold_weight: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    gold_codebook: _symbols_pb2.Codebook
    def __init__(self, gold: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., prior: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., groups: _Optional[_Union[Groups, _Mapping]] = ..., features: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., sparse_features: _Optional[_Union[SparseRows, _Mapping]] = ..., bags: _Optional[_Union[Bags, _Mapping]] = ..., fields: _Optional[_Union[Fields, _Mapping]] = ..., gold_weight: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., gold_codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ...) -> None: ...

class UploadSideDataOpen(_message.Message):
    __slots__ = ("parent", "side_data_id", "kind", "content_digest")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_DATA_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    parent: str
    side_data_id: str
    kind: SideDataKind
    content_digest: bytes
    def __init__(self, parent: _Optional[str] = ..., side_data_id: _Optional[str] = ..., kind: _Optional[_Union[SideDataKind, str]] = ..., content_digest: _Optional[bytes] = ...) -> None: ...

class UploadSideDataChunk(_message.Message):
    __slots__ = ("row_offset", "rows", "item_ids", "values")
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    row_offset: int
    rows: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    values: SideRows
    def __init__(self, row_offset: _Optional[int] = ..., rows: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., values: _Optional[_Union[SideRows, _Mapping]] = ...) -> None: ...

class UploadSideDataFinish(_message.Message):
    __slots__ = ("total_rows",)
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    total_rows: int
    def __init__(self, total_rows: _Optional[int] = ...) -> None: ...

class UploadSideDataRequest(_message.Message):
    __slots__ = ("open", "chunk", "finish")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    open: UploadSideDataOpen
    chunk: UploadSideDataChunk
    finish: UploadSideDataFinish
    def __init__(self, open: _Optional[_Union[UploadSideDataOpen, _Mapping]] = ..., chunk: _Optional[_Union[UploadSideDataChunk, _Mapping]] = ..., finish: _Optional[_Union[UploadSideDataFinish, _Mapping]] = ...) -> None: ...

class UploadSideDataResponse(_message.Message):
    __slots__ = ("name", "committed_rows", "finished")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_ROWS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    committed_rows: int
    finished: bool
    def __init__(self, name: _Optional[str] = ..., committed_rows: _Optional[int] = ..., finished: bool = ...) -> None: ...

class GetSideDataRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSideDataResponse(_message.Message):
    __slots__ = ("side_data",)
    SIDE_DATA_FIELD_NUMBER: _ClassVar[int]
    side_data: SideData
    def __init__(self, side_data: _Optional[_Union[SideData, _Mapping]] = ...) -> None: ...

class ListSideDataRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSideDataResponse(_message.Message):
    __slots__ = ("side_data", "next_page_token")
    SIDE_DATA_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    side_data: _containers.RepeatedCompositeFieldContainer[SideData]
    next_page_token: str
    def __init__(self, side_data: _Optional[_Iterable[_Union[SideData, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSideDataRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteSideDataResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
