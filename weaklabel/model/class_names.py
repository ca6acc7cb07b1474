"""The classes of a model: their number and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaklabel.errors import InvalidArgumentError


def class_names(n_classes: int | np.integer[Any] | None, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the classes; "0", "1", ... where only their number is given.

    Raises:
        InvalidArgumentError: if neither is given, or they do not agree, are fewer than two, or repeat.
    """
    if classes is None:
        if n_classes is None:
            raise InvalidArgumentError("give n_classes, or the names of the classes", field="n_classes")
        if isinstance(n_classes, bool) or not isinstance(n_classes, (int, np.integer)) or n_classes < 2:
            raise InvalidArgumentError(
                f"n_classes must be a whole number, at least 2: {n_classes!r}", field="n_classes"
            )
        return tuple(str(k) for k in range(n_classes))
    if isinstance(classes, str):
        raise InvalidArgumentError(f"classes must be a list of names, got the text {classes!r}", field="classes")
    names = tuple(str(name) for name in classes)
    if len(names) < 2:
        raise InvalidArgumentError(f"at least two classes are needed, got {len(names)}", field="classes")
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InvalidArgumentError(f"class {twice!r} appears twice", field="classes")
    if n_classes is not None and n_classes != len(names):
        raise InvalidArgumentError(f"n_classes is {n_classes}, {len(names)} names are given", field="n_classes")
    return names
