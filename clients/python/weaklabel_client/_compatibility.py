"""Checks at import that the installed weaklabel-protocol is of the version that this client needs."""

import weaklabel_protocol

PROTOCOL_VERSION = (0, 1)  # major and minor, as the requirement in pyproject.toml


def check_protocol(version: str) -> None:
    """Raise ImportError unless a version of weaklabel-protocol has the major and minor that this client needs."""
    installed = tuple(map(int, version.split(".")[:2]))
    if installed != PROTOCOL_VERSION:
        needed = ".".join(map(str, PROTOCOL_VERSION))
        outdated = "weaklabel-protocol" if installed < PROTOCOL_VERSION else "weaklabel-client"
        raise ImportError(
            f"this weaklabel-client needs weaklabel-protocol {needed}, {version} is installed: upgrade {outdated}"
        )


check_protocol(weaklabel_protocol.__version__)
