from weaklabel_protocol.v1 import estimates_pb2 as _estimates_pb2
from weaklabel_protocol.v1 import inspection_pb2 as _inspection_pb2
from weaklabel_protocol.v1 import label_errors_pb2 as _label_errors_pb2
from weaklabel_protocol.v1 import models_pb2 as _models_pb2
from weaklabel_protocol.v1 import symbols_pb2 as _symbols_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadSourceSummaryRequest(_message.Message):
    __slots__ = ("parent", "votes_version", "gold", "model")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    gold: str
    model: str
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ..., gold: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class SourceSummaryLine(_message.Message):
    __slots__ = ("source", "classes", "candidate_sets", "coverage", "overlaps", "conflicts", "errors", "correct", "incorrect", "empirical_accuracy", "learned_accuracy")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_SETS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    INCORRECT_FIELD_NUMBER: _ClassVar[int]
    EMPIRICAL_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LEARNED_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    source: str
    classes: _containers.RepeatedScalarFieldContainer[int]
    candidate_sets: _symbols_pb2.Codebook
    coverage: float
    overlaps: float
    conflicts: float
    errors: int
    correct: int
    incorrect: int
    empirical_accuracy: float
    learned_accuracy: float
    def __init__(self, source: _Optional[str] = ..., classes: _Optional[_Iterable[int]] = ..., candidate_sets: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., coverage: _Optional[float] = ..., overlaps: _Optional[float] = ..., conflicts: _Optional[float] = ..., errors: _Optional[int] = ..., correct: _Optional[int] = ..., incorrect: _Optional[int] = ..., empirical_accuracy: _Optional[float] = ..., learned_accuracy: _Optional[float] = ...) -> None: ...

class ReadSourceSummaryResponse(_message.Message):
    __slots__ = ("votes_version", "lines")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    lines: _containers.RepeatedCompositeFieldContainer[SourceSummaryLine]
    def __init__(self, votes_version: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[SourceSummaryLine, _Mapping]]] = ...) -> None: ...

class ReadPairwiseAgreementRequest(_message.Message):
    __slots__ = ("parent", "votes_version")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    parent: str
    votes_version: int
    def __init__(self, parent: _Optional[str] = ..., votes_version: _Optional[int] = ...) -> None: ...

class ReadPairwiseAgreementResponse(_message.Message):
    __slots__ = ("votes_version", "sources", "items", "raw", "kappa")
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    KAPPA_FIELD_NUMBER: _ClassVar[int]
    votes_version: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    items: _tensor_pb2.Tensor
    raw: _tensor_pb2.Tensor
    kappa: _tensor_pb2.Tensor
    def __init__(self, votes_version: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., items: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., raw: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., kappa: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class ReadEffectiveVotesRequest(_message.Message):
    __slots__ = ("model", "gold", "families")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    families: _containers.RepeatedCompositeFieldContainer[_models_pb2.SourceFamily]
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., families: _Optional[_Iterable[_Union[_models_pb2.SourceFamily, _Mapping]]] = ...) -> None: ...

class EffectiveVotesSummary(_message.Message):
    __slots__ = ("number", "number_low", "number_high", "item_count", "by_gold", "correlation")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_LOW_FIELD_NUMBER: _ClassVar[int]
    NUMBER_HIGH_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    BY_GOLD_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    number: float
    number_low: float
    number_high: float
    item_count: int
    by_gold: bool
    correlation: float
    def __init__(self, number: _Optional[float] = ..., number_low: _Optional[float] = ..., number_high: _Optional[float] = ..., item_count: _Optional[int] = ..., by_gold: bool = ..., correlation: _Optional[float] = ...) -> None: ...

class FamilyVotes(_message.Message):
    __slots__ = ("family", "number")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    family: str
    number: float
    def __init__(self, family: _Optional[str] = ..., number: _Optional[float] = ...) -> None: ...

class ReadEffectiveVotesResponse(_message.Message):
    __slots__ = ("model", "summary", "families", "sources", "without", "pairs")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    model: str
    summary: EffectiveVotesSummary
    families: _containers.RepeatedCompositeFieldContainer[FamilyVotes]
    sources: _containers.RepeatedScalarFieldContainer[str]
    without: _containers.RepeatedScalarFieldContainer[float]
    pairs: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., summary: _Optional[_Union[EffectiveVotesSummary, _Mapping]] = ..., families: _Optional[_Iterable[_Union[FamilyVotes, _Mapping]]] = ..., sources: _Optional[_Iterable[str]] = ..., without: _Optional[_Iterable[float]] = ..., pairs: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class ReadConfusionMatricesRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ReadConfusionMatricesResponse(_message.Message):
    __slots__ = ("model", "row_offset", "sources", "rows")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    rows: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., rows: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class GetDiagnosticsRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("kind", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class SourceGroup(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, sources: _Optional[_Iterable[int]] = ...) -> None: ...

class Diagnostics(_message.Message):
    __slots__ = ("findings", "risk", "unanimous_items", "unanimous_share", "balance_shift", "worse_than_chance", "constant", "silent", "views", "joint_items", "likelihood_gain", "excess_correlation", "doubt", "copies", "votes_per_parameter", "converged")
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    UNANIMOUS_ITEMS_FIELD_NUMBER: _ClassVar[int]
    UNANIMOUS_SHARE_FIELD_NUMBER: _ClassVar[int]
    BALANCE_SHIFT_FIELD_NUMBER: _ClassVar[int]
    WORSE_THAN_CHANCE_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    JOINT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    LIKELIHOOD_GAIN_FIELD_NUMBER: _ClassVar[int]
    EXCESS_CORRELATION_FIELD_NUMBER: _ClassVar[int]
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    VOTES_PER_PARAMETER_FIELD_NUMBER: _ClassVar[int]
    CONVERGED_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    risk: float
    unanimous_items: int
    unanimous_share: float
    balance_shift: float
    worse_than_chance: _containers.RepeatedScalarFieldContainer[int]
    constant: _containers.RepeatedScalarFieldContainer[int]
    silent: _containers.RepeatedScalarFieldContainer[int]
    views: float
    joint_items: int
    likelihood_gain: float
    excess_correlation: float
    doubt: float
    copies: _containers.RepeatedCompositeFieldContainer[SourceGroup]
    votes_per_parameter: float
    converged: bool
    def __init__(self, findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., risk: _Optional[float] = ..., unanimous_items: _Optional[int] = ..., unanimous_share: _Optional[float] = ..., balance_shift: _Optional[float] = ..., worse_than_chance: _Optional[_Iterable[int]] = ..., constant: _Optional[_Iterable[int]] = ..., silent: _Optional[_Iterable[int]] = ..., views: _Optional[float] = ..., joint_items: _Optional[int] = ..., likelihood_gain: _Optional[float] = ..., excess_correlation: _Optional[float] = ..., doubt: _Optional[float] = ..., copies: _Optional[_Iterable[_Union[SourceGroup, _Mapping]]] = ..., votes_per_parameter: _Optional[float] = ..., converged: bool = ...) -> None: ...

class GetDiagnosticsResponse(_message.Message):
    __slots__ = ("model", "diagnostics", "feature_strength")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_STRENGTH_FIELD_NUMBER: _ClassVar[int]
    model: str
    diagnostics: Diagnostics
    feature_strength: float
    def __init__(self, model: _Optional[str] = ..., diagnostics: _Optional[_Union[Diagnostics, _Mapping]] = ..., feature_strength: _Optional[float] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("model", "gold", "positive")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    positive: int
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., positive: _Optional[int] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("model", "accuracy", "f1", "nll", "brier", "ece", "item_count", "label_accuracy")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    NLL_FIELD_NUMBER: _ClassVar[int]
    BRIER_FIELD_NUMBER: _ClassVar[int]
    ECE_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    LABEL_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    model: str
    accuracy: float
    f1: float
    nll: float
    brier: float
    ece: float
    item_count: int
    label_accuracy: float
    def __init__(self, model: _Optional[str] = ..., accuracy: _Optional[float] = ..., f1: _Optional[float] = ..., nll: _Optional[float] = ..., brier: _Optional[float] = ..., ece: _Optional[float] = ..., item_count: _Optional[int] = ..., label_accuracy: _Optional[float] = ...) -> None: ...
