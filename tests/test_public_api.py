"""The public names of both distributions, with their parameters, are those of tests/golden/public_api.txt.

Where a change is meant, `make api` writes the file anew; docs/compatibility.md says what may change in which release.
Names, kinds and defaults of parameters are compared; annotations are not, since Python versions print them differently.
"""

import difflib
import enum
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

SNAPSHOT = Path(__file__).parent / "golden" / "public_api.txt"
OURS = {"weaklabel", "weaklabel_client", "weaklabel_protocol"}
MODULES = (
    "weaklabel",
    "weaklabel.adapters",
    "weaklabel.adapters.annotation",
    "weaklabel.adapters.annotation.argilla",
    "weaklabel.adapters.annotation.doccano",
    "weaklabel.adapters.annotation.label_studio",
    "weaklabel.adapters.cleanlab",
    "weaklabel.adapters.crowdkit",
    "weaklabel.adapters.datasets",
    "weaklabel.adapters.skweak",
    "weaklabel.adapters.snorkel",
    "weaklabel.adapters.spacy",
    "weaklabel.adapters.torch",
    "weaklabel.adapters.wrench",
    "weaklabel.analysis",
    "weaklabel.clusters.ray",
    "weaklabel.clusters.spark",
    "weaklabel.errors",
    "weaklabel.formats.parquet",
    "weaklabel.formats.projects",
    "weaklabel.kinds.preferences",
    "weaklabel.kinds.sequences",
    "weaklabel.kinds.trees",
    "weaklabel.label_errors",
    "weaklabel.labeling",
    "weaklabel.losses",
    "weaklabel.model",
    "weaklabel.prompts",
    "weaklabel.report",
    "weaklabel.side_information.bags",
    "weaklabel.training",
    "weaklabel.votes",
    "weaklabel_client",
    "weaklabel_client.aio",
)
INTERNAL = {"CheckedBags", "CountBags", "check_bags"}
"""Names that weaklabel's own modules import from a public one."""
SPECIAL = (
    "__aenter__",
    "__aiter__",
    "__array__",
    "__await__",
    "__call__",
    "__enter__",
    "__getitem__",
    "__iter__",
    "__len__",
)
"""Methods that are public although their names begin with an underscore."""


def render() -> str:
    """The public names of all modules, one a line; members of a class below it."""
    lines: list[str] = []
    for name in MODULES:
        module = import_module(name)
        lines += [f"# {name}", *(line for public in _public(module) for line in _describe(module, public)), ""]
    return "\n".join(lines)


def _public(module: ModuleType) -> list[str]:
    """`__all__`, or where there is none, what the module defines itself."""
    if hasattr(module, "__all__"):
        return sorted(set(module.__all__) - INTERNAL)
    here = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return sorted(name for name in here if not name.startswith("_"))


def _describe(module: ModuleType, name: str) -> Iterator[str]:
    value = getattr(module, name)
    if inspect.isclass(value):
        yield f"class {name}{_caught_as(value)}"
        yield from (f"    {line}" for line in _members(value))
    elif inspect.isroutine(value):
        yield _function(name, value)
    elif isinstance(value, bool | int | float | str) and name != "__version__":
        yield f"{name} = {value!r}"
    else:
        yield name


def _caught_as(cls: type[Any]) -> str:
    """Of an exception, the classes that `except` may name."""
    if not issubclass(cls, Exception):
        return ""
    return f"({', '.join(base.__name__ for base in cls.__mro__[1:] if issubclass(base, Exception))})"


def _members(cls: type[Any]) -> Iterator[str]:
    if issubclass(cls, enum.Enum):
        yield from (f"{member.name} = {member.value!r}" for member in cls)
        return
    constructor = inspect.getattr_static(cls, "__init__"), inspect.getattr_static(cls, "__new__")
    if "__signature__" in vars(cls) or any(inspect.isfunction(method) for method in map(_unwrapped, constructor)):
        yield f"__init__{_parameters(cls)}"
    ours = [base for base in cls.__mro__ if base.__module__.split(".")[0] in OURS]
    for name in sorted({name for base in ours for name in vars(base)}):
        if name.startswith("_") and name not in SPECIAL:
            continue
        member: Any = inspect.getattr_static(cls, name)
        if isinstance(member, classmethod | staticmethod):
            yield f"{type(member).__name__} {_function(name, getattr(cls, name))}"
        elif inspect.isfunction(member):
            yield _function(name, member)
        elif isinstance(member, property):
            yield f"property {name}"
        else:
            yield name


def _unwrapped(method: Any) -> Any:
    return method.__func__ if isinstance(method, staticmethod) else method


def _function(name: str, function: Any) -> str:
    prefix = "async " if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function) else ""
    return f"{prefix}{name}{_parameters(function)}"


def _parameters(function: Any) -> str:
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    text = str(inspect.Signature(bare))
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def test_the_public_api_is_the_one_that_was_agreed() -> None:
    before, now = SNAPSHOT.read_text(), render()
    names = {"fromfile": "tests/golden/public_api.txt", "tofile": "the code", "lineterm": "", "n": 1}
    changes = "\n".join(difflib.unified_diff(before.splitlines(), now.splitlines(), **names))  # type: ignore[arg-type]
    assert not changes, f"the public API has changed; if that is meant, run `make api` and commit:\n{changes}"


if __name__ == "__main__":
    SNAPSHOT.write_text(render())
