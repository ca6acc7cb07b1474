"""Options of fits by label space."""

from collections.abc import Mapping
from typing import Any

from weaklabel_protocol.v1 import models_pb2

OPTIONS = tuple(field.name for field in models_pb2.KindOptions.DESCRIPTOR.fields)


def kind_options(options: Mapping[str, Any] | None) -> models_pb2.KindOptions | None:
    """Options of a label space as a message.

    Raises:
        ValueError: One is not known.
    """
    if not options:
        return None
    if unknown := [name for name in options if name not in OPTIONS]:
        raise ValueError(f"options: {unknown[0]!r} is none of {', '.join(OPTIONS)}")
    try:
        return models_pb2.KindOptions(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"options: {error}") from None
