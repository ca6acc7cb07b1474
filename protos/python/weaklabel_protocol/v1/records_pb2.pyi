from google.protobuf import timestamp_pb2 as _timestamp_pb2
from weaklabel_protocol.v1 import analysis_pb2 as _analysis_pb2
from weaklabel_protocol.v1 import models_pb2 as _models_pb2
from weaklabel_protocol.v1 import tables_pb2 as _tables_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_ROLE_UNSPECIFIED: _ClassVar[RecordRole]
    RECORD_ROLE_VOTES: _ClassVar[RecordRole]
    RECORD_ROLE_GOLD: _ClassVar[RecordRole]
RECORD_ROLE_UNSPECIFIED: RecordRole
RECORD_ROLE_VOTES: RecordRole
RECORD_ROLE_GOLD: RecordRole

class RecordSet(_message.Message):
    __slots__ = ("name", "role", "row_count", "columns", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: RecordRole
    row_count: int
    columns: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[RecordRole, str]] = ..., row_count: _Optional[int] = ..., columns: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UploadRecordsOpen(_message.Message):
    __slots__ = ("parent", "record_set_id", "role", "content_digest")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RECORD_SET_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    parent: str
    record_set_id: str
    role: RecordRole
    content_digest: bytes
    def __init__(self, parent: _Optional[str] = ..., record_set_id: _Optional[str] = ..., role: _Optional[_Union[RecordRole, str]] = ..., content_digest: _Optional[bytes] = ...) -> None: ...

class UploadRecordsChunk(_message.Message):
    __slots__ = ("row_offset", "table")
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    row_offset: int
    table: _tables_pb2.ColumnTable
    def __init__(self, row_offset: _Optional[int] = ..., table: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class UploadRecordsFinish(_message.Message):
    __slots__ = ("total_rows",)
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    total_rows: int
    def __init__(self, total_rows: _Optional[int] = ...) -> None: ...

class UploadRecordsRequest(_message.Message):
    __slots__ = ("open", "chunk", "finish")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    open: UploadRecordsOpen
    chunk: UploadRecordsChunk
    finish: UploadRecordsFinish
    def __init__(self, open: _Optional[_Union[UploadRecordsOpen, _Mapping]] = ..., chunk: _Optional[_Union[UploadRecordsChunk, _Mapping]] = ..., finish: _Optional[_Union[UploadRecordsFinish, _Mapping]] = ...) -> None: ...

class UploadRecordsResponse(_message.Message):
    __slots__ = ("name", "committed_rows", "finished")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_ROWS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    committed_rows: int
    finished: bool
    def __init__(self, name: _Optional[str] = ..., committed_rows: _Optional[int] = ..., finished: bool = ...) -> None: ...

class GetRecordSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRecordSetResponse(_message.Message):
    __slots__ = ("record_set",)
    RECORD_SET_FIELD_NUMBER: _ClassVar[int]
    record_set: RecordSet
    def __init__(self, record_set: _Optional[_Union[RecordSet, _Mapping]] = ...) -> None: ...

class ListRecordSetsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRecordSetsResponse(_message.Message):
    __slots__ = ("record_sets", "next_page_token")
    RECORD_SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    record_sets: _containers.RepeatedCompositeFieldContainer[RecordSet]
    next_page_token: str
    def __init__(self, record_sets: _Optional[_Iterable[_Union[RecordSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteRecordSetRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteRecordSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadRecordsRequest(_message.Message):
    __slots__ = ("name", "row_offset", "row_limit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    row_offset: int
    row_limit: int
    def __init__(self, name: _Optional[str] = ..., row_offset: _Optional[int] = ..., row_limit: _Optional[int] = ...) -> None: ...

class ReadRecordsResponse(_message.Message):
    __slots__ = ("row_offset", "table")
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    row_offset: int
    table: _tables_pb2.ColumnTable
    def __init__(self, row_offset: _Optional[int] = ..., table: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class ReadLabelTableRequest(_message.Message):
    __slots__ = ("model", "table", "row_offset", "row_limit")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    table: str
    row_offset: int
    row_limit: int
    def __init__(self, model: _Optional[str] = ..., table: _Optional[str] = ..., row_offset: _Optional[int] = ..., row_limit: _Optional[int] = ...) -> None: ...

class ReadLabelTableResponse(_message.Message):
    __slots__ = ("model", "row_offset", "table")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    table: _tables_pb2.ColumnTable
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., table: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class PredictRecordsRequest(_message.Message):
    __slots__ = ("model", "records")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    records: _tables_pb2.ColumnTable
    def __init__(self, model: _Optional[str] = ..., records: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class LabelTable(_message.Message):
    __slots__ = ("name", "table")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    table: _tables_pb2.ColumnTable
    def __init__(self, name: _Optional[str] = ..., table: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class PredictRecordsResponse(_message.Message):
    __slots__ = ("model", "tables")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    model: str
    tables: _containers.RepeatedCompositeFieldContainer[LabelTable]
    def __init__(self, model: _Optional[str] = ..., tables: _Optional[_Iterable[_Union[LabelTable, _Mapping]]] = ...) -> None: ...

class PredictRecordsStreamRequest(_message.Message):
    __slots__ = ("model", "records")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    records: _tables_pb2.ColumnTable
    def __init__(self, model: _Optional[str] = ..., records: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ...) -> None: ...

class PredictRecordsStreamResponse(_message.Message):
    __slots__ = ("model", "tables", "ends_answer")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    ENDS_ANSWER_FIELD_NUMBER: _ClassVar[int]
    model: str
    tables: _containers.RepeatedCompositeFieldContainer[LabelTable]
    ends_answer: bool
    def __init__(self, model: _Optional[str] = ..., tables: _Optional[_Iterable[_Union[LabelTable, _Mapping]]] = ..., ends_answer: bool = ...) -> None: ...

class InspectModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ModelFigure(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class InspectModelResponse(_message.Message):
    __slots__ = ("model", "findings", "figures", "tables", "left_out")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    model: str
    findings: _containers.RepeatedCompositeFieldContainer[_analysis_pb2.Finding]
    figures: _containers.RepeatedCompositeFieldContainer[ModelFigure]
    tables: _containers.RepeatedCompositeFieldContainer[LabelTable]
    left_out: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., findings: _Optional[_Iterable[_Union[_analysis_pb2.Finding, _Mapping]]] = ..., figures: _Optional[_Iterable[_Union[ModelFigure, _Mapping]]] = ..., tables: _Optional[_Iterable[_Union[LabelTable, _Mapping]]] = ..., left_out: _Optional[_Iterable[str]] = ...) -> None: ...

class ScoreRecordsRequest(_message.Message):
    __slots__ = ("model", "records", "metrics")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    model: str
    records: _models_pb2.RecordFit
    metrics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., records: _Optional[_Union[_models_pb2.RecordFit, _Mapping]] = ..., metrics: _Optional[_Iterable[str]] = ...) -> None: ...

class ScoreRecordsResponse(_message.Message):
    __slots__ = ("model", "scores")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    model: str
    scores: _containers.RepeatedCompositeFieldContainer[ModelFigure]
    def __init__(self, model: _Optional[str] = ..., scores: _Optional[_Iterable[_Union[ModelFigure, _Mapping]]] = ...) -> None: ...
