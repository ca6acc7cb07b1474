"""The wheels as they are published: what they hold and require, and what works where only some are installed.

Dependencies are not downloaded: a clean environment gets links to exactly those that the metadata of the wheels names.
`.ci/check-wheels` installs all of it from a package index, for each version of Python.
"""

import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "weaklabel": ROOT,
    "weaklabel-server": ROOT / "server",
    "weaklabel-client": ROOT / "clients" / "python",
    "weaklabel-protocol": ROOT / "protos" / "python",
}
OF_A_SERVER = {
    *("alembic", "grpcio", "grpcio-health-checking", "grpcio-reflection", "openai", "protobuf", "pydantic-settings"),
    *("sqlalchemy", "weaklabel-client", "weaklabel-server"),
}


class Wheel:
    """A built wheel."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.names = archive.namelist()
            (metadata,) = [name for name in self.names if name.endswith(".dist-info/METADATA")]
            self.metadata: Message = Parser().parsestr(archive.read(metadata).decode())

    def requirements(self) -> list[Requirement]:
        return [Requirement(line) for line in self.metadata.get_all("Requires-Dist") or []]


class Environment:
    """A virtual environment of its own."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        (self.site,) = folder.glob("lib/python3*/site-packages")

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """A command of the environment, away from the repository."""
        command = [str(self.python.with_name(str(arguments[0]))), *map(str, arguments[1:])]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=self.site)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    built = {}
    for name, folder in FOLDERS.items():
        target = tmp_path_factory.mktemp("wheels")
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        built[name] = Wheel(next(target.glob("*.whl")))
    return built


def _needed(wheels: dict[str, Wheel], name: str, extras: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names of all that a distribution requires, with what that requires in turn, our own included."""
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ = [(name, extras)]
    while open_:
        name, extras = item = open_.pop()
        if item in seen:
            continue
        seen.add(item)
        yield name
        if name in wheels:
            requirements = wheels[name].requirements()
        else:
            requirements = [Requirement(line) for line in distribution(name).requires or []]
        for requirement in requirements:
            markers = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if requirement.marker is None or any(requirement.marker.evaluate(marker) for marker in markers):
                open_.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))


def _install(environment: Environment, wheels: dict[str, Wheel], names: set[str]) -> None:
    """Our wheels by pip; other distributions as links to those of the running environment."""
    ours = [str(wheels[name].path) for name in sorted(names & set(wheels))]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(environment.python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, *ours], check=True, capture_output=True)
    for name in names - set(wheels):
        installed = distribution(name)
        for entry in {file.parts[0] for file in installed.files or [] if file.parts[0] not in {"..", "__pycache__"}}:
            link = environment.site / entry
            if not link.exists():
                link.symlink_to(Path(str(installed.locate_file(entry))))


@pytest.fixture(scope="session")
def library(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install weaklabel` gives."""
    environment = Environment(tmp_path_factory.mktemp("library"))
    _install(environment, wheels, set(_needed(wheels, "weaklabel")))
    return environment


@pytest.fixture(scope="session")
def everything(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install "weaklabel[client,server]"` gives."""
    environment = Environment(tmp_path_factory.mktemp("everything"))
    _install(environment, wheels, set(_needed(wheels, "weaklabel", frozenset({"client", "server"}))))
    return environment


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_holds_its_package_and_no_more(name: str, wheels: dict[str, Wheel]) -> None:
    names, package = wheels[name].names, name.replace("-", "_")
    assert {file.split("/")[0] for file in names if ".dist-info/" not in file} == {package}
    assert f"{package}/py.typed" in names
    assert [file for file in names if file.endswith("licenses/LICENSE")]
    if name == "weaklabel-server":
        assert any("migrations/versions" in file and file.endswith(".py") for file in names)


def test_the_contract_is_in_the_wheel_of_the_protocol(wheels: dict[str, Wheel]) -> None:
    folder = "weaklabel_protocol/protos/"
    with zipfile.ZipFile(wheels["weaklabel-protocol"].path) as archive:
        held = {name.removeprefix(folder): archive.read(name) for name in archive.namelist() if name.endswith(".proto")}
    contract = ROOT / "protos"
    assert held == {
        path.relative_to(contract).as_posix(): path.read_bytes() for path in contract.glob("weaklabel/v1/*.proto")
    }
    assert "weaklabel/v1/labels.proto" in held


def test_the_metadata_leads_to_the_repository(wheels: dict[str, Wheel]) -> None:
    metadata = wheels["weaklabel"].metadata
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL") or [])
    assert set(urls) == {"Repository", "Documentation", "Changelog", "Issues"}
    text = str(metadata.get_payload())
    assert "](https://github.com/weaklabel/weaklabel/blob/v0.1.0/docs/speed.md)" in text
    assert "](docs/" not in text


def test_extras_are_those_that_errors_name(wheels: dict[str, Wheel]) -> None:
    extras = set(wheels["weaklabel"].metadata.get_all("Provides-Extra") or [])
    assert extras == {
        "all",
        "client",
        "datasets",
        "demo",
        "parquet",
        "prompts",
        "ray",
        "server",
        "sklearn",
        "spacy",
        "spark",
        "torch",
    }


def test_the_library_requires_nothing_of_a_server(wheels: dict[str, Wheel]) -> None:
    needed = set(_needed(wheels, "weaklabel"))
    assert {"jax", "numpy", "weaklabel-protocol"} <= needed
    assert not needed & OF_A_SERVER


def test_the_library_fits_without_a_server(library: Environment) -> None:
    code = (
        "from importlib.util import find_spec\n"
        "assert not [name for name in ('weaklabel_server', 'weaklabel_client', 'grpc', 'openai') if find_spec(name)]\n"
        "from weaklabel import LabelModel, PromptFunction\n"
        "print(LabelModel(2).fit([[1, 1, 0], [0, 0, 0], [1, 1, -1], [0, -1, 1]]).predict([[1, 1, 1]]))\n"
    )
    result = library.run("python", "-c", code)
    assert (result.returncode, result.stdout) == (0, "[1]\n"), result.stderr


def test_a_server_that_is_not_installed_is_named_in_one_line(library: Environment) -> None:
    result = library.run("weaklabel", "serve")
    assert result.returncode == 1
    assert result.stdout == ""
    expected = "weaklabel serve: install the extra by pip install 'weaklabel[server]' (missing: weaklabel_server)\n"
    assert result.stderr == expected


def test_parquet_without_pyarrow_names_the_extra(library: Environment) -> None:
    result = library.run("python", "-c", "import weaklabel.formats.parquet")
    assert result.stderr.splitlines()[-1].endswith(
        "Parquet files: install the extra by pip install 'weaklabel[parquet]' (missing: pyarrow)"
    )


def test_server_and_client_work_beside_the_library(everything: Environment) -> None:
    result = everything.run("weaklabel", "serve", "--help")
    assert result.returncode == 0
    assert "--data-dir" in result.stdout
    code = "import weaklabel_server.app, weaklabel_client.aio, weaklabel_protocol.tensors; print('imported')"
    result = everything.run("python", "-c", code)
    assert (result.returncode, result.stdout) == (0, "imported\n"), result.stderr
    refused = everything.run("weaklabel", "serve", "--listen", "nowhere")
    assert refused.returncode == 1
    assert refused.stderr.startswith("weaklabel serve: listen (option --listen):")
