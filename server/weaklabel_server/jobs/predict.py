"""Fitted models in memory and their predictions, in threads of their own."""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.symbols import Symbols
from weaklabel_server import names
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.store import models, projects
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database

if TYPE_CHECKING:
    from weaklabel.model import LabelModel

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

SoftLabels = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Probabilities [rows, K] and labels [rows]."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, ready to predict. Models never change, so it is valid for as long as the model exists."""

    name: str
    n_classes: int
    column_of: Mapping[str, int]  # the column of each source, in order
    label_model: "LabelModel"


@dataclass(frozen=True)
class SourceColumns:
    """Which columns of a model the columns of given votes are."""

    model: LoadedModel
    sources: tuple[str, ...]
    columns: NDArray[np.int64]  # of the model, one for each of `sources`

    @classmethod
    def of(cls, model: LoadedModel, sources: Sequence[str]) -> "SourceColumns":
        """Those of the named sources; of all sources of the model where none are named.

        Raises:
            ServiceError: MODEL_SOURCES_UNKNOWN.
        """
        unknown = [
            FieldViolation(f"sources[{index}]", f'the model does not know a source "{source}"')
            for index, source in enumerate(sources)
            if source not in model.column_of
        ]
        if unknown:
            raise ServiceError(
                Reason.MODEL_SOURCES_UNKNOWN,
                "; ".join(f"{fault.field}: {fault.description}" for fault in unknown),
                metadata={"model": model.name},
                violations=unknown,
            )
        given = tuple(sources or model.column_of)
        return cls(model, given, np.array([model.column_of[source] for source in given], np.int64))

    def align(self, given: Codes) -> Codes:
        """Votes in the order of the model's sources. Sources not given abstain, and so do those that failed."""
        codes = np.full((len(given), len(self.model.column_of)), ABSTAIN, given.dtype)
        codes[:, self.columns] = np.maximum(given, ABSTAIN, dtype=given.dtype)
        return codes


class Predictor:
    """Predicts with models of the store. Its methods block, except `run`, which runs them in a thread."""

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
        """Loads the label model's libraries and the newest models, so that first predictions are quick."""
        label_model_class()
        with self._database.read() as tx:
            newest = models.newest(tx, self._cached_models)
        for name in reversed(newest):
            try:
                loaded = self.load(*name)
                self.label(loaded, np.zeros((1, len(loaded.column_of)), np.int8))
            except Exception:
                # One that cannot be loaded must not keep the others from being served.
                log.exception("loading model %s", names.format_model(*name))

    def load(self, project_id: str, model_id: str) -> LoadedModel:
        """A model that exists now, out of memory where it is there.

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
            label_model=label_model_class().from_bytes(content),
        )
        with self._models_lock:
            self._models[model.key] = loaded
            if len(self._models) > self._cached_models:
                self._models.popitem(last=False)
        return loaded

    def label(
        self, model: LoadedModel, codes: Codes, symbols: Symbols | None = None, **side_information: Any
    ) -> SoftLabels:
        """Soft labels of new votes.

        Args:
            model: The model.
            codes: [rows, M] in the order of the model's sources.
            symbols: What codes from K on stand for.
            side_information: What LabelModel.label takes beside votes.

        Raises:
            ServiceError: LABELS_TOO_LARGE; INVALID_FIELD where the model cannot use the side information.
        """
        check_label_cells(len(codes), model.n_classes, self._max_label_cells)
        given = Votes.from_codes(codes, model.n_classes, symbols=symbols, sources=model.column_of) if symbols else codes
        try:
            return model.label_model.label(given, **side_information)
        except InvalidArgumentError as error:
            field = f"side.{error.field}" if error.field in side_information else "votes"
            raise invalid(field, str(error)) from error

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs work(...), which may call the methods that block, in a thread for predictions."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Waits for what runs."""
        self._threads.shutdown(cancel_futures=True)
