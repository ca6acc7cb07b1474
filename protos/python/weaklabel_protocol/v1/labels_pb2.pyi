from weaklabel_protocol.v1 import side_data_pb2 as _side_data_pb2
from weaklabel_protocol.v1 import symbols_pb2 as _symbols_pb2
from weaklabel_protocol.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TieBreakPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIE_BREAK_POLICY_UNSPECIFIED: _ClassVar[TieBreakPolicy]
    TIE_BREAK_POLICY_RANDOM: _ClassVar[TieBreakPolicy]
    TIE_BREAK_POLICY_TRUE_RANDOM: _ClassVar[TieBreakPolicy]

class UnseenSources(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNSEEN_SOURCES_UNSPECIFIED: _ClassVar[UnseenSources]
    UNSEEN_SOURCES_IGNORE: _ClassVar[UnseenSources]
    UNSEEN_SOURCES_AVERAGE: _ClassVar[UnseenSources]
TIE_BREAK_POLICY_UNSPECIFIED: TieBreakPolicy
TIE_BREAK_POLICY_RANDOM: TieBreakPolicy
TIE_BREAK_POLICY_TRUE_RANDOM: TieBreakPolicy
UNSEEN_SOURCES_UNSPECIFIED: UnseenSources
UNSEEN_SOURCES_IGNORE: UnseenSources
UNSEEN_SOURCES_AVERAGE: UnseenSources

class ItemSelection(_message.Message):
    __slots__ = ("item_ids", "positions")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., positions: _Optional[_Iterable[int]] = ...) -> None: ...

class ReadSoftLabelsRequest(_message.Message):
    __slots__ = ("model", "row_offset", "row_limit", "items")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    row_limit: int
    items: ItemSelection
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., row_limit: _Optional[int] = ..., items: _Optional[_Union[ItemSelection, _Mapping]] = ...) -> None: ...

class ReadSoftLabelsResponse(_message.Message):
    __slots__ = ("model", "row_offset", "item_ids", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROW_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    row_offset: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., row_offset: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class GetSoftLabelsRequest(_message.Message):
    __slots__ = ("model", "items")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    model: str
    items: ItemSelection
    def __init__(self, model: _Optional[str] = ..., items: _Optional[_Union[ItemSelection, _Mapping]] = ...) -> None: ...

class GetSoftLabelsResponse(_message.Message):
    __slots__ = ("model", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("model", "sources", "votes", "codebook", "side", "tie_break_policy", "unseen")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TIE_BREAK_POLICY_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    side: _side_data_pb2.SideRows
    tie_break_policy: TieBreakPolicy
    unseen: UnseenSources
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., side: _Optional[_Union[_side_data_pb2.SideRows, _Mapping]] = ..., tie_break_policy: _Optional[_Union[TieBreakPolicy, str]] = ..., unseen: _Optional[_Union[UnseenSources, str]] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("model", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class PredictStreamRequest(_message.Message):
    __slots__ = ("model", "sources", "votes", "codebook", "side", "tie_break_policy", "unseen")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TIE_BREAK_POLICY_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    side: _side_data_pb2.SideRows
    tie_break_policy: TieBreakPolicy
    unseen: UnseenSources
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., side: _Optional[_Union[_side_data_pb2.SideRows, _Mapping]] = ..., tie_break_policy: _Optional[_Union[TieBreakPolicy, str]] = ..., unseen: _Optional[_Union[UnseenSources, str]] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("model", "probabilities", "labels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    probabilities: _tensor_pb2.Tensor
    labels: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., probabilities: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., labels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class NextToLabelRequest(_message.Message):
    __slots__ = ("model", "n", "seed", "gold")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    n: int
    seed: int
    gold: str
    def __init__(self, model: _Optional[str] = ..., n: _Optional[int] = ..., seed: _Optional[int] = ..., gold: _Optional[str] = ...) -> None: ...

class NextToLabelResponse(_message.Message):
    __slots__ = ("model", "positions", "item_ids", "weights")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, model: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., item_ids: _Optional[_Iterable[str]] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("model", "items", "sources", "votes", "codebook", "unseen")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    model: str
    items: ItemSelection
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    unseen: UnseenSources
    def __init__(self, model: _Optional[str] = ..., items: _Optional[_Union[ItemSelection, _Mapping]] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., unseen: _Optional[_Union[UnseenSources, str]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("sources", "votes", "vote_texts", "prior", "contributions", "vote_shares", "gold", "probabilities")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    VOTE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    VOTE_SHARES_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _containers.RepeatedScalarFieldContainer[int]
    vote_texts: _containers.RepeatedScalarFieldContainer[str]
    prior: _containers.RepeatedScalarFieldContainer[float]
    contributions: _tensor_pb2.Tensor
    vote_shares: _containers.RepeatedScalarFieldContainer[float]
    gold: _containers.RepeatedScalarFieldContainer[float]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Iterable[int]] = ..., vote_texts: _Optional[_Iterable[str]] = ..., prior: _Optional[_Iterable[float]] = ..., contributions: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., vote_shares: _Optional[_Iterable[float]] = ..., gold: _Optional[_Iterable[float]] = ..., probabilities: _Optional[_Iterable[float]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("model", "classes", "explanations")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    model: str
    classes: _containers.RepeatedScalarFieldContainer[str]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    def __init__(self, model: _Optional[str] = ..., classes: _Optional[_Iterable[str]] = ..., explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ...) -> None: ...

class PredictSetRequest(_message.Message):
    __slots__ = ("model", "sources", "votes", "codebook", "coverage", "unseen")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    CODEBOOK_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    model: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    votes: _tensor_pb2.Tensor
    codebook: _symbols_pb2.Codebook
    coverage: float
    unseen: UnseenSources
    def __init__(self, model: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., votes: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., codebook: _Optional[_Union[_symbols_pb2.Codebook, _Mapping]] = ..., coverage: _Optional[float] = ..., unseen: _Optional[_Union[UnseenSources, str]] = ...) -> None: ...

class PredictSetResponse(_message.Message):
    __slots__ = ("model", "sets")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    model: str
    sets: _tensor_pb2.Tensor
    def __init__(self, model: _Optional[str] = ..., sets: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...
