"""Reports that fit models or take as much, on what the store holds. They are computed in a worker.

A report is JSON, which `described` says is the small part of it, and arrays.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, WeaklabelError
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.analysis.labels import read_labels
from weaklabel_server.jobs.analysis.reading import refusals
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.messages.analysis.estimates import LabelsOf
from weaklabel_server.store import models, projects, votes
from weaklabel_server.store.reader import StoreReader

Report = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""What is small, for JSON, and arrays."""


@dataclass(frozen=True, kw_only=True)
class LeaveOneOutJob:
    """What changes without each of some sources."""

    kind: ClassVar[str] = "leave_one_out"
    project_id: str
    model_id: str
    sources: tuple[str, ...]
    gold: str | None
    """Id of side data."""
    refit: bool

    def make(self, store: StoreReader) -> Report:
        """weaklabel.analysis.leave_one_source_out.

        Raises:
            ServiceError: MODEL_NOT_FOUND, SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE, VOTES_UNSUITABLE, INVALID_FIELD.
        """
        from weaklabel.analysis import leave_one_source_out

        with store.read() as tx:
            stored = models.get(tx, projects.get(tx, self.project_id), self.model_id)
            view = votes.view(tx, self.project_id, stored.votes_version)
            model = label_model_class().from_bytes(models.content(tx, stored))
            matrix = votes.read(tx, view)
            fit = side_data.read(tx, view, stored.summary.side) if self.refit else {}
            gold = None if self.gold is None else side_data.read_gold(tx, view, self.gold, field="gold")
        if set(matrix.source_names) != set(model.source_names):  # those of an uploaded model may be fewer
            matrix = matrix.select_sources([one for one in matrix.source_names if one in model.source_names])
        with refusals():
            found = leave_one_source_out(matrix, model, sources=self.sources, gold=gold, fit=fit, refit=self.refit)
        arrays: dict[str, NDArray[Any]] = {"flipped": found.flipped, "opened": found.opened, "moved": found.moved}
        if found.accuracy is not None:
            arrays["accuracy"] = found.accuracy
        return {"sources": found.sources, "accuracy_with_all": found.accuracy_with_all}, arrays


@dataclass(frozen=True, kw_only=True)
class LabelErrorsJob:
    """Which labels are wrong, by what sources say."""

    kind: ClassVar[str] = "label_errors"
    project_id: str
    votes_version: int
    labels: LabelsOf
    gold: str | None
    """Id of side data."""
    families: Mapping[str, str]
    seed: int

    def make(self, store: StoreReader) -> Report:
        """weaklabel.label_errors.label_errors; the reasons of suspects, in the order of the items, with NUL between.

        Raises:
            ServiceError: SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE, VOTES_UNSUITABLE, INVALID_FIELD.
        """
        from weaklabel.label_errors import label_errors

        labels = LabelsOf(*self.labels)
        with store.read() as tx:
            view = votes.view(tx, self.project_id, self.votes_version)
            given = read_labels(tx, view, labels, field="labels")
            gold = None if self.gold is None else side_data.read_gold(tx, view, self.gold, field="gold")
            matrix = votes.read(tx, view)
        if labels.source:
            matrix = matrix.select_sources([one for one in view.source_names if one != labels.source])
        with refusals():
            found = label_errors(
                matrix,
                given,
                classes=view.project.classes,
                gold=gold,
                families=dict(self.families) or None,
                seed=self.seed,
            )
        assert found.reasons is not None
        reasons = "\0".join(found.reasons[item] for item in np.sort(found.suspects).tolist())
        return {"n_expected": found.n_expected}, {
            "probability": found.probability,
            "given": found.given,
            "suggested": found.suggested,
            "reasons": np.frombuffer(reasons.encode(), np.uint8),
        }


@dataclass(frozen=True, kw_only=True)
class RecordScoresJob:
    """How good the labels of a model of records are."""

    kind: ClassVar[str] = "record_scores"
    project_id: str
    model_id: str
    votes: tuple[str, ...]
    """Ids of record sets; none of preferences."""
    gold: str
    metrics: tuple[str, ...]
    max_cells: int
    """What labels may take."""

    def make(self, store: StoreReader) -> Report:
        """The scores of the library.

        Raises:
            ServiceError: MODEL_NOT_FOUND, RECORD_SET_NOT_FOUND, RECORDS_UNSUITABLE, LABELS_TOO_LARGE, INVALID_FIELD.
        """
        from weaklabel_server.jobs.kinds.fit import read_set, read_sets
        from weaklabel_server.jobs.kinds.registry import kind_of

        with store.read() as tx:
            project = projects.get(tx, self.project_id)
            kind = kind_of(project)
            model = kind.open(models.content(tx, models.get(tx, project, self.model_id)))
            given = read_sets(tx, project, self.votes) if self.votes else None
            gold = read_set(tx, project, self.gold)
        if given is not None:
            check_label_cells(kind.cells(given), 1, self.max_cells)
        try:
            with warnings.catch_warnings(action="ignore"):
                found = kind.score(model, given, gold, self.metrics)
        except InvalidArgumentError as error:
            if error.field in ("metric", "metrics"):
                raise invalid("metrics", str(error)) from error
            raise ServiceError(Reason.RECORDS_UNSUITABLE, str(error)) from error
        except WeaklabelError as error:
            raise ServiceError(Reason.RECORDS_UNSUITABLE, str(error)) from error
        return {"scores": {name: float(value) for name, value in found.items()}}, {}


ReportJob = LeaveOneOutJob | LabelErrorsJob | RecordScoresJob
_KINDS: dict[str, type[LeaveOneOutJob] | type[LabelErrorsJob] | type[RecordScoresJob]] = {
    one.kind: one for one in (LeaveOneOutJob, LabelErrorsJob, RecordScoresJob)
}


def to_json(job: ReportJob) -> dict[str, Any]:
    """A job for JSON."""
    return asdict(job) | {"kind": job.kind}


def from_json(values: dict[str, Any]) -> ReportJob:
    """What to_json gave."""
    fields = {name: value for name, value in values.items() if name != "kind"}
    return _KINDS[values["kind"]](**fields)
