"""Reprs that fit a screen, whatever a result holds."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

_SHOWN = 3
_MOST_CHARACTERS = 80


class ShortRepr:
    """A dataclass whose repr gives arrays by type and shape, and of long sequences and texts the beginning."""

    def __repr__(self) -> str:
        parts = (f"{one.name}={_short(getattr(self, one.name))}" for one in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(parts)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {list(value.shape)}>"
    if isinstance(value, tuple) and len(value) > _SHOWN:
        shown = ", ".join(map(_short, value[:_SHOWN]))
        return f"({_cut(shown)}, ... {len(value):,} in all)"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_short, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, Mapping):
        return f"<{len(value):,} entries>"
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
