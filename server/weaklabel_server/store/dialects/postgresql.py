"""PostgreSQL, by pg8000: one database that several servers may share."""

import logging
import socket
import zlib
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import NoSuchModuleError

from weaklabel_server.store.dialects.faults import StoreUnusableError

_MIGRATION_LOCK = zlib.crc32(b"weaklabel migrations")
# Of a database that is away it logs tracebacks; the store says in a line of its own what is the matter.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)

_CONNECT_SECONDS = 5.0
# A machine that is gone answers nothing, not even that it is gone: Linux would wait for two hours.
_SILENCE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 14_000}


def open_engine(url: URL, *, connections: int, timeout: float | None = None) -> Engine:
    """An engine whose connections are tried before they are used, because the database may have been restarted.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.
        connections: How many are kept.
        timeout: Seconds that one answer of the database may take; as long as it takes where it is None.
    """
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    try:
        engine = create_engine(url, pool_pre_ping=True, pool_size=connections, max_overflow=2 * connections)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreUnusableError(
            f'the driver of {url.drivername} is not installed ({error}): pip install "weaklabel-server[postgresql]"'
        ) from None

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _: object, __: object, parameters: dict[str, Any]) -> Any:
        """Connects in place of the driver's own function, which takes no socket; None leaves it to that."""
        if dialect.driver != "pg8000" or "unix_sock" in parameters:
            return None
        host, port = parameters.get("host") or "localhost", int(parameters.get("port") or 5432)
        driver = dialect.loaded_dbapi
        try:
            made = _socket(host, port, timeout)
        except OSError as error:
            raise driver.InterfaceError(f"cannot connect to {host}:{port}: {error}") from error
        return driver.Connection(**parameters, sock=made)

    return engine


def _socket(host: str, port: int, timeout: float | None) -> socket.socket:
    """A connection whose end is noticed within seconds also where the other machine is gone without a word."""
    made = socket.create_connection((host, port), timeout or _CONNECT_SECONDS)
    made.settimeout(timeout)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SILENCE.items():
        if hasattr(socket, name):  # not everywhere
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def set_up_reads(engine: Engine) -> None:
    """Each transaction of the engine sees one state of the database, and changes nothing."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def lock_for_migration(tx: Connection) -> None:
    """Waits until no other server migrates, and keeps others from it until the transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
