"""SQLite: how it is set up, and the file that it lives in, which only its owner may read."""

import logging
import os
import sqlite3
import stat
import threading
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from weaklabel_server.store.dialects.marker import MARKER_FILE, Found, Marker

FILE_NAME = "weaklabel.db"

_BUSY_MILLIS = 30_000
_WRITES = "sqlite_begin"
# In place of SQLite's own checkpoints, which would come unnoticed.
_CHECKPOINT_BYTES = 16 * 1024 * 1024
# Item ids in no order touch pages all over their index.
_CACHE_KIB = 32 * 1024

log = logging.getLogger(__name__)


def sqlite_url(data_dir: Path) -> URL:
    """The URL of the database file in a data directory."""
    return URL.create("sqlite", database=str(data_dir / FILE_NAME))


def open_engine(url: URL) -> Engine:
    """An engine of which each commit is on disk before it returns."""
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # Transactions are begun below, not by the driver, which would begin them late and deferred.
        connection.isolation_level = None
        # WAL with FULL: every commit is synced to disk before it returns. Checkpoints are those of StoreFile.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_MILLIS}",
            "wal_autocheckpoint=0",
            f"cache_size=-{_CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_WRITES, 'DEFERRED')}")

    return engine


def for_writes(engine: Engine) -> Engine:
    """The same engine, whose transactions take the lock of the writer when they begin."""
    return engine.execution_options(**{_WRITES: "IMMEDIATE"})


class StoreFile:
    """The file of an open database. Notices when it is no longer the one at its path."""

    def __init__(self, path: Path, *, guest: bool) -> None:
        """Makes the file where it is missing, and takes the rights of others to it.

        Args:
            path: The file.
            guest: Whether another process looks after the file, so that this one does not.

        Raises:
            StoreUnusableError: There was a database, and it is gone or empty.
        """
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._marker = path.with_name(MARKER_FILE)
        self._found = Found.look(path)
        self._inode: tuple[int, int] | None = None
        self._generation = 0
        self._guest = guest
        if guest:
            return
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        keep_private(path)

    def opened(self, tx: Connection, store_id: str, generation: int, *, clean: bool) -> None:
        """Checks that the database is the one that belongs here, and that it is whole; called in its first write.

        Raises:
            StoreUnusableError: It is not.
        """
        self._found.check(store_id, generation, clean=clean)
        found = self._found.marker
        self._generation = max(generation, found.generation if found else 0)
        if not self._guest:
            self._raise_generation(tx, clean=False)

    def settle(self, engine: Engine, store_id: str) -> None:
        """Remembers which file it is, and says so in the marker."""
        found = self.path.stat()
        self._inode = (found.st_dev, found.st_ino)
        if self._guest:
            return
        # So that the file alone, without its log, says that a log belongs to it; and the log has what the marker says.
        self._checkpoint(engine, "TRUNCATE")
        self._advance(engine, store_id, clean=False)

    def fault(self) -> str | None:
        """What is wrong with the file at the path, or None."""
        try:
            found = self.path.stat()
        except OSError:
            return f"{self.path} is gone"
        if self._inode is not None and (found.st_dev, found.st_ino) != self._inode:
            return f"{self.path} is another file than the one that the server opened"
        if not self._wal.exists():
            return f"{self._wal} is gone"
        return None

    def size_bytes(self) -> int:
        """What the file and its log take.

        Raises:
            OSError: One is gone.
        """
        return self.path.stat().st_size + self._wal.stat().st_size

    def after_write(self, engine: Engine, store_id: str) -> None:
        """Moves the log into the database when it has grown, and says in the marker that it did."""
        if self._guest or self._wal.stat().st_size < _CHECKPOINT_BYTES:
            return
        self._checkpoint(engine, "PASSIVE")
        self._advance(engine, store_id, clean=False)

    def close(self, engine: Engine, store_id: str) -> None:
        """Notes that the database is whole without its log; then SQLite may remove that."""
        if not self._guest:
            self._advance(engine, store_id, clean=True)
            self._checkpoint(engine, "TRUNCATE")

    def _advance(self, engine: Engine, store_id: str, *, clean: bool) -> None:
        with for_writes(engine).begin() as tx:
            self._raise_generation(tx, clean=clean)
        Marker(store_id, self._generation).write(self._marker)

    def _raise_generation(self, tx: Connection, *, clean: bool) -> None:
        self._generation += 1
        tx.exec_driver_sql("UPDATE store SET generation = ?, clean = ?", (self._generation, clean))

    def _checkpoint(self, engine: Engine, mode: str) -> None:
        # In no transaction, which would keep the log from being moved.
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA wal_checkpoint({mode})")
            cursor.close()
        finally:
            connection.close()


class ChangeCounter:
    """Counts the changes that any connection, of any process, has committed to a database."""

    def __init__(self, path: Path) -> None:
        """Opens a connection of its own, whose count does not go on with changes that it makes itself: none."""
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        self._lock = threading.Lock()

    def count(self) -> int | None:
        """A number that differs after each change. Microseconds; None where it cannot be read right now."""
        try:
            with self._lock:
                return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return None

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def keep_private(path: Path) -> None:
    """Takes the rights of others to a file or folder, if they have any."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        path.chmod(mode & 0o700)
        log.warning("%s could be read by others (%03o); it is its owner's alone now", path, mode)
