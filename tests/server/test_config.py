"""Settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from weaklabel_server.config import ServerConfig


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:", ":1", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:²"])
def test_addresses_that_are_none(listen: str) -> None:
    with pytest.raises(ValidationError, match="HOST:PORT"):
        ServerConfig(listen=listen)


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.168.0.1:1", False),
        ("example.org:1", False),
        ("localhost.example.org:1", False),
    ],
)
def test_who_can_reach_an_address(listen: str, loopback: bool) -> None:
    assert ServerConfig(listen=listen).is_loopback == loopback


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAKLABEL_DATA_DIR", "/from/environment")
    monkeypatch.setenv("WEAKLABEL_MAX_FITS", "3")
    config = ServerConfig(data_dir=Path("/from/argument"))
    assert (config.data_dir, config.max_fits) == (Path("/from/argument"), 3)
    monkeypatch.setenv("WEAKLABEL_MAX_FITS", "0")
    with pytest.raises(ValidationError, match="max_fits"):
        ServerConfig()
