"""Who may import whom, what an import may cost, and what the distributions hold."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = {"weaklabel._archive", "weaklabel._fork", "weaklabel._html", "weaklabel.errors", "weaklabel.votes"}
VOCABULARY = {
    f"weaklabel_protocol.{name}"
    for name in ("alignment", "arrays", "bags", "errors", "names", "rankings", "vote_objects")
}
"""What library and client share, without gRPC."""
ALLOWED = {
    "weaklabel.errors": {"weaklabel_protocol.errors"},
    "weaklabel._archive": set(),
    "weaklabel._html": set(),
    "weaklabel._parameters": {"weaklabel.errors"},
    "weaklabel._fork": {"weaklabel.errors"},
    "weaklabel._extras": {"weaklabel.errors"},
    "weaklabel.votes": {*BASE, *VOCABULARY},
    "weaklabel.side_information": {*BASE, *VOCABULARY, "weaklabel.side_information"},
    "weaklabel.model": {
        *BASE,
        "weaklabel._extras",
        "weaklabel._parameters",
        "weaklabel.side_information",
        "weaklabel.analysis",
        "weaklabel.compile_cache",
        "weaklabel.model",
    },
    "weaklabel.kinds": {
        *BASE,
        *VOCABULARY,
        "weaklabel._extras",
        "weaklabel._parameters",
        "weaklabel.analysis",
        "weaklabel.kinds",
        "weaklabel.labeling",  # of sequences
        "weaklabel.model",
        "weaklabel.side_information",
    },
    "weaklabel.kinds.common": {*BASE, "weaklabel._parameters", "weaklabel.kinds.common"},
    "weaklabel.kinds.sequences": {  # no kind knows another
        *BASE,
        "weaklabel.labeling",  # functions over documents
        "weaklabel.model",
        "weaklabel.kinds.common",
        "weaklabel.kinds.sequences",
    },
    "weaklabel.kinds.trees": {*BASE, "weaklabel_protocol.names", "weaklabel.kinds.trees"},  # no kind knows another
    "weaklabel.compile_cache": {"weaklabel.errors"},
    "weaklabel.losses": set(),
    "weaklabel.training": BASE,
    "weaklabel.labeling": {*BASE, "weaklabel._extras", "weaklabel.labeling"},
    "weaklabel.prompts": {*BASE, "weaklabel._extras", "weaklabel.labeling", "weaklabel.model", "weaklabel.prompts"},
    "weaklabel.clusters": {*BASE, "weaklabel._extras", "weaklabel.clusters", "weaklabel.formats"},
    "weaklabel.formats": {
        *BASE,
        "weaklabel._extras",
        "weaklabel.formats",
        "weaklabel_protocol.label_spaces",
        "weaklabel_protocol.project_folders",
    },
    "weaklabel.analysis": {*BASE, *VOCABULARY, "weaklabel.side_information", "weaklabel.analysis"},
    "weaklabel.label_errors": {*BASE, "weaklabel.side_information", "weaklabel.label_errors", "weaklabel.model"},
    "weaklabel.report": {
        *BASE,
        "weaklabel._version",
        "weaklabel.side_information",
        "weaklabel.analysis",
        "weaklabel.model",
        "weaklabel.report",
    },
    "weaklabel.adapters": {
        *BASE,
        "weaklabel._extras",
        "weaklabel.adapters",
        "weaklabel.analysis",
        "weaklabel.label_errors",
        "weaklabel.labeling",
        "weaklabel.model",
        "weaklabel.side_information",
        "weaklabel.training",
    },
    "weaklabel.cli": {"weaklabel", "weaklabel_client", "weaklabel_server"},
    "weaklabel_protocol": {"weaklabel_protocol"},
    "weaklabel_client": {"weaklabel_client", "weaklabel_protocol"},
    "weaklabel_server": {"weaklabel", "weaklabel_protocol", "weaklabel_server"},
}
MODEL = (
    {"numerics"},
    {"settings", "class_names", "argument_hints"},
    {"layout", "dependence", "gold"},
    {"records"},
    {"protocols"},
    {"params"},
    {"sources", "labels"},  # the two seams: neither knows the other
    {"registry"},
    {"preparation"},
    {"em"},
    {"calibration"},
    {"features"},
    {"report"},
    {"drift"},
    {"fitted"},
    {"fitted_attributes", "inputs", "storage"},
    {"prediction", "with_gold", "estimator", "disagreement", "chunked_inputs"},
    {"with_features"},
    {"pipeline", "common_methods"},
    {"with_drift"},
    {"predictor", "majority_vote", "population", "over_time"},
    {"label_model"},
)
"""The floors of weaklabel.model, from the ground up: each may import what is below, and itself."""
PROTOCOLS_ONLY = {"em", "preparation", "calibration", "dependence", "gold", "report", "layout"}
"""Rooms that know no label space but by the protocol."""
PROMPTS = {
    "declaration": set(),
    "pricing": set(),
    "cache": set(),
    "budget": {"pricing"},
    "requests": {"declaration", "pricing"},
    "responses": {"declaration", "pricing"},
    "http": {"pricing", "budget", "responses"},
    "runner": {"declaration", "pricing", "cache", "budget", "requests", "responses", "http"},
    "active_learning": {"declaration", "budget"},
}
"""Rooms of weaklabel.prompts, and which others each may import."""
OTHERS = {
    *("argilla", "cleanlab", "crowdkit", "datasets", "label_studio_sdk", "pandas", "sklearn", "skweak", "snorkel"),
    *("spacy", "torch", "transformers"),
}
"""Packages that adapters are for."""
OURS = ("weaklabel", "weaklabel_client", "weaklabel_protocol", "weaklabel_server")


@cache
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


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _imports(path: Path, *, at_import: bool = False) -> set[str]:
    """Names that a module imports: all of them, or those that importing it loads."""
    tree = _parsed(path)
    names: set[str] = set()
    for node in _at_import(tree.body) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: relative import")
    return names


def _at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import: not in functions, and not for type checkers alone."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            yield from _at_import(getattr(node, part, []))


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


def _rooms(package: str) -> dict[str, set[str]]:
    """The files and folders of a package, and which others of it each imports."""
    rooms: dict[str, set[str]] = {}
    for module, path in _modules():
        if module.startswith(f"{package}."):
            room = rooms.setdefault(module.removeprefix(f"{package}.").split(".")[0], set())
            targets = [name for name in _imports(path, at_import=True) if name.startswith(f"{package}.")]
            room |= {name.removeprefix(f"{package}.").split(".")[0] for name in targets}
    return {room: targets - {room} for room, targets in rooms.items()}


def test_the_label_model_stands_floor_by_floor() -> None:
    floor = {room: number for number, rooms in enumerate(MODEL) for room in rooms}
    rooms = _rooms("weaklabel.model")
    assert set(rooms) == set(floor)
    assert not [f"{room} -> {one}" for room, targets in rooms.items() for one in targets if floor[one] >= floor[room]]


def test_em_knows_labels_by_the_protocol_only() -> None:
    rooms = _rooms("weaklabel.model")
    assert not [room for room in PROTOCOLS_ONLY if rooms[room] & {"labels", "registry"}]
    assert "sources" not in rooms["em"] | rooms["layout"]


def test_rooms_of_prompts_know_what_they_may() -> None:
    rooms = _rooms("weaklabel.prompts")
    assert not [f"{room} -> {one}" for room, allowed in PROMPTS.items() for one in rooms[room] - allowed]


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {name for name, _ in _modules()}
    known = {
        name: {_module_of(target, names) for target in _imports(path, at_import=True)} for name, path in _modules()
    }
    graph = {name: {one for one in targets if one and one != name} for name, targets in known.items()}
    while True:  # modules that import none that is left are in no circle
        leaves = {name for name, targets in graph.items() if not targets & set(graph)}
        if not leaves:
            break
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph


def _module_of(target: str, names: set[str]) -> str | None:
    """The module that an imported name is, or is in; a package's face only where that is what is named."""
    return target if target in names else next((one for one in (target.rpartition(".")[0],) if one in names), None)


def test_every_module_falls_under_a_rule() -> None:
    free = {"weaklabel", "weaklabel.__main__", "weaklabel._moved", "weaklabel._version"}
    assert not [name for name, _ in _modules() if name not in free and not _within(name, set(ALLOWED))]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("weaklabel", ["jax", "grpc", "openai", "scipy", "pydantic", "pandas", "sqlalchemy"]),
        ("weaklabel.prompts", ["jax", "grpc", "openai", "httpx2", "httpcore2", "pydantic"]),
        ("weaklabel_protocol.vote_objects", ["grpc", "google.protobuf", "scipy", "jax"]),
        ("weaklabel.labeling", ["jax", "grpc", "openai", "pandas", "polars", "pyarrow"]),
        ("weaklabel_client", ["jax", "scipy", "pydantic", "sqlalchemy", "weaklabel", "pandas", "google.rpc"]),
        ("weaklabel.model", ["grpc", "openai", "pydantic", "sqlalchemy", "pandas", "scipy.stats", "scipy.optimize"]),
        ("weaklabel.cli.main", ["jax", "grpc", "sqlalchemy"]),
    ],
)
def test_imports_stay_light(package: str, forbidden: list[str]) -> None:
    code = f"import sys, {package}; print([m for m in {forbidden} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_adapters_import_other_packages_by_require_only() -> None:
    """So that what is missing is named with its extra. Types of pandas are for type checkers alone."""
    adapters = [(name, path) for name, path in _modules() if _within(name, {"weaklabel.adapters"})]
    everywhere = {
        f"{name} imports {one}" for name, path in adapters for one in _imports(path) if one.split(".")[0] in OTHERS
    }
    assert {line.partition(" imports ")[2] for line in everywhere} <= {"pandas"}
    at_import = {one.split(".")[0] for _, path in adapters for one in _imports(path, at_import=True)}
    assert at_import - set(sys.stdlib_module_names) == {"numpy", "weaklabel"}


def test_importing_adapters_loads_no_other_package() -> None:
    names = [name for name, _ in _modules() if _within(name, {"weaklabel.adapters"})]
    names.remove("weaklabel.adapters.sklearn")  # its classes are made of scikit-learn's
    code = f"import sys, {', '.join(names)}; print([one for one in {sorted(OTHERS)} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _record_fields(node: ast.ClassDef) -> int:
    """Number of fields of a NamedTuple or dataclass; 0 for another class."""
    bases = {ast.unparse(base) for base in node.bases}
    if "NamedTuple" not in bases and not any("dataclass(" in ast.unparse(by) + "(" for by in node.decorator_list):
        return 0
    return sum(isinstance(line, ast.AnnAssign) for line in node.body)


def _last_name(node: ast.expr) -> str:
    """b of a.b or of b; unparsing each call of the code would take seconds."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_long_records_are_built_by_keyword() -> None:
    """Records of more than five fields: a call by position would not notice when fields trade places."""
    nodes = [(path, node) for _, path in _modules() for node in ast.walk(_parsed(path))]
    long = {node.name for _, node in nodes if isinstance(node, ast.ClassDef) and _record_fields(node) > 5}
    others = {node.name for _, node in nodes if isinstance(node, ast.ClassDef) and _record_fields(node) <= 5}
    assert {"Fitted", "SparseLayout", "Parts"} <= long
    by_position = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for path, node in nodes
        if isinstance(node, ast.Call) and node.args and _last_name(node.func) in long - others
    ]
    assert by_position == []


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


def test_no_addresses_of_package_hosts_are_committed() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock
