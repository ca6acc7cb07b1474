"""The server's log, on stderr: one line of text or of JSON for each record."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Literal

_ACCESS_FIELDS = (
    "method",
    "code",
    "reason",
    "resource",
    "milliseconds",
    "bytes_in",
    "bytes_out",
    "peer",
    "request_id",
    "token_id",
    "error_id",
)
# What could end a line, or change what a terminal shows: controls, line and paragraph ends, directions of writing,
# halves of surrogate pairs.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN = re.compile(r"[^\s\"=]+")


def set_up(level: str, log_format: Literal["text", "json"]) -> None:
    """Sends the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What migrations and JAX log at level info is of no use to those who run a server; what HTTP libraries log at level
    # debug holds keys.
    for library in ("alembic", "jax", "jaxlib", "openai", "httpx2", "httpcore2"):
        logging.getLogger(library).setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = " ".join(f"{name}={_value(value)}" for name, value in _access_fields(record).items() if value != "")
        line = _escaped(super().formatMessage(record))
        return f"{line} {fields}" if fields else line

    def formatException(self, ei: Any) -> str:  # noqa: N802
        # A text of a caller within a traceback must not look like a line of the log.
        return "\n".join(f"  | {_escaped(line)}" for line in super().formatException(ei).split("\n"))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_access_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _access_fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _ACCESS_FIELDS if hasattr(record, name)}


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _value(value: Any) -> str:
    """A value after "=": in quotation marks where it could be taken for more than one."""
    text = _escaped(str(value))
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
