"""One worker, seen from the server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from weaklabel_server import machine
from weaklabel_server.jobs.workers.frames import Frames

_CHILD = "weaklabel_server.jobs.workers.child"


class WorkerDiedError(Exception):
    """The process ended when it should not have."""

    def __init__(self, status: int, *, for_memory: bool) -> None:
        how = f"signal {signal.Signals(-status).name}" if -status in set(signal.Signals) else f"status {status}"
        super().__init__(how)
        self.for_memory = for_memory
        """Whether the kernel ended it because memory ran out."""


class WorkerProcess:
    """A process that fits. It ends with this one, whatever ends this one."""

    def __init__(self, setup: dict[str, Any]) -> None:
        """Starts it. Only a thread that lasts as long as this process may: the kernel ties the worker to it.

        Args:
            setup: What the process needs to know first: the database and how to log.
        """
        ours, theirs = socket.socketpair()
        self._frames = Frames(ours)
        self._kills_before = machine.kills_for_memory()
        with theirs:
            # Its own process group: a Ctrl-C in a terminal is for the server.
            self._process = subprocess.Popen(  # noqa: S603  # nothing of it comes from outside
                [sys.executable, "-m", _CHILD, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,
                # Fits with gold would wait for threads of OpenBLAS that find no core: scipy/scipy#22438.
                env={"OPENBLAS_NUM_THREADS": "1", **os.environ},
            )
        self.fits = 0
        self.send(setup)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Sends a message. That the process has ended is found out by `receive`."""
        with contextlib.suppress(OSError):
            self._frames.send(message, descriptor)

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """What it says within so many seconds, or None.

        Raises:
            WorkerDiedError: It has ended.
        """
        try:
            return self._frames.receive(seconds)
        except EOFError:
            self._process.kill()  # where it has only closed the socket
            status = self._process.wait()
            killed = status == -signal.SIGKILL and machine.kills_for_memory() > self._kills_before
            raise WorkerDiedError(status, for_memory=killed) from None

    def kill(self) -> None:
        """Ends it at once, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._frames.close()
