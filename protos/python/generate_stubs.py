#!/usr/bin/env python
"""Generates weaklabel_protocol/v1 from protos/weaklabel/v1. Run it by `make stubs`.

protoc derives Python imports from the path of a .proto, which buf wants to be weaklabel/v1/. Modules of that name would
collide with the library, so the imports are pointed at weaklabel_protocol.v1; the names inside the descriptors stay.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTOS = HERE.parent
TARGET = HERE / "weaklabel_protocol" / "v1"
MARK = '"""Generated from protos/weaklabel/v1 by protos/python/generate_stubs.py. Do not edit."""\n'


def generate() -> dict[str, str]:
    """Returns the text of each generated file, by file name."""
    sources = sorted((PROTOS / "weaklabel" / "v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        well_known = Path(protoc.__file__).parent / "_proto"
        arguments = [f"-I{PROTOS}", f"-I{well_known}", f"--python_out={folder}", f"--pyi_out={folder}"]
        arguments += [f"--grpc_python_out={folder}", *map(str, sources)]
        if protoc.main(["protoc", *arguments]) != 0:
            sys.exit("protoc failed")
        generated = Path(folder) / "weaklabel" / "v1"
        files = {path.name: path.read_text() for path in generated.iterdir()}
    files = {name: text for name, text in files.items() if not name.endswith("_grpc.py") or "class " in text}
    files = {
        name: text.replace("from weaklabel.v1 import", "from weaklabel_protocol.v1 import")
        for name, text in files.items()
    }
    return files | {"__init__.py": MARK}


def main() -> None:
    """Writes the stubs, or with --check exits with 1 where those on disk differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the stubs are stale")
    check = parser.parse_args().check
    fresh = generate()
    stale = {path.name: path.read_text() for path in TARGET.iterdir() if path.is_file()}
    if check:
        different = sorted(name for name in fresh.keys() | stale.keys() if fresh.get(name) != stale.get(name))
        sys.exit(f"stale stubs, run `make stubs`: {', '.join(different)}" if different else 0)
    for name in stale.keys() - fresh.keys():
        (TARGET / name).unlink()
    for name, text in fresh.items():
        (TARGET / name).write_text(text)


if __name__ == "__main__":
    main()
