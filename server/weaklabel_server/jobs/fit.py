"""Fits of label models on what the store holds. They block: run them in a thread."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from weaklabel.errors import InvalidArgumentError, WeaklabelError
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.store import operations, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, ModelSummary, SourceEstimate
from weaklabel_server.store.operations import FitSettings, Operation, Progress, Stage
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideSettings

if TYPE_CHECKING:
    from weaklabel.model import FitProgress, LabelModel

_ARGUMENTS_OF_LABEL = ("prior", "groups", "features", "bags")
"""The side information that LabelModel.label takes as LabelModel.fit does."""


class Fitter:
    """Fits label models, as operations name them."""

    def __init__(self, database: Database, *, max_label_cells: int) -> None:
        self._database = database
        self._max_label_cells = max_label_cells

    def create(self, tx: Connection, project_id: str, votes_version: int, settings: FitSettings) -> Operation:
        """Adds a fit of a version of the votes to the queue, if it is possible; 0 is the newest version.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES, LABELS_TOO_LARGE, SIDE_DATA_NOT_FOUND;
                INVALID_FIELD where side data is of another kind, or bounds are of a source that is not in the votes.
        """
        view = votes.view(tx, project_id, votes_version)
        votes.check_not_empty(view)
        self._check_size(view.item_count, view.project)
        side_data.check(tx, view, settings.side)
        return operations.create(tx, view.project, view.version, settings)

    def fit(self, operation: Operation, report: Callable[[Progress], None]) -> FittedModel:
        """Fits a model on the votes that an operation names.

        Args:
            operation: What to fit.
            report: Called with each step of progress; what it raises ends the fit.

        Raises:
            ServiceError: NO_VOTES, LABELS_TOO_LARGE, VOTES_UNSUITABLE, SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE;
                whatever report raises.
        """
        settings = operation.settings
        assert isinstance(settings, FitSettings)
        progress = Progress(Stage.READING)
        report(progress)
        with self._database.read() as tx:
            view = votes.view(tx, operation.project_id, operation.votes_version)
            votes.check_not_empty(view)
            # Checked when the operation was created, too; but the limit may have changed since.
            self._check_size(view.item_count, view.project)
            matrix = votes.read(tx, view)
            side = side_data.read(tx, view, settings.side)

        def on_iteration(step: "FitProgress") -> None:
            nonlocal progress
            progress = Progress(
                Stage.FITTING,
                iteration=step.iteration,
                max_iterations=step.max_iter,
                objective=step.objective,
                change=step.change,
            )
            report(progress)

        report(progress.at(Stage.FITTING))
        try:
            options: dict[str, Any] = {"max_iter": settings.max_iterations} if settings.max_iterations else {}
            model = label_model_class()(classes=view.project.classes, seed=settings.seed, **options)
            model.fit(matrix, progress=on_iteration, **side)
            report(progress.at(Stage.LABELING))
            known = {name: value for name, value in side.items() if name in _ARGUMENTS_OF_LABEL}
            probabilities, labels = model.label(matrix, **known)
        except InvalidArgumentError as error:
            if error.field in side:
                raise side_data.unsuitable(error.field, str(error)) from error
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
        except WeaklabelError as error:
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
        return FittedModel(
            model_id=secrets.token_hex(8),
            votes_version=view.version,
            summary=_summary(model, settings.side),
            content=model.to_bytes(),
            probabilities=probabilities,
            labels=labels,
        )

    def _check_size(self, rows: int, project: Project) -> None:
        check_label_cells(rows, len(project.classes), self._max_label_cells)


def _summary(model: "LabelModel", side: SideSettings) -> ModelSummary:
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
    )
