"""Votes in a file: a NumPy archive without pickle, so that a file from elsewhere cannot run code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel._archive import UNREADABLE, pack_arrays, unpack_arrays, write_file
from weaklabel.errors import InvalidVotesError
from weaklabel.votes.parts import Parts
from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import ERROR, check_ids, check_names

FORMAT = "weaklabel votes"
VERSION = 1
MOST_BYTES = 2**34
"""Votes that take more memory than this are refused: what a small file unpacks to is not for it to say."""


def write_parts(path: str | os.PathLike[str], parts: Parts) -> None:
    """Writes a file of that very name, at once: a crash leaves the old file or the new one."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "n_items": parts.n_items,
        "n_classes": parts.n_classes,
        "sources": parts.source_names,
    }
    if parts.classes is not None:
        header["classes"] = parts.classes
    arrays: dict[str, NDArray[Any]] = {}
    if isinstance(parts.layout, tuple):
        arrays |= zip(("rows", "columns", "codes"), parts.layout, strict=True)
    else:
        arrays["codes"] = parts.layout
    if parts.item_ids is not None:
        arrays["items"] = parts.item_ids
    arrays |= {"sets": parts.symbols.sets, "soft": parts.symbols.soft}
    write_file(path, pack_arrays(header, arrays))


def read_parts(path: str | os.PathLike[str]) -> Parts:
    """The parts of votes that `write_parts` has written.

    Raises:
        InvalidVotesError: if the file holds no votes, is of another version, or is damaged.
        OSError: if it cannot be read at all.
    """
    data = Path(path).read_bytes()
    try:
        header, arrays = unpack_arrays(data, MOST_BYTES)
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise ValueError(f"it holds {header['format']}, version {header['version']}; this reads version {VERSION}")
        return _checked(header, arrays)
    except UNREADABLE as error:
        raise InvalidVotesError(f"{path} is not a file of votes, or is damaged: {error}", field="path") from error


def _checked(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Parts:
    n_items, n_classes = int(header["n_items"]), int(header["n_classes"])
    names = check_names(header["sources"], len(header["sources"]))
    ids = None if "items" not in arrays else check_ids(arrays["items"], n_items)
    symbols, codes_of = Symbols.of(arrays["sets"].astype(bool), arrays["soft"])
    classes = None if header.get("classes") is None else tuple(map(str, header["classes"]))
    if classes is not None and len(set(classes)) != n_classes:
        raise ValueError("the names of classes")
    if symbols.n_classes != n_classes or not np.array_equal(codes_of, n_classes + np.arange(len(symbols))):
        raise ValueError("the codebook")
    if not np.allclose(symbols.soft.sum(1), 1, atol=1e-5):
        raise ValueError("the soft votes")
    codes = arrays["codes"]
    if codes.dtype.kind != "i" or (codes.size and not ERROR <= codes.min() <= codes.max() < n_classes + len(symbols)):
        raise ValueError("the codes")
    if "rows" not in arrays:
        return Parts(
            n_items=n_items,
            n_classes=n_classes,
            source_names=names,
            item_ids=ids,
            layout=codes.reshape(n_items, len(names)),
            symbols=symbols,
            classes=classes,
        )
    rows, columns = arrays["rows"].astype(np.int32), arrays["columns"].astype(np.int32)
    cells = rows.astype(np.int64) * len(names) + columns
    inside = (rows >= 0) & (rows < n_items) & (columns >= 0) & (columns < len(names))
    if not (rows.shape == columns.shape == codes.shape) or not inside.all() or (np.diff(cells) <= 0).any():
        raise ValueError("the triples")
    return Parts(
        n_items=n_items,
        n_classes=n_classes,
        source_names=names,
        item_ids=ids,
        layout=(rows, columns, codes),
        symbols=symbols,
        classes=classes,
    )
