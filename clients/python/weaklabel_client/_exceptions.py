"""What calls raise.

ClientError                 any error of a call; has code, message, reason and metadata
├── InvalidArgument         the request is at fault; has field_violations
├── NotFound                there is no such project, source, model or operation
├── AlreadyExists           the name is taken
├── FailedPrecondition      not in this state: no votes yet, no model yet, an operation still runs
├── Unavailable             the server cannot be reached, or was lost
├── Aborted                 another caller took over; the same call may be made again
├── DeadlineExceeded        the timeout passed first
├── UploadInterrupted       an upload that gave up for one of these; has upload_id and committed_rows to go on from
├── Cancelled               an operation that was cancelled
├── ResourceExhausted       a limit of the server
├── Unauthenticated         the token is missing or wrong
├── PermissionDenied        the token does not allow it
├── Unimplemented           the server does not know the call: it is older than the client
└── InternalError           a fault of the server, or of what lies between

What can be seen to be wrong before anything is sent is a ValueError.
"""
# ruff: noqa: N818  # named as gRPC names its status codes

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import grpc
from google.protobuf.message import DecodeError

from weaklabel_protocol.v1 import status_pb2

_DETAILS_KEY = "grpc-status-details-bin"
_SIGNS_OF_CONNECTION_LOSS = ("RST_STREAM", "Internal error from Core")
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class FieldViolation(NamedTuple):
    """One fault in one field of a request."""

    field: str
    description: str


class ClientError(Exception):
    """An error of a call.

    Attributes:
        code: The gRPC status code.
        message: What was wrong, in English.
        reason: A constant for programs, such as "PROJECT_NOT_FOUND"; empty where the server gave none.
        metadata: What the reason is about, such as the name of the resource.
        retry_seconds: After how long the same call may well succeed; None where the server does not say so.
    """

    default_code = grpc.StatusCode.UNKNOWN
    retry_seconds: float | None = None

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.reason = reason
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return f"{self.message} [{self.reason or self.code.name}]"


class InvalidArgument(ClientError):
    """The request is at fault.

    Attributes:
        field_violations: Every fault that the server reports.
    """

    default_code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, message: str, *, field_violations: Iterable[FieldViolation] = (), **rest: Any) -> None:
        super().__init__(message, **rest)
        self.field_violations = tuple(field_violations)

    def __str__(self) -> str:
        # A violation that is part of the message is not shown twice.
        shown = [violation for violation in self.field_violations if violation.description not in self.message]
        return "\n".join([super().__str__(), *(f"  {field}: {description}" for field, description in shown)])


class NotFound(ClientError):
    """There is no such project, source, model or operation."""

    default_code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(ClientError):
    """The name is taken."""

    default_code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(ClientError):
    """Not in this state: no votes yet, no model yet, an operation still runs."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION


class Unavailable(ClientError):
    """The server cannot be reached, or was lost."""

    default_code = grpc.StatusCode.UNAVAILABLE


class Aborted(ClientError):
    """Another caller took over; the same call may be made again."""

    default_code = grpc.StatusCode.ABORTED


class DeadlineExceeded(ClientError):
    """The timeout passed first."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED


class UploadInterrupted(ClientError):
    """An upload that gave up because the server was lost, another caller kept it, or the timeout passed.

    Attributes:
        upload_id: Give it to the same upload again, and it goes on where it stopped.
        committed_rows: So many rows are safe on the server's disk.
    """

    # With defaults for all but the message, so that it can be pickled.
    def __init__(self, message: str, *, upload_id: str = "", committed_rows: int = 0, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.upload_id = upload_id
        self.committed_rows = committed_rows


class Cancelled(ClientError):
    """An operation that was cancelled."""

    default_code = grpc.StatusCode.CANCELLED


class ResourceExhausted(ClientError):
    """A limit of the server."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unauthenticated(ClientError):
    """The token is missing or wrong."""

    default_code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(ClientError):
    """The token does not allow it."""

    default_code = grpc.StatusCode.PERMISSION_DENIED


class Unimplemented(ClientError):
    """The server does not know the call: it is older than the client."""

    default_code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(ClientError):
    """A fault of the server, or of what lies between."""

    default_code = grpc.StatusCode.INTERNAL


_CLASSES: dict[grpc.StatusCode, type[ClientError]] = {
    kind.default_code: kind
    for kind in (
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Unavailable,
        Aborted,
        DeadlineExceeded,
        Cancelled,
        ResourceExhausted,
        Unauthenticated,
        PermissionDenied,
        Unimplemented,
        InternalError,
    )
}


def from_status(status: status_pb2.Status) -> ClientError:
    """Makes the exception that a status stands for."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    info = status_pb2.ErrorInfo()
    violations: list[FieldViolation] = []
    retry_seconds = None
    for detail in status.details:
        if detail.type_url.endswith("/google.rpc.ErrorInfo"):
            info = status_pb2.ErrorInfo.FromString(detail.value)
        elif detail.type_url.endswith("/google.rpc.BadRequest"):
            faults = status_pb2.BadRequest.FromString(detail.value).field_violations
            violations += [FieldViolation(fault.field, fault.description) for fault in faults]
        elif detail.type_url.endswith("/google.rpc.RetryInfo"):
            delay = status_pb2.RetryInfo.FromString(detail.value).retry_delay
            retry_seconds = max(0.0, delay.seconds + delay.nanos / 1e9)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidArgument(
            status.message, field_violations=violations, code=code, reason=info.reason, metadata=info.metadata
        )
    kind = _CLASSES.get(code, ClientError)
    error = kind(status.message, code=code, reason=info.reason, metadata=info.metadata)
    error.retry_seconds = retry_seconds
    return error


def from_rpc_error(error: grpc.RpcError, target: str = "", call: str = "", seconds: float | None = None) -> ClientError:
    """Makes the exception that a failed call stands for, with the details of its trailer where there are any.

    Args:
        error: Of gRPC.
        target: The server that was called.
        call: The name of the call.
        seconds: Its timeout; None for any time.
    """
    code, message = error.code(), error.details() or ""
    trailer = dict(cast("Iterable[tuple[str, bytes]]", error.trailing_metadata() or ()))
    if _DETAILS_KEY in trailer:
        try:
            return from_status(status_pb2.Status.FromString(trailer[_DETAILS_KEY]))
        except DecodeError:
            pass  # not of our server: code and message are all there is
    return from_status(status_pb2.Status(code=code.value[0], message=_in_words(code, message, target, call, seconds)))


def _in_words(code: grpc.StatusCode, message: str, target: str, call: str, seconds: float | None) -> str:
    """The message of an error that no server has given: what happened, and where."""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in message:
        return (
            f"{call or 'the call'} has a message that is larger than gRPC takes: pass fewer rows or items at a time; "
            f"whoever runs the server can raise its WEAKLABEL_MAX_MESSAGE_BYTES ({message})"
        )
    if target and code is grpc.StatusCode.UNAVAILABLE and "handshake" in message.lower():
        return (
            f"the TLS handshake with {target} failed: does the server speak TLS, does tls trust its "
            f"certificate, and does it want one of the client? ({call}: {message})"
        )
    if target and code is grpc.StatusCode.UNAVAILABLE:
        return f"no server of weaklabel answers at {target}, or it was lost ({call}: {message})"
    if target and code is grpc.StatusCode.DEADLINE_EXCEEDED and seconds is not None:
        return f"{call} was not answered by {target} within its timeout of {seconds:.3g} s ({message})"
    return message


def can_go_on(error: ClientError) -> bool:
    """Whether a stream may go on in a new call: the connection was lost, it idled, another caller took over, or the
    server has no place for it now.

    A lost connection does not always show as UNAVAILABLE: a server that is stopped resets its streams, and a message
    that was being sent fails inside grpc. An error that the server itself gave has a reason.
    """
    if isinstance(error, Unavailable | Aborted) or error.reason == "STREAM_IDLE" or error.retry_seconds is not None:
        return True
    if error.reason or not isinstance(error, Cancelled | InternalError):
        return False
    return any(sign in error.message for sign in _SIGNS_OF_CONNECTION_LOSS)
