"""PostgreSQL, by pg8000: one database that several servers may share."""

import logging
import zlib

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import NoSuchModuleError

from weaklabel_server.store.dialects.faults import StoreUnusableError

_MIGRATION_LOCK = zlib.crc32(b"weaklabel migrations")
# Of a database that is away it logs tracebacks; the store says in a line of its own what is the matter.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


def open_engine(url: URL, *, connections: int, timeout: float | None = None) -> Engine:
    """An engine whose connections are tried before they are used, because the database may have been restarted.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.
        connections: How many are kept.
        timeout: Seconds that one answer of the database may take; as long as it takes where it is None.
    """
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    arguments = {} if timeout is None else {"timeout": timeout}
    try:
        return create_engine(
            url, pool_pre_ping=True, pool_size=connections, max_overflow=2 * connections, connect_args=arguments
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreUnusableError(
            f'the driver of {url.drivername} is not installed ({error}): pip install "weaklabel-server[postgresql]"'
        ) from None


def set_up_reads(engine: Engine) -> None:
    """Each transaction of the engine sees one state of the database, and changes nothing."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def lock_for_migration(tx: Connection) -> None:
    """Waits until no other server migrates, and keeps others from it until the transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
