"""Every error that a caller can get: one reason each, and one table from reasons to gRPC codes.

All rooms raise ServiceError; an interceptor turns it into a gRPC status with rich details, and anything else into
INTERNAL with an error id whose traceback is in the log only.
"""

import logging
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

    MALFORMED_MESSAGE = auto()
    INVALID_FIELD = auto()
    REQUEST_ID_REUSED = auto()
    UPLOAD_ID_REUSED = auto()
    MODEL_SOURCES_UNKNOWN = auto()

    PROJECT_NOT_FOUND = auto()
    SOURCE_NOT_FOUND = auto()
    MODEL_NOT_FOUND = auto()
    SIDE_DATA_NOT_FOUND = auto()
    OPERATION_NOT_FOUND = auto()
    VOTES_VERSION_NOT_FOUND = auto()
    PROMPT_RUN_NOT_FOUND = auto()

    PROJECT_EXISTS = auto()

    NO_VOTES = auto()
    VOTES_UNSUITABLE = auto()
    SIDE_DATA_UNSUITABLE = auto()
    OPERATIONS_RUNNING = auto()
    ITEM_NAMING_MIXED = auto()
    ROW_OFFSET_MISMATCH = auto()
    ROW_COUNT_MISMATCH = auto()
    PROMPTS_NOT_CONFIGURED = auto()
    PROMPT_PRICE_UNKNOWN = auto()
    PROMPT_ENDPOINT_FAILED = auto()
    UPLOAD_NOT_FOUND = auto()

    UPLOAD_TAKEN_OVER = auto()
    OPERATION_CANCELLED = auto()
    OPERATION_CRASHES = auto()
    PROJECT_TOO_LARGE = auto()
    LABELS_TOO_LARGE = auto()
    PROMPT_RUN_TOO_LARGE = auto()
    SIDE_DATA_TOO_LARGE = auto()
    TOO_MANY_STREAMS = auto()
    STREAM_IDLE = auto()
    SHUTTING_DOWN = auto()
    INTERNAL = auto()


CODES: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {
        Reason.MALFORMED_MESSAGE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.UPLOAD_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.MODEL_SOURCES_UNKNOWN: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.PROJECT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.SOURCE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.SIDE_DATA_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.OPERATION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.VOTES_VERSION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.PROMPT_RUN_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.PROJECT_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.NO_VOTES: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.VOTES_UNSUITABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.SIDE_DATA_UNSUITABLE: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.OPERATIONS_RUNNING: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ITEM_NAMING_MIXED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ROW_OFFSET_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.ROW_COUNT_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPTS_NOT_CONFIGURED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPT_PRICE_UNKNOWN: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PROMPT_ENDPOINT_FAILED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.UPLOAD_TAKEN_OVER: grpc.StatusCode.ABORTED,
        Reason.OPERATION_CANCELLED: grpc.StatusCode.CANCELLED,
        Reason.OPERATION_CRASHES: grpc.StatusCode.INTERNAL,
        Reason.PROJECT_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.LABELS_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.PROMPT_RUN_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.SIDE_DATA_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.TOO_MANY_STREAMS: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.STREAM_IDLE: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
        Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    }
)


class FieldViolation(NamedTuple):
    """One fault in one field of a request."""

    field: str
    description: str


class ServiceError(Exception):
    """An error that the caller sees in full: what was wrong, where, and what to do."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)

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
            status.details.append(_pack("BadRequest", status_pb2.BadRequest(field_violations=faults)))
        return status


def _pack(google_rpc_name: str, message: Message) -> Any:
    # The messages are wire-compatible with google.rpc, under whose names every gRPC library knows them.
    return Any(type_url=_TYPE_URL + google_rpc_name, value=message.SerializeToString())


def invalid(field: str, description: str, *, reason: Reason = Reason.INVALID_FIELD) -> ServiceError:
    """INVALID_ARGUMENT for one field."""
    return ServiceError(reason, f"{field}: {description}", violations=[FieldViolation(field, description)])


def prompts_not_configured() -> ServiceError:
    """The server has no endpoint to send prompts to."""
    return ServiceError(
        Reason.PROMPTS_NOT_CONFIGURED,
        "this server has no endpoint for prompts; whoever runs it names a file with endpoints and budgets in "
        "WEAKLABEL_PROMPTS_FILE",
    )


def unexpected(log: logging.Logger, doing: str) -> ServiceError:
    """INTERNAL for the exception being handled: the log gets its traceback, the caller an id to find it by."""
    error_id = uuid.uuid4().hex[:12]
    log.exception("error %s while %s", error_id, doing)
    return ServiceError(
        Reason.INTERNAL,
        f"internal error {error_id}; the server's log has more under this id",
        metadata={"error_id": error_id},
    )
