"""How the store is opened beside a server, or where none runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weaklabel_server import settings
from weaklabel_server.config import ServerConfig
from weaklabel_server.errors import ServiceError
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.dialects.faults import StoreUnusableError
from weaklabel_server.store.dialects.folder import FolderTakenError, lock_data_dir, make_private
from weaklabel_server.store.dialects.sqlite import FILE_NAME


class AdminError(Exception):
    """The work cannot be done; the message says why and what to do."""


@contextmanager
def opened(data_dir: Path | None) -> Iterator[Database]:
    """The store of a data directory, or that of WEAKLABEL_DATABASE_URL, made where there is none.

    Raises:
        AdminError: It cannot be opened, or used.
    """
    try:
        config = settings.read(ServerConfig, {} if data_dir is None else {"data_dir": data_dir})
        with open_store(config, make=True) as database:
            yield database
    except settings.SettingsError as error:
        raise AdminError(str(error)) from None
    except (SQLAlchemyError, CommandError) as error:
        raise AdminError(f"cannot open the store: {error.orig if isinstance(error, DBAPIError) else error}") from None
    except OSError as error:
        raise AdminError(f"cannot open the store: {error.filename}: {error.strerror}") from None
    except (ServiceError, StoreUnusableError) as error:
        raise AdminError(f"cannot open the store: {error}") from None


@contextmanager
def open_store(
    config: ServerConfig, *, guest: bool = False, alone: bool = False, make: bool = False
) -> Iterator[Database]:
    """The store of a server, until the block ends.

    Args:
        config: The settings of the server.
        guest: Leaves the store as it is: it is not migrated, and its start is not noted.
        alone: Refuses a store that a server has open, if no other may have it open then.
        make: Makes a store where there is none.

    Raises:
        StoreUnusableError: There is none, or it cannot be used; the message says why and what to do.
        ServiceError: It cannot be reached.
    """
    lock = None
    if config.database_url is None:
        path = config.data_dir / FILE_NAME
        if make:
            make_private(config.data_dir)
        elif not path.is_file():
            raise StoreUnusableError(f"there is no database {path}")
        if not guest:
            try:
                lock = lock_data_dir(config.data_dir)
            except FolderTakenError:
                if alone:
                    raise
                guest = True
    try:
        database = Database(config.database_url or sqlite_url(config.data_dir), guest=guest)
        try:
            yield database
        finally:
            database.close()
    finally:
        if lock is not None:
            os.close(lock)
