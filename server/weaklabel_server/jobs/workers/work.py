"""The fit itself, on what the store holds. It runs in a worker."""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from weaklabel.errors import InvalidArgumentError, WeaklabelError
from weaklabel_protocol.columns import Texts
from weaklabel_protocol.label_spaces import Tree
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.label_model import check_label_cells, fitting, label_model_class
from weaklabel_server.store import items, projects, votes
from weaklabel_server.store.models import FittedModel, ModelSummary, SkillJump, SourceEstimate
from weaklabel_server.store.operations import FitSettings, Operation, Progress, Stage
from weaklabel_server.store.reader import StoreReader
from weaklabel_server.store.side_data import SideSettings

if TYPE_CHECKING:
    from weaklabel.model import FitProgress, LabelModel

_ARGUMENTS_OF_LABEL = ("prior", "groups", "features", "bags")
"""The side information that LabelModel.label takes as LabelModel.fit does."""


@dataclass(frozen=True)
class FitJob:
    """What to fit: of an operation, all that a worker needs to know."""

    project_id: str
    votes_version: int
    settings: FitSettings
    max_cells: int
    """What labels may take."""
    spare_bytes: int
    """Memory that the server allows beyond the estimate."""

    @classmethod
    def of(cls, operation: Operation, max_cells: int, spare_bytes: int) -> Self:
        """The job of a fit."""
        assert isinstance(operation.settings, FitSettings)
        return cls(operation.project_id, operation.votes_version, operation.settings, max_cells, spare_bytes)

    def to_json(self) -> dict[str, Any]:
        """Itself, for JSON."""
        return asdict(self) | {"settings": self.settings.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What to_json gave."""
        return cls(**values | {"settings": FitSettings.from_json(values["settings"])})


def fit(store: StoreReader, job: FitJob, report: Callable[[Progress], None]) -> FittedModel:
    """Fits a model on the votes and the side data that a job names.

    Args:
        store: Where they are.
        job: What to fit.
        report: Called with each step of progress; what it raises ends the fit.

    Raises:
        ServiceError: NO_VOTES, VOTES_UNSUITABLE, SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE; whatever report raises.
    """
    settings = job.settings
    with store.read() as tx:
        project = projects.get(tx, job.project_id)
        has_tree = isinstance(project.label_space, Tree)
        if project.label_space is not None and not has_tree:
            return _fit_kind(store, job, report)
        view = votes.view(tx, job.project_id, job.votes_version)
        votes.check_not_empty(view)
        if isinstance(project.label_space, Tree):  # a probability for each node
            check_label_cells(view.item_count, view.n_classes + 2 * len(project.label_space.parents), job.max_cells)
        matrix = votes.read(tx, view)
        ids = items.ids(tx, project, 0, view.item_count) if has_tree else []
        side = side_data.read(tx, view, settings.side)
        times: dict[str, Any] = {"times": votes.item_times(tx, view)} if settings.over_time else {}
    progress = Progress(Stage.FITTING)

    def on_iteration(step: "FitProgress") -> None:
        nonlocal progress
        progress = fitting(step)
        report(progress)

    report(progress)
    try:
        options: dict[str, Any] = {"max_iter": settings.max_iterations} if settings.max_iterations else {}
        model = label_model_class()(classes=view.project.classes, seed=settings.seed, **options)
        model.fit(matrix, progress=on_iteration, **side, **times)
        report(progress.at(Stage.LABELING))
        known = {name: value for name, value in side.items() if name in _ARGUMENTS_OF_LABEL}
        probabilities, labels = model.label(matrix, **known, **times)
    except InvalidArgumentError as error:
        if error.field in side:
            raise side_data.unsuitable(error.field, str(error)) from error
        raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    except WeaklabelError as error:
        raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    fitted = FittedModel(
        model_id=secrets.token_hex(8),
        votes_version=view.version,
        summary=summary_of(model, settings.side),
        content=model.to_bytes(),
        probabilities=probabilities,
        labels=labels,
    )
    return _with_nodes(fitted, view, ids, job) if has_tree else fitted


def _fit_kind(store: StoreReader, job: FitJob, report: Callable[[Progress], None]) -> FittedModel:
    from weaklabel_server.jobs.kinds.fit import Limits
    from weaklabel_server.jobs.kinds.fit import fit as fit_kind

    limits = Limits(job.max_cells, job.spare_bytes)
    return fit_kind(store, job.project_id, job.votes_version, job.settings, limits, report)


def _with_nodes(fitted: FittedModel, view: votes.View, ids: list[str], job: FitJob) -> FittedModel:
    from weaklabel_server.jobs.kinds.fit import with_nodes

    names = Texts(tuple(ids or map(str, range(view.item_count))), np.arange(view.item_count, dtype=np.int32))
    return with_nodes(fitted, view.project, names, job.settings.records)


def out_of_memory() -> ServiceError:
    """There is less memory than a fit needs."""
    return ServiceError(
        Reason.OUT_OF_MEMORY,
        "the fit ran out of memory; fit when less runs beside it, or fewer items or sources, or give the server more",
    )


def summary_of(model: "LabelModel", side: SideSettings, *, uploaded: bool = False) -> ModelSummary:
    """What is kept of a model beside its file."""
    jumps = _skill_jumps(model)
    columns = (model.coverage, model.source_accuracy, *model.source_accuracy_interval.T)
    balance = model.group_balance
    rows = zip(model.source_names, *(column.tolist() for column in columns), strict=True)
    return ModelSummary(
        iteration_count=model.n_iter,
        converged=model.converged,
        objective=[float(value) for value in model.objective],
        class_balance=[float(value) for value in model.class_balance],
        sources=[
            SourceEstimate(source=source, coverage=coverage, accuracy=accuracy, accuracy_low=low, accuracy_high=high)
            for source, coverage, accuracy, low, high in rows
        ],
        warnings=list(model.warnings),
        risk=model.diagnostics.risk,
        doubt=model.diagnostics.doubt,
        group_balance={} if balance is None else dict(zip(model.group_names, balance.tolist(), strict=True)),
        side=side,
        uploaded=uploaded,
        over_time=jumps is not None,
        skill_jumps=jumps or [],
    )


def _skill_jumps(model: "LabelModel") -> list[SkillJump] | None:
    """Those at dates; None of a model without times."""
    try:
        jumps = model.skill_jumps
    except InvalidArgumentError:
        return None
    dated = [one for one in jumps if isinstance(one.time, np.datetime64)]
    return [SkillJump(one.source, int(one.time.astype("datetime64[us]").astype(int)), *one[2:]) for one in dated]
