"""Folders that clients send, while they come: on this server's disk, so that a client can go on where it stopped."""

import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from weaklabel_protocol.project_folders import Manifest
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid

FOLDER = "imports"
_KEPT_SECONDS = 86_400.0


class Spool:
    """The folders of one server. Its methods block, and may be called from any thread."""

    def __init__(self, data_dir: Path, max_bytes: int) -> None:
        """max_bytes: The most that all folders take on the disk together."""
        self._folder = data_dir / FOLDER
        self._max_bytes = max_bytes
        self._writers: dict[str, str] = {}
        self._expected: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, key: str, manifest: Manifest) -> "Incoming":
        """Begins a folder, or takes up one that was broken off; whoever wrote to it before may not any more.

        Raises:
            ServiceError: IMPORT_TOO_LARGE.
            OSError: It cannot be written.
        """
        with self._lock:
            self._remove_old()
            others = sum(size for one, size in self._expected.items() if one != key)
            if manifest.total_bytes + others > self._max_bytes:
                raise ServiceError(
                    Reason.IMPORT_TOO_LARGE,
                    f"imports take at most {self._max_bytes} bytes at a time on this server, and this would be "
                    f"{manifest.total_bytes} beside {others} of others; see WEAKLABEL_MAX_IMPORT_BYTES",
                )
            self._expected[key] = manifest.total_bytes
            self._writers[key] = writer = uuid.uuid4().hex
            folder = self._folder / key
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.utime(folder)
        return Incoming(self, key, writer, folder, manifest)

    def is_writer(self, key: str, writer: str) -> bool:
        """Whether nobody has opened a folder since."""
        return self._writers.get(key) == writer

    def remove(self, key: str) -> None:
        """Removes a folder."""
        with self._lock:
            self._writers.pop(key, None)
            self._expected.pop(key, None)
            shutil.rmtree(self._folder / key, ignore_errors=True)

    def _remove_old(self) -> None:
        """Removes folders that nobody has opened for a day, those of a server before this one among them."""
        now = time.time()
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            known = folder.name in self._expected
            age = now - folder.stat().st_mtime
            if age > _KEPT_SECONDS or age < -_KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                self._writers.pop(folder.name, None)
                self._expected.pop(folder.name, None)
            elif not known:  # of a server before this one
                self._expected[folder.name] = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


class Incoming:
    """One folder while it comes, as the stream that has opened it sees it."""

    def __init__(self, spool: Spool, key: str, writer: str, folder: Path, manifest: Manifest) -> None:
        self.key = key
        self.folder = folder
        self.manifest = manifest
        self._spool = spool
        self._writer = writer
        self.committed_bytes = self._measure()

    def append(self, offset: int, data: bytes) -> int:
        """Adds bytes and returns how many there are. Those that came before are not written again.

        Raises:
            ServiceError: UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, INVALID_FIELD.
            OSError: They cannot be written.
        """
        if not self._spool.is_writer(self.key, self._writer):
            raise ServiceError(Reason.UPLOAD_TAKEN_OVER, "another stream has opened this import since")
        if offset + len(data) <= self.committed_bytes:
            return self.committed_bytes
        if offset != self.committed_bytes:
            description = f"the next piece begins with byte {self.committed_bytes}, not {offset}"
            raise ServiceError(
                Reason.ROW_OFFSET_MISMATCH,
                description,
                metadata={"committed_bytes": str(self.committed_bytes)},
                violations=[FieldViolation("piece.offset", description)],
            )
        if offset + len(data) > self.manifest.total_bytes:
            raise invalid("piece.data", f"more than the {self.manifest.total_bytes} bytes of the manifest")
        done = 0
        for path, at, room in self._files(offset):
            part = data[done : done + room]
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                file.seek(at)
                file.write(part)
                file.truncate()
            done += len(part)
            if done == len(data):
                break
        self.committed_bytes += done
        return self.committed_bytes

    def end(self) -> None:
        """Refuses a folder of which bytes are missing; files without any are made.

        Raises:
            ServiceError: ROW_COUNT_MISMATCH.
        """
        if self.committed_bytes != self.manifest.total_bytes:
            raise ServiceError(
                Reason.ROW_COUNT_MISMATCH,
                f"{self.committed_bytes} bytes came, where the manifest says {self.manifest.total_bytes}",
                metadata={"committed_bytes": str(self.committed_bytes)},
            )
        for entry in self.manifest.files:
            if not entry.size_bytes:
                path = self.folder / entry.name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                path.touch(0o600)

    def _files(self, offset: int) -> Iterator[tuple[Path, int, int]]:
        """The files from an offset on: each with where in it, and how many bytes from there."""
        begin = 0
        for entry in self.manifest.files:
            at = max(0, offset - begin)
            if at < entry.size_bytes:
                yield self.folder / entry.name, at, entry.size_bytes - at
            begin += entry.size_bytes

    def _measure(self) -> int:
        """How many bytes are there without a gap."""
        total = 0
        for entry in self.manifest.files:
            path = self.folder / entry.name
            size = min(path.stat().st_size, entry.size_bytes) if path.is_file() else 0
            total += size
            if size < entry.size_bytes:
                break
        return total
