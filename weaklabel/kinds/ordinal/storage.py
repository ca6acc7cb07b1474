"""Ordinal models as bytes: a NumPy archive without pickle, by explicit names."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaklabel._archive import UNREADABLE, pack_arrays
from weaklabel.errors import ModelFileError
from weaklabel.kinds.ordinal.pipeline import Fitted, HostParams
from weaklabel.model.storage import opened

FORMAT = "weaklabel ordinal model"
VERSION = 1
SHAPES = {"balance": "K", "position": "K", "common": "K", "own": "MK", "sharpness": "M"}
OTHERS = {"confusion": "MKK", "n_votes": "M", "accuracy": "M"}


def pack(parameters: dict[str, Any], names: tuple[str, ...], fitted: Fitted) -> bytes:
    """A model as bytes."""
    header = {"format": FORMAT, "version": VERSION, "parameters": parameters, "source_names": list(names)}
    header |= {"n_iter": fitted.n_iter, "converged": fitted.converged, "n_items": fitted.n_items}
    arrays = {name: getattr(fitted.params, name) for name in SHAPES}
    arrays |= {name: getattr(fitted, name) for name in (*OTHERS, "objective")}
    return pack_arrays(header, arrays)


def unpack(data: bytes, most_bytes: int) -> tuple[dict[str, Any], tuple[str, ...], Fitted]:
    """Parameters of the making, names of the sources, and the fit.

    Raises:
        ModelFileError: if the bytes are no ordinal model that this version can read.
    """
    header, arrays = opened(data, most_bytes, FORMAT)
    try:
        if header.get("version") != VERSION:
            raise ModelFileError(
                f"the model has version {header.get('version')!r} of the format; this library reads {VERSION}"
            )
        names, parameters = tuple(map(str, header["source_names"])), dict(header["parameters"])
        sizes = {"K": len(parameters["classes"]), "M": len(names)}
        for name, letters in (SHAPES | OTHERS).items():
            shape = tuple(sizes[one] for one in letters)
            if arrays[name].shape != shape or arrays[name].dtype.kind not in "fi":
                raise ModelFileError(f"{name} is no array of numbers of shape {shape}")
        fitted = Fitted(
            params=HostParams(**{name: np.asarray(arrays[name], np.float64) for name in SHAPES}),
            confusion=arrays["confusion"],
            objective=arrays["objective"],
            n_iter=int(header["n_iter"]),
            converged=bool(header["converged"]),
            n_items=int(header["n_items"]),
            n_votes=arrays["n_votes"],
            accuracy=arrays["accuracy"],
        )
        return parameters, names, fitted
    except ModelFileError:
        raise
    except UNREADABLE as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
