"""Files of arrays: NumPy archives with a JSON header, without pickle, so that a file cannot run code."""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

HEADER = "header"
"""Key of the header among the arrays."""
MOST_BYTES = 2**32
"""A file that takes more memory than this is refused, where nobody says less."""
# What zipfile, zlib, json and numpy raise for bytes that are damaged, encrypted or packed in unknown ways.
UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class TooLargeError(ValueError):
    """The arrays would take more memory than allowed: what a small file unpacks to is not for it to say."""


def pack_arrays(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A header of JSON values, and arrays, as bytes."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, **{HEADER: text, **arrays})
    return buffer.getvalue()


def unpack_arrays(data: bytes, most_bytes: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays.

    Raises:
        TooLargeError: if they would take more than `most_bytes`.
        UNREADABLE: one of these, for bytes of another kind.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        size = sum(member.file_size for member in members.infolist())
        if size > most_bytes:
            raise TooLargeError(f"it would take {size:,} bytes; at most {most_bytes:,} are read")
        for member in members.infolist():
            _check_shape(members, member)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: np.asarray(archive[name]) for name in archive.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    if not isinstance(header, dict):
        raise TypeError("the header holds no names")
    return header, arrays


def _check_shape(members: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuses an array that says it is larger than its file: NumPy takes the memory before it reads.

    Raises:
        ValueError: if it does.
    """
    with members.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename} is shorter than its shape {shape}")


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file of that very name, at once: a crash leaves the old file or the new one.

    Raises:
        OSError: if it cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


class KeptInFiles:
    """Models that are kept in files, whose bytes `to_bytes` makes and `from_bytes` reads."""

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """The model out of `to_bytes`; no code of the bytes is run. More than `most_bytes` are not unpacked."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted model to a file, without pickle; conventionally `*.npz`.

        Raises:
            NotFittedError: before `fit`.
            OSError: if the file cannot be written.
        """
        write_file(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a model that `save` wrote; no code of the file is run.

        Raises:
            ModelFileError: if the file is not a model that this version can read.
            OSError: if it cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes())
