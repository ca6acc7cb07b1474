"""The file beside a SQLite database that says which one belongs there, and what it held at least.

SQLite itself makes an empty database where there is none, and reads one without its write-ahead log as if nothing were
missing. So the database has an id, and counts its checkpoints; what the marker says must be found in it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from weaklabel_server.store.dialects.faults import StoreUnusableError

MARKER_FILE = "weaklabel.store"


@dataclass(frozen=True)
class Marker:
    """The id of a database, and its number of checkpoints and starts."""

    store_id: str
    generation: int

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The marker in a file; None where there is none.

        Raises:
            StoreUnusableError: The file holds something else.
        """
        try:
            values = json.loads(path.read_bytes())
            return cls(str(values["store_id"]), int(values["generation"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise StoreUnusableError(
                f"{path} is damaged; it says which database belongs here. If {path.parent} holds the right one, "
                "remove this file"
            ) from None

    def write(self, path: Path) -> None:
        """Replaces the file; it is on disk when this returns."""
        fresh = path.with_name(path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Found:
    """What lay in the folder before the database was opened."""

    path: Path
    marker: Marker | None
    size: int | None
    wal: bool

    @classmethod
    def look(cls, path: Path) -> Self:
        """Looks at a database file and at what is beside it.

        Raises:
            StoreUnusableError: There was a database, and it is gone or empty; what the marker is cannot be read.
        """
        marker = Marker.read(path.with_name(MARKER_FILE))
        size = path.stat().st_size if path.exists() else None
        wal = path.with_name(path.name + "-wal")
        found = cls(path, marker, size, wal.exists() and wal.stat().st_size > 0)
        if not size and (marker is not None or found.wal):
            what = "is missing" if size is None else "is empty (0 bytes)"
            beside = MARKER_FILE if marker is not None else wal.name
            raise StoreUnusableError(
                f"{path} {what}, but {beside} says that there was a database. Put it back with its {wal.name}, or "
                "restore a backup into an empty folder by weaklabel admin restore. To begin with an empty store, "
                f"remove {beside}"
            )
        return found

    def check(self, store_id: str, generation: int, *, clean: bool) -> None:
        """Compares what the database says of itself with what lay in the folder.

        Raises:
            StoreUnusableError: It is another database, or its write-ahead log is missing.
        """
        if self.marker is not None and self.marker.store_id != store_id:
            raise StoreUnusableError(
                f"{self.path} is another database than the one that was here. Put the right one back; if this one is "
                f"meant, remove {MARKER_FILE}"
            )
        known = self.marker is not None and generation >= self.marker.generation
        if not known and (self.marker is not None or not (clean or self.wal)):
            raise StoreUnusableError(
                f"{self.path} comes without its write-ahead log {self.path.name}-wal, in which its last changes are. "
                "Put that file back beside it, or restore a backup. To go on with what this file holds: weaklabel "
                f"admin restore {self.path} --data-dir NEW_FOLDER"
            )
