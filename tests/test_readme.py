"""What the README tells is run as it stands."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
IN_PROCESS, BEYOND_CLASSES, THROUGH_THE_SERVICE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs(start_server: Callable[..., Any], capsys: Any) -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(IN_PROCESS, names)
    assert "asks_to_subscribe" in capsys.readouterr().out
    assert names["soft_labels"].shape == (4, 2)
    assert names["labels"].tolist()[:3] == [0, 1, 0]

    in_process = names["soft_labels"]
    address = start_server().address
    assert "127.0.0.1:50051" in THROUGH_THE_SERVICE
    exec(THROUGH_THE_SERVICE.replace("127.0.0.1:50051", address), names)
    np.testing.assert_array_equal(names["soft_labels"], in_process)


def test_what_the_readme_says_beyond_plain_votes_runs() -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(IN_PROCESS.split("HAM, SPAM")[0], names)
    last = BEYOND_CLASSES.strip().splitlines()[-1]
    exec(BEYOND_CLASSES.replace(last, f"soft_labels = {last}"), names)
    soft_labels = names["soft_labels"]
    assert soft_labels.shape == (4, 3)
    # Two, one and one: what the bag says; a share of the soft labels is even.
    np.testing.assert_allclose(soft_labels.sum(0), [2, 1, 1], atol=0.15)


def test_the_commands_of_the_readme_are_those_of_the_makefile() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    editable = "--no-build-isolation --no-deps -e protos/python -e server -e clients/python -e ."
    for part in ("--require-hashes -r requirements.lock", editable):
        assert part in README
        assert part in makefile
    for target in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*.md")))]
)
def test_links_lead_somewhere_and_nothing_is_left_to_fill_in(path: str) -> None:
    text = (ROOT / path).read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / path).parent / target).exists(), target
    assert not re.findall(r"^[A-Z_]{5,}$", text, re.MULTILINE)
