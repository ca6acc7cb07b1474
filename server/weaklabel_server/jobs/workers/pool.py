"""Workers, kept warm between fits: loading the label model's libraries takes more than a second. Its methods block."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from weaklabel_server import machine
from weaklabel_server.errors import FieldViolation, Reason, ServiceError
from weaklabel_server.jobs.workers import reports, result
from weaklabel_server.jobs.workers.process import WorkerDiedError, WorkerProcess
from weaklabel_server.jobs.workers.reports import ReportJob
from weaklabel_server.jobs.workers.work import FitJob, out_of_memory
from weaklabel_server.store.models import FittedModel
from weaklabel_server.store.operations import Progress, Stage

MAX_ATTEMPTS = 3
"""A fit during which so many workers died is not tried again: it may well be what ends them."""
MAX_FITS = 1000
"""A worker that has run so many fits is replaced."""
MAX_RESIDENT_BYTES = 1 << 30
"""A worker that has so much in memory between two fits is replaced; a new one has about a quarter of it."""

_POLL_SECONDS = 0.05
_CANCEL_SECONDS = 0.5

log = logging.getLogger(__name__)

Report = Callable[[Progress], None]
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What workers need to know."""

    database: str
    """SQLAlchemy URL, with its password."""
    folder: Path
    """Where results lie until they are stored."""
    max_seconds: float
    """A fit that takes longer is ended."""
    log_level: str = "info"
    log_format: str = "text"


class WorkerPool:
    """Runs each fit in a worker that no other fit is in. There are as many workers as fits run at the same time."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Starts nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self.restarts = Counter({"died": 0, "ended": 0})
        """Workers that died, and those that the server ended: worn out, too slow, or cancelled."""
        self._closed = False
        # Workers end with the thread that started them, so it is one that lasts.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="start-worker")

    def warm_up(self) -> None:
        """Starts a worker, so that the first fit finds it ready."""
        self._starter.submit(self._replace).result()

    def fit(self, job: FitJob, report: Report) -> FittedModel:
        """Fits a model in a worker; in another one where that dies.

        Args:
            job: What to fit.
            report: Called with each step of progress, and every moment with the last one; what it raises ends the fit
                within a second.

        Raises:
            ServiceError: OUT_OF_MEMORY, OPERATION_CRASHES, FIT_TOO_LONG; whatever the fit or report raises.
        """
        return self._run({"fit": job.to_json()}, report, result.read)

    def report(self, job: ReportJob, report: Report) -> reports.Report:
        """Makes a report that fits models in a worker; arguments and errors are those of `fit`."""
        return self._run({"report": reports.to_json(job)}, report, result.read_report)

    def _run(self, asked: dict[str, Any], report: Report, read: Callable[[dict[str, Any], IO[bytes]], Made]) -> Made:
        """Has a worker make something, and reads it."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            worker = self._take()
            try:
                made = self._make_in(worker, asked, report, read)
            except WorkerDiedError as death:
                self._count("died")
                log.warning("a worker died by %s in fit attempt %d of %d", death, attempt, MAX_ATTEMPTS)
                worker.kill()
                if death.for_memory:
                    raise out_of_memory() from death
                last = death
            except BaseException:
                # It has answered, or it was ended because it did not.
                self._put_back(worker)
                raise
            else:
                self._put_back(worker)
                return made
        raise ServiceError(
            Reason.OPERATION_CRASHES,
            f"{MAX_ATTEMPTS} processes ended during this fit, the last by {last}; it may need more memory than there "
            "is, or have met a fault of the server, whose log has more",
        ) from last

    def close(self) -> None:
        """Ends the workers that are idle; fits must have ended before."""
        self._starter.shutdown()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()

    def _make_in(
        self,
        worker: WorkerProcess,
        asked: dict[str, Any],
        report: Report,
        read: Callable[[dict[str, Any], IO[bytes]], Made],
    ) -> Made:
        with result.private_file(self._settings.folder) as file:
            worker.fits += 1
            worker.send(asked, file.fileno())
            try:
                answer = self._watch(worker, report)
            except WorkerDiedError:
                raise
            except BaseException:
                _end_fit(worker)
                raise
            if _worn_out(worker, answer):
                worker.kill()
            if "made" in answer:
                return read(answer["made"], file)
        if "os_error" in answer:
            raise OSError(*answer["os_error"])
        if "error" in answer:
            raise _error(answer["error"])
        raise RuntimeError(f"in a worker: {answer.get('traceback', answer)}")

    def _watch(self, worker: WorkerProcess, report: Report) -> dict[str, Any]:
        """Passes on progress until the worker has ended the fit; what it said then."""
        progress = Progress(Stage.READING)
        report(progress)
        until = time.monotonic() + self._settings.max_seconds
        while True:
            message = worker.receive(_POLL_SECONDS)
            if message is not None and "progress" not in message:
                return message
            if message is not None:
                progress = Progress(**message["progress"] | {"stage": Stage(message["progress"]["stage"])})
            report(progress)
            if time.monotonic() > until:
                raise ServiceError(
                    Reason.FIT_TOO_LONG,
                    f"the fit took more than the {self._settings.max_seconds:g} seconds that this server allows; "
                    "see WEAKLABEL_MAX_FIT_SECONDS",
                )

    def _take(self) -> WorkerProcess:
        worker = self._take_idle()
        # One that is just being started counts as idle when its turn in the thread has passed.
        return worker or self._starter.submit(lambda: self._take_idle() or self._start()).result()

    def _take_idle(self) -> WorkerProcess | None:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.kill()  # and closes what is left of it
        return None

    def _put_back(self, worker: WorkerProcess) -> None:
        """Keeps a worker for the next fit; one that has ended is replaced at once, since a start takes a second."""
        if not worker.alive:
            worker.kill()
            self._count("ended")
            try:
                self._starter.submit(self._replace)
            except RuntimeError:
                return  # the server stops
            return
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        worker.kill()

    def _count(self, cause: str) -> None:
        with self._lock:
            self.restarts[cause] += 1

    def _replace(self) -> None:
        try:
            self._put_back(self._start())
        except OSError:
            log.exception("a worker could not be started; the next fit tries again")

    def _start(self) -> WorkerProcess:
        settings = self._settings
        return WorkerProcess(
            {"database": settings.database, "log_level": settings.log_level, "log_format": settings.log_format}
        )


def worn_out(*, fits: int, resident_bytes: int, maps: int, max_maps: int) -> bool:
    """Whether a worker is to be replaced, by what it has done and what it holds."""
    return fits >= MAX_FITS or resident_bytes > MAX_RESIDENT_BYTES or machine.near_map_limit(maps, max_maps)


def _worn_out(worker: WorkerProcess, answer: dict[str, Any]) -> bool:
    return worn_out(
        fits=worker.fits,
        resident_bytes=answer["resident_bytes"],
        maps=answer["maps"],
        max_maps=machine.max_map_count(),
    )


def _end_fit(worker: WorkerProcess) -> None:
    """Asks a worker to drop its fit, and ends it where it does not, be it in one long step."""
    worker.send({"cancel": True})
    until = time.monotonic() + _CANCEL_SECONDS
    try:
        while (left := until - time.monotonic()) > 0:
            message = worker.receive(left)
            if message is not None and "progress" not in message:
                return
    except WorkerDiedError:
        return
    worker.kill()


def _error(described: dict[str, Any]) -> ServiceError:
    return ServiceError(
        Reason(described["reason"]),
        described["message"],
        metadata=described["metadata"],
        violations=[FieldViolation(*violation) for violation in described["violations"]],
    )
