"""Which weaklabel-protocol goes with the client."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import weaklabel_protocol
from weaklabel_client._compatibility import PROTOCOL_VERSION, check_protocol

CLIENT = Path(__file__).parents[2] / "clients" / "python"


@pytest.mark.parametrize("version", ["0.1.0", "0.1.17", "0.1.1rc1", weaklabel_protocol.__version__])
def test_the_same_minor_version_goes(version: str) -> None:
    check_protocol(version)


@pytest.mark.parametrize(
    ("version", "outdated"),
    [("0.0.9", "weaklabel-protocol"), ("0.2.0", "weaklabel-client"), ("1.0", "weaklabel-client")],
)
def test_another_one_is_refused_with_the_package_to_upgrade(version: str, outdated: str) -> None:
    with pytest.raises(ImportError, match=f"needs weaklabel-protocol 0.1, {version} is installed: upgrade {outdated}$"):
        check_protocol(version)


def test_it_is_checked_before_anything_of_it_is_used(tmp_path: Path) -> None:
    """An old weaklabel-protocol, which lacks everything else, is named by its version."""
    (tmp_path / "weaklabel_protocol").mkdir()
    (tmp_path / "weaklabel_protocol" / "__init__.py").write_text('__version__ = "0.0.1"\n')
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.meta_path[:] = sys.meta_path[-3:]"
    code += f"; sys.path.insert(1, {str(CLIENT)!r}); import weaklabel_client"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "ImportError: this weaklabel-client needs weaklabel-protocol 0.1, 0.0.1 is installed" in done.stderr


def test_the_requirement_is_the_version_that_is_checked() -> None:
    requirements = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    major, minor = PROTOCOL_VERSION
    assert f"weaklabel-protocol[grpc]>={major}.{minor},<{major}.{minor + 1}" in requirements
