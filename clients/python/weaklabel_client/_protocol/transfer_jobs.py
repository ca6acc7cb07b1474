"""Projects as folders: exports that go on with the file that was broken off, imports with the byte."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from weaklabel_client._exceptions import ClientError, DeadlineExceeded, InternalError, UploadInterrupted, can_go_on
from weaklabel_client._protocol.calls import new_request_id
from weaklabel_client._protocol.job import WINDOW, Job
from weaklabel_client._protocol.resource_names import project_name
from weaklabel_client._protocol.rpcs import EXPORT_PROJECT, IMPORT_PROJECT
from weaklabel_client._results.types import Project, TransferProgress
from weaklabel_protocol.project_folders import FolderWriter
from weaklabel_protocol.v1 import releases_pb2


class FilePart(NamedTuple):
    """A part of a file that has come: bytes, or its end."""

    file: str
    data: bytes = b""
    begins: bool = False
    """Whether what has come of the file before is dropped."""
    size_bytes: int = 0
    sha256: bytes = b""
    """At its end."""

    def write(self, writer: FolderWriter) -> None:
        """Puts it into a folder.

        Raises:
            ProjectFolderError: The file has another checksum than the server says.
            OSError: It cannot be written.
        """
        if self.begins and writer.next_file:
            writer.drop()
        if self.sha256:
            writer.end_file(self.file, self.size_bytes, self.sha256)
        else:
            writer.write(self.file, self.data)


class ExportJob(Job[releases_pb2.ExportProjectRequest, releases_pb2.ExportProjectResponse, FilePart]):
    """Reads a project as files."""

    rpc = EXPORT_PROJECT

    def __init__(self, project: str, votes_version: int | None, models: int | None) -> None:
        if models is not None and models < 0:
            raise ValueError(f"models: at least 0, got {models}")
        self._request = releases_pb2.ExportProjectRequest(
            name=project_name(project), votes_version=votes_version or 0, max_models=models
        )
        self.description: Mapping[str, Any] = {}
        self._current = ""  # the file that is coming
        self._last = ""  # the last that has come
        self._known = ""  # the one that comes once more, and is left out
        self._again = False

    def connected(self) -> None:
        self.sent_all = False
        self._known = "" if self._current else self._last
        self._again = bool(self._current)

    def requests(self) -> Iterator[releases_pb2.ExportProjectRequest]:
        if not self.sent_all:
            self.sent_all = True
            self._request.first_file = self._current or self._last
            yield self._request

    def received(self, response: releases_pb2.ExportProjectResponse) -> Iterator[FilePart]:
        match response.WhichOneof("message"):
            case "start":
                self._request.snapshot = response.start.snapshot
                self.description = json.loads(response.start.description)
            case "piece" if response.piece.file != self._known:
                self._current = response.piece.file
                begins, self._again = self._again, False
                yield FilePart(self._current, response.piece.data, begins)
            case "file_end" if response.file_end.file == self._known:
                self._known = ""
            case "file_end":
                end = response.file_end
                begins, self._again = self._again and end.size_bytes == 0, False
                self._last, self._current = end.file, ""
                yield FilePart(end.file, b"", begins, end.size_bytes, end.sha256)
            case "end":
                self._done = True


class ImportJob(Job[releases_pb2.ImportProjectRequest, releases_pb2.ImportProjectResponse, TransferProgress]):
    """Sends the files of a folder."""

    rpc = IMPORT_PROJECT

    def __init__(
        self,
        project: str,
        manifest: bytes,
        total_bytes: int,
        pieces: Callable[[int], Iterator[tuple[int, bytes]]],
        import_id: str | None,
    ) -> None:
        """pieces: The bytes of all files from an offset on, with their offsets."""
        self.import_id = new_request_id() if import_id is None else str(uuid.UUID(import_id))
        self._open = releases_pb2.ImportProjectOpen(
            name=project_name(project), request_id=self.import_id, manifest=manifest
        )
        self._total_bytes = total_bytes
        self._read = pieces
        self._pieces: Iterator[tuple[int, bytes]] | None = None
        self._opened = False
        self._in_flight = 0
        self._made: Project | None = None
        self.committed_bytes = 0

    def result(self) -> Project:
        """The project, once it is done."""
        if self._made is None:
            raise InternalError("the import has not ended")
        return self._made

    def connected(self) -> None:
        self.sent_all = self._opened = False
        self._pieces = None
        self._in_flight = 0

    def requests(self) -> Iterator[releases_pb2.ImportProjectRequest]:
        if not self._opened:
            self._opened = True
            yield releases_pb2.ImportProjectRequest(open=self._open)
        if self._pieces is None or self.sent_all:
            return
        while self._in_flight < WINDOW:
            piece = next(self._pieces, None)
            if piece is None:
                self.sent_all = True
                yield releases_pb2.ImportProjectRequest(finish=releases_pb2.ImportProjectFinish())
                return
            self._in_flight += 1
            sent = releases_pb2.ImportProjectPiece(offset=piece[0], data=piece[1])
            yield releases_pb2.ImportProjectRequest(piece=sent)

    def received(self, response: releases_pb2.ImportProjectResponse) -> Iterator[TransferProgress]:
        if response.finished:
            self._done = self.sent_all = True
            self.committed_bytes = self._total_bytes
            self._made = Project.from_message(response.project)
            yield TransferProgress(self._total_bytes, self._total_bytes)
            return
        if response.committed_bytes > self._total_bytes:
            raise InternalError(f"the server has {response.committed_bytes} of {self._total_bytes} bytes")
        self.committed_bytes = response.committed_bytes
        if self._pieces is None:
            self._pieces = self._read(response.committed_bytes)
        else:
            self._in_flight -= 1
        yield TransferProgress(self.committed_bytes, self._total_bytes)

    def gave_up(self, error: ClientError) -> ClientError:
        if not (can_go_on(error) or isinstance(error, DeadlineExceeded)):
            return error
        message = (
            f"{error.message}. {self.committed_bytes:,} bytes are on the server. To go on from there, "
            f'repeat the import with import_id="{self.import_id}"'
        )
        return UploadInterrupted(message, upload_id=self.import_id, reason=error.reason, code=error.code)
