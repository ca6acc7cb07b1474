from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from weaklabel_protocol.v1 import operations_pb2 as _operations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PromptVotes(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_VOTES_UNSPECIFIED: _ClassVar[PromptVotes]
    PROMPT_VOTES_ANSWER: _ClassVar[PromptVotes]
    PROMPT_VOTES_LOGPROBS: _ClassVar[PromptVotes]
PROMPT_VOTES_UNSPECIFIED: PromptVotes
PROMPT_VOTES_ANSWER: PromptVotes
PROMPT_VOTES_LOGPROBS: PromptVotes

class PromptClasses(_message.Message):
    __slots__ = ("indices",)
    INDICES_FIELD_NUMBER: _ClassVar[int]
    indices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, indices: _Optional[_Iterable[int]] = ...) -> None: ...

class PromptDistribution(_message.Message):
    __slots__ = ("probabilities",)
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, probabilities: _Optional[_Iterable[float]] = ...) -> None: ...

class PromptAnswer(_message.Message):
    __slots__ = ("text", "label", "one_of", "none_of", "soft")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ONE_OF_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    text: str
    label: int
    one_of: PromptClasses
    none_of: PromptClasses
    soft: PromptDistribution
    def __init__(self, text: _Optional[str] = ..., label: _Optional[int] = ..., one_of: _Optional[_Union[PromptClasses, _Mapping]] = ..., none_of: _Optional[_Union[PromptClasses, _Mapping]] = ..., soft: _Optional[_Union[PromptDistribution, _Mapping]] = ...) -> None: ...

class PromptExample(_message.Message):
    __slots__ = ("fields", "answer")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.ScalarMap[str, str]
    answer: str
    def __init__(self, fields: _Optional[_Mapping[str, str]] = ..., answer: _Optional[str] = ...) -> None: ...

class PromptShortlist(_message.Message):
    __slots__ = ("size", "field", "candidates", "none", "pick", "descriptions")
    class DescriptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    NONE_FIELD_NUMBER: _ClassVar[int]
    PICK_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    size: int
    field: str
    candidates: str
    none: str
    pick: int
    descriptions: _containers.ScalarMap[str, str]
    def __init__(self, size: _Optional[int] = ..., field: _Optional[str] = ..., candidates: _Optional[str] = ..., none: _Optional[str] = ..., pick: _Optional[int] = ..., descriptions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("name", "model", "template", "answers", "endpoint", "family", "votes", "samples", "temperature", "max_tokens", "parameters", "structured", "calibrate", "examples", "example_count", "shortlist", "instructions", "show_answers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    STRUCTURED_FIELD_NUMBER: _ClassVar[int]
    CALIBRATE_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHORTLIST_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    SHOW_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    template: str
    answers: _containers.RepeatedCompositeFieldContainer[PromptAnswer]
    endpoint: str
    family: str
    votes: PromptVotes
    samples: int
    temperature: float
    max_tokens: int
    parameters: _struct_pb2.Struct
    structured: bool
    calibrate: bool
    examples: _containers.RepeatedCompositeFieldContainer[PromptExample]
    example_count: int
    shortlist: PromptShortlist
    instructions: str
    show_answers: bool
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., template: _Optional[str] = ..., answers: _Optional[_Iterable[_Union[PromptAnswer, _Mapping]]] = ..., endpoint: _Optional[str] = ..., family: _Optional[str] = ..., votes: _Optional[_Union[PromptVotes, str]] = ..., samples: _Optional[int] = ..., temperature: _Optional[float] = ..., max_tokens: _Optional[int] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., structured: bool = ..., calibrate: bool = ..., examples: _Optional[_Iterable[_Union[PromptExample, _Mapping]]] = ..., example_count: _Optional[int] = ..., shortlist: _Optional[_Union[PromptShortlist, _Mapping]] = ..., instructions: _Optional[str] = ..., show_answers: bool = ...) -> None: ...

class PromptPlan(_message.Message):
    __slots__ = ("name", "model", "calls", "cached", "errors", "input_tokens", "output_tokens", "most_tokens", "money", "most_money")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MOST_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    MOST_MONEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    calls: int
    cached: int
    errors: int
    input_tokens: float
    output_tokens: float
    most_tokens: float
    money: float
    most_money: float
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., calls: _Optional[int] = ..., cached: _Optional[int] = ..., errors: _Optional[int] = ..., input_tokens: _Optional[float] = ..., output_tokens: _Optional[float] = ..., most_tokens: _Optional[float] = ..., money: _Optional[float] = ..., most_money: _Optional[float] = ...) -> None: ...

class PromptSpending(_message.Message):
    __slots__ = ("money", "tokens", "unconfirmed_money", "unconfirmed_tokens", "budget_money", "budget_tokens")
    MONEY_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_MONEY_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MONEY_FIELD_NUMBER: _ClassVar[int]
    BUDGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    money: float
    tokens: float
    unconfirmed_money: float
    unconfirmed_tokens: float
    budget_money: float
    budget_tokens: float
    def __init__(self, money: _Optional[float] = ..., tokens: _Optional[float] = ..., unconfirmed_money: _Optional[float] = ..., unconfirmed_tokens: _Optional[float] = ..., budget_money: _Optional[float] = ..., budget_tokens: _Optional[float] = ...) -> None: ...

class PromptSummary(_message.Message):
    __slots__ = ("name", "group", "voted", "abstained", "errors", "refused", "missing", "agreement", "calls", "cached", "input_tokens", "output_tokens", "money", "calibrated", "plain", "price_unknown")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    VOTED_FIELD_NUMBER: _ClassVar[int]
    ABSTAINED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    PLAIN_FIELD_NUMBER: _ClassVar[int]
    PRICE_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    name: str
    group: str
    voted: int
    abstained: int
    errors: int
    refused: int
    missing: int
    agreement: float
    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float
    calibrated: bool
    plain: int
    price_unknown: bool
    def __init__(self, name: _Optional[str] = ..., group: _Optional[str] = ..., voted: _Optional[int] = ..., abstained: _Optional[int] = ..., errors: _Optional[int] = ..., refused: _Optional[int] = ..., missing: _Optional[int] = ..., agreement: _Optional[float] = ..., calls: _Optional[int] = ..., cached: _Optional[int] = ..., input_tokens: _Optional[float] = ..., output_tokens: _Optional[float] = ..., money: _Optional[float] = ..., calibrated: bool = ..., plain: _Optional[int] = ..., price_unknown: bool = ...) -> None: ...

class PromptFailure(_message.Message):
    __slots__ = ("prompt", "row", "reason")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    row: int
    reason: str
    def __init__(self, prompt: _Optional[str] = ..., row: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class PromptRun(_message.Message):
    __slots__ = ("name", "operation", "items", "votes_version", "prompts", "spending", "budget_reached", "failures", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    BUDGET_REACHED_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    operation: str
    items: str
    votes_version: int
    prompts: _containers.RepeatedCompositeFieldContainer[PromptSummary]
    spending: PromptSpending
    budget_reached: bool
    failures: _containers.RepeatedCompositeFieldContainer[PromptFailure]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., operation: _Optional[str] = ..., items: _Optional[str] = ..., votes_version: _Optional[int] = ..., prompts: _Optional[_Iterable[_Union[PromptSummary, _Mapping]]] = ..., spending: _Optional[_Union[PromptSpending, _Mapping]] = ..., budget_reached: bool = ..., failures: _Optional[_Iterable[_Union[PromptFailure, _Mapping]]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PlanPromptsRequest(_message.Message):
    __slots__ = ("parent", "prompts", "items")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    items: str
    def __init__(self, parent: _Optional[str] = ..., prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., items: _Optional[str] = ...) -> None: ...

class PlanPromptsResponse(_message.Message):
    __slots__ = ("prompts", "spending")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedCompositeFieldContainer[PromptPlan]
    spending: PromptSpending
    def __init__(self, prompts: _Optional[_Iterable[_Union[PromptPlan, _Mapping]]] = ..., spending: _Optional[_Union[PromptSpending, _Mapping]] = ...) -> None: ...

class RunPromptsRequest(_message.Message):
    __slots__ = ("parent", "prompts", "items", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    items: str
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., items: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RunPromptsResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class GetPromptRunRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetPromptRunResponse(_message.Message):
    __slots__ = ("prompt_run",)
    PROMPT_RUN_FIELD_NUMBER: _ClassVar[int]
    prompt_run: PromptRun
    def __init__(self, prompt_run: _Optional[_Union[PromptRun, _Mapping]] = ...) -> None: ...

class ListPromptRunsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPromptRunsResponse(_message.Message):
    __slots__ = ("prompt_runs", "next_page_token")
    PROMPT_RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    prompt_runs: _containers.RepeatedCompositeFieldContainer[PromptRun]
    next_page_token: str
    def __init__(self, prompt_runs: _Optional[_Iterable[_Union[PromptRun, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetPromptSpendingRequest(_message.Message):
    __slots__ = ("parent",)
    PARENT_FIELD_NUMBER: _ClassVar[int]
    parent: str
    def __init__(self, parent: _Optional[str] = ...) -> None: ...

class GetPromptSpendingResponse(_message.Message):
    __slots__ = ("spending",)
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    spending: PromptSpending
    def __init__(self, spending: _Optional[_Union[PromptSpending, _Mapping]] = ...) -> None: ...
