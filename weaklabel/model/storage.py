"""Models as bytes: a NumPy archive without pickle, so that a file from elsewhere cannot run code.

The names on disk are those of the tables below, and of nothing else: `SECTIONS` for arrays, `HEADER`, `DIAGNOSTICS` and
`SETTINGS` for what the header holds as JSON. The left side of a table is the disk format and never changes; the right
side is the code's, so renaming a field takes one edit here. A field without an entry fails tests/model/test_storage.py.
Source models and label spaces are kept by their names and tables in `weaklabel.model.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel._archive import MOST_BYTES, UNREADABLE, TooLargeError, pack_arrays, unpack_arrays
from weaklabel.errors import InvalidArgumentError, ModelFileError
from weaklabel.model.drift.history import Drift
from weaklabel.model.features.end_model import FeatureModel
from weaklabel.model.features.network import Classifier, Layer
from weaklabel.model.features.scaling import Scaling
from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import Correction, Gold
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.params import Calibration, Params
from weaklabel.model.registry import Entry, Registered, entry_of, label_space_of, source_model_of
from weaklabel.model.report.diagnostics import Diagnostics
from weaklabel.model.settings import Settings

FORMAT = "weaklabel label model"
VERSION = 5
"""Of the format. It goes up when readers of the version before could not read the file, or would misread it. Then
`_upgrade` learns to read the version before, and tests/golden/models gets a folder. Renaming a field is no reason."""
MAJORITY_FORMAT = "weaklabel majority vote"
MAJORITY_VERSION = 1

Arrays = dict[str, NDArray[Any]]


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
CALIBRATION = Section(
    "calibration.",
    Calibration,
    {
        "inverse_temperature": Entry("inverse_temperature", ("",)),
        "correlation": Entry("correlation", ("",)),
        "design_effect_exponent": Entry("design_effect_exponent", ("",)),
        "share_prior_mass": Entry("share_prior_mass", ("",)),
        "share_mixture": Entry("share_mixture", ("",)),
        "uniform_mixture": Entry("uniform_mixture", ("",)),
        "share_power": Entry("share_power", ("",)),
        "soft_vote_exponent": Entry("soft_vote_exponent", ("",)),
    },
    jnp.asarray,
)
PARTS = {"sources": "sources", "labels": "labels"}
"""Fields of Params, which are a source model and a label space, by their keys on disk: "params.sources.*"."""
CALIBRATED_PARTS = PARTS
"""Fields of Calibration that are such, likewise: "calibration.sources.*". Only what calibration changes is kept."""
FEATURES = Section(
    "features.",
    FeatureModel,
    {
        "log_balance": Entry("log_balance", ("K",)),
        "strength": Entry("strength", ("",)),
        "votes_power": Entry("votes_power", ("",)),
    },
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
LAYER = Section("features.network.{at}.", Layer, {"weight": Entry("weight", ("EIO",)), "bias": Entry("bias", ("EO",))})
"""For layer 0, 1, ... of E models. In files of one model, an axis less."""
GOLD = Section(
    "gold.",
    Gold,
    {"pool": Entry("pool", ("4",)), "best": Entry("best", ("M",)), "n_labels": Entry("n_labels", ("",), kind="i")},
)
CORRECTION = Section(
    "gold.{name}.",
    Correction,
    {
        "power": Entry("power", ("",)),
        "bias": Entry("bias", ("2K",)),
        "trust": Entry("trust", ("M",)),
        "of_votes": Entry("of_votes", ("VK",)),
        "of_shares": Entry("of_shares", ("KK",)),
    },
)
"""For "small", which has the first three, and "large"."""
DRIFT = Section(
    "drift.",
    Drift,
    {
        "starts": Entry("starts", ("B",)),
        "ends": Entry("ends", ("B",)),
        "middles": Entry("middles", ("B",)),
        "items": Entry("items", ("B",)),
        "counts": Entry("counts", ("BMKK",)),
        "class_totals": Entry("class_totals", ("K",)),
        "rates": Entry("rates", ("M",)),
        "segments": Entry("segments", ("MB",), kind="i"),
        "are_dates": Entry("are_dates", ("",), kind="b"),
        "are_calls": Entry("are_calls", ("",), kind="b"),
        "smoothing": Entry("smoothing", ("K",)),
        "hold": Entry("hold", ("",)),
        "confusion_mass": Entry("confusion_mass", ("",)),
        "error_mass": Entry("error_mass", ("",)),
        "unipolarity": Entry("unipolarity", ("M",)),
        "independence": Entry("independence", ("M",)),
        "log_share_balance": Entry("log_share_balance", ("K",)),
        "worth": Entry("worth", ("M",)),
        "sample": Entry("sample", ("RM",), kind="i"),
        "sample_times": Entry("sample_times", ("R",)),
        "checked": Entry("checked", ("",)),
    },
)
"""Of models whose items had times. B blocks, R sampled items."""
SECTIONS = (FITTED, CALIBRATION, FEATURES, SCALING, LAYER, GOLD, CORRECTION, DRIFT)

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
    "doubt": "doubt",
    "copies": "copies",
    "votes_per_parameter": "votes_per_parameter",
    "converged": "converged",
}
"""Fields of Diagnostics, by their keys in the header."""
RETIRED_DIAGNOSTICS = frozenset(("majority_vote", "guessed_share"))
"""Keys of fields that no longer exist: files that hold them are read, without them."""
SETTINGS = {
    "anchor_mass": "share_prior_mass",
    "accuracy_mean": "accuracy_mean",
    "accuracy_mass": "accuracy_mass",
    "recall_mass": "generative_mass",
    "generative_mass_of_cells": "generative_mass_of_cells",
    "recall_floor": "floor",
    "precision_mass": "discriminative_mass",
    "residual_ignored": "residual_ignored",
    "suspected_copy": "suspected_copy",
    "copy_rate": "copy_rate",
    "hold_gain": "hold_gain",
    "least_hold": "least_hold",
    "saturation_of_votes": "saturation",
    "geometric_mean": "geometric_mean",
    "feature_overlap": "feature_overlap",
    "family_score": "family_score",
    "set_mass": "set_mass",
    "set_coverage": "set_coverage",
    "group_mass": "group_mass",
    "gold_power_deviation": "gold_power_deviation",
    "gold_bias_deviation": "gold_bias_deviation",
    "gold_trust_variance": "gold_trust_variance",
    "gold_trust_variance_large": "gold_trust_variance_large",
    "gold_vote_variance": "gold_vote_variance",
    "gold_pool_temperature": "gold_pool_temperature",
    "gold_votes_mass": "gold_votes_mass",
    "gold_large_mass": "gold_large_mass",
    "gold_best_source": "gold_best_source",
}
"""Constants, by their keys in the header."""
RETIRED_SETTINGS = frozenset(
    (
        *("hold_recall", "hold_precision", "prior_precision_read", "bound_recall", "bound_precision"),
        *("correlation_ignored", "correlation_full", "least_safeguard", "correlation_base", "correlation_gain"),
        *("correlation_few", "saturation", "untestable", "prior_correlated", "sharpen_precision", "anchor_share"),
        *("uniform_share", "call_anchor_recall", "call_anchor_precision", "call_margin", "call_range", "call_prior"),
        *("call_sources", "call_checked_votes"),
        *("error_mass", "precision_floor", "prior_precision", "most_hold", "balance_power"),
        *("gold_recall", "gold_precision", "gold_log_sharpness", "gold_anchor_penalty"),
    )
)
"""Keys of constants that no longer exist: files that hold them are read, without them."""


def pack(header: dict[str, Any], fitted: Fitted, settings: Settings) -> bytes:
    """A header of JSON values, a fit and its constants, as bytes."""
    diagnostics = fitted.diagnostics.to_json()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "source_model": entry_of(fitted.params.sources).name,
        "label_space": entry_of(fitted.params.labels).name,
        **{key: getattr(fitted, entry.field) for key, entry in HEADER.items()},
        "diagnostics": {key: diagnostics[field] for key, field in DIAGNOSTICS.items()},
        "settings": {key: getattr(settings, field) for key, field in SETTINGS.items()},
        **header,
    }
    copies = fitted.copies.tocoo()
    arrays: Arrays = {
        **dict(zip(COPIES, (copies.row, copies.col, copies.data), strict=True)),
        **_written(FITTED, fitted),
        **_written_parts(fitted),
        **_written(CALIBRATION, fitted.calibration),
        **({} if fitted.features is None else _written_features(fitted.features)),
        **({} if fitted.gold is None else written_gold(fitted.gold)),
        **({} if fitted.drift is None else _written(DRIFT, fitted.drift)),
    }
    return pack_arrays(header, arrays)


@under_own_settings
def unpack(data: bytes, most_bytes: int = MOST_BYTES) -> tuple[dict[str, Any], Fitted, Settings]:
    """The header, the fit and its constants.

    Raises:
        ModelFileError: if the bytes are not a model, or one of another version, or damaged.
    """
    header, arrays = opened(data, most_bytes)
    try:
        _upgrade(header, arrays)
        values = {entry.field: entry.restore(header[key]) for key, entry in HEADER.items()}
        sizes = {"M": len(header["sources"]), "K": len(header["classes"]), "G": len(header["groups"])}
        sizes |= {"T": int(header["n_iter"]), "C": len(arrays["sets"])}
        sizes["S"] = sizes["K"] + sizes["C"]
        row, column, score = (arrays[key] for key in COPIES)
        params = _read_params(header, arrays, sizes)
        diagnostics = _kept(header["diagnostics"], RETIRED_DIAGNOSTICS)
        fitted = Fitted(
            **values,
            **_read(FITTED, arrays, sizes),
            params=params,
            calibration=_read_calibration(params, arrays, sizes),
            copies=sp.csr_array((score, (row, column)), shape=(sizes["M"], sizes["M"])),
            diagnostics=Diagnostics.from_json(_by_field(diagnostics, DIAGNOSTICS)),
            features=_read_features(arrays, sizes),
            gold=read_gold(arrays, sizes),
            drift=_read_drift(arrays, sizes),
        )
        constants = _kept(header["settings"], RETIRED_SETTINGS)
        settings = Settings(**_by_field({key: float(value) for key, value in constants.items()}, SETTINGS))
    except ModelFileError:
        raise
    except InvalidArgumentError as error:  # of the registry
        raise ModelFileError(f"the model cannot be read here: {error}; register it first") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
    return header, fitted, settings


def opened(data: bytes, most_bytes: int, kind: str = FORMAT) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of a file of a kind, such as "weaklabel label model".

    Raises:
        ModelFileError: if the bytes are of another kind, unreadable or too large.
    """
    name = kind.removeprefix("weaklabel ")
    name = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    try:
        header, arrays = unpack_arrays(data, most_bytes)
    except TooLargeError as error:
        raise ModelFileError(f"this model is too large: {error}") from error
    except UNREADABLE as error:
        raise ModelFileError(f"this is not {name}: {error}") from None
    other = header.get("format")
    if other != kind:
        known = isinstance(other, str) and other.startswith("weaklabel ")
        raise ModelFileError(f"this is not {name}" + (f" but a {str(other).split(' ', 1)[1][:40]}" if known else ""))
    return header, arrays


def _upgrade(header: dict[str, Any], arrays: Arrays) -> None:
    """Bring what a file of an earlier version holds to `VERSION`."""
    version: Any = header.get("version")
    if version not in range(1, VERSION + 1):
        raise ModelFileError(f"the model has format version {version}; this library reads 1 to {VERSION}")
    if version == 1:  # before votes for several classes and groups
        header["groups"] = []
        arrays["sets"] = np.empty((0, len(header["classes"])), bool)
    if version < 5:  # before probability vectors were tempered by the evidence that is read from them
        arrays["calibration.soft_vote_exponent"] = np.ones((), np.float32)
    if version < 4:  # before vote shares were pooled with the posterior, and independence was tested
        arrays["calibration.share_power"] = np.zeros((), np.float32)
        header["diagnostics"]["doubt"] = 1.0
        if "features.strength" in arrays:  # before features could hold part of what votes say
            arrays["features.votes_power"] = np.ones((), np.float32)
    if version < 3:  # before source models and label spaces had names
        one_coin = arrays["params.confusion"].ndim == 1
        header["source_model"], header["label_space"] = "one_coin" if one_coin else "confusion", "classes"
        for old, new in _VERSION_2.items():
            if old in arrays:
                arrays[new] = arrays.pop(old)
        if one_coin:
            arrays["params.sources.accuracy"] = arrays.pop("params.sources.confusion")


_VERSION_2 = {
    "params.confusion": "params.sources.confusion",
    "params.evidence": "params.sources.log_likelihoods",
    "params.log_prior": "params.labels.log_prior",
    "params.class_totals": "params.labels.class_totals",
    "params.group_totals": "params.labels.group_totals",
    "params.group_shift": "params.labels.group_shift",
    "read_out.evidence": "calibration.sources.log_likelihoods",
    "read_out.log_prior": "calibration.labels.log_prior",
    "read_out.sharpness": "calibration.inverse_temperature",
    "read_out.correlation": "calibration.correlation",
    "read_out.saturation": "calibration.design_effect_exponent",
    "read_out.anchor_mass": "calibration.share_prior_mass",
    "read_out.anchor_share": "calibration.share_mixture",
    "read_out.uniform_share": "calibration.uniform_mixture",
}
"""Keys of version 2, and those of today. "read_out.group_shift" was the same as "params.group_shift"."""


def _written(section: Section, record: Any, prefix: str | None = None) -> Arrays:
    """The arrays of a record by their keys on disk; fields that are None are left out."""
    prefix = section.prefix if prefix is None else prefix
    values = {f"{prefix}{key}": getattr(record, entry.field) for key, entry in section.entries.items()}
    return {key: np.asarray(value) for key, value in values.items() if value is not None}


def _written_parts(fitted: Fitted) -> Arrays:
    """The arrays of the source models and label spaces."""
    arrays: Arrays = {}
    for key, field in PARTS.items():
        part = getattr(fitted.params, field)
        arrays |= _written(_section(f"params.{key}.", entry_of(part)), part)
    for key, field in CALIBRATED_PARTS.items():
        part = getattr(fitted.calibration, field)
        arrays |= _written(_section(f"calibration.{key}.", entry_of(part), calibrated=True), part)
    return arrays


def _read_params(header: dict[str, Any], arrays: Arrays, sizes: dict[str, int]) -> Params:
    kinds = {"sources": source_model_of(header["source_model"]), "labels": label_space_of(header["label_space"])}
    parts = {
        field: kinds[field].part(**_read(_section(f"params.{key}.", kinds[field]), arrays, sizes))
        for key, field in PARTS.items()
    }
    return Params(**parts)


def _read_calibration(params: Params, arrays: Arrays, sizes: dict[str, int]) -> Calibration:
    parts = {}
    for key, field in CALIBRATED_PARTS.items():
        part: Any = params.sources if field.endswith("sources") else params.labels
        section = _section(f"calibration.{key}.", entry_of(part), calibrated=True)
        parts[field] = part._replace(**_read(section, arrays, sizes))
    return Calibration(**parts, **_read(CALIBRATION, arrays, sizes))


def _section(prefix: str, kind: Registered, *, calibrated: bool = False) -> Section:
    """The arrays of a source model or a label space; or those that calibration changes."""
    entries = {key: entry for key, entry in kind.entries.items() if not calibrated or entry.calibrated}
    return Section(prefix, kind.part, entries, jnp.asarray)


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
        alone = len(layer.bias) == 1
        arrays |= _written(LAYER, Layer(*(part[0] for part in layer)) if alone else layer, LAYER.prefix.format(at=at))
    return arrays


def _read_features(arrays: Arrays, sizes: dict[str, int]) -> FeatureModel | None:
    if not any(key.startswith(FEATURES.prefix) for key in arrays):
        return None
    scaling = Scaling(**_read(SCALING, arrays, sizes))
    for key, dimensions in (("weight", 3), ("bias", 2)):  # before the end model was the mean of several
        for name in [name for name in arrays if name.startswith("features.network.") and name.endswith(key)]:
            arrays[name] = arrays[name][None] if arrays[name].ndim == dimensions - 1 else arrays[name]
    layers: list[Layer] = []
    n_inputs = sizes["D"]
    while any(key.startswith(LAYER.prefix.format(at=len(layers))) for key in arrays):
        sizes_of_layer = {**sizes, "I": n_inputs}
        layers.append(Layer(**_read(LAYER, arrays, sizes_of_layer, LAYER.prefix.format(at=len(layers)))))
        n_inputs = sizes_of_layer["O"]
    if n_inputs != sizes["K"]:
        raise ModelFileError(f"the model file is damaged: the network has {n_inputs} outputs")
    return FeatureModel(classifier=Classifier(scaling, tuple(layers)), **_read(FEATURES, arrays, sizes))


def _read_drift(arrays: Arrays, sizes: dict[str, int]) -> Drift | None:
    if not any(key.startswith(DRIFT.prefix) for key in arrays):
        return None
    drift = Drift(**_read(DRIFT, arrays, sizes))
    in_order = (drift.starts <= drift.ends).all() and (np.diff(drift.middles) >= 0).all()
    in_range = ((drift.sample >= -1) & (drift.sample < sizes["K"])).all()
    of_counts = (drift.counts >= 0).all() and (drift.items > 0).all() and (drift.rates >= 0).all()
    if not (len(drift.items) and in_order and in_range and of_counts):
        raise ModelFileError("the model file is damaged: what it holds of blocks of time contradicts itself")
    return drift


def written_gold(gold: Gold) -> Arrays:
    """The arrays of what gold has taught, by their keys on disk."""
    arrays = _written(GOLD, gold)
    for name in ("small", "large"):
        arrays |= _written(CORRECTION, getattr(gold, name), CORRECTION.prefix.format(name=name))
    return arrays


def read_gold(arrays: Arrays, sizes: dict[str, int]) -> Gold | None:
    """What gold has taught; None where the file holds none.

    Args:
        arrays: of the file.
        sizes: M sources and K classes, by these letters.

    Raises:
        ModelFileError: for arrays whose shapes do not agree, or that are not finite numbers.
    """
    if not any(key.startswith(GOLD.prefix) for key in arrays):
        return None
    sizes = {**sizes, "V": sizes["M"] * sizes["K"]}

    def correction(name: str) -> Correction:
        prefix = CORRECTION.prefix.format(name=name)
        entries = {key: entry for key, entry in CORRECTION.entries.items() if f"{prefix}{key}" in arrays}
        return Correction(**_read(CORRECTION._replace(entries=entries), arrays, sizes, prefix))

    return Gold(small=correction("small"), large=correction("large"), **_read(GOLD, arrays, sizes))


def _kept(values: Mapping[str, Any], retired: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in retired}


def _by_field(values: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any]:
    """Values of the header by the names of fields."""
    return {table[key]: value for key, value in values.items()}
