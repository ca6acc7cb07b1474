"""Source models and label spaces by name: a model is asked for one by it, and a model file keeps it.

More can be registered from outside this package. Such a class is a NamedTuple of arrays, so that its fields are known,
and follows a protocol of `weaklabel.model.protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.one_coin import OneCoin


class Entry(NamedTuple):
    """An array of a model file: the field that holds it, and what is accepted there."""

    field: str
    shapes: tuple[str, ...]
    """Letters of the axes, a digit for an axis of that length, "" for a number: M sources, K classes, C candidate sets,
    S = K + C vote symbols, G groups, T iterations, D features, I and O inputs and outputs of a layer."""
    of_groups: bool = False
    """Only in models with groups."""
    kind: str = "f"
    """Of NumPy's dtypes."""
    calibrated: bool = False
    """Whether calibration changes it, so that a file keeps what it is there, too."""


class Registered(NamedTuple):
    """A source model or a label space."""

    name: str
    part: type[Any]
    entries: Mapping[str, Entry]
    """Its arrays, by their keys in a model file."""


_SOURCE_MODELS = {
    "confusion": Registered(
        "confusion",
        ConfusionMatrices,
        {
            "confusion": Entry("confusion", ("MKK",)),
            "log_likelihoods": Entry("log_likelihoods", ("MSK",), calibrated=True),
        },
    ),
    "one_coin": Registered(
        "one_coin",
        OneCoin,
        {
            "accuracy": Entry("accuracy", ("M",)),
            "log_likelihoods": Entry("log_likelihoods", ("MK",), calibrated=True),
        },
    ),
}
_LABEL_SPACES = {
    "classes": Registered(
        "classes",
        ClassPrior,
        {
            "log_prior": Entry("log_prior", ("K",), calibrated=True),
            "class_totals": Entry("class_totals", ("K",)),
            "group_totals": Entry("group_totals", ("GK",), of_groups=True),
            "group_shift": Entry("group_shift", ("GK",), of_groups=True),
        },
    ),
}


def register_source_model(name: str, source_model: type[Any], entries: Mapping[str, Entry]) -> None:
    """Makes a source model known; the same one again changes nothing.

    Args:
        name: for model files.
        source_model: a NamedTuple that follows `SourceModel`.
        entries: its arrays, by their keys in a model file: one for each field.

    Raises:
        InvalidArgumentError: if another one has the name, or a field has no entry.
    """
    _register(_SOURCE_MODELS, "source model", Registered(name, source_model, entries))


def register_label_space(name: str, label_space: type[Any], entries: Mapping[str, Entry]) -> None:
    """Makes a label space known, for `LabelModel(label_space=name)`; see `register_source_model`."""
    _register(_LABEL_SPACES, "label space", Registered(name, label_space, entries))


def source_model_of(name: str) -> Registered:
    """The source model of a name.

    Raises:
        InvalidArgumentError: if none has it.
    """
    return _named(_SOURCE_MODELS, name, "source_model")


def label_space_of(name: str) -> Registered:
    """The label space of a name.

    Raises:
        InvalidArgumentError: if none has it.
    """
    return _named(_LABEL_SPACES, name, "label_space")


def label_space(name: str) -> type[LabelSpace]:
    """The class of the label space of a name; see `label_space_of`."""
    return cast("type[LabelSpace]", label_space_of(name).part)


def source_model(name: str) -> type[SourceModel]:
    """The class of the source model of a name; see `source_model_of`."""
    return cast("type[SourceModel]", source_model_of(name).part)


def registered() -> tuple[Registered, ...]:
    """All source models and label spaces."""
    return (*_SOURCE_MODELS.values(), *_LABEL_SPACES.values())


def entry_of(part: SourceModel | LabelSpace) -> Registered:
    """The entry of a source model or a label space.

    Raises:
        InvalidArgumentError: if it is not registered.
    """
    for known in registered():
        if type(part) is known.part:
            return known
    raise InvalidArgumentError(f"{type(part).__name__} is not registered")


def _register(table: dict[str, Registered], kind: str, new: Registered) -> None:
    if {entry.field for entry in new.entries.values()} != set(new.part._fields):
        raise InvalidArgumentError(f"the {kind} {new.name!r} needs one entry for each of its fields", field="entries")
    if table.setdefault(new.name, new).part is not new.part:
        raise InvalidArgumentError(f"another {kind} is registered as {new.name!r}", field="name")


def _named(table: dict[str, Registered], name: str, field: str) -> Registered:
    if name not in table:
        known = ", ".join(map(repr, table))
        raise InvalidArgumentError(f"there is no {field} {name!r}: {known} are registered", field=field)
    return table[name]
