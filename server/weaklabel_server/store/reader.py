"""The store as another process of the same server reads it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from weaklabel_server.store.dialects import postgresql
from weaklabel_server.store.dialects.faults import fault_of


class StoreReader:
    """Reads a database that a server has opened and migrated, and that nobody else writes."""

    def __init__(self, url: str | URL) -> None:
        """Connects to nothing yet."""
        url = make_url(url)
        if url.get_backend_name() == "sqlite":
            # Never made where it is missing.
            path = f"file:{quote(url.database or '')}"
            self._engine = create_engine(url.set(database=path, query={"mode": "ro", "uri": "true"}))
            _begin_transactions(self._engine)
        else:
            self._engine = postgresql.open_engine(url, connections=1)
            postgresql.set_up_reads(self._engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from its first query on.

        Raises:
            ServiceError: STORE_LOST, STORE_UNAVAILABLE.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            raise fault from error


def _begin_transactions(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver would begin none for queries

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN DEFERRED")
