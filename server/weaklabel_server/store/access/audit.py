"""The audit trail: who changed what, when, and how it ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from weaklabel_server import caller
from weaklabel_server.caller import Caller
from weaklabel_server.clock import now_micros
from weaklabel_server.store import schema

_audit = schema.audit.c
_MAX_TEXT = 1000
_PAGE = 1000


@dataclass(frozen=True)
class Event:
    """One line of the trail; the time is in microseconds."""

    event_time: int
    token_id: str
    token_name: str
    peer: str
    method: str
    resource: str
    code: str
    request_id: str


def record(tx: Connection) -> None:
    """Notes that the call that runs has made its change, in the transaction of the change."""
    if (current := caller.current()) is not None:
        write(tx, current, "OK")
        current.recorded = True


def write(tx: Connection, by: Caller, code: str) -> None:
    """Notes a call and the name of the code that it ended with."""
    tx.execute(
        insert(schema.audit).values(
            event_time=now_micros(),
            token_id=by.token_id,
            token_name=by.token_name,
            peer=_text(by.peer),
            method=by.method,
            resource=_text(by.resource),
            code=code,
            request_id=_text(by.request_id)[:36],
        )
    )


def events(tx: Connection, since: int | None = None, until: int | None = None) -> Iterator[Event]:
    """The trail from a time on, and before another, in its order."""
    key = 0
    columns = [column for column in _audit if column.name != "key"]
    while True:
        query = select(_audit.key, *columns).where(_audit.key > key).order_by(_audit.key).limit(_PAGE)
        if since is not None:
            query = query.where(_audit.event_time >= since)
        if until is not None:
            query = query.where(_audit.event_time < until)
        rows = tx.execute(query).all()
        for row in rows:
            values: dict[str, Any] = dict(row._mapping)
            key = values.pop("key")
            yield Event(**values)
        if len(rows) < _PAGE:
            return


def remove_old(tx: Connection, before: int) -> None:
    """Forgets what was noted before a time."""
    tx.execute(delete(schema.audit).where(_audit.event_time < before))


def _text(value: str) -> str:
    return value[:_MAX_TEXT].replace("\0", "\ufffd")
