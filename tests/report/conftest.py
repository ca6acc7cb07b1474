"""Votes with planted faults, and a browser where there is one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes

CLASSES = ("cat", "dog", "bird", "fish")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RESULT = re.compile(r'<pre id="result">(.*?)</pre>', re.DOTALL)


class Planted(NamedTuple):
    """600 items with a source that is copied, an adversary, a constant source, and a class that nobody votes for."""

    votes: Votes
    model: LabelModel
    gold: NDArray[Any]
    """Of the first 200 items."""


@pytest.fixture(scope="session")
def planted() -> Planted:
    rng, n = np.random.default_rng(1), 600
    truth = rng.integers(0, 3, n)

    def source(accuracy: float) -> NDArray[Any]:
        said = np.where(rng.random(n) < accuracy, truth, rng.integers(0, 3, n))
        return np.where(rng.random(n) < 0.1, -1, said)

    twice = source(0.7)
    adversary = np.where(rng.random(n) < 0.9, (truth + 1) % 3, truth)
    columns = {
        "first": source(0.8),
        "twice": twice,
        "copy_of_twice": twice,
        "third": source(0.75),
        "Fourth": source(0.7),
        "adversary": adversary,
        "constant": np.full(n, 1),
    }
    table = np.stack(list(columns.values()), axis=1)
    votes = Votes.from_dense(table, 4, sources=list(columns), items=[f"m{at}" for at in range(n)])
    return Planted(votes, LabelModel(classes=CLASSES).fit(votes), np.where(np.arange(n) < 200, truth, -1))


@pytest.fixture(scope="session")
def browser() -> str:
    """The path of Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        told = "needs Chromium (Debian: chromium)"
        required = re.split(r"[\s,]+", os.environ.get("WEAKLABEL_REQUIRE", ""))
        (pytest.fail if "chromium" in required else pytest.skip)(told)
    return found


@pytest.fixture
def run_in_page(browser: str, tmp_path: Path) -> Callable[..., Any]:
    """What a script answers at the end of a page that Chromium has loaded."""

    def run(page: str, script: str, *, dark: bool = False) -> Any:
        ending = (
            f'<pre id="result"></pre><script>(async () => {{{script}}})().then((answer) => {{'
            'document.getElementById("result").textContent = JSON.stringify(answer); });</script></body>'
        )
        (path := tmp_path / "page.html").write_text(page.replace("</body>", ending))
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--window-size=1100,800", "--virtual-time-budget=1000", "--dump-dom"]
        command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found = RESULT.search(done.stdout)
        assert found is not None, done.stdout[-2000:]
        return json.loads(re.sub("&(lt|gt|amp);", lambda one: {"lt": "<", "gt": ">", "amp": "&"}[one[1]], found[1]))

    return run
