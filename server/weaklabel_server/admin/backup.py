"""Backups of a SQLite store: one file with everything, and its checksum; and back into an empty folder.

Responses to prompts, which were paid for, lie in files of their own: their copies come beside, "FILE.prompts.sqlite".

PostgreSQL has tools of its own for this: pg_dump and pg_restore.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from weaklabel_server.admin import prompt_caches
from weaklabel_server.admin.opening import AdminError
from weaklabel_server.store.dialects.marker import MARKER_FILE, Marker
from weaklabel_server.store.dialects.sqlite import FILE_NAME


def checksum_file(backup: Path) -> Path:
    """Where the checksum of a backup is: `sha256sum --check` reads it."""
    return backup.with_name(backup.name + ".sha256")


def back_up(data_dir: Path, target: Path) -> dict[str, str]:
    """Writes the store of a data directory, as it is at one moment, into one file; the server may go on writing.

    Files of responses to prompts are copied after it, so that they hold at least what the store has paid for.

    Args:
        data_dir: The folder of the server.
        target: The file, which must not exist. The checksums, and copies of responses to prompts, come beside it.

    Returns:
        The checksums, SHA-256 in hex, by the names of the files written: the store, then responses.

    Raises:
        AdminError: There is no store, the target exists, or cannot be written.
    """
    source = data_dir / FILE_NAME
    if not source.is_file() or not source.stat().st_size:
        raise AdminError(f"there is no database {source}")
    caches = {target.with_name(f"{target.name}.{one.name}"): one for one in prompt_caches.files(data_dir)}
    for path in (target, *caches):
        if path.exists():
            raise AdminError(f"{path} exists already; a backup is never written over another")
    fresh = {path: path.with_name(path.name + ".part") for path in (target, *caches)}
    try:
        for path in fresh.values():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        _copy_store(source, fresh[target])
        for path, cache in caches.items():
            prompt_caches.copy(cache, fresh[path])
        digests = {path.name: _digest(part) for path, part in fresh.items()}
        for path, part in reversed(fresh.items()):  # the store last: with it, the backup is whole
            _sync(part)
            part.rename(path)
        listed = checksum_file(target)
        listed.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
        listed.chmod(0o600)
        _sync(listed)
        _sync(target.absolute().parent)
    except (OSError, sqlite3.Error) as error:
        for part in fresh.values():
            part.unlink(missing_ok=True)
        raise AdminError(f"{source} cannot be copied to {target}: {error}") from None
    return digests


def _copy_store(source: Path, fresh: Path) -> None:
    live = sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)
    copy = sqlite3.connect(fresh)
    with closing(live), closing(copy):
        live.backup(copy)  # in one step: of steps, each change of the server would begin them anew
        copy.execute("PRAGMA journal_mode=DELETE").close()
        with copy:
            copy.execute("UPDATE store SET clean = 1")


def restore(backup: Path, data_dir: Path) -> None:
    """Puts a backup, or another whole database file, into an empty data directory.

    Raises:
        AdminError: The folder holds something, or the file is damaged; the folder is left as it was.
    """
    if not backup.is_file():
        raise AdminError(f"there is no file {backup}")
    if data_dir.exists() and any(data_dir.iterdir()):
        raise AdminError(f"{data_dir} is not empty; a backup is restored into a new folder")
    caches = _checked_caches(backup)
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=data_dir.name + ".", dir=data_dir.parent))  # which is its owner's alone
    try:
        copied = folder / FILE_NAME
        shutil.copyfile(backup, copied)
        copied.chmod(0o600)
        Marker(*_identity(copied)).write(folder / MARKER_FILE)
        _sync(copied)
        for cache in caches:
            responses = folder / cache.name.removeprefix(f"{backup.name}.")
            shutil.copyfile(cache, responses)
            responses.chmod(0o600)
            _sync(responses)
        _sync(folder)
        if data_dir.exists():
            data_dir.rmdir()
        folder.rename(data_dir)
    except (OSError, sqlite3.Error) as error:
        raise AdminError(f"{backup} cannot be restored to {data_dir}: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checked_caches(backup: Path) -> list[Path]:
    """The files of responses that belong to a backup, of which the checksums are compared, where there are any."""
    caches = prompt_caches.files(backup.parent, prefix=f"{backup.name}.")
    listed = checksum_file(backup)
    if listed.exists():
        lines = [line.split(maxsplit=1) for line in listed.read_text().splitlines()]
        digests = {line[1]: line[0] for line in lines if len(line) == 2}
        for name in (backup.name, *(one for one in digests if one != backup.name)):
            path = backup.with_name(Path(name).name)
            if not path.is_file():
                raise AdminError(f"{path} is missing, which {listed} names")
            if digests.get(name) != _digest(path):
                raise AdminError(f"{path} is damaged: its checksum is not the one in {listed}")
        caches = [one for one in caches if one.name in digests]
    for cache in caches:
        if (what := prompt_caches.damage(cache)) is not None:
            raise AdminError(f"{cache} is damaged: {what}")
    return caches


def _identity(path: Path) -> tuple[str, int]:
    """The id and the generation of a database, which is checked and noted to be whole."""
    with closing(sqlite3.connect(path)) as database:
        damages = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
        if damages != ["ok"]:
            raise AdminError(f"the file is damaged: {damages[0]}")
        database.execute("PRAGMA journal_mode=DELETE").close()
        found = database.execute("SELECT name FROM sqlite_master WHERE name IN ('store', 'alembic_version')").fetchall()
        if ("alembic_version",) not in found:
            raise AdminError("the file is no database of weaklabel")
        if ("store",) not in found:
            raise AdminError("the file is of an earlier version: put it into a new folder as weaklabel.db, and start")
        with database:
            database.execute("UPDATE store SET clean = 1, generation = generation + 1")
        store_id, generation = database.execute("SELECT store_id, generation FROM store").fetchone()
    return store_id, generation


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
