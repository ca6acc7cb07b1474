"""Fits of label models on what the store holds, which workers compute. Its methods block: run them in a thread."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.label_model import check_label_cells
from weaklabel_server.jobs.operations.schedule import WaitingFit
from weaklabel_server.jobs.workers import estimate
from weaklabel_server.jobs.workers.pool import WorkerPool
from weaklabel_server.jobs.workers.reports import Report, ReportJob
from weaklabel_server.jobs.workers.work import FitJob
from weaklabel_server.messages.fit_options import check_fit_settings
from weaklabel_server.store import following, operations, projects, record_sets, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel
from weaklabel_server.store.operations import FitSettings, Operation, Progress
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordRole, RecordSettings
from weaklabel_server.store.side_data import SideSettings
from weaklabel_server.store.votes import View


@dataclass(frozen=True, kw_only=True)
class FitLimits:
    """What fits may take."""

    label_cells: int
    """Items times classes."""
    memory_bytes: int
    queued: int
    """Fits of all projects that wait or run."""
    project_queued: int
    """Those of one project."""


class Fitter:
    """Fits label models, as operations name them."""

    def __init__(self, database: Database, workers: WorkerPool, limits: FitLimits) -> None:
        self._database = database
        self._workers = workers
        self._limits = limits

    def create(self, tx: Connection, project_id: str, votes_version: int, settings: FitSettings) -> Operation:
        """Adds a fit of a version of the votes to the queue, if it is possible; 0 is the newest version.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES, LABELS_TOO_LARGE, SIDE_DATA_NOT_FOUND,
                RECORD_SET_NOT_FOUND, FIT_TOO_LARGE, QUEUE_FULL; INVALID_FIELD where side data or records are of another
                kind, bounds are of a source that is not in the votes, or options are not those of the label space.
        """
        project = projects.get(tx, project_id)
        check_fit_settings(project, votes_version, settings)
        version = 0
        if project.takes_records:
            self._check_records(tx, project, settings.records)
        else:
            view = votes.view(tx, project_id, votes_version)
            votes.check_not_empty(view)
            side_data.check(tx, view, settings.side)
            self._check_size(tx, view, settings.side)
            version = view.version
        self._check_queue(tx, project)
        if settings.follow:
            following.begin(tx, project, settings)
        return operations.create(tx, project, version, settings)

    def waiting(self, tx: Connection, operation: Operation) -> WaitingFit:
        """A fit as the schedule sees it.

        Raises:
            ServiceError: What it names is no longer there.
        """
        assert isinstance(operation.settings, FitSettings)
        project = projects.get(tx, operation.project_id)
        if project.takes_records:
            records = estimate.record_size(tx, project, operation.settings.records)
            return WaitingFit(
                key=operation.key,
                project=operation.project_key,
                memory=estimate.record_memory_bytes(records),
                short=records.is_short,
            )
        view = votes.view(tx, operation.project_id, operation.votes_version)
        size = estimate.size(tx, view, operation.settings.side)
        return WaitingFit(
            key=operation.key,
            project=operation.project_key,
            memory=estimate.memory_bytes(size),
            short=size.is_short,
        )

    def fit(self, operation: Operation, report: Callable[[Progress], None]) -> FittedModel:
        """Fits a model on the votes that an operation names.

        Args:
            operation: What to fit.
            report: Called with each step of progress, and every moment with the last one; what it raises ends the fit.

        Raises:
            ServiceError: LABELS_TOO_LARGE, FIT_TOO_LARGE, and what jobs.workers.work and its pool raise; whatever
                report raises.
        """
        assert isinstance(operation.settings, FitSettings)
        with self._database.read() as tx:
            project = projects.get(tx, operation.project_id)
            spare = self._limits.memory_bytes
            # Checked when the operation was created, too; but the limits may have changed since.
            if project.takes_records:
                spare -= self._check_records(tx, project, operation.settings.records)
            else:
                view = votes.view(tx, operation.project_id, operation.votes_version)
                votes.check_not_empty(view)
                self._check_size(tx, view, operation.settings.side)
        return self._workers.fit(FitJob.of(operation, self._limits.label_cells, spare), report)

    def report(self, job: ReportJob, report: Callable[[Progress], None]) -> Report:
        """Makes a report that fits models, whose size was checked.

        Args:
            job: Which.
            report: Called every moment; what it raises ends it.

        Raises:
            ServiceError: What the job and the pool of workers raise; whatever report raises.
        """
        return self._workers.report(job, report)

    def check_report(self, tx: Connection, view: View, side: SideSettings) -> None:
        """Refuses a report that fits a version of the votes and takes too much.

        Raises:
            ServiceError: LABELS_TOO_LARGE, FIT_TOO_LARGE, SIDE_DATA_NOT_FOUND.
        """
        self._check_size(tx, view, side, copies=2)

    def check_record_report(self, tx: Connection, project: Project, records: RecordSettings) -> int:
        """Refuses a report on records that are not there, or that takes too much; the numbers that labels may take.

        Raises:
            ServiceError: RECORD_SET_NOT_FOUND, INVALID_FIELD, FIT_TOO_LARGE.
        """
        self._check_records(tx, project, records)
        return self._limits.label_cells

    def _check_size(self, tx: Connection, view: View, side: SideSettings, copies: int = 1) -> None:
        check_label_cells(view.item_count, view.n_classes, self._limits.label_cells)
        estimate.check(estimate.size(tx, view, side), self._limits.memory_bytes, copies)

    def _check_records(self, tx: Connection, project: Project, records: RecordSettings) -> int:
        """The memory of a fit. Refuses records that are not there or of another role, and a fit that takes too much.

        Raises:
            ServiceError: RECORD_SET_NOT_FOUND, INVALID_FIELD, FIT_TOO_LARGE.
        """
        named = [(one, RecordRole.VOTES, f"records.votes[{at}]") for at, one in enumerate(records.votes)]
        if records.gold:
            named.append((records.gold, RecordRole.GOLD, "records.gold"))
        for record_set_id, role, field in named:
            found = record_sets.get(tx, project, record_set_id)
            if found.role is not role:
                raise invalid(field, f"records of {role}, got those of {found.role}")
        size = estimate.record_size(tx, project, records)
        estimate.check_records(size, self._limits.memory_bytes)
        return estimate.record_memory_bytes(size)

    def _check_queue(self, tx: Connection, project: Project) -> None:
        for limit, queued, whose, setting in (
            (
                self._limits.project_queued,
                operations.count_unfinished_fits(tx, project),
                f'of project "{project.project_id}"',
                "WEAKLABEL_MAX_QUEUED_PROJECT_FITS",
            ),
            (self._limits.queued, operations.count_unfinished_fits(tx), "of all projects", "WEAKLABEL_MAX_QUEUED_FITS"),
        ):
            if queued >= limit:
                raise ServiceError(
                    Reason.QUEUE_FULL,
                    f"{queued} fits {whose} wait or run, and this server takes no more than {limit}; try again when "
                    f"some are done, or cancel some; see {setting}",
                    metadata={"project": project.project_id, "limit": str(limit)},
                )
