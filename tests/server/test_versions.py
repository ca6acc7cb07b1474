"""Which versions of weaklabel's packages work together, and what the server says of others."""

import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weaklabel.cli.main import app
from weaklabel_server import versions

PYPROJECT = Path(__file__).parent.parent.parent / "server" / "pyproject.toml"


def test_what_is_installed_works_together() -> None:
    assert set(versions.installed()) == {"weaklabel", "weaklabel-protocol", "weaklabel-server"}
    versions.check(versions.installed())


@pytest.mark.parametrize(
    ("library", "protocol", "server", "upgrade"),
    [
        ("0.2.0", "0.1.9", "0.2.3", '"weaklabel-protocol==0.2.*"'),
        ("1.0.0", "1.0.0", "0.9.0", '"weaklabel-server==1.0.*"'),
        ("0.9.0", "0.10.1rc1", "0.9.2", '"weaklabel-server==0.10.*" "weaklabel==0.10.*"'),
    ],
)
def test_the_package_to_upgrade_is_named(library: str, protocol: str, server: str, upgrade: str) -> None:
    together = {"weaklabel-server": server, "weaklabel": library, "weaklabel-protocol": protocol}
    with pytest.raises(versions.IncompatibleVersionsError) as caught:
        versions.check(together)
    assert str(caught.value).endswith(f"do not work together; upgrade: pip install {upgrade}")
    assert f"weaklabel {library}" in str(caught.value)


@pytest.mark.parametrize("patch", ["0.2.0", "0.2.17"])
def test_patch_versions_work_together(patch: str) -> None:
    versions.check({"weaklabel-server": patch, "weaklabel": "0.2.1", "weaklabel-protocol": "0.2.0"})


def test_serve_fails_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel_server._version.__version__", "0.0.9")
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("weaklabel serve: weaklabel-server 0.0.9, weaklabel ")
    assert 'pip install "weaklabel-server==' in line


def test_serve_without_the_server_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weaklabel_server", None)
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 1
    assert result.stderr == 'weaklabel serve: the server is not installed: pip install "weaklabel[server]"\n'


def test_the_distribution_asks_for_its_own_series() -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    major, minor, *_ = versions.installed()["weaklabel-server"].split(".")
    expected = f">={major}.{minor},<{major}.{int(minor) + 1}"
    assert {f"weaklabel{expected}", f"weaklabel-protocol[grpc]{expected}"} <= set(dependencies)
