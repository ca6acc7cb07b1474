"""Models as bytes: a NumPy archive without pickle, so that a file from elsewhere cannot run code."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.errors import ModelFileError
from weaklabel.model.features.classifier import Classifier, Layer, Scaling
from weaklabel.model.features.end_model import FeatureModel
from weaklabel.model.pipeline import Fitted
from weaklabel.model.records import Params, ReadOut
from weaklabel.model.report.diagnostics import Diagnostics

FORMAT = "weaklabel label model"
VERSION = 2
MOST_BYTES = 2**32
"""A model that takes more memory than this is refused: what a small file unpacks to is not for it to say."""
_HEADER = "header"
# What zipfile, zlib and numpy raise for bytes that are damaged, encrypted or packed in unknown ways.
_UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def pack(header: dict[str, Any], fitted: Fitted) -> bytes:
    """A header of JSON values, and a fit, as bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "sources": list(fitted.source_names),
        "n_iter": fitted.n_iter,
        "converged": fitted.converged,
        "diagnostics": fitted.diagnostics.to_json(),
        "groups": list(fitted.group_names),
        **header,
    }
    pairs = fitted.copies.tocoo()
    arrays = {
        _HEADER: np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
        "copies.row": pairs.row,
        "copies.column": pairs.col,
        "copies.score": pairs.data,
        **{name: getattr(fitted, name) for name in _ARRAYS},
        **_named("params", fitted.params),
        **_named("read_out", fitted.read_out),
        **({} if fitted.group_balance is None else {"group_balance": fitted.group_balance}),
        **({} if fitted.features is None else _of_features(fitted.features)),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], Fitted]:
    """The header and the fit.

    Raises:
        ModelFileError: if the bytes are not a model, or one of another version, or damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            size = sum(member.file_size for member in members.infolist())
        if size > MOST_BYTES:
            raise ModelFileError(f"the model would take {size:,} bytes; at most {MOST_BYTES:,} are read")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except _UNREADABLE as error:
        raise ModelFileError(f"this is not a label model: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError("this is not a label model")
    if header.get("version") == 1:  # before votes for several classes and groups
        header["groups"] = []
        arrays["sets"] = np.empty((0, len(header.get("classes", []))), bool)
    elif header.get("version") != VERSION:
        raise ModelFileError(f"the model has format version {header.get('version')}; this library reads {VERSION}")
    try:
        names = tuple(str(name) for name in header["sources"])
        _check(arrays, len(names), len(header["classes"]), len(header["groups"]), int(header["n_iter"]))
        pairs = (arrays["copies.row"], arrays["copies.column"])
        fitted = Fitted(
            source_names=names,
            params=Params(**_fields("params", Params._fields, arrays)),
            read_out=ReadOut(**_fields("read_out", ReadOut._fields, arrays)),
            copies=sp.csr_array((arrays["copies.score"], pairs), shape=(len(names), len(names))),
            n_iter=int(header["n_iter"]),
            converged=bool(header["converged"]),
            diagnostics=Diagnostics.from_json(header["diagnostics"]),
            **{name: arrays[name] for name in _ARRAYS},
            group_names=tuple(str(name) for name in header["groups"]),
            group_balance=arrays.get("group_balance"),
            features=_feature_model(arrays) if "features.strength" in arrays else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
    return header, fitted


def _named(prefix: str, values: Params | ReadOut) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{name}": np.asarray(value) for name, value in values._asdict().items() if value is not None}


def _fields(prefix: str, names: tuple[str, ...], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The fields of a tuple of arrays; those of groups may be missing."""
    there = [name for name in names if not name.startswith("group_") or f"{prefix}.{name}" in arrays]
    return {name: jnp.asarray(arrays[f"{prefix}.{name}"]) for name in there}


def _of_features(model: FeatureModel) -> dict[str, NDArray[Any]]:
    scaling, network = model.classifier
    layers = {
        f"features.network.{at}.{name}": np.asarray(value)
        for at, layer in enumerate(network)
        for name, value in layer._asdict().items()
    }
    scaled = {f"features.scaling.{name}": np.asarray(value) for name, value in scaling._asdict().items()}
    return {
        "features.log_balance": model.log_balance,
        "features.strength": np.asarray(model.strength),
        **scaled,
        **layers,
    }


def _feature_model(arrays: dict[str, NDArray[Any]]) -> FeatureModel:
    layers: list[Layer] = []
    while f"features.network.{len(layers)}.weight" in arrays:
        layers.append(Layer(*(arrays[f"features.network.{len(layers)}.{name}"] for name in Layer._fields)))
    mean, factor, unit, cell = (arrays[f"features.scaling.{name}"] for name in Scaling._fields)
    classifier = Classifier(Scaling(mean, factor, float(unit), float(cell)), tuple(layers))
    return FeatureModel(classifier, arrays["features.log_balance"], float(arrays["features.strength"]))


_ARRAYS = ("sets", "objective", "class_balance", "coverage", "source_accuracy", "source_accuracy_interval")


_OF_GROUPS = ("group_balance", "params.group_totals", "params.group_shift", "read_out.group_shift")


def _check(arrays: dict[str, NDArray[Any]], n_sources: int, n_classes: int, n_groups: int, n_iter: int) -> None:
    """Refuses arrays whose shapes do not agree, or that are not finite numbers."""
    sets = arrays["sets"]
    if sets.ndim != 2 or sets.shape[1] != n_classes or sets.dtype != bool:
        raise ModelFileError(f"the model file is damaged: sets has shape {sets.shape}, dtype {sets.dtype}")
    n_symbols = n_classes + len(sets)
    matrices: list[tuple[int, ...]] = [(n_sources, n_symbols, n_classes), (n_sources, n_classes)]
    classwise: list[tuple[int, ...]] = [(n_classes,)]
    shapes: dict[str, list[tuple[int, ...]]] = {f"read_out.{name}": [()] for name in ReadOut._fields}
    shapes |= {
        "params.confusion": [(n_sources, n_classes, n_classes), (n_sources,)],
        "params.evidence": matrices,
        "params.log_prior": classwise,
        "params.class_totals": classwise,
        "read_out.evidence": matrices,
        "read_out.call_evidence": matrices,
        "read_out.log_prior": classwise,
        "read_out.call_log_prior": classwise,
        "read_out.uncovered_call": classwise,
        "class_balance": classwise,
        "objective": [(n_iter,)],
        "coverage": [(n_sources,)],
        "source_accuracy": [(n_sources,)],
        "source_accuracy_interval": [(n_sources, 2)],
    }
    shapes |= {name: [(n_groups, n_classes)] for name in _OF_GROUPS}
    for name, allowed in shapes.items():
        if name in _OF_GROUPS and n_groups == 0:
            continue
        array = arrays[name]
        if array.shape not in allowed or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ModelFileError(f"the model file is damaged: {name} has shape {array.shape}, dtype {array.dtype}")
