from google.protobuf import timestamp_pb2 as _timestamp_pb2
from weaklabel_protocol.v1 import operations_pb2 as _operations_pb2
from weaklabel_protocol.v1 import tables_pb2 as _tables_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GoldSampling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOLD_SAMPLING_UNSPECIFIED: _ClassVar[GoldSampling]
    GOLD_SAMPLING_RANDOM: _ClassVar[GoldSampling]
    GOLD_SAMPLING_BY_CLASS: _ClassVar[GoldSampling]
GOLD_SAMPLING_UNSPECIFIED: GoldSampling
GOLD_SAMPLING_RANDOM: GoldSampling
GOLD_SAMPLING_BY_CLASS: GoldSampling

class SourceEstimate(_message.Message):
    __slots__ = ("source", "coverage", "accuracy", "accuracy_low", "accuracy_high")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_LOW_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_HIGH_FIELD_NUMBER: _ClassVar[int]
    source: str
    coverage: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    def __init__(self, source: _Optional[str] = ..., coverage: _Optional[float] = ..., accuracy: _Optional[float] = ..., accuracy_low: _Optional[float] = ..., accuracy_high: _Optional[float] = ...) -> None: ...

class GroupBalance(_message.Message):
    __slots__ = ("group", "class_balance")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CLASS_BALANCE_FIELD_NUMBER: _ClassVar[int]
    group: str
    class_balance: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, group: _Optional[str] = ..., class_balance: _Optional[_Iterable[float]] = ...) -> None: ...

class SkillJump(_message.Message):
    __slots__ = ("source", "time", "accuracy_before", "accuracy_after")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_AFTER_FIELD_NUMBER: _ClassVar[int]
    source: str
    time: _timestamp_pb2.Timestamp
    accuracy_before: float
    accuracy_after: float
    def __init__(self, source: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., accuracy_before: _Optional[float] = ..., accuracy_after: _Optional[float] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "votes_version", "item_count", "iteration_count", "converged", "objective", "class_balance", "sources", "warnings", "create_time", "risk", "groups", "side", "doubt", "uploaded", "tables", "source_table", "summary", "records", "over_time", "skill_jumps")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    ITERATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERGED_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    CLASS_BALANCE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TABLE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    OVER_TIME_FIELD_NUMBER: _ClassVar[int]
    SKILL_JUMPS_FIELD_NUMBER: _ClassVar[int]
    name: str
    votes_version: int
    item_count: int
    iteration_count: int
    converged: bool
    objective: _containers.RepeatedScalarFieldContainer[float]
    class_balance: _containers.RepeatedScalarFieldContainer[float]
    sources: _containers.RepeatedCompositeFieldContainer[SourceEstimate]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    risk: float
    groups: _containers.RepeatedCompositeFieldContainer[GroupBalance]
    side: SideInformation
    doubt: float
    uploaded: bool
    tables: _containers.RepeatedCompositeFieldContainer[LabelTableInfo]
    source_table: _tables_pb2.ColumnTable
    summary: str
    records: RecordFit
    over_time: bool
    skill_jumps: _containers.RepeatedCompositeFieldContainer[SkillJump]
    def __init__(self, name: _Optional[str] = ..., votes_version: _Optional[int] = ..., item_count: _Optional[int] = ..., iteration_count: _Optional[int] = ..., converged: bool = ..., objective: _Optional[_Iterable[float]] = ..., class_balance: _Optional[_Iterable[float]] = ..., sources: _Optional[_Iterable[_Union[SourceEstimate, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., risk: _Optional[float] = ..., groups: _Optional[_Iterable[_Union[GroupBalance, _Mapping]]] = ..., side: _Optional[_Union[SideInformation, _Mapping]] = ..., doubt: _Optional[float] = ..., uploaded: bool = ..., tables: _Optional[_Iterable[_Union[LabelTableInfo, _Mapping]]] = ..., source_table: _Optional[_Union[_tables_pb2.ColumnTable, _Mapping]] = ..., summary: _Optional[str] = ..., records: _Optional[_Union[RecordFit, _Mapping]] = ..., over_time: bool = ..., skill_jumps: _Optional[_Iterable[_Union[SkillJump, _Mapping]]] = ...) -> None: ...

class LabelTableInfo(_message.Message):
    __slots__ = ("name", "row_count", "columns")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    name: str
    row_count: int
    columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., row_count: _Optional[int] = ..., columns: _Optional[_Iterable[str]] = ...) -> None: ...

class KindOptions(_message.Message):
    __slots__ = ("common_error", "coverage", "unlisted", "silence", "decoding", "threshold")
    COMMON_ERROR_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    UNLISTED_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    common_error: float
    coverage: float
    unlisted: str
    silence: str
    decoding: str
    threshold: float
    def __init__(self, common_error: _Optional[float] = ..., coverage: _Optional[float] = ..., unlisted: _Optional[str] = ..., silence: _Optional[str] = ..., decoding: _Optional[str] = ..., threshold: _Optional[float] = ...) -> None: ...

class RecordFit(_message.Message):
    __slots__ = ("votes", "gold", "options")
    VOTES_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    votes: _containers.RepeatedScalarFieldContainer[str]
    gold: str
    options: KindOptions
    def __init__(self, votes: _Optional[_Iterable[str]] = ..., gold: _Optional[str] = ..., options: _Optional[_Union[KindOptions, _Mapping]] = ...) -> None: ...

class FitOptions(_message.Message):
    __slots__ = ("seed", "max_iterations")
    SEED_FIELD_NUMBER: _ClassVar[int]
    MAX_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    seed: int
    max_iterations: int
    def __init__(self, seed: _Optional[int] = ..., max_iterations: _Optional[int] = ...) -> None: ...

class SourceBounds(_message.Message):
    __slots__ = ("source", "accuracy_low", "accuracy_high")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_LOW_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_HIGH_FIELD_NUMBER: _ClassVar[int]
    source: str
    accuracy_low: float
    accuracy_high: float
    def __init__(self, source: _Optional[str] = ..., accuracy_low: _Optional[float] = ..., accuracy_high: _Optional[float] = ...) -> None: ...

class SideInformation(_message.Message):
    __slots__ = ("gold", "gold_error", "prior", "groups", "features", "bags", "bounds", "gold_weight", "gold_sampling", "families")
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_ERROR_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    BAGS_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    GOLD_SAMPLING_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    gold: str
    gold_error: float
    prior: str
    groups: str
    features: str
    bags: str
    bounds: _containers.RepeatedCompositeFieldContainer[SourceBounds]
    gold_weight: str
    gold_sampling: GoldSampling
    families: _containers.RepeatedCompositeFieldContainer[SourceFamily]
    def __init__(self, gold: _Optional[str] = ..., gold_error: _Optional[float] = ..., prior: _Optional[str] = ..., groups: _Optional[str] = ..., features: _Optional[str] = ..., bags: _Optional[str] = ..., bounds: _Optional[_Iterable[_Union[SourceBounds, _Mapping]]] = ..., gold_weight: _Optional[str] = ..., gold_sampling: _Optional[_Union[GoldSampling, str]] = ..., families: _Optional[_Iterable[_Union[SourceFamily, _Mapping]]] = ...) -> None: ...

class SourceFamily(_message.Message):
    __slots__ = ("source", "family")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    source: str
    family: str
    def __init__(self, source: _Optional[str] = ..., family: _Optional[str] = ...) -> None: ...

class FitModelRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "options", "request_id", "side", "records", "follow", "over_time")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    OVER_TIME_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    options: FitOptions
    request_id: str
    side: SideInformation
    records: RecordFit
    follow: bool
    over_time: bool
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., options: _Optional[_Union[FitOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., side: _Optional[_Union[SideInformation, _Mapping]] = ..., records: _Optional[_Union[RecordFit, _Mapping]] = ..., follow: bool = ..., over_time: bool = ...) -> None: ...

class FitModelResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class StopFollowingRequest(_message.Message):
    __slots__ = ("parent", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StopFollowingResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteModelRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DownloadModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DownloadModelResponse(_message.Message):
    __slots__ = ("name", "total_bytes", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    total_bytes: int
    data: bytes
    def __init__(self, name: _Optional[str] = ..., total_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadModelOpen(_message.Message):
    __slots__ = ("parent", "votes_version", "request_id", "content_digest")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    request_id: str
    content_digest: bytes
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., request_id: _Optional[str] = ..., content_digest: _Optional[bytes] = ...) -> None: ...

class UploadModelRequest(_message.Message):
    __slots__ = ("open", "data")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    open: UploadModelOpen
    data: bytes
    def __init__(self, open: _Optional[_Union[UploadModelOpen, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
