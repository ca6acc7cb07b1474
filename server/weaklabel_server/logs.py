"""The server's log, on stderr: one line of text or of JSON for each record."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

_ACCESS_FIELDS = ("method", "code", "reason", "milliseconds", "peer", "request_id")


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
        fields = " ".join(f"{name}={value}" for name, value in _access_fields(record).items() if value != "")
        return f"{super().formatMessage(record)} {fields}" if fields else super().formatMessage(record)


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
