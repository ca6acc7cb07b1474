"""The report without a mouse: keys that Chromium receives as it does from a keyboard, by the DevTools protocol."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weaklabel.report import report

SECONDS = 30.0
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "ArrowRight": (39, ""), "Backspace": (8, "")}
"""Windows key codes, and what each types."""
# Chromium reads its pipe at descriptor 3 and writes at 4: this moves them there, wherever Python has them.
AT_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3); os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Keyboard:
    """A page in Chromium, and its keyboard."""

    def __init__(self, browser: str, profile: Path) -> None:
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        os.set_blocking(self._from, False)
        self._number, self._session, self._read = 0, "", b""
        command = [sys.executable, "-c", AT_3_AND_4, str(commands), str(answers), browser, "--headless", "--no-sandbox"]
        command += ["--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--window-size=1100,800"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, pass_fds=(commands, answers), stdout=quiet, stderr=quiet)
        os.close(commands)
        os.close(answers)

    def open(self, path: Path) -> None:
        target = self._ask("Target.createTarget", url=path.as_uri())["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Emulation.setFocusEmulationEnabled", enabled=True)
        ends = time.monotonic() + SECONDS
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            assert time.monotonic() < ends, "the page was not loaded"
            time.sleep(0.02)

    def press(self, *keys: str, shift: bool = False) -> None:
        """Presses and releases keys, one after another; a key of one letter types it."""
        for key in keys:
            code, text = KEYS.get(key, (ord(key.upper()[0]), key))
            told = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            kind = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
            self._ask("Input.dispatchKeyEvent", **told, **kind)
            self._ask("Input.dispatchKeyEvent", **told, type="keyUp")

    def tab_to(self, condition: str, most: int = 60) -> int:
        """Presses Tab until the focused element, `one`, is as a condition says; the number of presses."""
        for presses in range(1, most + 1):
            self.press("Tab")
            if self.evaluate(f"((one) => {condition})(document.activeElement)"):
                return presses
        pytest.fail(f"{most} presses of Tab reach nothing with {condition}")

    def evaluate(self, expression: str) -> Any:
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self) -> None:
        try:
            self._session = ""
            self._ask("Browser.close")
            self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._to)
            os.close(self._from)

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            while b"\0" in self._read:
                line, _, self._read = self._read.partition(b"\0")
                answer = json.loads(line)
                if answer.get("id") == self._number:
                    assert "error" not in answer, answer["error"]
                    return answer["result"]
            try:
                self._read += os.read(self._from, 2**16) or pytest.fail("Chromium has ended")
            except BlockingIOError:
                time.sleep(0.002)
        pytest.fail(f"Chromium does not answer {method}")


@pytest.fixture(scope="module")
def browser_of_keys(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyboard]:
    keyboard = Keyboard(browser, tmp_path_factory.mktemp("profile"))
    yield keyboard
    keyboard.close()


@pytest.fixture
def keyboard(browser_of_keys: Keyboard, planted: Any, tmp_path: Path) -> Keyboard:
    """A keyboard before the report on planted faults, nothing pressed yet."""
    page = report(planted.votes, planted.model, gold=planted.gold, date="2026-01-31").to_html()
    (path := tmp_path / "page.html").write_text(page)
    browser_of_keys._session = ""
    browser_of_keys.open(path)
    return browser_of_keys


NAMES = '[...document.getElementById("sources-table").tBodies[0].rows].map((row) => row.cells[0].textContent)'
ON_ACCURACY = 'one.closest("#sources-table th")?.textContent === "Estimated accuracy"'


def test_tab_reaches_a_title_and_enter_and_space_sort(keyboard: Keyboard, planted: Any) -> None:
    keyboard.tab_to(ON_ACCURACY)
    assert keyboard.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    sort = 'document.activeElement.closest("th").getAttribute("aria-sort")'
    accuracy = dict(zip(planted.votes.source_names, planted.model.source_accuracy.tolist(), strict=True))
    before = keyboard.evaluate(NAMES)
    keyboard.press("Enter")
    assert keyboard.evaluate(sort) == "descending"
    found = keyboard.evaluate(NAMES)
    assert found != before
    assert [accuracy[name] for name in found] == sorted(accuracy.values(), reverse=True)
    assert keyboard.evaluate(f"((one) => {ON_ACCURACY})(document.activeElement)")  # the focus stays
    keyboard.press(" ")
    assert keyboard.evaluate(sort) == "ascending"
    assert [accuracy[name] for name in keyboard.evaluate(NAMES)] == sorted(accuracy.values())
    keyboard.press("Tab", shift=True)
    keyboard.press("Tab")
    assert keyboard.evaluate(f"((one) => {ON_ACCURACY})(document.activeElement)")


def test_the_first_tab_skips_to_the_report(keyboard: Keyboard) -> None:
    keyboard.press("Tab")
    assert keyboard.evaluate("document.activeElement.textContent") == "To the report"
    assert keyboard.evaluate("document.activeElement.getBoundingClientRect().left") >= 0  # it is seen
    keyboard.press("Enter")
    assert keyboard.evaluate("location.hash") == "#main"
    keyboard.press("Tab")
    assert keyboard.evaluate('document.getElementById("main").contains(document.activeElement)')


def test_words_that_are_typed_filter(keyboard: Keyboard) -> None:
    keyboard.tab_to('one.id === "sources-filter"')
    status = 'document.getElementById("sources-status").textContent'
    keyboard.press(*"twice")
    assert keyboard.evaluate(status) == "2 of 7 sources"
    keyboard.press(*["Backspace"] * 5)
    assert keyboard.evaluate(status) == "7 of 7 sources"


def test_details_open_and_wide_charts_scroll(keyboard: Keyboard) -> None:
    keyboard.tab_to('one.tagName === "SUMMARY"')
    opened = "document.activeElement.parentElement.open"
    assert keyboard.evaluate(opened) is False
    keyboard.press("Enter")
    assert keyboard.evaluate(opened) is True
    keyboard.press(" ")
    assert keyboard.evaluate(opened) is False
    narrow = 'one.style.width = "120px"; one.style.overflowX = "scroll";'
    keyboard.evaluate(f'document.querySelectorAll(".scroll").forEach((one) => {{ {narrow} }})')
    keyboard.tab_to('one.classList.contains("scroll") && one.scrollWidth > one.clientWidth')
    before = keyboard.evaluate("document.activeElement.scrollLeft")
    keyboard.press(*["ArrowRight"] * 3)
    ends = time.monotonic() + SECONDS
    while keyboard.evaluate("document.activeElement.scrollLeft") <= before:  # scrolling is animated
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_every_stop_of_tab_is_named_and_seen(keyboard: Keyboard) -> None:
    """And Tab goes through the page and out of it: nothing catches it."""
    told, stops = [], 0
    script = """(() => {
        const one = document.activeElement;
        if (one === document.body) return null;
        const name = one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent;
        return [one.tagName, name.trim(), getComputedStyle(one).outlineStyle];
    })()"""
    for _ in range(400):
        keyboard.press("Tab")
        found = keyboard.evaluate(script)
        if found is None or (stops > 5 and found[1] == "To the report"):
            break
        stops += 1
        told += [found] if not found[1] or found[2] == "none" else []
    else:
        pytest.fail("Tab never leaves the page")
    assert stops > 10
    assert not told
