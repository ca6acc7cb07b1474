"""Numeric models as bytes: a NumPy archive without pickle, by explicit names."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaklabel._archive import UNREADABLE, pack_arrays
from weaklabel.errors import ModelFileError
from weaklabel.kinds.numbers.gold import GoldCalibration
from weaklabel.kinds.numbers.pipeline import Fitted, NumericParams
from weaklabel.model.storage import opened

FORMAT = "weaklabel numeric model"
VERSION = 1
ARRAYS = ("scale", "gain", "gain_sd", "shift", "shift_sd", "correction", "genuine", "free", "n_votes")
"""Fields of NumericParams, [M] each."""
NUMBERS = ("center", "spread", "base", "mean", "variance", "scatter_ratio")
COUNTS = ("n_iter", "n_items")


def pack(parameters: dict[str, Any], names: tuple[str, ...], fitted: Fitted) -> bytes:
    """A model as bytes."""
    params = fitted.params
    header = {"format": FORMAT, "version": VERSION, "parameters": parameters, "source_names": list(names)}
    header |= {name: getattr(params, name) for name in NUMBERS} | {name: getattr(fitted, name) for name in COUNTS}
    header |= {"converged": fitted.converged, "effective": fitted.effective, "gold": params.gold._asdict()}
    arrays = {name: np.asarray(getattr(params, name)) for name in ARRAYS} | {"objective": fitted.objective}
    return pack_arrays(header, arrays)


def unpack(data: bytes, most_bytes: int) -> tuple[dict[str, Any], tuple[str, ...], Fitted]:
    """Parameters of the making, names of the sources, and the fit.

    Raises:
        ModelFileError: if the bytes are no numeric model that this version can read.
    """
    header, arrays = opened(data, most_bytes, FORMAT)
    try:
        if header.get("version") != VERSION:
            raise ModelFileError(
                f"the model has version {header.get('version')!r} of the format; this library reads {VERSION}"
            )
        names = tuple(map(str, header["source_names"]))
        for name in ARRAYS:
            if arrays[name].shape != (len(names),) or arrays[name].dtype.kind not in "fi":
                raise ModelFileError(f"{name} is no array of {len(names)} numbers")
        gold = header["gold"]
        values: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
        params = NumericParams(
            **(values | {name: float(header[name]) for name in NUMBERS}),
            gold=GoldCalibration(float(gold["shift"]), float(gold["width"]), int(gold["n_gold"])),
        )
        fitted = Fitted(
            params=params,
            objective=arrays["objective"],
            converged=bool(header["converged"]),
            effective=float(header["effective"]),
            **{name: int(header[name]) for name in COUNTS},
        )
        return dict(header["parameters"]), names, fitted
    except ModelFileError:
        raise
    except UNREADABLE as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
