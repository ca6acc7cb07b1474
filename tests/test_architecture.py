"""Who may import whom, what an import may cost, and what the distributions hold."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = {"weaklabel.errors", "weaklabel.votes"}
ALLOWED = {
    "weaklabel.errors": set(),
    "weaklabel.votes": BASE,
    "weaklabel.side_information": {*BASE, "weaklabel.side_information"},
    "weaklabel.model": {*BASE, "weaklabel.side_information", "weaklabel.model"},
    "weaklabel.compile_cache": {"weaklabel.errors"},
    "weaklabel.losses": set(),
    "weaklabel.training": BASE,
    "weaklabel.labeling": {*BASE, "weaklabel.labeling"},
    "weaklabel.prompts": {*BASE, "weaklabel.labeling", "weaklabel.model", "weaklabel.prompts"},
    "weaklabel.formats": {*BASE, "weaklabel.formats"},
    "weaklabel.analysis": {*BASE, "weaklabel.model", "weaklabel.analysis"},
    "weaklabel.cli": {"weaklabel", "weaklabel_client", "weaklabel_server"},
    "weaklabel_protocol": {"weaklabel_protocol"},
    "weaklabel_client": {"weaklabel_client", "weaklabel_protocol"},
    "weaklabel_server": {"weaklabel", "weaklabel_protocol", "weaklabel_server"},
}
OURS = ("weaklabel", "weaklabel_client", "weaklabel_protocol", "weaklabel_server")


def _modules() -> list[tuple[str, Path]]:
    """Dotted name and path of each module of the three packages."""
    found = []
    for parent in (ROOT, ROOT / "server", ROOT / "clients" / "python", ROOT / "protos" / "python"):
        for package in OURS:
            for path in sorted((parent / package).rglob("*.py")):
                if "v1" not in path.parts:
                    name = ".".join(path.relative_to(parent).with_suffix("").parts)
                    found.append((name.removesuffix(".__init__"), path))
    return found


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: relative import")
    return names


def _within(name: str, homes: set[str]) -> bool:
    return any(name == home or name.startswith(home + ".") for home in homes)


@pytest.mark.parametrize("name", ALLOWED)
def test_imports_follow_the_rules(name: str) -> None:
    modules = [(module, path) for module, path in _modules() if _within(module, {name})]
    assert modules, f"no module of {name} was found"
    broken = [
        f"{module} imports {target}"
        for module, path in modules
        for target in sorted(_imports(path))
        if target.split(".")[0] in OURS and not _within(target, ALLOWED[name])
    ]
    assert not broken


def test_every_module_falls_under_a_rule() -> None:
    free = {"weaklabel", "weaklabel.__main__", "weaklabel._version"}
    assert not [name for name, _ in _modules() if name not in free and not _within(name, set(ALLOWED))]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("weaklabel", ["jax", "grpc", "openai", "scipy", "pydantic", "pandas", "sqlalchemy"]),
        ("weaklabel.labeling", ["jax", "grpc", "openai", "pandas", "polars", "pyarrow"]),
        ("weaklabel_client", ["jax", "scipy", "pydantic", "sqlalchemy", "weaklabel", "pandas", "google.rpc"]),
        ("weaklabel.model", ["grpc", "openai", "pydantic", "sqlalchemy", "pandas"]),
        ("weaklabel.cli.main", ["jax", "grpc", "sqlalchemy"]),
    ],
)
def test_imports_stay_light(package: str, forbidden: list[str]) -> None:
    code = f"import sys, {package}; print([m for m in {forbidden} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist_and_are_sorted() -> None:
    import weaklabel

    assert weaklabel.__all__ == sorted(weaklabel.__all__)
    assert all(getattr(weaklabel, name) is not None for name in weaklabel.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        weaklabel.nonsense  # noqa: B018  # looked up for its error


@pytest.mark.parametrize("name", ["server", "clients", "tests", "protos", "benchmarks"])
def test_folders_are_not_importable_packages(name: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, text=True, cwd=tmp_path)
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "packages"),
    [
        (".", {"weaklabel", "weaklabel_server"}),
        ("clients/python", {"weaklabel_client"}),
        ("protos/python", {"weaklabel_protocol"}),
    ],
)
def test_wheels_hold_their_packages_and_no_more(folder: str, packages: set[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(ROOT / folder)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == packages
    assert all(f"{package}/py.typed" in names for package in packages)
    if "weaklabel_server" in packages:
        assert any("migrations/versions" in name and name.endswith(".py") for name in names)
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_no_addresses_of_package_hosts_are_committed() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock
