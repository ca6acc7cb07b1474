"""Every error that a caller can get: one reason each, and one table from reasons to gRPC codes.

All rooms raise ServiceError; an interceptor turns it into a gRPC status with rich details, and anything else into
INTERNAL with an error id whose traceback is in the log only.
"""

import errno
import logging
import sys
import uuid
from collections.abc import Iterable, Mapping
from enum import StrEnum, auto
from types import MappingProxyType
from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from weaklabel_protocol.v1 import status_pb2

DOMAIN = "weaklabel"
_TYPE_URL = "type.googleapis.com/google.rpc."


class Reason(StrEnum):
    """ErrorInfo.reason: stable within v1."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004
        return name

    UNAUTHENTICATED = auto()
    PERMISSION_DENIED = auto()
    QUOTA_EXCEEDED = auto()

    MALFORMED_MESSAGE = auto()
    INVALID_FIELD = auto()
    REQUEST_ID_REUSED = auto()
    UPLOAD_ID_REUSED = auto()
    MODEL_SOURCES_UNKNOWN = auto()

    PROJECT_NOT_FOUND = auto()
    SOURCE_NOT_FOUND = auto()
    MODEL_NOT_FOUND = auto()
    SIDE_DATA_NOT_FOUND = auto()
    RECORD_SET_NOT_FOUND = auto()
    LABEL_TABLE_NOT_FOUND = auto()
    OPERATION_NOT_FOUND = auto()
    VOTES_VERSION_NOT_FOUND = auto()
    PROMPT_RUN_NOT_FOUND = auto()
    ITEM_NOT_FOUND = auto()

    PROJECT_EXISTS = auto()

    NO_VOTES = auto()
    VOTES_UNSUITABLE = auto()
    SIDE_DATA_UNSUITABLE = auto()
    RECORDS_UNSUITABLE = auto()
    LABEL_SPACE_MISMATCH = auto()
    OPERATIONS_RUNNING = auto()
    ITEM_NAMING_MIXED = auto()
    ROW_OFFSET_MISMATCH = auto()
    ROW_COUNT_MISMATCH = auto()
    PROMPTS_NOT_CONFIGURED = auto()
    PROMPT_PRICE_UNKNOWN = auto()
    PROMPT_ENDPOINT_FAILED = auto()
    UPLOAD_NOT_FOUND = auto()
    NO_SOFT_LABELS = auto()
    NO_EXACT_GOLD = auto()
    GOLD_SEEN = auto()
    FIT_UNKNOWN = auto()
    NO_CONFUSION_MATRICES = auto()
    MODEL_FILE_UNSUITABLE = auto()
    IMPORT_UNSUITABLE = auto()
    EXPORT_OUTDATED = auto()
    PARQUET_NOT_INSTALLED = auto()

    UPLOAD_TAKEN_OVER = auto()
    OPERATION_CANCELLED = auto()
    OPERATION_CRASHES = auto()
    PROJECT_TOO_LARGE = auto()
    LABELS_TOO_LARGE = auto()
    FIT_TOO_LARGE = auto()
    FIT_TOO_LONG = auto()
    OUT_OF_MEMORY = auto()
    QUEUE_FULL = auto()
    PROMPT_RUN_TOO_LARGE = auto()
    SIDE_DATA_TOO_LARGE = auto()
    RECORDS_TOO_LARGE = auto()
    MODEL_TOO_LARGE = auto()
    RESULT_TOO_LARGE = auto()
    TOO_MANY_ANALYSES = auto()
    TOO_MANY_TRANSFERS = auto()
    IMPORT_TOO_LARGE = auto()
    TOO_MANY_STREAMS = auto()
    TOO_MANY_CALLS = auto()
    MESSAGE_TOO_LARGE = auto()
    RESPONSE_TOO_LARGE = auto()
    STREAM_IDLE = auto()
    DEADLINE_PASSED = auto()
    SHUTTING_DOWN = auto()
    STORAGE_FULL = auto()
    STORE_READ_ONLY = auto()
    STORE_UNAVAILABLE = auto()
    STORE_LOST = auto()
    INTERNAL = auto()


CODES: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {
        Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.QUOTA_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.MALFORMED_MESSAGE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.UPLOAD_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.MODEL_SOURCES_UNKNOWN: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.PROJECT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.SOURCE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.SIDE_DATA_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.RECORD_SET_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.LABEL_TABLE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.OPERATION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.VOTES_VERSION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.PROMPT_RUN_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.ITEM_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.PROJECT_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.NO_VOTES: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.VOTES_UNSUITABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.SIDE_DATA_UNSUITABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.RECORDS_UNSUITABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.LABEL_SPACE_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.OPERATIONS_RUNNING: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ITEM_NAMING_MIXED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ROW_OFFSET_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ROW_COUNT_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPTS_NOT_CONFIGURED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPT_PRICE_UNKNOWN: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPT_ENDPOINT_FAILED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.NO_SOFT_LABELS: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.NO_EXACT_GOLD: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.GOLD_SEEN: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.FIT_UNKNOWN: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.NO_CONFUSION_MATRICES: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.MODEL_FILE_UNSUITABLE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.IMPORT_UNSUITABLE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.EXPORT_OUTDATED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PARQUET_NOT_INSTALLED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.TOO_MANY_TRANSFERS: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.IMPORT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.UPLOAD_TAKEN_OVER: grpc.StatusCode.ABORTED,
        Reason.OPERATION_CANCELLED: grpc.StatusCode.CANCELLED,
        Reason.OPERATION_CRASHES: grpc.StatusCode.INTERNAL,
        Reason.PROJECT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.LABELS_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.FIT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.FIT_TOO_LONG: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.OUT_OF_MEMORY: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.QUEUE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.PROMPT_RUN_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.SIDE_DATA_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.RECORDS_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.MODEL_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.RESULT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.TOO_MANY_ANALYSES: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.TOO_MANY_STREAMS: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.TOO_MANY_CALLS: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.MESSAGE_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.RESPONSE_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.STREAM_IDLE: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.DEADLINE_PASSED: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
        Reason.STORAGE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.STORE_READ_ONLY: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Reason.STORE_LOST: grpc.StatusCode.UNAVAILABLE,
        Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    }
)


RETRY_SECONDS: Mapping[Reason, float] = MappingProxyType(
    {
        Reason.TOO_MANY_STREAMS: 1.0,
        Reason.TOO_MANY_CALLS: 0.2,
        Reason.TOO_MANY_ANALYSES: 1.0,
        Reason.QUEUE_FULL: 2.0,
        Reason.STORE_UNAVAILABLE: 1.0,
    }
)
"""After how long the same call may well succeed; callers get it as google.rpc.RetryInfo. Limits that waiting does not
lift are not here."""

# An error travels as two trailers, whose sum gRPC limits to 8 KiB: the message, in which a byte that is not ASCII takes
# three, and the status in base64.
_MESSAGE_BYTES = 600
_STATUS_BYTES = 4_000
_FIELD_BYTES = 120
_DESCRIPTION_BYTES = 400
_METADATA_BYTES = 200
_METADATA_ENTRIES = 8
MAX_VIOLATIONS = 20
"""So many faults are named; of the others, their number."""


class FieldViolation(NamedTuple):
    """One fault in one field of a request."""

    field: str
    description: str


class ServiceError(Exception):
    """An error that the caller sees: what was wrong, where, and what to do.

    All of it is cut to what fits into the trailers of a call, whatever of a request it repeats.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[FieldViolation] = (),
        more: int = 0,
        retry_seconds: float | None = None,
    ) -> None:
        """Makes an error.

        Args:
            reason: Its reason.
            message: What was wrong, and what to do.
            metadata: What the reason is about.
            violations: The fields at fault.
            more: How many other faults there are.
            retry_seconds: After how long the same call may well succeed; where not given, what holds for the reason.
        """
        self.message = cut(message, _MESSAGE_BYTES)
        super().__init__(self.message)
        self.reason = reason
        self.retry_seconds = RETRY_SECONDS.get(reason) if retry_seconds is None else retry_seconds
        """After how long the same call may well succeed; None where waiting does not help."""
        entries = list((metadata or {}).items())[:_METADATA_ENTRIES]
        self.metadata = {key: cut(value, _METADATA_BYTES) for key, value in entries}
        used = len(self.message.encode()) + sum(len(key) + len(value.encode()) for key, value in self.metadata.items())
        self.violations, self.more = _bounded(list(violations), more, _STATUS_BYTES - used)

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status code of this error."""
        return CODES[self.reason]

    def to_status(self) -> status_pb2.Status:
        """The rich form, for the trailer grpc-status-details-bin and for Operation.error."""
        code: tuple[int, str] = self.code.value
        status = status_pb2.Status(code=code[0], message=self.message)
        status.details.append(
            _pack("ErrorInfo", status_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata))
        )
        if self.violations:
            faults = [
                status_pb2.BadRequest.FieldViolation(field=v.field, description=v.description) for v in self.violations
            ]
            if self.more:
                faults.append(status_pb2.BadRequest.FieldViolation(description=f"and {self.more} more"))
            status.details.append(_pack("BadRequest", status_pb2.BadRequest(field_violations=faults)))
        if self.retry_seconds is not None:
            info = status_pb2.RetryInfo()
            info.retry_delay.FromNanoseconds(int(self.retry_seconds * 1e9))
            status.details.append(_pack("RetryInfo", info))
        return status


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` bytes of UTF-8: of one that is longer, its beginning and "...".

    Half of a surrogate pair, which UTF-8 does not know, is written out.
    """
    encoded = text.encode(errors="backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode(errors="ignore") + "..."


def _bounded(violations: list[FieldViolation], more: int, left: int) -> tuple[tuple[FieldViolation, ...], int]:
    """The first violations, as many as fit into the bytes that are left, and the number of the others."""
    kept: list[FieldViolation] = []
    for one in violations[:MAX_VIOLATIONS]:
        fault = FieldViolation(cut(one.field, _FIELD_BYTES), cut(one.description, _DESCRIPTION_BYTES))
        left -= len(fault.field.encode()) + len(fault.description.encode()) + 12  # tags and lengths
        if kept and left < 0:
            break
        kept.append(fault)
    return tuple(kept), more + len(violations) - len(kept)


def _pack(google_rpc_name: str, message: Message) -> Any:
    # The messages are wire-compatible with google.rpc, under whose names every gRPC library knows them.
    return Any(type_url=_TYPE_URL + google_rpc_name, value=message.SerializeToString())


def invalid(field: str, description: str, *, reason: Reason = Reason.INVALID_FIELD) -> ServiceError:
    """INVALID_ARGUMENT for one field."""
    return ServiceError(reason, f"{field}: {description}", violations=[FieldViolation(field, description)])


class Faults:
    """Collects faults, so that one error names the first of them and counts the others."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._more = 0

    def add(self, field: str, description: str) -> None:
        """Notes one fault."""
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(FieldViolation(field, cut(description, _DESCRIPTION_BYTES)))
        else:
            self._more += 1

    def raise_if_any(self, reason: Reason = Reason.INVALID_FIELD, metadata: Mapping[str, str] | None = None) -> None:
        """Raises:
        ServiceError: With all faults noted.
        """
        if self._violations:
            parts = [f"{fault.field}: {fault.description}" for fault in self._violations[:3]]
            rest = len(self._violations) + self._more - len(parts)
            if rest:
                parts.append(f"and {rest} more")
            message = "; ".join(cut(part, _MESSAGE_BYTES // len(parts) - 2) for part in parts)
            raise ServiceError(reason, message, metadata=metadata, violations=self._violations, more=self._more)


def prompts_not_configured() -> ServiceError:
    """The server has no endpoint to send prompts to."""
    return ServiceError(
        Reason.PROMPTS_NOT_CONFIGURED,
        "this server has no endpoint for prompts; whoever runs it names a file with endpoints and budgets in "
        "WEAKLABEL_PROMPTS_FILE",
    )


def unexpected(log: logging.Logger, doing: str) -> ServiceError:
    """INTERNAL for the exception being handled: the log gets its traceback, the caller an id to find it by.

    Where memory ran out, OUT_OF_MEMORY; where a disk is full, STORAGE_FULL.
    """
    error, error_id = sys.exception(), uuid.uuid4().hex[:12]
    log.exception("error %s while %s", error_id, doing)
    if isinstance(error, MemoryError):
        return ServiceError(
            Reason.OUT_OF_MEMORY,
            f"the server has not enough memory for this; its log has more under {error_id}",
            metadata={"error_id": error_id},
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ServiceError(
            Reason.STORAGE_FULL,
            f"a disk of the server is full; its log has more under {error_id}",
            metadata={"error_id": error_id},
        )
    return ServiceError(
        Reason.INTERNAL,
        f"internal error {error_id}; the server's log has more under this id",
        metadata={"error_id": error_id},
    )
