"""Tag models as bytes: a NumPy archive without pickle, by explicit names."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaklabel._archive import UNREADABLE, pack_arrays
from weaklabel.errors import ModelFileError
from weaklabel.kinds.tags.cells import ANSWERS, Pairs
from weaklabel.kinds.tags.correlation import Correlation
from weaklabel.kinds.tags.gold import GRID, GoldCalibration
from weaklabel.kinds.tags.pipeline import Fitted, TagParams
from weaklabel.model.storage import opened

FORMAT = "weaklabel tag model"
VERSION = 1
FINITE = ("weight", "log_ratio", "prevalence", "tag_shift", "correlated_mean", "correlated_slope")
"""Arrays by which labels are computed."""
HEAVIEST = 1e6
"""Weight of a source on a tag: far above those of fits, and far below what overflows."""
NUMBERS = ("omission", "slope", "shift")
"""Of the header, likewise."""


def pack(parameters: dict[str, Any], names: tuple[str, ...], fitted: Fitted) -> bytes:
    """A model as bytes."""
    params, gold, correlation = fitted.params, fitted.params.gold, fitted.params.correlation
    header = {"format": FORMAT, "version": VERSION, "parameters": parameters, "source_names": list(names)}
    header |= {"n_iter": fitted.n_iter, "converged": fitted.converged, "n_items": fitted.n_items}
    header |= {"omission": params.omission, "slope": gold.slope, "shift": gold.shift, "n_gold": gold.n_gold}
    arrays = {
        "code": params.pairs.code,
        "explicit": params.pairs.explicit,
        "weight": params.weight,
        "log_ratio": params.log_ratio,
        "prevalence": params.prevalence,
        "n_votes": params.n_votes,
        "tag_shift": gold.tag_shift,
        "missed": gold.missed,
        "correlated": correlation.tag,
        "correlated_mean": correlation.mean,
        "correlated_slope": correlation.slope,
    }
    return pack_arrays(header, arrays)


def unpack(data: bytes, most_bytes: int) -> tuple[dict[str, Any], tuple[str, ...], Fitted]:
    """Parameters of the making, names of the sources, and the fit.

    Raises:
        ModelFileError: if the bytes are no tag model that this version can read.
    """
    header, arrays = opened(data, most_bytes, FORMAT)
    try:
        if header.get("version") != VERSION:
            raise ModelFileError(
                f"the model has version {header.get('version')!r} of the format; this library reads {VERSION}"
            )
        names, parameters = tuple(map(str, header["source_names"])), dict(header["parameters"])
        _check(arrays, len(names), len(parameters["tags"]))
        for name in NUMBERS:
            if not abs(float(header[name])) <= HEAVIEST:
                raise ModelFileError(f"{name} is no number between -{HEAVIEST:g} and {HEAVIEST:g}")
        if float(header["omission"]) < 0:
            raise ModelFileError("omission is below 0")
        gold = GoldCalibration(
            float(header["slope"]),
            float(header["shift"]),
            arrays["tag_shift"],
            arrays["missed"],
            int(header["n_gold"]),
        )
        params = TagParams(
            pairs=Pairs(arrays["code"], arrays["explicit"], len(parameters["tags"])),
            weight=arrays["weight"],
            omission=float(header["omission"]),
            log_ratio=arrays["log_ratio"],
            prevalence=arrays["prevalence"],
            correlation=Correlation(arrays["correlated"], arrays["correlated_mean"], arrays["correlated_slope"]),
            gold=gold,
            n_votes=arrays["n_votes"],
        )
        return (
            parameters,
            names,
            Fitted(params, int(header["n_iter"]), bool(header["converged"]), int(header["n_items"])),
        )
    except ModelFileError:
        raise
    except UNREADABLE as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None


def _check(arrays: dict[str, Any], n_sources: int, n_tags: int) -> None:
    pairs, tags = len(arrays["code"]), len(arrays["correlated"])
    shapes = {"code": (pairs,), "explicit": (n_sources,), "weight": (pairs,), "log_ratio": (pairs, ANSWERS)}
    shapes |= {"prevalence": (n_tags,), "n_votes": (n_sources,), "tag_shift": (n_tags,), "missed": (len(GRID),)}
    shapes |= {"correlated": (tags,), "correlated_mean": (tags,), "correlated_slope": (tags, tags)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind not in "fib":
            raise ModelFileError(f"{name} is no array of numbers of shape {shape}")
    for name in FINITE:
        if not np.isfinite(arrays[name]).all():
            raise ModelFileError(f"{name} holds a number that is not finite")
    if not ((arrays["weight"] >= 0) & (arrays["weight"] <= HEAVIEST)).all():
        raise ModelFileError(f"weights lie between 0 and {HEAVIEST:g}")
    code, correlated = arrays["code"], arrays["correlated"]
    ascending = (np.diff(code) > 0).all() and (np.diff(correlated) > 0).all()
    inside = pairs and code[0] >= 0 and code[-1] < n_sources * n_tags
    if not ascending or not inside or (tags and not 0 <= correlated[0] <= correlated[-1] < n_tags):
        raise ModelFileError("the sources and tags of the model are not in order")
