"""Whether the database that answers is the one that the server opened, and no older state of it."""

import uuid

from sqlalchemy import Connection, func, insert, select, update

from weaklabel_server.errors import ServiceError
from weaklabel_server.store import schema
from weaklabel_server.store.dialects.faults import store_lost, unavailable

_STORE = select(schema.store.c.store_id, schema.store.c.generation)
_SHARED_STORE = _STORE.add_columns(func.pg_is_in_recovery().label("is_standby"))


class Identity:
    """What a server knows of its database.

    Servers that share one count up its generation for as long as they live. A database that has the right id and a
    lower generation than was seen is an older state, such as a former primary that was left behind.
    """

    def __init__(self, *, shared: bool) -> None:
        """Knows nothing.

        Args:
            shared: Whether other servers may have the database open.
        """
        self._shared = shared
        self._generation = 0
        self.store_id = ""
        """Empty until it is known."""

    def learn(self, tx: Connection) -> tuple[int, bool]:
        """Reads or makes the id of the database; returns its generation, and whether it was closed in good order."""
        row = tx.execute(select(schema.store)).first()
        if row is None:
            tx.execute(insert(schema.store).values(key=1, store_id=uuid.uuid4().hex, generation=0, clean=True))
            row = tx.execute(select(schema.store)).one()
        self.store_id = row.store_id
        return int(row.generation), bool(row.clean)

    def check(self, tx: Connection) -> None:
        """Compares the database with what is known.

        Raises:
            ServiceError: STORE_LOST where it is another, or an older state; STORE_UNAVAILABLE where it is a standby.
        """
        known = self._generation  # read first: others may see more while the database answers
        row = tx.execute(_SHARED_STORE if self._shared else _STORE).first()
        if row is None or row.store_id != self.store_id:
            raise store_lost("another database is in the place of the one that the server opened")
        if not self._shared:
            return
        if row.generation < known:
            raise store_lost(
                "an older state of the database is in its place, in which acknowledged changes are missing"
            )
        self._generation = max(self._generation, row.generation)
        if row.is_standby:
            raise _is_standby()


def refuse_standby(tx: Connection) -> None:
    """Raises:
    ServiceError: STORE_UNAVAILABLE where a PostgreSQL database is a standby.
    """
    if tx.execute(select(func.pg_is_in_recovery())).scalar():
        raise _is_standby()


def _is_standby() -> ServiceError:
    return unavailable(
        "the database is a standby, which takes no changes: it has to be promoted, or the database's address leads to "
        "the wrong server"
    )


def advance(tx: Connection) -> None:
    """Counts up the generation of a database that servers share. Last in a transaction: others wait for its end."""
    tx.execute(update(schema.store).values(generation=schema.store.c.generation + 1))
