"""Examples of the docs that need no server and no network run as they stand, each in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(("page", "heading"), [("scale.md", "## Chunks"), ("scale.md", "## Forks")])
def test_an_example_runs(page: str, heading: str, tmp_path: Path) -> None:
    section = (DOCS / page).read_text().split(heading)[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    (tmp_path / "example.py").write_text(found[1])
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
