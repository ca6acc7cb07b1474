"""Arguments of other packages: those that have no meaning here, and those that are called otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from weaklabel.errors import InvalidArgumentError


class AdapterWarning(UserWarning):
    """An argument of another package was given, and has no meaning here."""


def check_arguments(call: str, given: Mapping[str, Any], unused: Mapping[str, str], stacklevel: int = 3) -> None:
    """Warns of arguments without a meaning, and refuses unknown ones.

    Args:
        call: what was called, for messages.
        given: the arguments that the call does not know.
        unused: why each argument of the other package has no meaning here; empty where that goes without saying.
        stacklevel: of the warning, counted from here.

    Raises:
        InvalidArgumentError: for an argument that neither package has.
    """
    if unknown := [name for name in given if name not in unused]:
        raise InvalidArgumentError(
            f"{call} has no argument {unknown[0]!r}, here and in the package that it stands for", field=unknown[0]
        )
    if given:
        reasons = {unused[name] for name in given}
        names = ", ".join(given)
        message = f"{call}: {names} {'has' if len(given) == 1 else 'have'} no meaning here"
        warnings.warn("; ".join([message, *sorted(reasons - {""})]), AdapterWarning, stacklevel=stacklevel)


def missing_name(module: str, name: str, instead: Mapping[str, str]) -> Exception:
    """What to raise where a module is asked for a name that it does not have.

    A name that the other package has is an ImportError with what to use here, which `from ... import` shows as it is.
    """
    if name in instead:
        return ImportError(f"{module} has no {name}: {instead[name]}", name=module)
    return AttributeError(f"module {module!r} has no attribute {name!r}")
