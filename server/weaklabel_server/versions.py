"""Which versions of weaklabel's packages work together: those of one major and minor version."""

from collections.abc import Mapping

import weaklabel._version
import weaklabel_protocol._version
from weaklabel_server import _version


class IncompatibleVersionsError(Exception):
    """The packages installed do not work together; the message says which one to upgrade, and to what."""


def installed() -> dict[str, str]:
    """The versions of weaklabel's packages that the server is made of, by their names."""
    return {
        "weaklabel-server": _version.__version__,
        "weaklabel": weaklabel._version.__version__,
        "weaklabel-protocol": weaklabel_protocol._version.__version__,
    }


def check(versions: Mapping[str, str]) -> None:
    """Compares versions of packages by name.

    Raises:
        IncompatibleVersionsError: They are not of one major and minor version.
    """
    newest = max(versions.values(), key=_series)
    behind = [name for name, version in versions.items() if _series(version) != _series(newest)]
    if behind:
        major, minor = _series(newest)
        upgrade = " ".join(f'"{name}=={major}.{minor}.*"' for name in behind)
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise IncompatibleVersionsError(f"{listed} do not work together; upgrade: pip install {upgrade}")


def _series(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
