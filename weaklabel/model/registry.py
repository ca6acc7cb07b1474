"""Names of source models and label spaces, by which a model is asked for one and a model file keeps it."""

from __future__ import annotations

from typing import TypeVar

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.one_coin import OneCoin

T = TypeVar("T")

_SOURCE_MODELS: dict[str, type[SourceModel]] = {"confusion": ConfusionMatrices, "one_coin": OneCoin}
_LABEL_SPACES: dict[str, type[LabelSpace]] = {"classes": ClassPrior}


def register_source_model(name: str, source_model: type[SourceModel]) -> None:
    """Makes a source model known: a NamedTuple of arrays, or another pytree with `_fields`.

    Raises:
        InvalidArgumentError: if another one has the name.
    """
    _register(_SOURCE_MODELS, name, source_model, "source model")


def register_label_space(name: str, label_space: type[LabelSpace]) -> None:
    """Makes a label space known: a NamedTuple of arrays, or another pytree with `_fields`.

    Raises:
        InvalidArgumentError: if another one has the name.
    """
    _register(_LABEL_SPACES, name, label_space, "label space")


def source_model(name: str) -> type[SourceModel]:
    """The source model of a name.

    Raises:
        InvalidArgumentError: if none has it.
    """
    return _of_name(_SOURCE_MODELS, name, "source model")


def label_space(name: str) -> type[LabelSpace]:
    """The label space of a name.

    Raises:
        InvalidArgumentError: if none has it.
    """
    return _of_name(_LABEL_SPACES, name, "label space")


def name_of(part: SourceModel | LabelSpace) -> str:
    """The name of a source model or a label space.

    Raises:
        InvalidArgumentError: if it is not registered.
    """
    for name, known in [*_SOURCE_MODELS.items(), *_LABEL_SPACES.items()]:
        if type(part) is known:
            return name
    raise InvalidArgumentError(f"{type(part).__name__} is not registered", field="label_space")


def _register(table: dict[str, type[T]], name: str, part: type[T], kind: str) -> None:
    if table.setdefault(name, part) is not part:
        raise InvalidArgumentError(f"another {kind} is registered as {name!r}", field="name")


def _of_name(table: dict[str, type[T]], name: str, kind: str) -> type[T]:
    if name not in table:
        known = ", ".join(map(repr, table))
        raise InvalidArgumentError(f"there is no {kind} {name!r}: {known} are registered", field=kind.replace(" ", "_"))
    return table[name]
