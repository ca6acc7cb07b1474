import io
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from weaklabel_client import UploadProgress, _progress


def shown(
    progress: bool | Callable[[UploadProgress], None],
) -> AbstractContextManager[Callable[[UploadProgress], None]]:
    return _progress.shown(progress, "upload")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_true_draws_a_bar_of_rich_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with shown(True) as report:
        report(UploadProgress(500, 1000))
        report(UploadProgress(1000, 1000))
    drawn = terminal.getvalue()
    assert "upload" in drawn
    assert "1,000 of 1,000 rows" in drawn
    assert "━" in drawn  # which no other bar has
    assert drawn.rstrip("\x1b[?25h").endswith("\n")


def test_true_draws_on_a_terminal_without_rich_and_ends_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with shown(True) as report:
        report(UploadProgress(500, 1000))
        report(UploadProgress(1000, 1000))
    drawn = terminal.getvalue().split("\r")[1:]
    assert drawn[0].startswith("upload [###############---------------]  50% 500 of 1,000 rows")
    assert drawn[-1].startswith("upload [##############################] 100% 1,000 of 1,000 rows")
    assert drawn[-1].endswith("\n")


def test_true_writes_one_line_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with shown(True) as report:
        report(UploadProgress(500, None))
        report(UploadProgress(700, None))
    assert file.getvalue() == "upload: 700 rows\n"


def test_a_function_gets_every_step_and_false_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    steps: list[UploadProgress] = []
    with shown(steps.append) as report:
        report(UploadProgress(1, 2))
        report(UploadProgress(2, 2))
    assert [step.fraction for step in steps] == [0.5, 1.0]
    with shown(False) as report:
        report(UploadProgress(1, 2))
    assert capsys.readouterr().err == ""
