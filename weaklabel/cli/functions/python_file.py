"""Labeling functions and prompts that stand at the top level of a Python file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.sources import DataEngine, DataSource, source_names

CLASSES = "CLASSES"
"""Name under which a file may list the names of the classes."""


class Found(NamedTuple):
    """What a file holds."""

    functions: list[LabelingFunction | DataSource]
    """In their order in the file; those in lists, too."""
    engine: DataEngine | None
    """What runs prompts, where the file has one."""
    classes: tuple[str, ...] | None
    """K names, where the file lists them."""


@contextmanager
def loaded(path: Path) -> Iterator[Found]:
    """What a Python file holds. Inside, it can be imported by its name, as worker processes do, and its folder is where
    it finds its neighbours.

    Raises:
        InvalidArgumentError: for a file that cannot be read or run, with the line, and one without functions.
    """
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        module = _imported(path)
        try:
            yield _found(module, path)
        finally:
            sys.modules.pop(module.__name__, None)
    finally:
        sys.path.remove(folder)


def _imported(path: Path) -> ModuleType:
    name = path.stem
    if not path.is_file():
        raise InvalidArgumentError(f"{path} cannot be read: there is no such file", field="functions")
    if path.suffix != ".py" or "." in name:
        raise InvalidArgumentError(f"{path} cannot be imported: give a Python file, NAME.py", field="functions")
    importlib.invalidate_caches()
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != path.resolve():
        raise InvalidArgumentError(f"{path} is called as the module {name!r} is: rename it", field="functions")
    try:
        return importlib.import_module(name)
    except SyntaxError as error:
        told = f"{error.filename or path}, line {error.lineno}: SyntaxError: {error.msg}"
        raise InvalidArgumentError(told, field="functions") from error
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == spec.origin]
        where = f"{path}, line {lines[-1]}" if lines else str(path)
        told = " ".join(traceback.format_exception_only(error)[-1].split())
        raise InvalidArgumentError(f"{where}: {told}", field="functions") from error


def _found(module: ModuleType, path: Path) -> Found:
    values = [value for name, value in vars(module).items() if not name.startswith("__")]
    functions = list({id(one): one for value in values for one in _functions(value)}.values())
    if not functions:
        raise InvalidArgumentError(
            f"{path} has no labeling function and no prompt at its top level: decorate functions with "
            "@labeling_function",
            field="functions",
        )
    names = Counter(name for one in functions for name in source_names(one))
    if repeated := [name for name, count in names.items() if count > 1]:
        raise InvalidArgumentError(f"{path} has two functions called {repeated[0]!r}: give name=", field="functions")
    engines = [value for value in values if not isinstance(value, type) and hasattr(value, "answer")]
    if len(engines) > 1:
        raise InvalidArgumentError(f"{path} has {len(engines)} engines for prompts: keep one", field="functions")
    classes = getattr(module, CLASSES, None)
    if classes is not None and (
        not isinstance(classes, list | tuple) or not all(isinstance(one, str) for one in classes)
    ):
        raise InvalidArgumentError(f"{path}: {CLASSES} must be a list of names", field="classes")
    return Found(functions, engines[0] if engines else None, None if classes is None else tuple(classes))


def _functions(value: Any) -> Iterable[LabelingFunction | DataSource]:
    """The value itself, or the values of a list, as far as they are functions or prompts."""
    if isinstance(value, list | tuple):
        return [one for part in value for one in _functions(part)]
    is_one = isinstance(value, LabelingFunction | DataSource) and not isinstance(value, type)
    return [value] if is_one else []
