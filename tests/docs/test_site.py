"""The site is whole: every page is in the navigation, every public name in the reference."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PUBLIC = (ROOT / "tests" / "golden" / "public_api.txt").read_text()


def navigation(part: object) -> set[str]:
    """The pages below a part of the navigation."""
    if isinstance(part, str):
        return {part}
    parts = part.values() if isinstance(part, dict) else part
    assert not isinstance(parts, str)
    return {page for one in parts for page in navigation(one)}  # type: ignore[attr-defined]


def settings() -> dict[str, object]:
    """mkdocs.yml."""
    text = (ROOT / "mkdocs.yml").read_text()
    found: dict[str, object] = yaml.safe_load(text)
    return found


def test_every_page_is_in_the_navigation() -> None:
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"releasing.md"}
    assert navigation(settings()["nav"]) == there


def test_every_public_module_is_in_the_reference() -> None:
    shown = {
        name
        for page in DOCS.glob("reference/*.md")
        for name in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)
    }
    public = set(re.findall(r"^# (\S+)", PUBLIC, re.MULTILINE))
    assert public - shown == {"weaklabel"}, "its names are those of the others"


def test_every_kind_of_finding_is_in_the_guide() -> None:
    code = "".join(module.read_text() for module in (ROOT / "weaklabel" / "model").rglob("*.py"))
    kinds = set(re.findall(r'Finding\(\s*"(\w+)"', code))
    assert len(kinds) >= 16
    assert set(re.findall(r"^\| `(\w+)` \|", (DOCS / "diagnostics.md").read_text(), re.MULTILINE)) == kinds


PACKAGES = {"sklearn": "scikit-learn", "weaklabel_client": "client", "weaklabel.prompts": "prompts"}
"""What is installed for a module that is imported, where it goes by another name."""


@pytest.mark.parametrize(
    "page", [DOCS / "quickstart.md", *sorted(DOCS.glob("tutorials/*.md"))], ids=lambda page: page.stem
)
def test_a_page_to_follow_says_what_to_install(page: Path) -> None:
    text = page.read_text()
    (installed,) = re.findall(r"^(?:\$ |.*`|)pip install (?!--)(.*?)(?:`|$)", text, re.MULTILINE)[:1]
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    imported = set(re.findall(r"^(?:import|from) (weaklabel\.prompts|\w+)", "".join(blocks), re.MULTILINE))
    needed = {PACKAGES.get(name, name) for name in imported} - {"numpy", "jax"}  # which weaklabel brings
    named = set(re.findall(r"[\w-]+", installed))
    assert "weaklabel" in named
    assert needed <= named | ({"client", "prompts"} if "all" in named else set())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_site_builds_and_its_reference_has_every_public_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = "".join(page.read_text() for page in (tmp_path / "reference").rglob("*.html"))
    there = {name.rpartition(".")[2] for name in re.findall(r'id="(weaklabel[\w.]*)"', pages)}
    names = set(re.findall(r"^(?:class |async )?([A-Za-z]\w*)", PUBLIC, re.MULTILINE))
    assert len(names) > 100
    assert names <= there, names - there
    assert "fonts.googleapis" not in (tmp_path / "index.html").read_text()
