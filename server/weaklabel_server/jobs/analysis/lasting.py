"""Reports that fit models: workers compute them, as they do fits. The methods block."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection

from weaklabel_protocol.label_spaces import Preferences
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.analysis.labels import check_source, read_labels
from weaklabel_server.jobs.analysis.reading import Reader
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.workers.reports import LabelErrorsJob, LeaveOneOutJob, RecordScoresJob
from weaklabel_server.messages.analysis.label_errors import LabelErrors
from weaklabel_server.store import items, models, projects, votes
from weaklabel_server.store.models import Model
from weaklabel_server.store.operations import Progress
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideSettings
from weaklabel_server.store.votes import View

if TYPE_CHECKING:
    from weaklabel.analysis import LeaveOneOut

MOST_REFITTED = 100
"""Sources that are left out one after the other, each with a fit of its own."""

Gone = Callable[[], bool]
"""Whether nobody waits any more."""


class Lasting:
    """Makes reports that fit models. All raise ServiceError: NO_VOTES, LABELS_TOO_LARGE, FIT_TOO_LARGE, FIT_TOO_LONG,
    OUT_OF_MEMORY, OPERATION_CRASHES, VOTES_UNSUITABLE, INVALID_FIELD, and what reading models and side data raises;
    DEADLINE_PASSED when nobody waits any more.
    """

    def __init__(self, reader: Reader, fitter: Fitter) -> None:
        self._reader = reader
        self._fitter = fitter

    def leave_one_out(
        self, name: str, gone: Gone, *, sources: Sequence[str], gold: str | None, refit: bool
    ) -> "tuple[str, LeaveOneOut]":
        """The name of a model, and weaklabel.analysis.leave_one_source_out; all sources where none are named."""
        from weaklabel.analysis import LeaveOneOut

        project_id, model_id = names.parse_model(name, field="model")
        with self._reader.begin() as tx:
            stored = models.get(tx, projects.get(tx, project_id), model_id)
            models.check_labeled(stored)
            view = votes.view(tx, project_id, stored.votes_version)
            left_out = _left_out(stored, view, sources, refit=refit)
            if gold is not None:
                _check_gold(tx, view, gold)
            self._check(tx, view, stored.summary.side if refit else SideSettings())
        job = LeaveOneOutJob(project_id=project_id, model_id=stored.model_id, sources=left_out, gold=gold, refit=refit)
        described, arrays = self._fitter.report(job, _until(gone))
        return names.format_model(project_id, stored.model_id), LeaveOneOut(
            sources=tuple(described["sources"]),
            refitted=refit,
            n_items=view.item_count,
            flipped=arrays["flipped"],
            opened=arrays["opened"],
            moved=arrays["moved"],
            accuracy=arrays.get("accuracy"),
            accuracy_with_all=described["accuracy_with_all"],
        )

    def label_errors(self, asked: LabelErrorsJob, gone: Gone) -> LabelErrors:
        """weaklabel.label_errors.label_errors of a version of the votes, 0 for the newest.

        Labels of a source are none of its votes.
        """
        labels = asked.labels
        with self._reader.begin() as tx:
            view = votes.view(tx, asked.project_id, asked.votes_version)
            votes.check_not_empty(view)
            for at, source in enumerate(asked.families):
                check_source(view, source, field=f"families[{at}].source")
                if source == labels.source:
                    raise invalid(f"families[{at}].source", f'the labels are those of "{source}", which is no voter')
            if not (read_labels(tx, view, labels, field="labels") >= 0).any():
                raise invalid("labels", "they hold no label")
            if labels.source and len(view.source_names) < 2:
                raise ServiceError(Reason.VOTES_UNSUITABLE, f'beside "{labels.source}" nobody votes')
            if asked.gold is not None:
                _check_gold(tx, view, asked.gold)
            self._check(tx, view, SideSettings())
            item_ids = items.ids(tx, view.project, 0, view.item_count)
        described, arrays = self._fitter.report(replace(asked, votes_version=view.version), _until(gone))
        return LabelErrors(
            votes_version=view.version,
            n_expected=described["n_expected"],
            probability=arrays["probability"].astype(np.float64),
            given=arrays["given"],
            suggested=arrays["suggested"],
            reasons=arrays["reasons"].tobytes().decode().split("\0"),
            item_ids=item_ids,
        )

    def record_scores(
        self, name: str, gone: Gone, *, records: RecordSettings, metrics: Sequence[str]
    ) -> tuple[str, dict[str, float]]:
        """The name of a model of records, and its scores by name."""
        project_id, model_id = names.parse_model(name, field="model")
        with self._reader.begin() as tx:
            project = projects.get(tx, project_id)
            projects.check_records(project)
            stored = models.get(tx, project, model_id)
            _check_scored(project, records)
            cells = self._fitter.check_record_report(tx, project, records)
        job = RecordScoresJob(
            project_id=project_id,
            model_id=stored.model_id,
            votes=records.votes,
            gold=records.gold,
            metrics=tuple(metrics),
            max_cells=cells,
        )
        described, _ = self._fitter.report(job, _until(gone))
        return names.format_model(project_id, stored.model_id), described["scores"]

    def _check(self, tx: Connection, view: View, side: SideSettings) -> None:
        """Refuses what takes too much: the fits anew are no larger than this one."""
        self._reader.check_size(tx, view)
        self._fitter.check_report(tx, view, side)


def _left_out(stored: Model, view: View, sources: Sequence[str], *, refit: bool) -> tuple[str, ...]:
    """The sources to leave out; all of the model where none are named.

    Raises:
        ServiceError: FIT_UNKNOWN, VOTES_UNSUITABLE, INVALID_FIELD.
    """
    if refit and stored.summary.uploaded:
        raise ServiceError(
            Reason.FIT_UNKNOWN,
            "the model was uploaded, and what its fit was given beside votes is not known here: set keep_fit, or fit "
            "one on the server",
            metadata={"model": stored.model_id},
        )
    known = [one.source for one in stored.summary.sources]
    if len(known) < 2:
        raise ServiceError(Reason.VOTES_UNSUITABLE, "without the only source nothing is left: two or more are needed")
    for at, source in enumerate(sources):
        check_source(view, source, field=f"sources[{at}]")
        if source not in known:
            raise invalid(f"sources[{at}]", f'the model does not know a source "{source}"')
    left_out = tuple(sources or known)
    if refit and len(left_out) > MOST_REFITTED:
        raise invalid("sources", f"at most {MOST_REFITTED} where the model is fitted anew, got {len(left_out)}")
    return left_out


def _check_gold(tx: Connection, view: View, gold: str) -> None:
    if not (side_data.read_gold(tx, view, gold, field="gold") >= 0).any():
        raise invalid("gold", "gold holds no label")


def _check_scored(project: Project, records: RecordSettings) -> None:
    """Refuses what cannot be scored for want of votes or gold."""
    if not records.gold:
        raise invalid("records.gold", "a record set of gold: there is nothing to score against")
    if records.options:
        raise invalid("records.options", "none: the model has its own")
    compared = isinstance(project.label_space, Preferences)
    if compared and records.votes:
        raise invalid("records.votes", "none of preferences: pairs are scored by what the model knows of its items")
    if not compared and not records.votes:
        raise invalid("records.votes", "one record set at least, whose labels are scored")


def _until(gone: Gone) -> Callable[[Progress], None]:
    """What ends a report for which nobody waits any more, when its progress is told."""

    def report(_: Progress) -> None:
        if gone():
            raise ServiceError(Reason.DEADLINE_PASSED, "the client has gone")

    return report
