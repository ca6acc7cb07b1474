"""Optional dependencies: what is not installed is named together with the extra that installs it."""

from importlib import import_module
from types import ModuleType

from weaklabel.errors import MissingExtraError


def require(module: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import a module that an extra of weaklabel installs.

    Args:
        module: dotted name, as "pyarrow.parquet".
        extra: the extra that installs it, as "parquet".
        needed_for: what cannot be done without it, as "Parquet files"; the message starts with it.

    Raises:
        MissingExtraError: if the module, or one that it imports, is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise MissingExtraError(
            f"{needed_for}: install the extra by pip install 'weaklabel[{extra}]' (missing: {missing})", name=missing
        ) from error
