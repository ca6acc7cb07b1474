"""Files of arrays: NumPy archives with a JSON header, without pickle, so that a file cannot run code."""

from __future__ import annotations

import io
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = "header"
"""Key of the header among the arrays."""
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
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: np.asarray(archive[name]) for name in archive.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    if not isinstance(header, dict):
        raise TypeError("the header holds no names")
    return header, arrays


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
