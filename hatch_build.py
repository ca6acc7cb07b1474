"""The README of the built distributions: its links lead to the repository at the tag of the release."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "https://github.com/weaklabel/weaklabel"
RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


class AbsoluteLinks(MetadataHookInterface):
    """Fills in `readme`: README.md, with absolute links."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Sets what pyproject.toml leaves dynamic."""
        root = Path(self.root)
        version = re.search(r'"(.+)"', (root / "weaklabel" / "_version.py").read_text())
        assert version is not None
        text = RELATIVE_LINK.sub(rf"]({REPOSITORY}/blob/v{version[1]}/\1)", (root / "README.md").read_text())
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
