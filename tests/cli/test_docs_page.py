"""The examples of docs/command-line.md run as they stand and print what it shows, numbers aside; JSON has its keys."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from weaklabel.cli.main import app

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "command-line.md").read_text()
ADDRESS = "127.0.0.1:50051"
PROGRESS = re.compile(r"^(fit|errors|report|push|pull|apply|export|import): .*\n|^read \d.*\n", re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    """Each command, and what is shown below it."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def printed(command: str) -> str:
    """What a shell would show: both streams, or stdout alone, cut, where it goes on to head or tail."""
    first, _, pipe = command.partition(" | ")
    words = shlex.split(first)
    if words[0] == "head":
        return "".join(Path(words[3]).read_text().splitlines(keepends=True)[: int(words[2])])
    assert words[0] == "weaklabel"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    if not pipe:
        return PROGRESS.sub("", result.output)
    end, _, count = pipe.split()
    lines = result.stdout.splitlines(keepends=True)
    return "".join(lines[: int(count)] if end == "head" else lines[-int(count) :])


def without_numbers(text: str) -> str:
    return re.sub(r" +", " ", re.sub(r"\b[0-9a-f]{16}\b|\d[\d.,]*", "#", text)).strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples" / "command-line", tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.usefixtures("folder")
def test_the_examples_run_and_print_what_is_shown(shared_server: Any) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("weaklabel_client")
    done = []
    for command, shown in examples():
        told = printed(command.replace(ADDRESS, shared_server.address)).replace(shared_server.address, ADDRESS)
        assert without_numbers(told) == without_numbers(shown), command
        done.append(command)
    assert len(done) >= 11


@pytest.mark.usefixtures("folder")
def test_soft_labels_a_report_and_a_card_in_three_commands() -> None:
    section = PAGE.partition("## From votes")[2].partition("## Files")[0]
    commands = re.findall(r"^\$ weaklabel (.*)$", section, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert CliRunner().invoke(app, shlex.split(command)).exit_code == 0
    for name in ("labels.csv", "report.html", "CARD.md"):
        assert Path(name).stat().st_size > 1000


def test_every_command_is_on_the_page() -> None:
    names = {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
    shown = {command.split()[1] for command, _ in examples()}
    assert names - shown == {"serve"}
    assert "`weaklabel serve`" in PAGE


JSON = {
    "apply": "apply rules.py issues.csv -o v.csv --json",
    "fit": "fit votes.csv --gold truth -o m.wl --json",
    "analyze": "analyze votes.csv --gold truth --json",
    "errors": "errors labeled.csv --labels given --json",
    "report": "report votes.csv --gold truth -o report.html --json",
    "convert": "convert votes.csv v.tsv --gold truth --json",
    "doctor": "doctor --json",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", JSON)
def test_json_has_the_keys_of_the_page(command: str) -> None:
    (row,) = re.findall(rf"^\| `{command}` \| (.*) \|$", PAGE, re.MULTILINE)
    found = json.loads(CliRunner().invoke(app, JSON[command].split()).stdout)
    inner = re.findall(r"`(\w+)` \(each ([^)]*)\)", row)
    keys = re.findall(r"`(\w+)`", re.sub(r"\(each [^)]*\)", "", row))
    assert list(found) == [key for key in keys if key != "error"]
    for name, told in inner:
        wanted = re.findall(r"`(\w+)`", told)
        for one in found[name]:
            assert list(one)[: len(wanted)] == wanted if "..." in told else list(one) == wanted
