"""Each line of docs/coming-from.md that stands on our side runs, and gives something."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "coming-from.md").read_text()
LINES = [row[1] for row in re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", PAGE, re.MULTILINE)]


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    (setup,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(setup, "docs/coming-from.md", "exec"), found)  # our own page
    return found


def test_every_row_of_the_tables_is_read() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("|") and line not in ("| there | here |", "|---|---|")
    ]
    assert len(rows) == len(LINES) >= 25


@pytest.mark.parametrize("line", [*LINES, "label_errors(votes, labels)"])
def test_a_line_runs(line: str, names: dict[str, Any]) -> None:
    assert eval(line, names) is not None  # our own page


def test_labels_and_probabilities_are_by_task_and_name(names: dict[str, Any]) -> None:
    label = eval('LabelModel(classes=votes.classes).fit(votes).predict_frame(votes)["label"]', names)
    truth = pd.Series(names["truth"], index=[str(at) for at in range(300)])
    assert (label.astype(object) == truth.loc[label.index]).mean() > 0.85
    probabilities = eval("model.predict_frame(votes)[list(votes.classes)]", names)
    assert probabilities.columns.tolist() == ["ham", "spam"]
    assert np.allclose(probabilities.sum(axis=1), 1)
