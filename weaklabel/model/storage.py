"""Models as bytes: a NumPy archive without pickle, so that a file from elsewhere cannot run code.

The names on disk are those of the tables below, and of nothing else: `SECTIONS` for arrays, `HEADER`, `DIAGNOSTICS` and
`SETTINGS` for what the header holds as JSON. The left side of a table is the disk format and never changes; the right
side is the code's, so renaming a field takes one edit here. A field without an entry fails tests/model/test_storage.py.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
from weaklabel.model.settings import Settings

FORMAT = "weaklabel label model"
VERSION = 2
"""Of the format. It goes up when readers of the version before could not read the file, or would misread it. Then
`_upgrade` learns to read the version before, and tests/golden/models gets a folder. Renaming a field is no reason."""
MOST_BYTES = 2**32
"""A model that takes more memory than this is refused: what a small file unpacks to is not for it to say."""

Arrays = dict[str, NDArray[Any]]


class Entry(NamedTuple):
    """An array of the file: the field that holds it, and what is accepted there."""

    field: str
    shapes: tuple[str, ...]
    """Letters of the axes, a digit for an axis of that length, "" for a number: M sources, K classes, C candidate sets,
    S = K + C vote symbols, G groups, T iterations, D features, I and O inputs and outputs of a layer."""
    of_groups: bool = False
    """Only in models with groups."""
    kind: str = "f"
    """Of NumPy's dtypes."""


class Section(NamedTuple):
    """The arrays of one record."""

    prefix: str
    """Of the keys on disk."""
    record: type[Any]
    entries: dict[str, Entry]
    """By the rest of the key on disk."""
    restore: Callable[[NDArray[Any]], Any] = np.asarray
    """From an array of the file to the field's value."""


class HeaderEntry(NamedTuple):
    """A JSON value of the header: the field that holds it, and what makes the field's value of it."""

    field: str
    restore: Callable[[Any], Any]


def _number(array: NDArray[Any]) -> float | NDArray[Any]:
    return array if array.ndim else float(array)


def _names(values: list[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


_FULL_OR_ONE_COIN = ("MSK", "MK")

FITTED = Section(
    "",
    Fitted,
    {
        "sets": Entry("sets", ("CK",), kind="b"),
        "objective": Entry("objective", ("T",)),
        "class_balance": Entry("class_balance", ("K",)),
        "coverage": Entry("coverage", ("M",)),
        "source_accuracy": Entry("source_accuracy", ("M",)),
        "source_accuracy_interval": Entry("source_accuracy_interval", ("M2",)),
        "group_balance": Entry("group_balance", ("GK",), of_groups=True),
    },
)
PARAMS = Section(
    "params.",
    Params,
    {
        "confusion": Entry("confusion", ("MKK", "M")),
        "evidence": Entry("evidence", _FULL_OR_ONE_COIN),
        "log_prior": Entry("log_prior", ("K",)),
        "class_totals": Entry("class_totals", ("K",)),
        "group_totals": Entry("group_totals", ("GK",), of_groups=True),
        "group_shift": Entry("group_shift", ("GK",), of_groups=True),
    },
    jnp.asarray,
)
READ_OUT = Section(
    "read_out.",
    ReadOut,
    {
        "evidence": Entry("evidence", _FULL_OR_ONE_COIN),
        "log_prior": Entry("log_prior", ("K",)),
        "sharpness": Entry("sharpness", ("",)),
        "correlation": Entry("correlation", ("",)),
        "saturation": Entry("saturation", ("",)),
        "anchor_mass": Entry("anchor_mass", ("",)),
        "anchor_share": Entry("anchor_share", ("",)),
        "uniform_share": Entry("uniform_share", ("",)),
        "call_evidence": Entry("call_evidence", _FULL_OR_ONE_COIN),
        "call_log_prior": Entry("call_log_prior", ("K",)),
        "call_anchor_share": Entry("call_anchor_share", ("",)),
        "uncovered_call": Entry("uncovered_call", ("K",)),
        "group_shift": Entry("group_shift", ("GK",), of_groups=True),
    },
    jnp.asarray,
)
FEATURES = Section(
    "features.",
    FeatureModel,
    {"log_balance": Entry("log_balance", ("K",)), "strength": Entry("strength", ("",))},
    _number,
)
SCALING = Section(
    "features.scaling.",
    Scaling,
    {
        "mean": Entry("mean", ("D",)),
        "factor": Entry("factor", ("D",)),
        "unit": Entry("unit", ("",)),
        "cell": Entry("cell", ("",)),
    },
    _number,
)
LAYER = Section("features.network.{at}.", Layer, {"weight": Entry("weight", ("IO",)), "bias": Entry("bias", ("O",))})
"""For layer 0, 1, ..."""
SECTIONS = (FITTED, PARAMS, READ_OUT, FEATURES, SCALING, LAYER)

COPIES = ("copies.row", "copies.column", "copies.score")
"""Keys of the sparse matrix `Fitted.copies`."""
HEADER = {
    "sources": HeaderEntry("source_names", _names),
    "groups": HeaderEntry("group_names", _names),
    "n_iter": HeaderEntry("n_iter", int),
    "converged": HeaderEntry("converged", bool),
}
"""Fields of Fitted, by their keys in the header. Under "diagnostics" and "settings" are the next two tables."""
DIAGNOSTICS = {
    "findings": "findings",
    "risk": "risk",
    "majority_vote": "majority_vote",
    "unanimous_items": "unanimous_items",
    "unanimous_share": "unanimous_share",
    "balance_shift": "balance_shift",
    "worse_than_chance": "worse_than_chance",
    "constant": "constant",
    "silent": "silent",
    "views": "views",
    "joint_items": "joint_items",
    "likelihood_gain": "likelihood_gain",
    "excess_correlation": "excess_correlation",
    "copies": "copies",
    "guessed_share": "guessed_share",
    "votes_per_parameter": "votes_per_parameter",
    "converged": "converged",
}
"""Fields of Diagnostics, by their keys in the header."""
SETTINGS = {
    "anchor_mass": "anchor_mass",
    "hold_recall": "hold_recall",
    "hold_precision": "hold_precision",
    "accuracy_mean": "accuracy_mean",
    "accuracy_mass": "accuracy_mass",
    "error_mass": "error_mass",
    "recall_mass": "recall_mass",
    "recall_floor": "recall_floor",
    "precision_mass": "precision_mass",
    "precision_floor": "precision_floor",
    "prior_precision": "prior_precision",
    "prior_precision_read": "prior_precision_read",
    "bound_recall": "bound_recall",
    "bound_precision": "bound_precision",
    "correlation_ignored": "correlation_ignored",
    "correlation_full": "correlation_full",
    "least_safeguard": "least_safeguard",
    "correlation_base": "correlation_base",
    "correlation_gain": "correlation_gain",
    "correlation_few": "correlation_few",
    "saturation": "saturation",
    "untestable": "untestable",
    "prior_correlated": "prior_correlated",
    "sharpen_precision": "sharpen_precision",
    "anchor_share": "anchor_share",
    "uniform_share": "uniform_share",
    "call_anchor_recall": "call_anchor_recall",
    "call_anchor_precision": "call_anchor_precision",
    "call_margin": "call_margin",
    "call_range": "call_range",
    "call_prior": "call_prior",
    "call_sources": "call_sources",
    "call_checked_votes": "call_checked_votes",
    "family_score": "family_score",
    "set_mass": "set_mass",
    "group_mass": "group_mass",
    "gold_recall": "gold_recall",
    "gold_precision": "gold_precision",
    "gold_log_sharpness": "gold_log_sharpness",
    "gold_anchor_penalty": "gold_anchor_penalty",
}
"""Constants, by their keys in the header."""
RETIRED_SETTINGS: frozenset[str] = frozenset()
"""Keys of constants that no longer exist: files that hold them are read, without them."""

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


def pack(header: dict[str, Any], fitted: Fitted, settings: Settings) -> bytes:
    """A header of JSON values, a fit and its constants, as bytes."""
    diagnostics = fitted.diagnostics.to_json()
    header = {
        "format": FORMAT,
        "version": VERSION,
        **{key: getattr(fitted, entry.field) for key, entry in HEADER.items()},
        "diagnostics": {key: diagnostics[field] for key, field in DIAGNOSTICS.items()},
        "settings": {key: getattr(settings, field) for key, field in SETTINGS.items()},
        **header,
    }
    copies = fitted.copies.tocoo()
    arrays: Arrays = {
        _HEADER: np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
        **dict(zip(COPIES, (copies.row, copies.col, copies.data), strict=True)),
        **_written(FITTED, fitted),
        **_written(PARAMS, fitted.params),
        **_written(READ_OUT, fitted.read_out),
        **({} if fitted.features is None else _written_features(fitted.features)),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], Fitted, Settings]:
    """The header, the fit and its constants.

    Raises:
        ModelFileError: if the bytes are not a model, or one of another version, or damaged.
    """
    header, arrays = _opened(data)
    try:
        _upgrade(header, arrays)
        values = {entry.field: entry.restore(header[key]) for key, entry in HEADER.items()}
        sizes = {"M": len(header["sources"]), "K": len(header["classes"]), "G": len(header["groups"])}
        sizes |= {"T": int(header["n_iter"]), "C": len(arrays["sets"])}
        sizes["S"] = sizes["K"] + sizes["C"]
        row, column, score = (arrays[key] for key in COPIES)
        fitted = Fitted(
            **values,
            **_read(FITTED, arrays, sizes),
            params=Params(**_read(PARAMS, arrays, sizes)),
            read_out=ReadOut(**_read(READ_OUT, arrays, sizes)),
            copies=sp.csr_array((score, (row, column)), shape=(sizes["M"], sizes["M"])),
            diagnostics=Diagnostics.from_json(_by_field(header["diagnostics"], DIAGNOSTICS)),
            features=_read_features(arrays, sizes),
        )
        kept = {key: float(value) for key, value in header["settings"].items() if key not in RETIRED_SETTINGS}
        settings = Settings(**_by_field(kept, SETTINGS))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
    return header, fitted, settings


def _opened(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of a file."""
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
    return header, arrays


def _upgrade(header: dict[str, Any], arrays: Arrays) -> None:
    """Bring what a file of an earlier version holds to `VERSION`."""
    version = header.get("version")
    if version == 1:  # before votes for several classes and groups
        header["groups"] = []
        arrays["sets"] = np.empty((0, len(header["classes"])), bool)
    elif version != VERSION:
        raise ModelFileError(f"the model has format version {version}; this library reads {VERSION}")


def _written(section: Section, record: Any, prefix: str | None = None) -> Arrays:
    """The arrays of a record by their keys on disk; fields that are None are left out."""
    prefix = section.prefix if prefix is None else prefix
    values = {f"{prefix}{key}": getattr(record, entry.field) for key, entry in section.entries.items()}
    return {key: np.asarray(value) for key, value in values.items() if value is not None}


def _read(section: Section, arrays: Arrays, sizes: dict[str, int], prefix: str | None = None) -> dict[str, Any]:
    """The fields of a record; arrays are refused whose shapes do not agree, or that are not finite numbers.

    A letter that is not in `sizes` yet is put there, so that the arrays of one section agree.
    """
    prefix, fields = section.prefix if prefix is None else prefix, {}
    for rest, entry in section.entries.items():
        if entry.of_groups and not sizes["G"]:
            continue
        key, array = f"{prefix}{rest}", arrays[f"{prefix}{rest}"]
        fits = any(_has_shape(array, letters, sizes) for letters in entry.shapes)
        if not fits or array.dtype.kind != entry.kind or not np.isfinite(array).all():
            raise ModelFileError(f"the model file is damaged: {key} has shape {array.shape}, dtype {array.dtype}")
        fields[entry.field] = section.restore(array)
    return fields


def _has_shape(array: NDArray[Any], letters: str, sizes: dict[str, int]) -> bool:
    if array.ndim != len(letters):
        return False
    pairs = zip(letters, array.shape, strict=True)
    return all(length == (int(axis) if axis.isdigit() else sizes.setdefault(axis, length)) for axis, length in pairs)


def _written_features(model: FeatureModel) -> Arrays:
    scaling, network = model.classifier
    arrays = {**_written(FEATURES, model), **_written(SCALING, scaling)}
    for at, layer in enumerate(network):
        arrays |= _written(LAYER, layer, LAYER.prefix.format(at=at))
    return arrays


def _read_features(arrays: Arrays, sizes: dict[str, int]) -> FeatureModel | None:
    if not any(key.startswith(FEATURES.prefix) for key in arrays):
        return None
    scaling = Scaling(**_read(SCALING, arrays, sizes))
    layers: list[Layer] = []
    n_inputs = sizes["D"]
    while any(key.startswith(LAYER.prefix.format(at=len(layers))) for key in arrays):
        sizes_of_layer = {**sizes, "I": n_inputs}
        layers.append(Layer(**_read(LAYER, arrays, sizes_of_layer, LAYER.prefix.format(at=len(layers)))))
        n_inputs = sizes_of_layer["O"]
    if n_inputs != sizes["K"]:
        raise ModelFileError(f"the model file is damaged: the network has {n_inputs} outputs")
    return FeatureModel(classifier=Classifier(scaling, tuple(layers)), **_read(FEATURES, arrays, sizes))


def _by_field(values: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any]:
    """Values of the header by the names of fields."""
    return {table[key]: value for key, value in values.items()}
