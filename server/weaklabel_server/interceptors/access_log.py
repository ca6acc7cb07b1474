"""The access log: one line for each call, when it ends."""

import logging
import time
import uuid

from weaklabel_server.grpc_types import Context

access_log = logging.getLogger("weaklabel_server.access")

_REQUEST_ID = "x-request-id"
_MAX_REQUEST_ID = 128


class AccessEntry:
    """The line of one call, which begins now."""

    def __init__(self, method: str, context: Context) -> None:
        self._method = method
        # Read now: once the client has hung up, gRPC core has freed the call, and asking for its peer crashes.
        self._peer = context.peer()
        self._request_id = _request_id(context)
        self._start = time.perf_counter()

    def write(self, code: str, reason: str = "") -> None:
        """Writes the line, with the code of the call's status."""
        access_log.info(
            "call",
            extra={
                "method": self._method,
                "code": code,
                "reason": reason,
                "milliseconds": round(1000 * (time.perf_counter() - self._start), 2),
                "peer": self._peer,
                "request_id": self._request_id,
            },
        )


def _request_id(context: Context) -> str:
    """The caller's x-request-id, for finding its calls in the log, or a fresh one."""
    for key, value in context.invocation_metadata() or ():
        if key == _REQUEST_ID:
            return str(value)[:_MAX_REQUEST_ID]
    return uuid.uuid4().hex[:16]
