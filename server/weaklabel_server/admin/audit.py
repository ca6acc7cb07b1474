"""The audit trail as JSON lines."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from weaklabel_server.admin.opening import opened
from weaklabel_server.store.access import audit


def export(data_dir: Path | None, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[str]:
    """A line for each change from a time on, and before another: who, what, when, and how it ended.

    Raises:
        AdminError: The store cannot be opened.
    """
    with opened(data_dir) as database, database.read() as tx:
        for event in audit.events(tx, _micros(since), _micros(until)):
            values = asdict(event)
            time = datetime.fromtimestamp(values.pop("event_time") / 1e6, UTC)
            yield json.dumps({"time": time.isoformat(timespec="microseconds"), **values})


def _micros(time: datetime | None) -> int | None:
    """Microseconds since 1970; a time without a zone is UTC."""
    if time is None:
        return None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6)
