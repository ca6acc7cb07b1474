"""Raw responses on disk, so that nothing is paid twice: one SQLite file, shared by threads and processes.

A response is kept under a key of everything that shapes it: endpoint, model, parameters, messages, sample. What is read
out of it is not kept: another answer map reads the same responses again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from weaklabel.errors import InvalidArgumentError

_VERSION = 1
_SCHEMA = """
CREATE TABLE responses (
  key BLOB PRIMARY KEY, endpoint TEXT NOT NULL, model TEXT NOT NULL, created REAL NOT NULL, response BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE batches (
  tag TEXT PRIMARY KEY, endpoint TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL, id TEXT
) WITHOUT ROWID;
CREATE TABLE batch_keys (
  tag TEXT NOT NULL REFERENCES batches ON DELETE CASCADE, key BLOB PRIMARY KEY
) WITHOUT ROWID;
CREATE INDEX batch_keys_by_tag ON batch_keys (tag);
"""
_KEYS_PER_QUERY = 500
_LOCK_TIMEOUT = 60.0  # seconds that a writer waits for another process
_GATHERED = 0.001  # seconds in which responses are gathered for one write
KEY_BYTES = 32


class Entry(NamedTuple):
    """A response as it is kept: its key, where it came from, its bytes, and whether it replaces an earlier one."""

    key: bytes
    endpoint: str
    model: str
    response: bytes
    replaces: bool = False


class Batch(NamedTuple):
    """A batch that was sent, or was about to be.

    Attributes:
        tag: our own name for it, which goes with it.
        endpoint: the endpoint's URL.
        owner: the process that sends it, as "host:pid".
        created: when it was noted, in seconds since 1970.
        id: the endpoint's name for it; None where it is not known yet.
    """

    tag: str
    endpoint: str
    owner: str
    created: float
    id: str | None = None


def default_path() -> Path:
    """The cache of the user: weaklabel/prompts.sqlite under XDG_CACHE_HOME, or ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "weaklabel" / "prompts.sqlite"


class ResponseCache:
    """Raw responses in an SQLite file, in WAL mode and written through to the disk before a response counts.

    May be open in any number of threads and processes; a process that is killed leaves it whole.

    Args:
        path: the file; it and its folder are made where missing, readable for the user only.

    Raises:
        InvalidArgumentError: if the file is not a cache of this version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            self._db = sqlite3.connect(
                self.path, timeout=_LOCK_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            with self._writing():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.DatabaseError as error:
            raise InvalidArgumentError(f"{self.path} cannot be used as a cache: {error}", field="cache") from None
        if version not in (0, _VERSION):
            raise InvalidArgumentError(f"{self.path} is a cache of version {version}, not {_VERSION}", field="cache")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The responses that are there, by their keys."""
        responses: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            with self._lock:
                responses.update(self._db.execute(f"SELECT key, response FROM responses WHERE key IN ({marks})", part))  # noqa: S608  # marks only
        return responses

    def get(self, key: bytes) -> bytes | None:
        """The response under a key, or None."""
        with self._lock:
            row = self._db.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put_many(self, entries: Iterable[Entry]) -> None:
        """Keep responses; when this returns they are on disk. The first of a key stays, where none replaces it."""
        with self._writing():
            self._insert(entries)

    def _insert(self, entries: Iterable[Entry]) -> None:
        now = time.time()
        listed = list(entries)
        replaced = [(one.key,) for one in listed if one.replaces]
        self._db.executemany("DELETE FROM responses WHERE key = ?", replaced)
        rows = [(one.key, one.endpoint, one.model, now, one.response) for one in listed]
        self._db.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?)", rows)

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM responses").fetchone()[0])

    # ------------------------------------------------- export, import, purge

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write all responses to a file, one JSON object per line. Returns their number."""
        count = 0
        with Path(path).open("w", encoding="utf-8") as file:
            last = b""
            while rows := self._page(last):
                for key, endpoint, model, created, response in rows:
                    line = {"key": key.hex(), "endpoint": endpoint, "model": model, "created": created}
                    file.write(json.dumps({**line, "response": json.loads(response)}) + "\n")
                count += len(rows)
                last = rows[-1][0]
        return count

    def _page(self, after: bytes) -> list[tuple[bytes, str, str, float, bytes]]:
        with self._lock:
            return self._db.execute(
                "SELECT key, endpoint, model, created, response FROM responses WHERE key > ? ORDER BY key LIMIT 1000",
                (after,),
            ).fetchall()

    def import_from(self, path: str | os.PathLike[str]) -> int:
        """Take responses of a file that `export` wrote, except those that are here already. Returns the number added.

        Raises:
            InvalidArgumentError: at the first line that is not a response; nothing of the file is then kept.
        """
        before = len(self)
        with Path(path).open(encoding="utf-8") as file, self._writing():
            for number, line in enumerate(file, 1):
                try:
                    one = json.loads(line)
                    key = bytes.fromhex(one["key"])
                    texts = str(one["endpoint"]), str(one["model"])
                    row = (key, *texts, float(one["created"]), json.dumps(one["response"]).encode())
                    if len(key) != KEY_BYTES or not isinstance(one["response"], dict):
                        raise ValueError("not a key and a response")
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidArgumentError(f"{path}, line {number}: {error!r}", field="path") from None
                self._db.execute("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?)", row)
            return int(self._db.execute("SELECT count(*) FROM responses").fetchone()[0]) - before

    def purge(self, *, endpoint: str | None = None, model: str | None = None, older_than: float | None = None) -> int:
        """Delete responses: all, or those of an endpoint's URL, of a model, or older than so many seconds.

        Returns:
            The number of responses deleted.
        """
        conditions: dict[str, str | float] = {}
        if endpoint is not None:
            conditions["endpoint = ?"] = endpoint
        if model is not None:
            conditions["model = ?"] = model
        if older_than is not None:
            conditions["created < ?"] = time.time() - older_than
        with self._writing():
            done = self._db.execute(
                f"DELETE FROM responses WHERE {' AND '.join(conditions) or '1'}",  # noqa: S608  # of the texts above
                tuple(conditions.values()),
            )
        return done.rowcount

    # --------------------------------------------------------------- batches

    def begin_batch(self, batch: Batch, keys: Sequence[bytes]) -> list[bytes]:
        """Note that a batch is about to be sent, before it is: a run that is killed finds it again by its tag.

        Returns:
            The keys that are in no other batch, in one step with the note: no two processes send the same.
        """
        with self._writing():
            free = [
                key for key in keys if not self._db.execute("SELECT 1 FROM batch_keys WHERE key = ?", (key,)).fetchone()
            ]
            if free:
                self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", batch)
                self._db.executemany("INSERT INTO batch_keys VALUES (?, ?)", [(batch.tag, key) for key in free])
        return free

    def name_batch(self, tag: str, batch_id: str) -> None:
        """Note the endpoint's own name of a batch."""
        with self._writing():
            self._db.execute("UPDATE batches SET id = ? WHERE tag = ?", (batch_id, tag))

    def end_batch(self, tag: str, entries: Iterable[Entry]) -> None:
        """Keep the responses of a batch and forget it, in one transaction."""
        with self._writing():
            self._insert(entries)
            self._db.execute("DELETE FROM batches WHERE tag = ?", (tag,))

    def open_batches(self) -> list[Batch]:
        """The batches whose responses are not here yet, the oldest first."""
        with self._lock:
            return [Batch(*row) for row in self._db.execute("SELECT * FROM batches ORDER BY created")]

    def batch_keys(self, tag: str) -> set[bytes]:
        """The keys of a batch."""
        with self._lock:
            return {key for (key,) in self._db.execute("SELECT key FROM batch_keys WHERE tag = ?", (tag,))}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __repr__(self) -> str:
        return f"ResponseCache({str(self.path)!r})"


class GroupWriter:
    """Writes that arrive together go to the disk together: one wait for the disk serves them all."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self._group: list[tuple[Entry, Callable[[], None]]] = []
        self._task: asyncio.Task[None] | None = None  # writes the group; the one before it may be at it still
        self._disk = asyncio.Lock()

    def put(self, entry: Entry, then: Callable[[], None]) -> asyncio.Task[None]:
        """Keep a response soon; what is returned is done when it is on disk, and `then` was called."""
        if not self._group or self._task is None:
            self._task = asyncio.create_task(self._write())
        self._group.append((entry, then))
        return self._task

    async def _write(self) -> None:
        await asyncio.sleep(_GATHERED)
        async with self._disk:
            group, self._group = self._group, []
            await asyncio.to_thread(self._cache.put_many, [entry for entry, _ in group])
        for _, then in group:
            then()

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._task is not None:
            await asyncio.wait({self._task})
