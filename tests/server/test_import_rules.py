"""Who may import whom within the server: downward only, and no circles."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SERVER = Path(__file__).parent.parent.parent / "server"
PACKAGE = "weaklabel_server"
BASE = {
    "_version",
    "address",
    "caller",
    "clock",
    "config",
    "errors",
    "grpc_types",
    "logs",
    "machine",
    "names",
    "pages",
    "prompt_settings",
    "settings",
    "telemetry",
    "versions",
}
ALLOWED = {
    **dict.fromkeys(BASE, BASE),
    "store": {*BASE, "store"},
    "messages": {*BASE, "store", "messages"},
    "jobs": {*BASE, "store", "messages", "jobs"},
    "interceptors": {*BASE, "interceptors"},
    "services": {*BASE, "store", "messages", "jobs"},  # not one another
    "access": {*BASE, "store", "access"},
    "admin": {*BASE, "store", "messages", "jobs", "access", "admin"},
    "app": {*BASE, "store", "messages", "jobs", "interceptors", "services", "access", "admin", "app"},
}


@cache
def _modules() -> dict[str, ast.Module]:
    """The syntax tree of each module by its dotted name; that of a package is in its __init__."""
    trees = {}
    for path in sorted((SERVER / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(SERVER).with_suffix("").parts)
        trees[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return trees


def _targets(nodes: Iterator[ast.AST]) -> set[str]:
    """The modules of the server that import statements name."""
    named: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                named.add(whole if whole in _modules() else node.module)
    return {name for name in named if name.split(".")[0] == PACKAGE}


def _at_module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: not those in functions, nor those for type checkers."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        yield node
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(ast.iter_child_nodes(node))


def _room(module: str) -> str:
    """The folder or the module at the top that a module belongs to."""
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_go_downward(room: str) -> None:
    members = [name for name in _modules() if _room(name) == room]
    assert members, f"there is no {room}"
    broken = [
        f"{name} imports {target}"
        for name in members
        for target in sorted(_targets(ast.walk(_modules()[name])))
        if _room(target) not in ALLOWED[room]
    ]
    assert not broken


def test_every_module_has_a_room() -> None:
    rooms = {_room(name) for name in _modules()} - {""}
    assert rooms - {"store"} == set(ALLOWED) - {"store"}
    assert not _targets(ast.walk(_modules()[PACKAGE])), "the package itself imports nothing"


def test_services_are_those_of_the_contract() -> None:
    contract = (SERVER.parent / "protos" / "weaklabel" / "v1").glob("*.proto")
    declared = {path.stem for path in contract if "\nservice " in path.read_text()}
    assert {name.rpartition(".")[2] for name in _modules() if name.startswith(f"{PACKAGE}.services.")} == declared


def test_the_store_knows_no_messages_of_the_contract() -> None:
    naming = [name for name, tree in _modules().items() if _room(name) == "store" and "_pb2" in ast.unparse(tree)]
    assert not naming


def test_there_are_no_circles() -> None:
    imports = {
        name: {target for target in _targets(_at_module_level(tree)) if target != name}
        for name, tree in _modules().items()
    }
    circles = [sorted(component) for component in _components(imports) if len(component) > 1]
    assert not circles


def test_circles_are_found() -> None:
    found = _components({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()})
    assert sorted(map(sorted, found)) == [["a"], ["b", "c"], ["d"]]


def _components(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of a graph: sets of nodes that reach one another."""
    reach = {node: _reachable(graph, node) for node in graph}
    components: list[set[str]] = []
    for node in graph:
        if not any(node in component for component in components):
            components.append({node} | {other for other in reach[node] if node in reach.get(other, set())})
    return components


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    pending = list(graph[start])
    while pending:
        node = pending.pop()
        if node not in reached:
            reached.add(node)
            pending.extend(graph.get(node, ()))
    return reached
