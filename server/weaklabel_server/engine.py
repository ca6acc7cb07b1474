"""Fits and predictions: the label model, run in threads, so that the event loop never waits for it."""

import asyncio
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, WeaklabelError
from weaklabel.votes import Votes
from weaklabel.votes.symbols import Symbols
from weaklabel_server import names, side
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.store import models, projects, votes
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, ModelSummary, SourceEstimate
from weaklabel_server.store.operations import FitSettings, Operation, Progress, Stage
from weaklabel_server.store.side_data import SideSettings

if TYPE_CHECKING:
    from weaklabel.model import FitProgress, LabelModel

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

SoftLabels = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Probabilities [rows, K] and labels [rows]."""

_OF_ITEMS = ("prior", "groups", "features", "bags")
"""What a model wants to know of the items that it labels, where it was told in the fit."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, ready to predict. As models never change, it stays right for as long as there is the model."""

    name: str
    n_classes: int
    column_of: Mapping[str, int]  # the column of each source, in order
    label_model: "LabelModel"


class Engine:
    """Runs label models on what the store holds."""

    def __init__(
        self, database: Database, *, prediction_threads: int, cached_models: int, max_label_cells: int
    ) -> None:
        self._database = database
        self._max_label_cells = max_label_cells
        self._threads = ThreadPoolExecutor(prediction_threads, thread_name_prefix="predict")
        self._cached_models = cached_models
        self._models_lock = threading.Lock()
        self._models: OrderedDict[int, LoadedModel] = OrderedDict()

    def warm_up(self) -> None:
        """Loads the label model's libraries and the newest models, so that first predictions are quick. Blocks."""
        _label_model_class()
        with self._database.read() as tx:
            newest = models.newest(tx, self._cached_models)
        for name in reversed(newest):
            try:
                loaded = self.load(*name)
                self.label(loaded, np.zeros((1, len(loaded.column_of)), np.int8))
            except Exception:
                # One that cannot be loaded must not keep the others from being served.
                log.exception("loading model %s", names.format_model(*name))

    def check_size(self, rows: int, n_classes: int) -> None:
        """Refuses soft labels that would take more memory than a server has.

        Raises:
            ServiceError: LABELS_TOO_LARGE.
        """
        if rows * n_classes > self._max_label_cells:
            raise ServiceError(
                Reason.LABELS_TOO_LARGE,
                f"{rows} items x {n_classes} classes are more than the {self._max_label_cells} cells that this server "
                "labels at once; see WEAKLABEL_MAX_LABEL_CELLS",
            )

    def fit(self, operation: Operation, report: Callable[[Progress], None]) -> FittedModel:
        """Fits a model on the votes that an operation names. Blocks: run it in a thread.

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
            # Checked when it was asked for, too; but the limit may be another one since.
            self.check_size(view.item_count, len(view.project.classes))
            read = votes.read(tx, view)
            told = side.read(tx, view, settings.side)

        def on_iteration(step: "FitProgress") -> None:
            nonlocal progress
            progress = Progress(Stage.FITTING, step.iteration, step.max_iter, step.objective, step.change)
            report(progress)

        report(progress.at(Stage.FITTING))
        try:
            label_model = _label_model_class()
            model = (
                label_model(classes=view.project.classes, seed=settings.seed, max_iter=settings.max_iterations)
                if settings.max_iterations
                else label_model(classes=view.project.classes, seed=settings.seed)
            )
            model.fit(read, progress=on_iteration, **told)
            report(progress.at(Stage.LABELING))
            probabilities, labels = model.label(read, **{name: told[name] for name in _OF_ITEMS if name in told})
        except InvalidArgumentError as error:
            if error.field in (*told, "gold_error"):
                raise side.unsuitable(error.field, str(error)) from error
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

    def load(self, project_id: str, model_id: str) -> LoadedModel:
        """A model that exists now, out of memory where it is there. Blocks: run it in a thread.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, MODEL_NOT_FOUND.
        """
        with self._database.read() as tx:
            key = models.find_key(tx, project_id, model_id)
            with self._models_lock:
                if key is not None and key in self._models:
                    self._models.move_to_end(key)
                    return self._models[key]
            project = projects.get(tx, project_id)
            model = models.get(tx, project, model_id)
            content = models.content(tx, model)
        loaded = LoadedModel(
            name=names.format_model(project_id, model.model_id),
            n_classes=len(project.classes),
            column_of={estimate.source: column for column, estimate in enumerate(model.summary.sources)},
            label_model=_label_model_class().from_bytes(content),
        )
        with self._models_lock:
            self._models[model.key] = loaded
            if len(self._models) > self._cached_models:
                self._models.popitem(last=False)
        return loaded

    def label(self, model: LoadedModel, codes: Codes, symbols: Symbols | None = None, **known: Any) -> SoftLabels:
        """Soft labels of new votes. Blocks: run it in a thread.

        Args:
            model: The model.
            codes: [rows, M] in the order of the model's sources.
            symbols: What codes from K on stand for.
            known: What LabelModel.label takes beside votes.

        Raises:
            ServiceError: LABELS_TOO_LARGE; INVALID_FIELD where the model cannot use what is known.
        """
        self.check_size(len(codes), model.n_classes)
        given = Votes.from_codes(codes, model.n_classes, symbols=symbols, sources=model.column_of) if symbols else codes
        try:
            return model.label_model.label(given, **known)
        except InvalidArgumentError as error:
            raise invalid(f"side.{error.field}" if error.field in known else "votes", str(error)) from error

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs work(...), which may call the methods that block, in a thread for predictions."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Waits for what runs."""
        self._threads.shutdown(cancel_futures=True)


def _label_model_class() -> "type[LabelModel]":
    # JAX takes seconds to load: the server takes calls before that.
    from weaklabel.model import LabelModel

    return LabelModel


def _summary(model: "LabelModel", told: SideSettings) -> ModelSummary:
    columns = (model.coverage, model.source_accuracy, *model.source_accuracy_interval.T)
    balance = model.group_balance
    estimates = zip(model.source_names, *(column.tolist() for column in columns), strict=True)
    return ModelSummary(
        iteration_count=model.n_iter,
        converged=model.converged,
        objective=[float(value) for value in model.objective],
        class_balance=[float(value) for value in model.class_balance],
        sources=[SourceEstimate(*estimate) for estimate in estimates],
        warnings=list(model.warnings),
        risk=model.diagnostics.risk,
        group_balance={} if balance is None else dict(zip(model.group_names, balance.tolist(), strict=True)),
        side=told,
    )
