"""Models as bytes: a NumPy archive without pickle, so that a file from elsewhere cannot run code."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import ModelFileError

FORMAT = "weaklabel label model"
VERSION = 1
_HEADER = "header"


def pack(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """A header of JSON values, and arrays, as bytes."""
    text = json.dumps({"format": FORMAT, "version": VERSION} | header, sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{_HEADER: np.frombuffer(text.encode(), np.uint8)}, **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays.

    Raises:
        ModelFileError: if the bytes are not a model, or one of a newer version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except (ValueError, KeyError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"this is not a label model: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError("this is not a label model")
    if header.get("version") != VERSION:
        raise ModelFileError(f"the model has format version {header.get('version')}; this library reads {VERSION}")
    return header, arrays
