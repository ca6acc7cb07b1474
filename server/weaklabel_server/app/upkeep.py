"""What is removed from the store for as long as a server runs."""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from weaklabel_server.admin.retention import Retention, collect
from weaklabel_server.config import ServerConfig
from weaklabel_server.errors import ServiceError
from weaklabel_server.store import trash
from weaklabel_server.store.database import Database

_TRASH_SECONDS = 2.0

log = logging.getLogger(__name__)


async def clean(database: Database, config: ServerConfig) -> None:
    """Removes what need not be kept, now and then."""
    kept = Retention(
        keep_days=config.keep_days,
        keep_models=config.keep_models,
        keep_versions=config.keep_versions,
        audit_days=config.audit_days,
    )
    while True:
        try:
            await collect(database, kept)
        except (SQLAlchemyError, ServiceError):
            log.exception("what need not be kept could not be removed; the next attempt is later")
        await asyncio.sleep(config.clean_seconds)


async def empty_trash(database: Database) -> None:
    """Deletes from the disk what was thrown away."""
    while True:
        try:
            await trash.empty(database)
        except (SQLAlchemyError, ServiceError) as error:
            log.warning("what was deleted is still on the disk; the next attempt is later: %s", error)
        await asyncio.sleep(_TRASH_SECONDS)
