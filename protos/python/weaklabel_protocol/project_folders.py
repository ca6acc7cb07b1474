"""A project as a folder: its files, the manifest that names them with their checksums, and how it is written whole.

    manifest.json                 what the project is, and every other file with its size and SHA-256
    sources.parquet               sources: name, first vote, last version
    votes/part-00000.parquet      items, and a column of class indices for each source
    codebooks/part-00000.parquet  what codes beyond the classes stand for in that part, where it has any
    side_data.parquet             side data: id, kind, size; side_data/ID.parquet has the rows, and
                                  codebooks/ID.parquet what codes of gold beyond the classes stand for, where it has any
    models.parquet                models: id, version of the votes, settings; models/ID.npz is the file
    soft_labels/ID.parquet        items, label, and a column of probabilities for each class
    record_sets.parquet           of a project of records: id, role, size; records/ID.parquet has the rows
    label_tables.parquet          of models with a label space: model, name, size; label_tables/MODEL.NAME.parquet
    card.json, card.md            the card of the newest labels

A folder without a manifest is not whole: it is written as NAME.partial, the manifest last, and then renamed.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from weaklabel_protocol.errors import InvalidArgumentError

MANIFEST = "manifest.json"
FORMAT = "weaklabel project"
VERSION = 1
PARTIAL = ".partial"
MAX_MANIFEST_BYTES = 2_000_000
"""So that it fits into a message."""

_NAME = re.compile(r"(?:[a-z_]+/)?[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1024 * 1024


class ProjectFolderError(InvalidArgumentError):
    """A folder is not a whole project; the message names the file."""


@dataclass(frozen=True)
class FileEntry:
    """One file: its name with folders, its size, and its SHA-256 in hexadecimal."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds: the description of the project, and its files in order."""

    description: Mapping[str, Any]
    files: tuple[FileEntry, ...]

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(one.size_bytes for one in self.files)

    def to_bytes(self) -> bytes:
        """As JSON; the same manifest gives the same bytes."""
        files = [{"name": one.name, "bytes": one.size_bytes, "sha256": one.sha256} for one in self.files]
        values = {"format": FORMAT, "format_version": VERSION, **self.description, "files": files}
        return (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Reads what to_bytes wrote.

        Raises:
            ProjectFolderError: It is no manifest, or that of a later version.
        """
        if len(data) > MAX_MANIFEST_BYTES:
            raise ProjectFolderError(f"{MANIFEST}: it has {len(data)} bytes, at most {MAX_MANIFEST_BYTES} are read")
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ProjectFolderError(f"{MANIFEST} is not JSON: {str(error)[:100]}") from None
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise ProjectFolderError(f'{MANIFEST} is not that of a project: its "format" is not "{FORMAT}"')
        if (version := values.pop("format_version", None)) != VERSION:
            raise ProjectFolderError(
                f"{MANIFEST} is of format version {version!r:.20}; this is weaklabel for {VERSION}"
            )
        listed = values.pop("files", None)
        if not isinstance(listed, list):
            raise ProjectFolderError(f'{MANIFEST}: "files" is not a list')
        files = tuple(_entry(number, one) for number, one in enumerate(listed))
        if len({one.name.lower() for one in files}) < len(files):
            raise ProjectFolderError(f"{MANIFEST}: a file is named twice")
        return cls(values, files)


class FolderWriter:
    """Writes a folder, file after file; a context manager, at whose end the folder is whole, or nothing is left."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Makes FOLDER.partial anew.

        Raises:
            ProjectFolderError: There is something at the folder's path already.
            OSError: It cannot be written.
        """
        self.folder = Path(folder)
        self._partial = self.folder.with_name(self.folder.name + PARTIAL)
        self._files: dict[str, FileEntry] = {}
        self._open: tuple[str, BinaryIO, Any] | None = None
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ProjectFolderError(f"{self.folder} exists already, and is not an empty folder")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        shutil.rmtree(self._partial, ignore_errors=True)  # of what was not finished

    @property
    def next_file(self) -> str:
        """The file that is being written; empty between two."""
        return "" if self._open is None else self._open[0]

    @property
    def written_bytes(self) -> int:
        """Of all files so far."""
        ended = sum(entry.size_bytes for entry in self._files.values())
        return ended + (0 if self._open is None else self._open[1].tell())

    def write(self, name: str, data: bytes) -> None:
        """Adds bytes to a file, which is begun by the first of them.

        Raises:
            ProjectFolderError: It has no name that a folder can have, or was written already.
            OSError: It cannot be written.
        """
        if self._open is None or self._open[0] != name:
            self._close()
            if name == MANIFEST or not _is_name(name) or name in self._files:
                raise ProjectFolderError(f"a file of a project cannot be called {name!r:.120}")
            path = self._partial / name
            path.parent.mkdir(exist_ok=True)
            self._open = (name, path.open("wb"), hashlib.sha256())
        self._open[1].write(data)
        self._open[2].update(data)

    def drop(self) -> None:
        """Forgets the file that is being written: it begins anew."""
        if self._open is not None:
            name = self._open[0]
            self._close()
            (self._partial / name).unlink()

    def end_file(self, name: str, size_bytes: int | None = None, sha256: bytes | None = None) -> FileEntry:
        """Ends a file.

        Raises:
            ProjectFolderError: It has another size or checksum than is said.
        """
        if self._open is None or self._open[0] != name:
            self.write(name, b"")
        assert self._open is not None
        _, file, digest = self._open
        entry = FileEntry(name, file.tell(), digest.hexdigest())
        self._close()
        if size_bytes not in (None, entry.size_bytes) or (sha256 is not None and sha256.hex() != entry.sha256):
            raise ProjectFolderError(
                f"{name} is damaged: {entry.size_bytes} bytes came whose checksum is not the one said"
            )
        self._files[name] = entry
        return entry

    def finish(self, description: Mapping[str, Any]) -> Manifest:
        """Writes the manifest, and gives the folder its name.

        Raises:
            OSError: It cannot be written.
        """
        self._close()
        manifest = Manifest(description, tuple(self._files.values()))
        path = self._partial / MANIFEST
        path.write_bytes(manifest.to_bytes())
        for one in (path, self._partial):
            descriptor = os.open(one, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if self.folder.exists():
            self.folder.rmdir()
        self._partial.rename(self.folder)
        return manifest

    def _close(self) -> None:
        if self._open is not None:
            _, file, _ = self._open
            self._open = None
            file.flush()
            os.fsync(file.fileno())
            file.close()


def read_manifest(folder: str | os.PathLike[str]) -> tuple[Manifest, bytes]:
    """The manifest of a folder, read and as it is; each file is there and has its size.

    Raises:
        ProjectFolderError: The folder is no whole project; the message says what is missing.
        OSError: It cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ProjectFolderError(f"there is no folder {path}")
    if not (path / MANIFEST).is_file():
        half = path.name.endswith(PARTIAL) or any(path.iterdir())
        hint = ": it was not written to its end, or is no project" if half else ""
        raise ProjectFolderError(f"{path} has no {MANIFEST}{hint}")
    data = (path / MANIFEST).read_bytes()
    manifest = Manifest.from_bytes(data)
    for one in manifest.files:
        file = path / one.name
        if not file.is_file():
            raise ProjectFolderError(f"{file} is missing, which the manifest names")
        if file.stat().st_size != one.size_bytes:
            raise ProjectFolderError(f"{file} has {file.stat().st_size} bytes, and {one.size_bytes} in the manifest")
    return manifest, data


def check_file(folder: Path, entry: FileEntry) -> None:
    """Compares a file with its checksum.

    Raises:
        ProjectFolderError: It is another.
        OSError: It cannot be read.
    """
    with (folder / entry.name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != entry.sha256:
        raise ProjectFolderError(f"{entry.name} is damaged: its checksum is not the one in the manifest")


def pieces(folder: Path, manifest: Manifest, offset: int) -> Iterator[tuple[int, bytes]]:
    """All files as one row of bytes from an offset on, in pieces with their offsets.

    Raises:
        ProjectFolderError: A file has become shorter.
        OSError: It cannot be read.
    """
    begin = 0
    for entry in manifest.files:
        at = max(0, offset - begin)
        if at < entry.size_bytes:
            with (folder / entry.name).open("rb") as file:
                file.seek(at)
                while at < entry.size_bytes:
                    data = file.read(min(_PIECE_BYTES, entry.size_bytes - at))
                    if not data:
                        raise ProjectFolderError(f"{entry.name} has become shorter than the manifest says")
                    yield begin + at, data
                    at += len(data)
        begin += entry.size_bytes


def _entry(number: int, values: Any) -> FileEntry:
    if isinstance(values, dict) and values.keys() == {"name", "bytes", "sha256"}:
        name, size, digest = values["name"], values["bytes"], values["sha256"]
        named = isinstance(name, str) and _is_name(name) and name != MANIFEST
        sized = type(size) is int and 0 <= size < 2**62
        if named and sized and isinstance(digest, str) and _DIGEST.fullmatch(digest):
            return FileEntry(name, size, digest)
    raise ProjectFolderError(f"{MANIFEST}: files[{number}] has no name, bytes and sha256 that a file can have")


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not name.endswith(PARTIAL)
