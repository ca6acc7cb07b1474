"""A worker, seen from within: it fits what the server sends, one after the other, and ends when the server does.

Run as `python -m weaklabel_server.jobs.workers.child DESCRIPTOR PARENT`, the number of its end of a socket and of the
process that started it.
"""

import contextlib
import ctypes
import gc
import logging
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weaklabel_server import logs, machine
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.label_model import label_model_class
from weaklabel_server.jobs.workers import reports, result, work
from weaklabel_server.jobs.workers.frames import Frames
from weaklabel_server.store.operations import Progress
from weaklabel_server.store.reader import StoreReader

_PR_SET_PDEATHSIG = 1
_OUT_OF_MEMORY = ("out of memory", "resource_exhausted", "cannot allocate memory", "can't start new thread")
_UNTIDY_BYTES = 640 << 20
_OOM_SCORE = 700  # of 1,000: where memory runs out, the kernel ends a worker rather than the server

log = logging.getLogger(__name__)


class _CancelledError(Exception):
    """The server no longer wants the fit."""


class _Worker:
    def __init__(self, frames: Frames, store: StoreReader) -> None:
        self._frames = frames
        self._store = store
        self._jobs: queue.SimpleQueue[tuple[dict[str, Any], int]] = queue.SimpleQueue()
        self._cancelled = threading.Event()

    def listen(self) -> None:
        """Takes what the server sends, also while a fit computes, and ends the process when the server has ended."""
        with contextlib.suppress(EOFError):
            while message := self._frames.receive():
                if "cancel" in message:
                    self._cancelled.set()
                else:
                    self._cancelled.clear()
                    self._jobs.put((message, self._frames.descriptors.popleft()))
        os._exit(0)

    def run(self) -> None:
        """Makes what is asked for, for ever."""
        label_model_class()  # seconds, which the first fit need not wait for
        while True:
            asked, descriptor = self._jobs.get()
            try:
                answer = self._answer(asked, descriptor)
            finally:
                os.close(descriptor)
            if machine.resident_bytes() > _UNTIDY_BYTES:
                _tidy_up()
            answer |= {"resident_bytes": machine.resident_bytes(), "maps": machine.map_count()}
            self._frames.send(answer)

    def _answer(self, asked: dict[str, Any], descriptor: int) -> dict[str, Any]:
        try:
            return {"made": self._make(asked, descriptor)}
        except _CancelledError:
            return {"cancelled": True}
        except ServiceError as error:
            return {"error": _described(error)}
        except Exception as error:
            if _is_memory(error):
                return {"error": _described(work.out_of_memory())}
            if isinstance(error, OSError):  # such as a disk that is full
                return {"os_error": [error.errno, error.strerror]}
            return {"traceback": traceback.format_exc()}

    def _make(self, asked: dict[str, Any], descriptor: int) -> dict[str, Any]:
        """Writes what is asked for to a file, and returns what describes it."""
        if "fit" in asked:
            fitted = work.fit(self._store, work.FitJob.from_json(asked["fit"]), self._report)
            return result.write(fitted, descriptor)
        return result.write_report(reports.from_json(asked["report"]).make(self._store), descriptor)

    def _report(self, progress: Progress) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        self._frames.send({"progress": asdict(progress)})


def _is_memory(error: BaseException | None) -> bool:
    """Whether an error says that memory ran out, in Python, in XLA, in a database or in the system."""
    if error is None or isinstance(error, MemoryError):
        return error is not None
    said = str(error)[:1000].lower()
    return any(words in said for words in _OUT_OF_MEMORY) or _is_memory(error.__cause__ or error.__context__)


def _described(error: ServiceError) -> dict[str, Any]:
    return {
        "reason": error.reason,
        "message": error.message,
        "metadata": error.metadata,
        "violations": error.violations,
    }


def _tidy_up() -> None:
    """Gives memory back that a fit has left, which takes a tenth of a second."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _bind_to(parent: int) -> None:
    """Ends this process when its parent has ended, whatever this one does then."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main() -> None:
    """The process."""
    end, parent = (int(argument) for argument in sys.argv[1:])
    _bind_to(parent)
    # What a terminal or an init system sends to all processes of a server is for the server, which ends this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    frames = Frames(socket.socket(fileno=end))
    try:
        setup = frames.receive()
    except EOFError:
        return
    assert setup is not None
    logs.set_up(setup["log_level"], setup["log_format"])
    worker = _Worker(frames, StoreReader(setup["database"]))
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.run()


if __name__ == "__main__":
    main()
