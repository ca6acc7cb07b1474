"""Modules under the names they had before they were moved, and pickles that name them."""

import pickle
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from weaklabel import Votes, not_, one_of, soft
from weaklabel._moved import MOVED

PICKLE = Path(__file__).parent / "golden" / "pickles" / "9f171ea.pickle"
PUBLIC = sorted(name for name in MOVED if "._" not in name)


@pytest.fixture(autouse=True)
def _not_imported_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MOVED:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize("name", PUBLIC)
def test_an_old_name_is_the_new_module_and_warns(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{name} is now {MOVED[name]}; the old name goes in") as caught:
        module = import_module(name)
    assert module is import_module(MOVED[name])
    assert module.__name__ == MOVED[name]
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[name]
    assert len(caught) == 1


def test_an_old_name_is_an_attribute_too() -> None:
    code = "import weaklabel\nprint(weaklabel.symbols.Symbols.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "weaklabel.votes.symbols\n"), done.stderr


def test_the_warning_points_at_the_import() -> None:
    code = "import warnings\nwarnings.simplefilter('error')\nwarnings.filterwarnings('default', module='__main__')\n"
    code += "from weaklabel.symbols import one_of\nprint(one_of(0, 1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "one_of(0, 1)\n"), done.stderr
    assert done.stderr.startswith("<string>:4: DeprecationWarning: weaklabel.symbols is now weaklabel.votes.symbols")


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"weaklabel\.nonsense"):
        import_module("weaklabel.nonsense")


def test_pickles_of_an_earlier_version_load() -> None:
    """Written by commit 9f171ea; they name weaklabel.symbols, weaklabel.bags and weaklabel._votes_file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        values = pickle.loads(PICKLE.read_bytes())
    cells: list[list[object]] = [[0, one_of(0, 1)], [not_(1), soft([0.2, 0.3, 0.5])], [2, -1]]
    assert values["votes"] == Votes.from_dense(cells, 3, sources=["a", "b"], items=["x", "y", "z"])
    assert values["plain"] == Votes.from_triples([0, 2], [1, 0], [1, 0], n_classes=2, n_items=3, n_sources=2)
    assert (values["set"], values["not"], values["soft"]) == (one_of(0, 2), not_(1), soft([0.25, 0.75]))
    bags = values["bags"]
    assert (bags.kind, bags.item.tolist()) == ("class_counts", ["x", "y", "z"])
    np.testing.assert_array_equal(bags.values, [[2, 1, 0]])
