"""Checks of arguments that several estimators take."""

from __future__ import annotations

from typing import Any

from weaklabel.errors import InvalidArgumentError


def number_between(value: Any, name: str, low: float, high: float) -> float:
    """The value as a float.

    Raises:
        InvalidArgumentError: if it is no number in [low, high].
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InvalidArgumentError(f"{name} must be between {low} and {high}, got {value!r}", field=name)
    return float(value)


def count_of(value: Any, name: str) -> int:
    """The value as an int.

    Raises:
        InvalidArgumentError: if it is no whole number of 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgumentError(f"{name} must be a whole number of 1 or more, got {value!r}", field=name)
    return value
