"""docs/constants.md holds every tuned number of the label model, with the value of the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from weaklabel.model.settings import Settings

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "weaklabel" / "model"
TABLE = (ROOT / "docs" / "constants.md").read_text()
NOT_TUNED = {"registry.py", "storage.py", "settings.py"}
"""Tables of the model file; and what has a table of its own."""


def constants() -> Iterator[tuple[str, str, str]]:
    """Name, home and value of each module-level constant that is a number, or several."""
    for path in sorted(MODEL.rglob("*.py")):
        if path.name in NOT_TUNED:
            continue
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.Assign):
                continue
            names = [one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            several = isinstance(node.value, ast.Tuple) and len(names) > 1
            values = node.value.elts if several and isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=True):
                if name.isupper() and not re.search(r"[\"'{\[]|TypeVar|_\w*\(", ast.unparse(value)):
                    yield name, str(path.relative_to(MODEL)), ast.unparse(value)


def test_every_constant_of_the_code_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| (\S+\.py) \| (.+?) \| (\w+) \| .+ \|$", TABLE, re.MULTILINE)
    assert {(name, home, value) for name, home, value, _ in rows} == set(constants())
    assert {kind for *_, kind in rows} == {"statistical", "numerical", "performance"}


def test_every_setting_is_in_the_table_with_its_value() -> None:
    rows = dict(re.findall(r"^\| ([a-z_]+) \| ([\d.e-]+) \|", TABLE, re.MULTILINE))
    assert {name: float(value) for name, value in rows.items()} == Settings()._asdict()
