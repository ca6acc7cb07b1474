"""Answers by request id: a call that is repeated is answered as the first time, and has its effect once.

A request id belongs to the token that it came with: nobody gets the answer to another's call, or learns of it.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, delete, insert, select

from weaklabel_server import caller
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, invalid
from weaklabel_server.store import schema
from weaklabel_server.store.access import audit


class Repeatable(Protocol):
    """A request message with a request id."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...  # noqa: N802, D102


_AT_A_TIME = 2_000

Response = TypeVar("Response", bound=Message)


def once(
    tx: Connection, request: Repeatable, answer: type[Response], effect: Callable[[Connection], Response]
) -> Response:
    """Runs effect(tx) and keeps its answer in the same transaction, or gives the answer kept before.

    Without a request id the effect is simply run.

    Raises:
        ServiceError: REQUEST_ID_REUSED when the id came with another request before; whatever the effect raises.
    """
    if not request.request_id:
        response = effect(tx)
        audit.record(tx)
        return response
    if (kept := answered(tx, request, answer)) is not None:
        return kept
    response = effect(tx)
    audit.record(tx)
    tx.execute(
        insert(schema.requests).values(
            request_id=key_of(request.request_id),
            method=type(request).__name__,
            digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
            response=response.SerializeToString(),
            create_time=now_micros(),
        )
    )
    return response


def answered(tx: Connection, request: Repeatable, answer: type[Response]) -> Response | None:
    """The answer that was kept of a call with this request id; None where there is none yet.

    Raises:
        ServiceError: REQUEST_ID_REUSED when the id came with another request before.
    """
    method = type(request).__name__
    digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    kept = tx.execute(select(schema.requests).filter_by(request_id=key_of(request.request_id))).first()
    if kept is None:
        return None
    if (kept.method, kept.digest) != (method, digest):
        raise invalid(
            "request_id", f"{request.request_id} came with another request before", reason=Reason.REQUEST_ID_REUSED
        )
    if (current := caller.current()) is not None:
        current.recorded = True  # by the first call
    return answer.FromString(kept.response)


def key_of(request_id: str) -> str:
    """What an answer is kept under: the id itself, or its hash with the token, in as many characters."""
    current = caller.current()
    if current is None or not current.token_id:
        return request_id
    return hashlib.sha256(f"{current.token_id}/{request_id}".encode()).hexdigest()[: len(request_id)]


def remove_old(tx: Connection, before: int) -> int:
    """Forgets some of the answers given before a time; returns how many."""
    old = select(schema.requests.c.request_id).where(schema.requests.c.create_time < before).limit(_AT_A_TIME)
    return tx.execute(delete(schema.requests).where(schema.requests.c.request_id.in_(old))).rowcount
