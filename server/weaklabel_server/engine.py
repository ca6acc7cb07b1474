"""Fits and predictions: the label model, run in threads, so that the event loop never waits for it."""

import asyncio
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.errors import WeaklabelError
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import models, votes
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, Model, ModelSummary, SourceEstimate
from weaklabel_server.store.operations import Operation, Progress, Stage

if TYPE_CHECKING:
    from weaklabel.model import FitProgress, LabelModel

P = ParamSpec("P")
T = TypeVar("T")

SoftLabels = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Probabilities [rows, K] and labels [rows]."""


class Engine:
    """Runs label models on what the store holds."""

    def __init__(self, database: Database, *, prediction_threads: int, cached_models: int) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(prediction_threads, thread_name_prefix="predict")
        self._cached_models = cached_models
        self._models_lock = threading.Lock()
        self._models: OrderedDict[int, LabelModel] = OrderedDict()

    def warm_up(self) -> None:
        """Loads the label model's libraries in the background; returns at once."""
        self._threads.submit(_label_model_class)

    def fit(self, operation: Operation, report: Callable[[Progress], None]) -> FittedModel:
        """Fits a model on the votes that an operation names. Blocks: run it in a thread.

        Args:
            operation: What to fit.
            report: Called with each step of progress; what it raises ends the fit.

        Raises:
            ServiceError: NO_VOTES, VOTES_UNSUITABLE; whatever report raises.
        """
        progress = Progress(Stage.READING)
        report(progress)
        with self._database.read() as tx:
            view = votes.view(tx, operation.project_id, operation.votes_version)
            votes.check_not_empty(view)
            read = votes.read(tx, view)

        def on_iteration(step: "FitProgress") -> None:
            nonlocal progress
            progress = Progress(Stage.FITTING, step.iteration, step.max_iter, step.objective, step.change)
            report(progress)

        report(progress.at(Stage.FITTING))
        settings = operation.settings
        try:
            label_model = _label_model_class()
            model = (
                label_model(classes=view.project.classes, seed=settings.seed, max_iter=settings.max_iterations)
                if settings.max_iterations
                else label_model(classes=view.project.classes, seed=settings.seed)
            )
            model.fit(read, progress=on_iteration)
            report(progress.at(Stage.LABELING))
            probabilities, labels = model.label(read)
        except WeaklabelError as error:
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
        return FittedModel(
            model_id=secrets.token_hex(8),
            votes_version=view.version,
            summary=_summary(model),
            content=model.to_bytes(),
            probabilities=probabilities,
            labels=labels,
        )

    def label(self, tx: Connection, model: Model, codes: Codes) -> SoftLabels:
        """Soft labels of new votes, codes [rows, M] in the order of the model's sources. Blocks: run it in a thread.

        Raises:
            ServiceError: MODEL_NOT_FOUND when the model was deleted since.
        """
        with self._models_lock:
            loaded = self._models.get(model.key)
        if loaded is None:
            loaded = _label_model_class().from_bytes(models.content(tx, model))
        with self._models_lock:
            self._models[model.key] = loaded
            self._models.move_to_end(model.key)
            if len(self._models) > self._cached_models:
                self._models.popitem(last=False)
        return loaded.label(codes)

    async def run(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs query(transaction, ...), which may call label, in a thread for predictions."""

        def work() -> T:
            with self._database.read() as tx:
                return query(tx, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Waits for what runs."""
        self._threads.shutdown(cancel_futures=True)


def _label_model_class() -> "type[LabelModel]":
    # JAX takes seconds to load: the server serves before that.
    from weaklabel.model import LabelModel

    return LabelModel


def _summary(model: "LabelModel") -> ModelSummary:
    columns = (model.coverage, model.source_accuracy, *model.source_accuracy_interval.T)
    estimates = zip(model.source_names, *(column.tolist() for column in columns), strict=True)
    return ModelSummary(
        iteration_count=model.n_iter,
        converged=model.converged,
        objective=[float(value) for value in model.objective],
        class_balance=[float(value) for value in model.class_balance],
        sources=[SourceEstimate(*estimate) for estimate in estimates],
        warnings=list(model.warnings),
        risk=model.diagnostics.risk,
    )
