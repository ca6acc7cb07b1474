"""What need not be kept: old versions of votes, old models, uploads that were broken off, answers to request ids.

The newest of each always stay, and what an operation that is not done reads.
"""

import math
import time
from dataclasses import dataclass, fields

from sqlalchemy import Connection

from weaklabel_server.clock import MICROS_PER_DAY, now_micros
from weaklabel_server.store import models, record_sets, requests, side_data, trash, versions, vote_uploads
from weaklabel_server.store.access import audit
from weaklabel_server.store.database import Database

_LEAST_UPTIME_DAYS = 1.0
_STARTED = time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept.

    Attributes:
        keep_days: Whatever is younger stays; broken uploads and answers to request ids go when they are older.
        keep_models: So many of the newest models of a project stay; 0 keeps all.
        keep_versions: So many of the newest versions of the votes of a project stay; 0 keeps all.
        audit_days: How long notes of the audit trail stay.
    """

    keep_days: float
    keep_models: int = 0
    keep_versions: int = 0
    audit_days: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Removed:
    """How much was removed."""

    uploads: int = 0
    answers: int = 0
    models: int = 0
    versions: int = 0
    emptied: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name)} {one.name}" for one in fields(self))


async def collect(database: Database, retention: Retention, *, wait: bool = True) -> Removed:
    """Removes what need not be kept, each in a short transaction.

    Args:
        database: The store.
        retention: What is kept.
        wait: Whether to remove nothing for its age before this process has run for a day, or for keep_days: a machine
            that starts with a clock set wrong must not take everything for old.
    """
    uptime = (time.monotonic() - _STARTED) / 86_400
    before = now_micros() - int(retention.keep_days * MICROS_PER_DAY)
    uploads = answers = 0
    if not wait or uptime >= min(retention.keep_days, _LEAST_UPTIME_DAYS):
        uploads = await database.run_write(vote_uploads.remove_abandoned, before)
        uploads += await database.run_write(side_data.remove_abandoned, before)
        uploads += await database.run_write(record_sets.remove_abandoned, before)
        while removed := await database.run_write(requests.remove_old, before):
            answers += removed
        if retention.audit_days < math.inf:
            await database.run_write(audit.remove_old, now_micros() - int(retention.audit_days * MICROS_PER_DAY))
    old_models = old_versions = 0
    if retention.keep_models:
        old_models = await database.run_write(models.remove_old, retention.keep_models, before)
    if retention.keep_versions:
        for project_key in await database.run_read(versions.with_more_than, retention.keep_versions):
            old_versions += await _forget_versions(database, project_key, retention.keep_versions, before)
    emptied = await trash.empty(database)
    return Removed(uploads=uploads, answers=answers, models=old_models, versions=old_versions, emptied=emptied)


async def _forget_versions(database: Database, project_key: int, keep: int, before: int) -> int:
    plan = await database.run_read(versions.plan, project_key, keep, before)

    def forget(tx: Connection) -> int:
        return versions.forget(tx, plan)

    return await database.run_write(forget)
