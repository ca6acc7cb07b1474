"""A real PostgreSQL of the tests' own, in a temporary folder: skipped where it is not installed."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SECONDS = 60


def _programs() -> Path | None:
    """The folder with the newest initdb and pg_ctl that are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def require() -> Path:
    """The programs; skips the test where they are missing, or fails where WEAKLABEL_REQUIRE names postgresql."""
    found = _programs()
    if found is None:
        reason = "needs PostgreSQL (Debian: postgresql)"
        if "postgresql" in os.environ.get("WEAKLABEL_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Postgres:
    """A cluster. It refuses root, so the user postgres runs it then."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._as = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        self.user = "postgres"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if self._as:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        options = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stops it; "immediate" is as kill -9 of all its processes."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def new_database(self, name: str | None = None) -> str:
        """Makes an empty database and returns its URL."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{name}"

    def sql(self, database: str, statement: str) -> str:
        """Runs a statement and returns what psql prints."""
        command = [str(self._bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "-d", database]
        command += ["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS).stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        subprocess.run(command, check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def running() -> Iterator[Postgres]:
    """A cluster that runs until the block ends, in a folder of its own: those of pytest are the tester's alone."""
    programs = require()
    with tempfile.TemporaryDirectory(prefix="weaklabel-postgres-", ignore_cleanup_errors=True) as folder:
        cluster = Postgres(Path(folder), programs)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
