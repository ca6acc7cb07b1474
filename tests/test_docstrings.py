"""The examples of docstrings run, and give what they say."""

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weaklabel

ROOT = Path(__file__).parent.parent
HOMES = (
    (ROOT, "weaklabel"),
    (ROOT / "clients" / "python", "weaklabel_client"),
    (ROOT / "protos" / "python", "weaklabel_protocol"),
)
MODULES = sorted(
    ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__")
    for home, package in HOMES
    for path in (home / package).rglob("*.py")
    if ">>> " in path.read_text()
)


def _names() -> dict[str, Any]:
    """What examples use without importing it: the public names, numpy, and two classes."""
    return {name: getattr(weaklabel, name) for name in weaklabel.__all__} | {"np": np, "HAM": 0, "SPAM": 1}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    module = import_module(name)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=_names()):
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert not report, "".join(report)


def test_the_examples_of_the_main_classes_are_among_them() -> None:
    assert {weaklabel.LabelModel.__module__, weaklabel.MajorityVote.__module__, weaklabel.VoteChunks.__module__} <= {
        *MODULES
    }
