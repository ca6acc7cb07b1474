from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GivenLabels(_message.Message):
    __slots__ = ("source", "model", "side_data")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SIDE_DATA_FIELD_NUMBER: _ClassVar[int]
    source: str
    model: str
    side_data: str
    def __init__(self, source: _Optional[str] = ..., model: _Optional[str] = ..., side_data: _Optional[str] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("value", "low", "high", "confidence", "label_count", "gold_only_low", "gold_only_high", "unexplained")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LABEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    GOLD_ONLY_LOW_FIELD_NUMBER: _ClassVar[int]
    GOLD_ONLY_HIGH_FIELD_NUMBER: _ClassVar[int]
    UNEXPLAINED_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    confidence: float
    label_count: float
    gold_only_low: float
    gold_only_high: float
    unexplained: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., confidence: _Optional[float] = ..., label_count: _Optional[float] = ..., gold_only_low: _Optional[float] = ..., gold_only_high: _Optional[float] = ..., unexplained: _Optional[float] = ...) -> None: ...

class GetAccuracyEstimateRequest(_message.Message):
    __slots__ = ("model", "gold", "gold_weight", "confidence", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    gold_weight: str
    confidence: float
    labels: GivenLabels
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., gold_weight: _Optional[str] = ..., confidence: _Optional[float] = ..., labels: _Optional[_Union[GivenLabels, _Mapping]] = ...) -> None: ...

class GetAccuracyEstimateResponse(_message.Message):
    __slots__ = ("model", "accuracy")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    model: str
    accuracy: Estimate
    def __init__(self, model: _Optional[str] = ..., accuracy: _Optional[_Union[Estimate, _Mapping]] = ...) -> None: ...

class GetDifferenceEstimateRequest(_message.Message):
    __slots__ = ("model", "gold", "gold_weight", "confidence", "labels", "others")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    gold_weight: str
    confidence: float
    labels: GivenLabels
    others: GivenLabels
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., gold_weight: _Optional[str] = ..., confidence: _Optional[float] = ..., labels: _Optional[_Union[GivenLabels, _Mapping]] = ..., others: _Optional[_Union[GivenLabels, _Mapping]] = ...) -> None: ...

class GetDifferenceEstimateResponse(_message.Message):
    __slots__ = ("model", "difference")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    model: str
    difference: Estimate
    def __init__(self, model: _Optional[str] = ..., difference: _Optional[_Union[Estimate, _Mapping]] = ...) -> None: ...

class ReadBalanceEstimatesRequest(_message.Message):
    __slots__ = ("model", "gold", "gold_weight", "confidence")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    gold_weight: str
    confidence: float
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., gold_weight: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class ReadBalanceEstimatesResponse(_message.Message):
    __slots__ = ("model", "shares")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    model: str
    shares: _containers.RepeatedCompositeFieldContainer[Estimate]
    def __init__(self, model: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[Estimate, _Mapping]]] = ...) -> None: ...

class ReadRateEstimatesRequest(_message.Message):
    __slots__ = ("model", "gold", "gold_weight", "confidence", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    gold: str
    gold_weight: str
    confidence: float
    labels: GivenLabels
    def __init__(self, model: _Optional[str] = ..., gold: _Optional[str] = ..., gold_weight: _Optional[str] = ..., confidence: _Optional[float] = ..., labels: _Optional[_Union[GivenLabels, _Mapping]] = ...) -> None: ...

class ClassRates(_message.Message):
    __slots__ = ("recall", "specificity", "precision")
    RECALL_FIELD_NUMBER: _ClassVar[int]
    SPECIFICITY_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    recall: Estimate
    specificity: Estimate
    precision: Estimate
    def __init__(self, recall: _Optional[_Union[Estimate, _Mapping]] = ..., specificity: _Optional[_Union[Estimate, _Mapping]] = ..., precision: _Optional[_Union[Estimate, _Mapping]] = ...) -> None: ...

class ReadRateEstimatesResponse(_message.Message):
    __slots__ = ("model", "rates")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    model: str
    rates: _containers.RepeatedCompositeFieldContainer[ClassRates]
    def __init__(self, model: _Optional[str] = ..., rates: _Optional[_Iterable[_Union[ClassRates, _Mapping]]] = ...) -> None: ...

class GetLabelsNeededRequest(_message.Message):
    __slots__ = ("parent", "estimate", "width")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    parent: str
    estimate: Estimate
    width: float
    def __init__(self, parent: _Optional[str] = ..., estimate: _Optional[_Union[Estimate, _Mapping]] = ..., width: _Optional[float] = ...) -> None: ...

class GetLabelsNeededResponse(_message.Message):
    __slots__ = ("label_count",)
    LABEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    label_count: int
    def __init__(self, label_count: _Optional[int] = ...) -> None: ...
