"""Parameters of an estimator, by the habits of scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any, Self

from weaklabel.errors import InvalidArgumentError


class Parameters:
    """`get_params` and `set_params` of a class that keeps the arguments of its making as attributes."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  # by the habit of scikit-learn
        """The arguments that make a model like this one, not fitted; as scikit-learn's `clone` wants them.

        Args:
            deep: nothing: no parameter is a model itself.
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Sets arguments of the making anew. What was fitted is forgotten: it belongs to the old ones.

        Raises:
            InvalidArgumentError: for a name that is none, and as the class itself.
        """
        known = self.get_params()
        if unknown := [name for name in params if name not in known]:
            raise InvalidArgumentError(f"{unknown[0]!r} is no parameter; they are {', '.join(known)}", field=unknown[0])
        if params:
            self.__dict__ = type(self)(**(known | params)).__dict__  # whole, or not at all
        return self


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
