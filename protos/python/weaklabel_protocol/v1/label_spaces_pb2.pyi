from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaggingScheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAGGING_SCHEME_UNSPECIFIED: _ClassVar[TaggingScheme]
    TAGGING_SCHEME_BIO: _ClassVar[TaggingScheme]
    TAGGING_SCHEME_IO: _ClassVar[TaggingScheme]
    TAGGING_SCHEME_BIOES: _ClassVar[TaggingScheme]
TAGGING_SCHEME_UNSPECIFIED: TaggingScheme
TAGGING_SCHEME_BIO: TaggingScheme
TAGGING_SCHEME_IO: TaggingScheme
TAGGING_SCHEME_BIOES: TaggingScheme

class LabelSpace(_message.Message):
    __slots__ = ("numbers", "tags", "preferences", "sequence", "ordinal", "tree")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    numbers: NumberSpace
    tags: TagSpace
    preferences: PreferenceSpace
    sequence: SequenceSpace
    ordinal: OrdinalSpace
    tree: TreeSpace
    def __init__(self, numbers: _Optional[_Union[NumberSpace, _Mapping]] = ..., tags: _Optional[_Union[TagSpace, _Mapping]] = ..., preferences: _Optional[_Union[PreferenceSpace, _Mapping]] = ..., sequence: _Optional[_Union[SequenceSpace, _Mapping]] = ..., ordinal: _Optional[_Union[OrdinalSpace, _Mapping]] = ..., tree: _Optional[_Union[TreeSpace, _Mapping]] = ...) -> None: ...

class NumberSpace(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TagSpace(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class PreferenceSpace(_message.Message):
    __slots__ = ("ties",)
    TIES_FIELD_NUMBER: _ClassVar[int]
    ties: bool
    def __init__(self, ties: bool = ...) -> None: ...

class SequenceSpace(_message.Message):
    __slots__ = ("types", "scheme")
    TYPES_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    scheme: TaggingScheme
    def __init__(self, types: _Optional[_Iterable[str]] = ..., scheme: _Optional[_Union[TaggingScheme, str]] = ...) -> None: ...

class OrdinalSpace(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TreeEdge(_message.Message):
    __slots__ = ("node", "parent")
    NODE_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    node: str
    parent: str
    def __init__(self, node: _Optional[str] = ..., parent: _Optional[str] = ...) -> None: ...

class TreeSpace(_message.Message):
    __slots__ = ("edges",)
    EDGES_FIELD_NUMBER: _ClassVar[int]
    edges: _containers.RepeatedCompositeFieldContainer[TreeEdge]
    def __init__(self, edges: _Optional[_Iterable[_Union[TreeEdge, _Mapping]]] = ...) -> None: ...
