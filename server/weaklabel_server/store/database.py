"""Connections, transactions and the threads that they run in, on SQLite and on PostgreSQL.

Queries are written once, for any database of SQLAlchemy; what one of the two needs beyond that is in dialects/.
"""

import asyncio
import contextvars
import logging
import os
import random
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, Table, func, make_url, select, text
from sqlalchemy.exc import DBAPIError

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store.dialects import postgresql, sqlite
from weaklabel_server.store.dialects.faults import (
    ConflictError,
    StoreUnusableError,
    connection_broke,
    fault_of,
    store_lost,
    unavailable,
)
from weaklabel_server.store.dialects.sqlite import ChangeCounter, StoreFile, sqlite_url
from weaklabel_server.store.identity import Identity, refuse_standby
from weaklabel_server.store.locking import WRITES

__all__ = ["Database", "StoreUnusableError", "insert_rows", "sqlite_url"]

_INSERT_ROWS = 50_000
_ATTEMPTS = 20
_CHECK_SECONDS = 1.0

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Database:
    """A database brought to the newest schema. Its methods may be called from any thread.

    A write transaction that returned is on disk, in the database that the server was started on: it survives the
    process and the machine being killed.
    """

    def __init__(self, url: str | URL, *, readers: int = 4, guest: bool = False) -> None:
        """Opens the database and migrates it.

        Args:
            url: Where it is.
            readers: So many transactions that read run at the same time.
            guest: Whether a server may have the database open, where one at a time may: it is left as it is.

        Raises:
            StoreUnusableError: It is another one than before, or a part of it is missing; the message says what to do.
            ServiceError: It cannot be reached, or written to.
            sqlalchemy.exc.SQLAlchemyError: It cannot be opened.
            alembic.util.CommandError: It was written by a newer version of weaklabel.
        """
        parsed = make_url(url)
        self.shared = parsed.get_backend_name() != "sqlite"
        """Whether other servers may have the same database open."""
        self._file: StoreFile | None = None
        self._changes: ChangeCounter | None = None
        self._identity = Identity(shared=self.shared)
        self._opened = False
        self._lost: ServiceError | None = None
        self._faults: Counter[str] = Counter()
        self._faults_lock = threading.Lock()
        if self.shared:
            self._engine: Engine = postgresql.open_engine(parsed, connections=readers + 4)
            self._read_engine: Engine = self._engine.execution_options()
            postgresql.set_up_reads(self._read_engine)
            self._check_engine: Engine = postgresql.open_engine(parsed, connections=1, timeout=_CHECK_SECONDS)
            self._write_engine: Engine = self._engine.execution_options(**{WRITES: True})
        else:
            self._file = StoreFile(Path(parsed.database or ""), guest=guest)
            self._engine = self._read_engine = self._check_engine = sqlite.open_engine(parsed)
            self._write_engine = sqlite.for_writes(self._engine)
        # SQLite allows one writer at a time, and waiting here is fairer and cheaper than its busy handler.
        self._write_lock = nullcontext() if self.shared else threading.Lock()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._stream_reads = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        self._writers = ThreadPoolExecutor(readers if self.shared else 1, thread_name_prefix="store-write")
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="store-check")
        try:
            with self.read() if guest else self.write() as tx:
                if guest:
                    _require_newest(tx)
                else:
                    if self.shared:
                        refuse_standby(tx)
                        postgresql.lock_for_migration(tx)
                    _migrate(tx)
                self._identify(tx)
            if self._file is not None:
                self._file.settle(self._engine, self._identity.store_id)
                self._changes = ChangeCounter(self._file.path)
            self._opened = True
        except BaseException:
            self._shut()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from its first query on.

        Raises:
            ServiceError: STORE_LOST, STORE_UNAVAILABLE.
        """
        self._refuse_if_lost()
        with self._translated(), self._read_engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: committed when the block ends, rolled back when it raises.

        Raises:
            ServiceError: STORAGE_FULL, STORE_READ_ONLY, STORE_LOST, STORE_UNAVAILABLE; ConflictError when the same
                transaction may succeed if it is run again.
        """
        with self._write_lock, self._translated():
            self._refuse_if_lost()
            with self._write_engine.begin() as connection:
                if self._opened:
                    self._identity.check(connection)
                yield connection
            # Before anything is acknowledged: what was written to a file that is gone is lost.
            self._refuse_if_file_lost()
            if self._file is not None and self._opened:
                self._file.after_write(self._engine, self._identity.store_id)

    def transact(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...), which may write; again where another transaction came into its way."""
        for attempt in range(_ATTEMPTS):
            try:
                with self.write() as tx:
                    return query(tx, *args, **kwargs)
            except ConflictError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                time.sleep(random.uniform(0.0, min(0.002 * 2**attempt, 0.2)))  # noqa: S311  # apart from each other
        raise AssertionError

    async def run_read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...) in a thread."""

        def run() -> T:
            with self.read() as tx:
                return query(tx, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def run_stream_read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run_read`, of a part of a stream: so few at a time that short calls are quick beside many streams."""
        async with self._stream_reads:
            return await self.run_read(query, *args, **kwargs)

    async def run_write(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...) in a writer's thread and returns once its changes are on disk."""

        def run() -> T:
            return self.transact(query, *args, **kwargs)

        # The thread knows whose call it runs: see caller.py.
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._writers, context.run, run)

    async def check(self) -> ServiceError | None:
        """Looks whether the store that was opened is still there and answers, and remembers it if it is not."""
        looking = asyncio.get_running_loop().run_in_executor(self._checker, self._look)
        try:
            fault = await asyncio.wait_for(asyncio.shield(looking), _CHECK_SECONDS)
        except TimeoutError:
            fault = unavailable(f"the database does not answer within {_CHECK_SECONDS} s")
        lost = fault if fault is not None and fault.reason is Reason.STORE_LOST else None
        if lost is not None and self._lost is None:
            self._count(lost)
            log.error("%s", lost.message)
        self._lost = lost
        return fault

    def change_count(self) -> int | None:
        """A number that differs after each change; None where only a look into the database can tell. Microseconds.

        Raises:
            ServiceError: STORE_LOST.
        """
        self._refuse_if_lost()
        return None if self._changes is None else self._changes.count()

    def faults(self) -> dict[str, int]:
        """How often the database reported a fault, by reason."""
        return dict(self._faults)

    def size_bytes(self) -> int | None:
        """What the database takes on its disk; None where it does not say so within a second."""
        try:
            return self._checker.submit(self._measure).result(_CHECK_SECONDS)
        except (ServiceError, OSError, FutureTimeoutError, RuntimeError):  # the last: it is closed
            return None

    def close(self) -> None:
        """Waits for what runs, then closes the connections."""
        for pool in (self._readers, self._writers, self._checker):
            pool.shutdown()
        if self._file is not None and self._lost is None and self._file.fault() is None:
            try:
                self._file.close(self._engine, self._identity.store_id)
            except (DBAPIError, OSError) as error:
                log.warning("the end of the server could not be noted in the store: %s", error)
        self._shut()

    def _shut(self) -> None:
        for pool in (self._readers, self._writers, self._checker):
            pool.shutdown()
        if self._changes is not None:
            self._changes.close()
        for engine in {id(one): one for one in (self._engine, self._check_engine)}.values():
            engine.dispose()

    def _look(self) -> ServiceError | None:
        try:
            if self._file is not None and (what := self._file.fault()) is not None:
                return store_lost(what)
            with self._translated(), self._check_engine.begin() as connection:
                self._identity.check(connection)
        except ServiceError as fault:
            return fault
        except DBAPIError as error:  # that it is none of the known states is no reason to stop looking
            return unavailable(f"the database reports an error ({error.orig})")
        return None

    def _count(self, fault: ServiceError) -> None:
        with self._faults_lock:
            self._faults[fault.reason] += 1

    def _measure(self) -> int:
        if self._file is not None:
            return self._file.size_bytes()
        with self._translated(), self._check_engine.begin() as connection:
            return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())

    def _identify(self, tx: Connection) -> None:
        generation, clean = self._identity.learn(tx)
        if self._file is not None:
            self._file.opened(tx, self._identity.store_id, generation, clean=clean)

    def _refuse_if_lost(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _refuse_if_file_lost(self) -> None:
        if self._file is not None and self._opened and (what := self._file.fault()) is not None:
            self._lost = store_lost(what)
            raise self._lost

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What a database reports becomes an error that the caller sees."""
        try:
            yield
        except DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            self._refuse_if_file_lost()
            if not isinstance(fault, ConflictError):
                self._count(fault)
                log.warning("store: %s: %s", fault.reason, error.orig)
            raise fault from error
        except (
            ConnectionError,
            TimeoutError,
            struct.error,
        ) as error:  # of the driver, where the other end closes amid an answer
            if not self.shared:
                raise
            raise connection_broke() from error


def insert_rows(tx: Connection, table: Table, rows: Iterable[tuple[object, ...]]) -> None:
    """Inserts rows of all columns of a table in their order; many times as fast as SQLAlchemy for a million rows."""
    rest = iter(rows)
    while batch := list(islice(rest, _INSERT_ROWS)):
        if tx.dialect.name == "sqlite":
            marks = ", ".join("?" for _ in table.columns)
            tx.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", batch)  # noqa: S608  # of the schema
        else:
            names = [column.name for column in table.columns]
            arrays = [f"CAST(:{column.name} AS {column.type.compile(tx.dialect)}[])" for column in table.columns]
            statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608
            tx.execute(text(statement), dict(zip(names, map(list, zip(*batch, strict=True)), strict=True)))


def _migrate(tx: Connection) -> None:
    config = _alembic()
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def _require_newest(tx: Connection) -> None:
    found = MigrationContext.configure(tx).get_current_revision()
    newest = ScriptDirectory.from_config(_alembic()).get_current_head()
    if found != newest:
        raise StoreUnusableError(
            f"the schema of the database is {found}, and this version has {newest}: stop the server, then run "
            "weaklabel admin migrate, or start the server of this version"
        )


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
