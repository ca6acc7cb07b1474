"""Sequence models as bytes: a NumPy archive without pickle, so that a file from elsewhere cannot run code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from weaklabel._archive import UNREADABLE, pack_arrays
from weaklabel.errors import InvalidArgumentError, ModelFileError
from weaklabel.kinds.sequences.fitted import Fitted, SequenceDiagnostics
from weaklabel.kinds.sequences.schemes import read_scheme
from weaklabel.model.storage import opened

FORMAT = "weaklabel sequence model"
VERSION = 1
SHAPES = {
    "annotator": "M",
    "votes": "MSK",
    "covered": "2K",
    "first": "K",
    "next": "KK",
    "copies": "MM",
    "unmarked": "K",
    "coverage": "M",
    "precision": "M",
    "recall": "M",
    "objective": "T",
}
"""Arrays of a file, by their names on disk and in `Fitted`, and their shapes."""


class Saved(NamedTuple):
    """What a file holds."""

    params: dict[str, Any]
    """Arguments of the model's making."""
    fitted: Fitted


def to_bytes(saved: Saved) -> bytes:
    """The model as bytes."""
    fitted = saved.fitted
    header = {
        "format": FORMAT,
        "version": VERSION,
        "params": saved.params,
        "source_names": list(fitted.source_names),
        "diagnostics": fitted.diagnostics.to_json(),
    }
    return pack_arrays(header, {name: getattr(fitted, name) for name in SHAPES})


def from_bytes(data: bytes, most_bytes: int) -> Saved:
    """The model out of `to_bytes`.

    Raises:
        ModelFileError: for bytes that are none, damaged, or of a later version.
    """
    header, arrays = opened(data, most_bytes, FORMAT)
    try:
        if header["version"] > VERSION:
            raise ModelFileError(f"the model is of format {header['version']}; this version reads up to {VERSION}")
        names = tuple(map(str, header["source_names"]))
        params = dict(header["params"])
        n_tags = len(arrays["first"])
        # What a scheme takes grows with the square of its tags: first, that the file itself holds as much.
        if arrays["next"].shape != (n_tags, n_tags) or len(params["types"]) >= n_tags:
            raise ModelFileError(f"{len(params['types'])} types have more than {n_tags} tags")
        scheme = read_scheme(params["types"], params["scheme"])
        sizes = {"M": len(names), "K": len(scheme.tags), "2": 2, "T": len(arrays["objective"])}
        sizes["S"] = sizes["K"] * (sizes["K"] + 1) + 1
        for name, shape in SHAPES.items():
            if arrays[name].shape != tuple(sizes[letter] for letter in shape):
                raise ModelFileError(f"{name} has the shape {arrays[name].shape}")
            if name not in ("precision", "recall") and not np.isfinite(arrays[name]).all():
                raise ModelFileError(f"{name} holds a number that is not finite")
        fitted = Fitted(
            source_names=names,
            diagnostics=SequenceDiagnostics.from_json(header["diagnostics"]),
            **{name: arrays[name] for name in SHAPES},
        )
    except (InvalidArgumentError, *UNREADABLE) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"the file cannot be read as a sequence model: {error}") from None
    return Saved(params, fitted)
