from weaklabel_protocol.v1 import projects_pb2 as _projects_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCardRequest(_message.Message):
    __slots__ = ("model", "display_name", "version", "license", "description", "url", "creators", "citation", "date", "source_versions", "source_licenses", "files", "gold")
    class SourceVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SourceLicensesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    CREATORS_FIELD_NUMBER: _ClassVar[int]
    CITATION_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LICENSES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    display_name: str
    version: str
    license: str
    description: str
    url: str
    creators: _containers.RepeatedScalarFieldContainer[str]
    citation: str
    date: str
    source_versions: _containers.ScalarMap[str, str]
    source_licenses: _containers.ScalarMap[str, str]
    files: _containers.ScalarMap[str, str]
    gold: str
    def __init__(self, model: _Optional[str] = ..., display_name: _Optional[str] = ..., version: _Optional[str] = ..., license: _Optional[str] = ..., description: _Optional[str] = ..., url: _Optional[str] = ..., creators: _Optional[_Iterable[str]] = ..., citation: _Optional[str] = ..., date: _Optional[str] = ..., source_versions: _Optional[_Mapping[str, str]] = ..., source_licenses: _Optional[_Mapping[str, str]] = ..., files: _Optional[_Mapping[str, str]] = ..., gold: _Optional[str] = ...) -> None: ...

class GetCardResponse(_message.Message):
    __slots__ = ("model", "json", "markdown")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    MARKDOWN_FIELD_NUMBER: _ClassVar[int]
    model: str
    json: str
    markdown: str
    def __init__(self, model: _Optional[str] = ..., json: _Optional[str] = ..., markdown: _Optional[str] = ...) -> None: ...

class ExportProjectRequest(_message.Message):
    __slots__ = ("name", "votes_version", "max_models", "snapshot", "first_file")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VOTES_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_MODELS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FILE_FIELD_NUMBER: _ClassVar[int]
    name: str
    votes_version: int
    max_models: int
    snapshot: str
    first_file: str
    def __init__(self, name: _Optional[str] = ..., votes_version: _Optional[int] = ..., max_models: _Optional[int] = ..., snapshot: _Optional[str] = ..., first_file: _Optional[str] = ...) -> None: ...

class ExportProjectStart(_message.Message):
    __slots__ = ("snapshot", "description")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    snapshot: str
    description: bytes
    def __init__(self, snapshot: _Optional[str] = ..., description: _Optional[bytes] = ...) -> None: ...

class ExportProjectPiece(_message.Message):
    __slots__ = ("file", "data")
    FILE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    file: str
    data: bytes
    def __init__(self, file: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class ExportProjectFileEnd(_message.Message):
    __slots__ = ("file", "size_bytes", "sha256")
    FILE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    file: str
    size_bytes: int
    sha256: bytes
    def __init__(self, file: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class ExportProjectEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExportProjectResponse(_message.Message):
    __slots__ = ("start", "piece", "file_end", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    FILE_END_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: ExportProjectStart
    piece: ExportProjectPiece
    file_end: ExportProjectFileEnd
    end: ExportProjectEnd
    def __init__(self, start: _Optional[_Union[ExportProjectStart, _Mapping]] = ..., piece: _Optional[_Union[ExportProjectPiece, _Mapping]] = ..., file_end: _Optional[_Union[ExportProjectFileEnd, _Mapping]] = ..., end: _Optional[_Union[ExportProjectEnd, _Mapping]] = ...) -> None: ...

class ImportProjectOpen(_message.Message):
    __slots__ = ("name", "request_id", "manifest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    manifest: bytes
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ..., manifest: _Optional[bytes] = ...) -> None: ...

class ImportProjectPiece(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ImportProjectFinish(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ImportProjectRequest(_message.Message):
    __slots__ = ("open", "piece", "finish")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    open: ImportProjectOpen
    piece: ImportProjectPiece
    finish: ImportProjectFinish
    def __init__(self, open: _Optional[_Union[ImportProjectOpen, _Mapping]] = ..., piece: _Optional[_Union[ImportProjectPiece, _Mapping]] = ..., finish: _Optional[_Union[ImportProjectFinish, _Mapping]] = ...) -> None: ...

class ImportProjectResponse(_message.Message):
    __slots__ = ("committed_bytes", "finished", "project")
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    committed_bytes: int
    finished: bool
    project: _projects_pb2.Project
    def __init__(self, committed_bytes: _Optional[int] = ..., finished: bool = ..., project: _Optional[_Union[_projects_pb2.Project, _Mapping]] = ...) -> None: ...
