"""Answers by request id: a call that is repeated is answered as the first time, and has its effect once."""

import hashlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, delete, insert, select

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, invalid
from weaklabel_server.store import schema


class Repeatable(Protocol):
    """A request message with a request id."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...  # noqa: N802, D102


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
        return effect(tx)
    request_id = request.request_id
    method = type(request).__name__
    digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    kept = tx.execute(select(schema.requests).filter_by(request_id=request_id)).first()
    if kept is not None:
        if (kept.method, kept.digest) != (method, digest):
            raise invalid(
                "request_id", f"{request_id} came with another request before", reason=Reason.REQUEST_ID_REUSED
            )
        return answer.FromString(kept.response)
    response = effect(tx)
    tx.execute(
        insert(schema.requests).values(
            request_id=request_id,
            method=method,
            digest=digest,
            response=response.SerializeToString(),
            create_time=now_micros(),
        )
    )
    return response


def remove_old(tx: Connection, before: int) -> None:
    """Forgets answers given before a time."""
    tx.execute(delete(schema.requests).where(schema.requests.c.create_time < before))
