"""Modules that were moved still import under their old names, with a warning that gives the new one.

A finder at the end of `sys.meta_path`, asked only for names that nothing else finds: the tree holds no file for a name
that is to go, and what is imported is the module itself, so that classes stay the same and pickles load. When the names
go is said in docs/compatibility.md.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "weaklabel.bags": "weaklabel.side_information.bags",
    "weaklabel.chunks": "weaklabel.votes.chunks",
    "weaklabel.symbols": "weaklabel.votes.symbols",
    "weaklabel._votes_file": "weaklabel.votes.files",
}
"""New names by old ones. A private one is only in pickles of votes, and does not warn."""


class MovedModules(MetaPathFinder, Loader):
    """Finds modules under their old names."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  # the protocol of finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Of the module, where its name is an old one."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name in the place of the empty one that was made for the old name."""
        old, new = module.__name__, MOVED[module.__name__]
        if not old.rpartition(".")[2].startswith("_"):
            warnings.warn(f"{old} is now {new}; the old name goes in 0.3", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


def install() -> None:
    """Let old names be found from now on."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
