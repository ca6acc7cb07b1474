"""Who may import whom inside the client and weaklabel-protocol: downward only, and no circles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "weaklabel_client": ROOT / "clients" / "python" / "weaklabel_client",
    "weaklabel_protocol": ROOT / "protos" / "python" / "weaklabel_protocol",
}
# A module imports from its own layer and from those before it. Layers are the first name below the package.
LAYERS = {
    "weaklabel_client": [
        {"_version", "_compatibility", "_exceptions", "_progress"},
        {"_results"},
        {"_inputs"},
        {"_protocol"},
        {"_connection"},
        {"_sync", "_aio"},
        {"client", "aio", "torch"},
        {""},  # __init__
    ],
    "weaklabel_protocol": [
        {"_version", "", "errors"},
        {"arrays", "project_folders"},
        {"names"},
        {"vote_objects", "bags", "alignment", "columns", "rankings"},
        {"label_spaces"},
        {"v1"},
        {"tensors"},
        {"column_tables", "label_space_messages"},
    ],
}
# The two clients do not know each other.
APART = [({"_sync", "client"}, {"_aio", "aio"}), ({"_aio", "aio"}, {"_sync", "client"})]
# No channel, no clock, no thread: what both clients drive.
WITHOUT_IO = {"_results", "_inputs", "_protocol"}
IO = {"asyncio", "queue", "random", "select", "socket", "ssl", "sys", "threading", "time", "grpc"}


def modules(package: str) -> dict[str, Path]:
    """Path of each module by its dotted name; generated ones are left out."""
    paths = {}
    for path in sorted(PACKAGES[package].rglob("*.py")):
        if path.parent.name != "v1":
            parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
            paths[".".join([package, *parts]).removesuffix(".__init__")] = path
    return paths


def imports(path: Path, *, at_module_level: bool = False) -> set[str]:
    """Dotted names that a module imports; a.b of `from a import b`."""
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    for node in _module_level(tree) if at_module_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything that runs when the module is imported: all but the bodies of functions."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def layer(package: str, module: str) -> str:
    """The first name below the package."""
    return module.removeprefix(package).removeprefix(".").partition(".")[0]


def inner_imports(package: str, *, at_module_level: bool = False) -> dict[str, set[str]]:
    """The modules of the package that each of its modules imports; v1 stands for all that is generated."""
    paths = modules(package)
    homes = [*paths, f"{package}.v1"]

    def home(name: str) -> str:
        return max((known for known in homes if f"{name}.".startswith(f"{known}.")), key=len)

    return {
        module: {
            home(name)
            for name in imports(path, at_module_level=at_module_level)
            if f"{name}.".startswith(f"{package}.")
        }
        for module, path in paths.items()
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_downward(package: str) -> None:
    rank = {name: at for at, names in enumerate(LAYERS[package]) for name in names}
    graph = inner_imports(package)
    assert {layer(package, module) for module in graph} | ({"v1"} & rank.keys()) == rank.keys()
    assert any(graph.values())
    upward = [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if rank[layer(package, target)] > rank[layer(package, module)]
    ]
    assert not upward


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_no_circle(package: str) -> None:
    graph = inner_imports(package, at_module_level=True)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [start]
        while pending:
            new = graph.get(pending.pop(), set()) - seen
            seen |= new
            pending += new
        return seen

    assert not [module for module in graph if module in reached(module)]


@pytest.mark.parametrize(("own", "others"), APART)
def test_neither_client_imports_the_other(own: set[str], others: set[str]) -> None:
    graph = inner_imports("weaklabel_client")
    ours = {module: targets for module, targets in graph.items() if layer("weaklabel_client", module) in own}
    assert ours
    assert not [
        target for targets in ours.values() for target in targets if layer("weaklabel_client", target) in others
    ]


def test_the_protocol_between_them_has_no_io() -> None:
    paths = {m: path for m, path in modules("weaklabel_client").items() if layer("weaklabel_client", m) in WITHOUT_IO}
    assert len(paths) > 15
    assert not [
        (module, name) for module, path in paths.items() for name in imports(path) if name.partition(".")[0] in IO
    ]
