"""Parameters of an estimator, by the habits of scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Self

from weaklabel.errors import InvalidArgumentError


class Parameters:
    """`get_params` and `set_params` of a class that keeps the arguments of its making as attributes."""

    _together: ClassVar[frozenset[str]] = frozenset()
    """Parameters that may not fit each other: where one is set, the others are None unless they are set, too."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  # by the habit of scikit-learn
        """The arguments that make a model like this one, not fitted; as scikit-learn's `clone` wants them.

        Args:
            deep: nothing: no parameter is a model itself.
        """
        parameters = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD}

    def set_params(self, **params: Any) -> Self:
        """Sets arguments of the making anew. What was fitted is forgotten: it belongs to the old ones.

        Raises:
            InvalidArgumentError: for a name that is none, and as the class itself.
        """
        known = self.get_params()
        if unknown := [name for name in params if name not in known]:
            raise InvalidArgumentError(f"{unknown[0]!r} is no parameter; they are {', '.join(known)}", field=unknown[0])
        if self._together & params.keys():
            known |= dict.fromkeys(self._together)
        if params:
            self.__dict__ = type(self)(**(known | params)).__dict__  # whole, or not at all
        return self
