"""The access log: one line for each call, when it ends."""

import logging
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any

from weaklabel_server import caller
from weaklabel_server.errors import cut
from weaklabel_server.telemetry.observers import CallResult

access_log = logging.getLogger("weaklabel_server.access")

REQUEST_ID = "x-request-id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_RESOURCE_BYTES = 200
_RESOURCE_FIELDS = ("name", "parent", "model", "project_id", "service")


class AccessEntry:
    """The line of one call, which begins now."""

    def __init__(self, method: str, peer: str, metadata: Iterable[tuple[str, Any]]) -> None:
        self.request_id = _request_id(metadata)
        self._method = method
        self._peer = peer
        caller.peer.set(peer)
        self._resource: str | None = None
        self._bytes_in = 0
        self._bytes_out = 0
        self._start = time.perf_counter()

    def received(self, message: Any, size: int) -> None:
        """Notes a message of the client; the first says what the call is about."""
        self._bytes_in += size
        if self._resource is None:
            self._resource = _resource(getattr(message, "open", message))

    def sent(self, size: int) -> None:
        """Notes a message of the server."""
        self._bytes_out += size

    def write(self, code: str, reason: str = "", error_id: str = "") -> CallResult:
        """Writes the line, with the code of the call's status; an error_id is that of a traceback in the log."""
        seconds = time.perf_counter() - self._start
        if access_log.isEnabledFor(logging.INFO):
            self._log(code, reason, error_id, seconds)
        return CallResult(code, reason, seconds, self._bytes_in, self._bytes_out)

    def _log(self, code: str, reason: str, error_id: str, seconds: float) -> None:
        # Who it is was found out within this task; unknown where the call was refused before that.
        who = caller.current()
        access_log.info(
            "call",
            extra={
                "method": self._method,
                "code": code,
                "reason": reason,
                "resource": self._resource or "",
                "milliseconds": round(1000 * seconds, 2),
                "bytes_in": self._bytes_in,
                "bytes_out": self._bytes_out,
                "peer": self._peer,
                "request_id": self.request_id,
                "token_id": "" if who is None else who.token_id,
                "error_id": error_id,
            },
        )


def _resource(message: Any) -> str:
    """The name of what a request is about, as the caller gave it."""
    for field in _RESOURCE_FIELDS:
        value = getattr(message, field, "")
        if value and isinstance(value, str):
            return cut(value, _RESOURCE_BYTES)
    return ""


def _request_id(metadata: Iterable[tuple[str, Any]]) -> str:
    """The caller's x-request-id, for finding its calls in the log; a fresh one where it gives none that is one."""
    for key, value in metadata:
        if key == REQUEST_ID and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex[:16]
