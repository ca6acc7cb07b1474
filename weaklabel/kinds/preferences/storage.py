"""Preference models as bytes: a NumPy archive without pickle. The keys on disk are those of `ARRAYS`: they stay."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaklabel._archive import pack_arrays
from weaklabel.errors import ModelFileError
from weaklabel.kinds.preferences.records import Fitted
from weaklabel.model.storage import opened, read_gold, written_gold

FORMAT, VERSION = "weaklabel preference model", 1
ARRAYS = {
    "items.score": ("scores", "I", "f"),
    "items.variance": ("variance", "I", "f"),
    "items.covariance": ("covariance", "I", "f"),
    "items.component": ("component", "I", "i"),
    "items.comparisons": ("n_comparisons", "I", "f"),
    "spread": ("spread", "", "f"),
    "judges.skill": ("skill", "J", "f"),
    "judges.skill_variance": ("skill_variance", "J", "f"),
    "judges.bias": ("bias", "J", "f"),
    "judges.bias_variance": ("bias_variance", "J", "f"),
    "judges.tie": ("tie", "J", "f"),
    "judges.comparisons": ("n_judged", "J", "f"),
    "judges.ordered": ("n_ordered", "J", "f"),
    "judges.accuracy": ("accuracy", "J", "f"),
    "typical_tie": ("typical_tie", "", "f"),
    "doubt": ("doubt", "", "f"),
    "residual": ("residual", "", "f"),
    "pairs": ("pairs", "P2", "i"),
    "pairs.proba": ("proba", "PK", "f"),
    "objective": ("objective", "T", "f"),
}
"""Key on disk: field of Fitted, letters of its axes, kind of its numbers."""


def pack(header: dict[str, Any], fitted: Fitted) -> bytes:
    """A header of JSON values and a fit as bytes."""
    arrays = {key: np.asarray(getattr(fitted, field)) for key, (field, _, _) in ARRAYS.items()}
    arrays |= {} if fitted.gold is None else written_gold(fitted.gold)
    return pack_arrays({"format": FORMAT, "version": VERSION, "converged": fitted.converged, **header}, arrays)


def unpack(data: bytes, most_bytes: int) -> tuple[dict[str, Any], Fitted]:
    """The header and the fit.

    Raises:
        ModelFileError: if the bytes are no preference model, one of another version, or damaged.
    """
    header, arrays = opened(data, most_bytes, FORMAT)
    if header.get("version") != VERSION:
        raise ModelFileError(f"the model has format version {header.get('version')}; this library reads {VERSION}")
    try:
        n_judges, n_outcomes = len(header["judges"]), 3 if header["params"]["ties"] else 2
        sizes = {"I": len(header["items"]), "J": n_judges, "K": n_outcomes}
        values = {}
        for key, (field, axes, kind) in ARRAYS.items():
            array = arrays[key]
            lengths = [int(axis) if axis.isdigit() else sizes.setdefault(axis, 0) or -1 for axis in axes]
            fits = array.ndim == len(axes) and all(
                wanted in (-1, length) for wanted, length in zip(lengths, array.shape, strict=True)
            )
            if not fits or array.dtype.kind != kind or not np.isfinite(array).all():
                raise ModelFileError(f"the model file is damaged: {key} has shape {array.shape}, {array.dtype}")
            sizes |= {axis: length for axis, length in zip(axes, array.shape, strict=True) if not axis.isdigit()}
            values[field] = array
        for field, most in (("pairs", sizes["I"]), ("component", sizes["I"])):
            if values[field].size and not 0 <= values[field].min() <= values[field].max() < most:
                raise ModelFileError(f"the model file is damaged: {field} names what is not there")
        gold = read_gold(arrays, {"M": 2 * n_judges, "K": n_outcomes})
        return header, Fitted(**values, converged=bool(header["converged"]), gold=gold)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
