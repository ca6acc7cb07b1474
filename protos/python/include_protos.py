"""The .proto files in what is built: clients in other languages, and tools, find them beside the stubs."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSIDE = "weaklabel_protocol/protos/weaklabel"
"""Where they lie in a wheel: weaklabel_protocol/protos is the folder for protoc -I."""


class ProtoFiles(BuildHookInterface[Any]):
    """Adds protos/weaklabel of the repository; a source distribution has them in the package already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tells hatch what to include beside the package."""
        source = Path(self.root).parent / "weaklabel"
        # Not where the package stays where it is: a folder of its name elsewhere would hide it.
        if version != "editable" and source.is_dir():
            build_data["force_include"][str(source)] = INSIDE
