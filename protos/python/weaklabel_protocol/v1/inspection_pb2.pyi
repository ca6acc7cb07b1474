from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReliabilityCoefficient(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELIABILITY_COEFFICIENT_UNSPECIFIED: _ClassVar[ReliabilityCoefficient]
    RELIABILITY_COEFFICIENT_ALPHA_ORDINAL: _ClassVar[ReliabilityCoefficient]
    RELIABILITY_COEFFICIENT_ALPHA_INTERVAL: _ClassVar[ReliabilityCoefficient]
    RELIABILITY_COEFFICIENT_FLEISS_KAPPA: _ClassVar[ReliabilityCoefficient]
RELIABILITY_COEFFICIENT_UNSPECIFIED: ReliabilityCoefficient
RELIABILITY_COEFFICIENT_ALPHA_ORDINAL: ReliabilityCoefficient
RELIABILITY_COEFFICIENT_ALPHA_INTERVAL: ReliabilityCoefficient
RELIABILITY_COEFFICIENT_FLEISS_KAPPA: ReliabilityCoefficient

class Slicing(_message.Message):
    __slots__ = ("side_data", "fields", "numbers")
    SIDE_DATA_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    side_data: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    numbers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, side_data: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., numbers: _Optional[_Iterable[str]] = ...) -> None: ...

class GetReliabilityRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "coefficient", "confidence", "bootstrap_draws", "seed")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    BOOTSTRAP_DRAWS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    coefficient: ReliabilityCoefficient
    confidence: float
    bootstrap_draws: int
    seed: int
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., coefficient: _Optional[_Union[ReliabilityCoefficient, str]] = ..., confidence: _Optional[float] = ..., bootstrap_draws: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class GetReliabilityResponse(_message.Message):
    __slots__ = ("votes_version", "value", "low", "high", "confidence", "item_count", "vote_count", "coefficient")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    value: float
    low: float
    high: float
    confidence: float
    item_count: int
    vote_count: int
    coefficient: str
    def __init__(self, votes_version: _Optional[int] = ..., value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., confidence: _Optional[float] = ..., item_count: _Optional[int] = ..., vote_count: _Optional[int] = ..., coefficient: _Optional[str] = ...) -> None: ...

class ReadSourcePairsRequest(_message.Message):
    __slots__ = ("model", "gold")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ...) -> None: ...

class ReadSourcePairsResponse(_message.Message):
    __slots__ = ("model", "sources", "pairs", "values", "copies")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    pairs: _tensor_pb2.Tensor
    values: _tensor_pb2.Tensor
    copies: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., pairs: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., values: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., copies: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class ReadSourceConfusionsRequest(_message.Message):
    __slots__ = ("model", "gold", "sources")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadSourceConfusionsResponse(_message.Message):
    __slots__ = ("model", "row_offset", "sources", "counts", "rates", "low", "high")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    counts: _tensor_pb2.Tensor
    rates: _tensor_pb2.Tensor
    low: _tensor_pb2.Tensor
    high: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., counts: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., rates: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., low: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., high: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class ReadContestedItemsRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "model", "item_limit")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ITEM_LIMIT_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    model: str
    item_limit: int
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., model: _Optional[str] = ..., item_limit: _Optional[int] = ...) -> None: ...

class ContestedItem(_message.Message):
    __slots__ = ("position", "item_id", "first", "second", "support_first", "support_second", "probability", "voters", "labels")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIRST_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_SECOND_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    position: int
    item_id: str
    first: int
    second: int
    support_first: float
    support_second: float
    probability: float
    voters: _containers.RepeatedScalarFieldContainer[int]
    labels: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, position: _Optional[int] = ..., item_id: _Optional[str] = ..., first: _Optional[int] = ..., second: _Optional[int] = ..., support_first: _Optional[float] = ..., support_second: _Optional[float] = ..., probability: _Optional[float] = ..., voters: _Optional[_Iterable[int]] = ..., labels: _Optional[_Iterable[int]] = ...) -> None: ...

class ReadContestedItemsResponse(_message.Message):
    __slots__ = ("votes_version", "sources", "items")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    items: _containers.RepeatedCompositeFieldContainer[ContestedItem]
    def __init__(self, votes_version: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., items: _Optional[_Iterable[_Union[ContestedItem, _Mapping]]] = ...) -> None: ...

class ReadMistakesRequest(_message.Message):
    __slots__ = ("model", "gold", "source", "by")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    source: str
    by: Slicing
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., source: _Optional[str] = ..., by: _Optional[_Union[Slicing, _Mapping]] = ...) -> None: ...

class MistakesLine(_message.Message):
    __slots__ = ("column", "value", "vote_count", "wrong", "rate", "low", "high")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VOTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    column: str
    value: str
    vote_count: float
    wrong: float
    rate: float
    low: float
    high: float
    def __init__(self, column: _Optional[str] = ..., value: _Optional[str] = ..., vote_count: _Optional[float] = ..., wrong: _Optional[float] = ..., rate: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class ReadMistakesResponse(_message.Message):
    __slots__ = ("model", "lines")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    model: str
    lines: _containers.RepeatedCompositeFieldContainer[MistakesLine]
    def __init__(self, model: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[MistakesLine, _Mapping]]] = ...) -> None: ...

class ReadLeaveOneOutRequest(_message.Message):
    __slots__ = ("model", "sources", "gold", "keep_fit")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    gold: str
    keep_fit: bool
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., gold: _Optional[str] = ..., keep_fit: bool = ...) -> None: ...

class LeaveOneOutLine(_message.Message):
    __slots__ = ("source", "flipped", "opened", "moved", "accuracy")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FLIPPED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    source: str
    flipped: int
    opened: int
    moved: float
    accuracy: float
    def __init__(self, source: _Optional[str] = ..., flipped: _Optional[int] = ..., opened: _Optional[int] = ..., moved: _Optional[float] = ..., accuracy: _Optional[float] = ...) -> None: ...

class ReadLeaveOneOutResponse(_message.Message):
    __slots__ = ("model", "item_count", "accuracy_with_all", "lines")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_WITH_ALL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    model: str
    item_count: int
    accuracy_with_all: float
    lines: _containers.RepeatedCompositeFieldContainer[LeaveOneOutLine]
    def __init__(self, model: _Optional[str] = ..., item_count: _Optional[int] = ..., accuracy_with_all: _Optional[float] = ..., lines: _Optional[_Iterable[_Union[LeaveOneOutLine, _Mapping]]] = ...) -> None: ...

class ReadScoresRequest(_message.Message):
    __slots__ = ("model", "gold", "metrics", "positive", "by")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    metrics: _containers.RepeatedScalarFieldContainer[str]
    positive: int
    by: Slicing
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., metrics: _Optional[_Iterable[str]] = ..., positive: _Optional[int] = ..., by: _Optional[_Union[Slicing, _Mapping]] = ...) -> None: ...

class ScoreLine(_message.Message):
    __slots__ = ("column", "value", "item_count", "scores")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    column: str
    value: str
    item_count: int
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, column: _Optional[str] = ..., value: _Optional[str] = ..., item_count: _Optional[int] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...

class ReadScoresResponse(_message.Message):
    __slots__ = ("model", "lines")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    model: str
    lines: _containers.RepeatedCompositeFieldContainer[ScoreLine]
    def __init__(self, model: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[ScoreLine, _Mapping]]] = ...) -> None: ...
