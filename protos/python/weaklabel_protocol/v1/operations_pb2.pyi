from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from weaklabel_protocol.v1 import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FitStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIT_STAGE_UNSPECIFIED: _ClassVar[FitStage]
    FIT_STAGE_QUEUED: _ClassVar[FitStage]
    FIT_STAGE_READING: _ClassVar[FitStage]
    FIT_STAGE_FITTING: _ClassVar[FitStage]
    FIT_STAGE_LABELING: _ClassVar[FitStage]
    FIT_STAGE_DONE: _ClassVar[FitStage]

class PromptStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_STAGE_UNSPECIFIED: _ClassVar[PromptStage]
    PROMPT_STAGE_QUEUED: _ClassVar[PromptStage]
    PROMPT_STAGE_READING: _ClassVar[PromptStage]
    PROMPT_STAGE_ASKING: _ClassVar[PromptStage]
    PROMPT_STAGE_STORING: _ClassVar[PromptStage]
    PROMPT_STAGE_DONE: _ClassVar[PromptStage]
FIT_STAGE_UNSPECIFIED: FitStage
FIT_STAGE_QUEUED: FitStage
FIT_STAGE_READING: FitStage
FIT_STAGE_FITTING: FitStage
FIT_STAGE_LABELING: FitStage
FIT_STAGE_DONE: FitStage
PROMPT_STAGE_UNSPECIFIED: PromptStage
PROMPT_STAGE_QUEUED: PromptStage
PROMPT_STAGE_READING: PromptStage
PROMPT_STAGE_ASKING: PromptStage
PROMPT_STAGE_STORING: PromptStage
PROMPT_STAGE_DONE: PromptStage

class FitProgress(_message.Message):
    __slots__ = ("stage", "iteration", "max_iterations", "objective", "change")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    MAX_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    stage: FitStage
    iteration: int
    max_iterations: int
    objective: float
    change: float
    def __init__(self, stage: _Optional[_Union[FitStage, str]] = ..., iteration: _Optional[int] = ..., max_iterations: _Optional[int] = ..., objective: _Optional[float] = ..., change: _Optional[float] = ...) -> None: ...

class PromptProgress(_message.Message):
    __slots__ = ("stage", "total", "done", "cached", "errors", "missing", "money", "tokens", "seconds", "rate")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    stage: PromptStage
    total: int
    done: int
    cached: int
    errors: int
    missing: int
    money: float
    tokens: float
    seconds: float
    rate: float
    def __init__(self, stage: _Optional[_Union[PromptStage, str]] = ..., total: _Optional[int] = ..., done: _Optional[int] = ..., cached: _Optional[int] = ..., errors: _Optional[int] = ..., missing: _Optional[int] = ..., money: _Optional[float] = ..., tokens: _Optional[float] = ..., seconds: _Optional[float] = ..., rate: _Optional[float] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("name", "done", "progress", "error", "model", "prompt_run", "create_time", "end_time", "prompts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_RUN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    done: bool
    progress: FitProgress
    error: _status_pb2.Status
    model: str
    prompt_run: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    prompts: PromptProgress
    def __init__(self, name: _Optional[str] = ..., done: bool = ..., progress: _Optional[_Union[FitProgress, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., model: _Optional[str] = ..., prompt_run: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., prompts: _Optional[_Union[PromptProgress, _Mapping]] = ...) -> None: ...

class GetOperationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: Operation
    def __init__(self, operation: _Optional[_Union[Operation, _Mapping]] = ...) -> None: ...

class ListOperationsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOperationsResponse(_message.Message):
    __slots__ = ("operations", "next_page_token")
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    next_page_token: str
    def __init__(self, operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WaitOperationRequest(_message.Message):
    __slots__ = ("name", "timeout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    timeout: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: Operation
    def __init__(self, operation: _Optional[_Union[Operation, _Mapping]] = ...) -> None: ...

class WatchOperationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: Operation
    def __init__(self, operation: _Optional[_Union[Operation, _Mapping]] = ...) -> None: ...

class CancelOperationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelOperationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
