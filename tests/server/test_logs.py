"""The log: a line a record, whatever the texts in it."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from weaklabel_server import logs

HOSTILE = 'a\nINFO weaklabel_server.access call code=OK\r\x1b[2J\u2028\u202e\x85\ud800 "b"'


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a log of a format, and gives what was written to it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def make(log_format: Any) -> tuple[logging.Logger, io.StringIO]:
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        logs.set_up("info", log_format)
        return logging.getLogger("weaklabel_server.test"), written

    yield make
    root.handlers[:] = handlers
    root.setLevel(level)


def _log(log: logging.Logger) -> None:
    log.info("operation %s ended", HOSTILE)
    log.info("call", extra={"method": "/a/b", "resource": HOSTILE, "code": "OK", "bytes_in": 3})
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("it failed")


def test_text_cannot_be_forged(capture: Any) -> None:
    log, written = capture("text")
    _log(log)
    lines = written.getvalue().split("\n")[:-1]
    assert written.getvalue().splitlines() == lines  # no other sign ends a line
    records = [line for line in lines if not line.startswith("  | ")]
    assert [" INFO " in records[0], " INFO " in records[1], " ERROR " in records[2], len(records)] == [True] * 3 + [3]
    assert not any(mark in written.getvalue() for mark in "\x1b\r\u202e\x85\ud800")
    assert "method=/a/b code=OK resource=" in records[1]
    assert records[1].endswith("bytes_in=3")
    assert "  | ValueError: a" in lines[-2]


def test_json_is_one_line_a_record(capture: Any) -> None:
    log, written = capture("json")
    _log(log)
    first, second, third = map(json.loads, written.getvalue().splitlines())
    assert HOSTILE in first["message"]
    assert second["resource"] == HOSTILE
    assert "Traceback" in third["exception"]
