"""A real PostgreSQL of the tests' own, in a temporary folder: skipped where it is not installed."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    def __init__(self, folder: Path, bin_folder: Path, primary: "Postgres | None" = None) -> None:
        """Makes a new one, or a standby that follows a primary, which runs."""
        self._folder = folder
        self._bin = bin_folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._as = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        self.user = "postgres"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if self._as:
            shutil.chown(folder, "postgres")
        if primary is not None:
            self._run("pg_basebackup", "-D", str(self._data), "-d", primary.connection, "-R", "-N", "-c", "fast")
            return
        self._run("initdb", "-D", str(self._data), "-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def connection(self) -> str:
        """How libpq reaches it."""
        return f"host=127.0.0.1 port={self.port} user={self.user} application_name=standby"

    @contextmanager
    def standby(self) -> Iterator["Postgres"]:
        """A standby that follows this primary, which from then on acknowledges only what is on both."""
        folder = self._folder / "standby"
        folder.mkdir()
        standby = Postgres(folder, self._bin, self)
        # On the command line: with the folder it would get the primary's settings, and wait for itself.
        standby.start("-c synchronous_standby_names=''")
        try:
            for statement in ("synchronous_standby_names = 'standby'", "synchronous_commit = remote_apply"):
                self.sql("postgres", f"ALTER SYSTEM SET {statement}")
            self.sql("postgres", "SELECT pg_reload_conf()")
            yield standby
        finally:
            standby.stop("immediate")

    def promote(self) -> None:
        """Lets a standby take changes, and returns when it does."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "promote")

    def kill(self) -> None:
        """kill -9 of all its processes."""
        pid_file = self._data / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        pid_file.unlink()  # nothing is left to stop

    def start(self, more: str = "") -> None:
        """Starts it, and returns when it answers."""
        options = (
            f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=16MB {more}"
        )
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-o", f"{options} {more}", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stops it; "immediate" is as kill -9 of all its processes."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def new_database(self, name: str | None = None, port: int | None = None) -> str:
        """Makes an empty database and returns its URL, at an address that leads here if that is given."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://{self.user}@127.0.0.1:{port or self.port}/{name}"

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


class Address:
    """A port that leads to one database or another, as a virtual address does that moves between machines."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def lead_to(self, port: int) -> None:
        """Ends the connections, and sends new ones to another port."""
        with self._lock:
            self._target = port
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in it
        self._accepting.join(_SECONDS)
        self._listener.close()
        self.lead_to(0)

    def _accept(self) -> None:
        while True:
            try:
                caller = self._listener.accept()[0]
            except OSError:
                return
            with self._lock:
                try:
                    called = socket.create_connection(("127.0.0.1", self._target), _SECONDS)
                except OSError:
                    caller.close()
                    continue
                called.settimeout(None)
                self._open |= {caller, called}
            for pair in ((caller, called), (called, caller)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with source, suppress(OSError):  # each thread closes what it reads from
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)


@contextmanager
def address(port: int) -> Iterator[Address]:
    """A port that leads to another one, until it is sent elsewhere."""
    made = Address(port)
    try:
        yield made
    finally:
        made.close()
