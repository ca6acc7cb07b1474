"""Connections, transactions and the threads that they run in.

Queries are written once, for any database of SQLAlchemy; what SQLite needs beyond that is set up here.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.pool import ConnectionPoolEntry

FILE_NAME = "weaklabel.db"

_BUSY_MILLIS = 30_000
_INSERT_ROWS = 50_000
_BEGIN = "sqlite_begin"

P = ParamSpec("P")
T = TypeVar("T")


def sqlite_url(data_dir: Path) -> URL:
    """The URL of the database file in a data directory."""
    return URL.create("sqlite", database=str(data_dir / FILE_NAME))


class Database:
    """A database brought to the newest schema. Its methods may be called from any thread.

    A write transaction that returned is on disk: it survives the process and the machine being killed.
    """

    def __init__(self, url: str | URL, *, readers: int = 4) -> None:
        """Opens the database and migrates it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: It cannot be opened.
            alembic.util.CommandError: It was written by a newer version of weaklabel.
        """
        self._engine = create_engine(make_url(url))
        if self._engine.dialect.name == "sqlite":
            _set_up_sqlite(self._engine)
        self._write_engine = self._engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        # One writer at a time: SQLite allows no more, and waiting here is fairer and cheaper than its busy handler.
        self._write_lock = threading.Lock()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        try:
            with self.write() as tx:
                _migrate(tx)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from its first query on."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: committed when the block ends, rolled back when it raises."""
        with self._write_lock, self._write_engine.begin() as connection:
            yield connection

    async def run_read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...) in a thread."""

        def run() -> T:
            with self.read() as tx:
                return query(tx, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def run_write(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...) in the writer's thread and returns once its changes are on disk."""

        def run() -> T:
            with self.write() as tx:
                return query(tx, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._writer, run)

    def close(self) -> None:
        """Waits for what runs, then closes the connections."""
        self._readers.shutdown()
        self._writer.shutdown()
        self._engine.dispose()


def insert_rows(tx: Connection, table: Table, rows: Iterable[tuple[object, ...]]) -> None:
    """Inserts rows of all columns of a table in their order; three times as fast as SQLAlchemy for a million rows."""
    mark = "?" if tx.dialect.paramstyle == "qmark" else "%s"
    columns = ", ".join(column.name for column in table.columns)
    marks = ", ".join(mark for _ in table.columns)
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608  # names out of the schema
    rest = iter(rows)
    while batch := list(islice(rest, _INSERT_ROWS)):
        tx.exec_driver_sql(statement, batch)


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # Transactions are begun below, not by the driver, which would begin them late and deferred.
        connection.isolation_level = None
        # WAL with FULL: every commit is synced to disk before it returns.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MILLIS}"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")


def _migrate(tx: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")
