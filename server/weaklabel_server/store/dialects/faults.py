"""What a database reports, as errors that a caller sees: full, read-only, out of reach, or gone."""

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from weaklabel_server.errors import Reason, ServiceError

PASSING = frozenset({Reason.STORE_UNAVAILABLE, Reason.STORE_LOST})
"""After these the same may succeed later, without a change of the request."""


class StoreUnusableError(Exception):
    """A server cannot start on this store; the message says why and what to do."""


class ConflictError(ServiceError):
    """Two transactions came into each other's way: the same transaction may succeed when it is run again."""


def store_lost(what: str) -> ServiceError:
    """Nothing is read or acknowledged any more, until the store that the server was started on is back."""
    return ServiceError(
        Reason.STORE_LOST,
        f"the store is lost: {what}; nothing is answered or acknowledged until it is back or the server is restarted",
    )


def fault_of(error: DBAPIError) -> ServiceError | None:
    """The error that a caller sees, or None where it is none of the database's state but a mistake of the server."""
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error.orig, error)
    return _of_postgresql(error)


def _of_sqlite(error: sqlite3.Error, wrapped: DBAPIError) -> ServiceError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return _full()
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return _read_only()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return unavailable("another process keeps the database locked")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return unavailable(f"the disk reports an error ({error})")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return store_lost(f"the database is damaged ({error})")
        case sqlite3.SQLITE_CONSTRAINT if isinstance(wrapped, IntegrityError):
            return ConflictError(Reason.STORE_UNAVAILABLE, "another change of the same came first; call again")
    return store_lost("its tables are gone") if "no such table" in str(error) else None


# The classes and codes of SQLSTATE.
_CONFLICTS = {"40001", "40P01", "23505", "23503"}
_READ_ONLY = {"25006"}
_BAD_TEXT = {"22021", "22P05"}
_GONE = {"42P01", "3D000", "3F000"}
# Ended by the database: a transaction whose end waited for a standby may be committed.
_MAYBE_COMMITTED = {"57P01", "57P02"}
_AWAY = {"57P03", "57P04", "57P05", "58030", "58000", "55P03", "42501"}


def _of_postgresql(error: DBAPIError) -> ServiceError | None:
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if not isinstance(fields, dict):  # the connection is broken, or could not be made
        return connection_broke()
    state = str(fields.get("C", ""))
    if state in _CONFLICTS:
        return ConflictError(Reason.STORE_UNAVAILABLE, "another change of the same came first; call again")
    if state == "53100":
        return _full()
    if state in _READ_ONLY:
        return _read_only()
    if state in _GONE:
        return store_lost("its tables are gone")
    if state in _BAD_TEXT:
        return ServiceError(Reason.INVALID_FIELD, "a text holds NUL, which no database takes")
    if state in _MAYBE_COMMITTED:
        return connection_broke()
    if state[:2] in {"08", "28", "53"} or state in _AWAY:
        return unavailable(f"the database is not ready ({fields.get('M', state)})")
    return None


def connection_broke() -> ServiceError:
    """The database cannot be reached, or what became of the last transaction is not known."""
    return ServiceError(
        Reason.STORE_UNAVAILABLE,
        "the database cannot be reached. A change that this call makes may have been made or not: call again with the "
        "same request id or upload id, and it is made once",
    )


def unavailable(what: str) -> ServiceError:
    """The store does not answer now; the same call may succeed later."""
    return ServiceError(Reason.STORE_UNAVAILABLE, f"{what}; nothing was changed, call again")


def _full() -> ServiceError:
    return ServiceError(
        Reason.STORAGE_FULL,
        "the disk of the store is full; nothing was changed. Whoever runs the server makes room, or deletes projects, "
        "models or versions that nobody needs",
    )


def _read_only() -> ServiceError:
    return ServiceError(
        Reason.STORE_READ_ONLY,
        "the store takes no changes: its disk or database is read-only. Nothing was changed; whoever runs the server "
        "makes it writable",
    )
