"""Files of responses to prompts, which lie beside the store: copied, and looked at, while servers write to them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from weaklabel_server.store.prompts import CACHE_FILE

_STEM, _SUFFIX = CACHE_FILE.split(".")
# One of all projects, or one of each where they are kept apart.
_NAME = re.compile(rf"{_STEM}(-\d+)?\.{_SUFFIX}")


def files(folder: Path, prefix: str = "") -> list[Path]:
    """Those in a folder, in the order of their names; in that of a backup their names have a prefix."""
    found = [one for one in folder.iterdir() if one.name.startswith(prefix)] if folder.is_dir() else []
    return sorted(one for one in found if _NAME.fullmatch(one.name.removeprefix(prefix)) and one.is_file())


def copy(cache: Path, target: Path) -> None:
    """Writes a file of responses as it is at one moment to another, which exists and is empty.

    Raises:
        OSError: It cannot be read.
        sqlite3.Error: It cannot be read, or written.
    """
    with closing(_open(cache)) as live, closing(sqlite3.connect(target)) as copied:
        live.backup(copied)
        copied.execute("PRAGMA journal_mode=DELETE").close()


def damage(cache: Path) -> str | None:
    """What is wrong with a file of responses; None where it is whole."""
    try:
        with closing(_open(cache)) as database:
            said = [str(row[0]) for row in database.execute("PRAGMA integrity_check(1)")]
            if said != ["ok"]:
                return said[0]
            database.execute("SELECT count(*) FROM responses").close()
    except (OSError, sqlite3.Error) as error:
        return str(error)
    return None


def damages(folder: Path) -> Iterator[str]:
    """What is wrong with the files of responses in a data directory."""
    for cache in files(folder):
        if (what := damage(cache)) is not None:
            yield f"{cache.name}: {what}"


def counts(folder: Path) -> dict[str, int]:
    """How many responses each file in a data directory holds that can be read."""
    found = {}
    for cache in files(folder):
        if damage(cache) is None:
            with closing(_open(cache)) as database:
                found[cache.name] = int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
    return found


def _open(cache: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{cache.absolute().as_uri()}?mode=rw", uri=True)
