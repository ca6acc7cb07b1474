"""Servers that share one database: each counts up its beat while it lives.

Whether a server lives is judged by watching its beat, never by comparing clocks: they may be set wrong.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, update

from weaklabel_server.store import schema, trash

_replicas = schema.replicas.c
_operations = schema.operations.c


def beat(tx: Connection, replica_id: str) -> None:
    """Says that a server lives."""
    changed = tx.execute(
        update(schema.replicas).where(_replicas.replica_id == replica_id).values(beat=_replicas.beat + 1)
    )
    if not changed.rowcount:  # it is new, or was taken for dead
        tx.execute(insert(schema.replicas).values(replica_id=replica_id, beat=1))


def beats(tx: Connection) -> dict[str, int]:
    """The beat of each server."""
    return {row.replica_id: row.beat for row in tx.execute(select(schema.replicas))}


def forget(tx: Connection, replica_ids: Collection[str]) -> None:
    """Removes servers that have ended; what they ran is free for others."""
    for one in replica_ids:
        trash.throw_staged(tx, one)
    tx.execute(update(schema.operations).where(_operations.owner.in_(replica_ids)).values(owner=""))
    tx.execute(delete(schema.replicas).where(_replicas.replica_id.in_(replica_ids)))


def forget_others(tx: Connection, replica_id: str) -> None:
    """Removes all servers but one, of a database that one server at a time may open."""
    others = (_operations.owner != "") & (_operations.owner != replica_id)
    tx.execute(update(schema.operations).where(others).values(owner=""))
    trash.throw_staged(tx, "")
    tx.execute(delete(schema.replicas).where(_replicas.replica_id != replica_id))
