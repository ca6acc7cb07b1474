"""Fitted models in memory and their predictions, in threads of their own."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.symbols import Symbols
from weaklabel_server import names
from weaklabel_server.errors import Faults, Reason, ServiceError, invalid
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.jobs.loaded_models import LoadedModel, LoadedModels
from weaklabel_server.store import models
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.database import Database

if TYPE_CHECKING:
    from weaklabel.model.calibration.decision import TieBreakPolicy
    from weaklabel.model.inputs import Unseen

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

BLOCK_CELLS = 1024 * 1024
"""Items times sources, or times features, that are labeled at once; some 40 bytes each."""

_gone: ContextVar[threading.Event] = ContextVar("gone")
"""Set when nobody waits for what a thread computes."""

SoftLabels = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Probabilities [rows, K] and labels [rows]."""


@dataclass(frozen=True)
class SourceColumns:
    """Which columns of a model the columns of given votes are."""

    model: LoadedModel
    sources: tuple[str, ...]
    unseen: "Unseen"
    columns: NDArray[np.int64] | None  # of the model, one for each of `sources`; None where it does not know them all
    in_order: bool = False  # whether they are all columns of the model, in its order

    @classmethod
    def of(cls, model: LoadedModel, sources: Sequence[str], unseen: "Unseen" = "error") -> "SourceColumns":
        """Those of the named sources; of all sources of the model where none are named.

        Raises:
            ServiceError: MODEL_SOURCES_UNKNOWN, unless `unseen` says what is done with such sources.
        """
        unknown = [(index, source) for index, source in enumerate(sources) if source not in model.column_of]
        if unknown and unseen != "error":
            return cls(model, tuple(sources), unseen, None)
        faults = Faults()
        for index, source in unknown:
            faults.add(f"sources[{index}]", f'the model does not know a source "{source}"')
        faults.raise_if_any(Reason.MODEL_SOURCES_UNKNOWN, {"model": model.name})
        known = tuple(model.column_of)
        given = tuple(sources or known)
        columns = np.array([model.column_of[source] for source in given], np.int64)
        return cls(model, given, unseen, columns, in_order=given == known)

    def named_votes(self, given: Codes, symbols: Symbols | None) -> Votes:
        """Votes of these sources. Those that failed abstain."""
        known = np.maximum(given, ABSTAIN, dtype=given.dtype)
        return Votes.from_codes(known, self.model.n_classes, symbols=symbols or None, sources=self.sources)

    def codes(self, given: Codes | None, rows: slice) -> Codes:
        """Some rows of plain votes in the columns of the model, of sources that it knows; else as `votes`."""
        if given is not None and self.in_order:
            return np.maximum(given[rows], ABSTAIN, dtype=given.dtype)
        dtype = np.int8 if given is None else given.dtype
        codes: Codes = np.full((rows.stop - rows.start, len(self.model.column_of)), ABSTAIN, dtype)
        if given is not None:
            codes[:, self.columns] = np.maximum(given[rows], ABSTAIN, dtype=dtype)
        return codes

    def votes(self, given: Codes | None, rows: slice, symbols: Symbols | None) -> Codes | Votes:
        """Some rows of votes, as the model takes them; None stands for no votes at all.

        Sources not given abstain, and so do those that failed.
        """
        if self.columns is None and given is not None:
            return self.named_votes(given[rows], symbols)
        codes = self.codes(given, rows)
        if not symbols:
            return codes
        return Votes.from_codes(codes, self.model.n_classes, symbols=symbols, sources=self.model.column_of)


class Predictor:
    """Predicts with models of the store. Its methods block, except `run`, which runs them in a thread."""

    def __init__(
        self, database: Database, *, prediction_threads: int, cached_models: int, max_label_cells: int
    ) -> None:
        self._database = database
        self._max_label_cells = max_label_cells
        self.threads = ThreadPoolExecutor(prediction_threads, thread_name_prefix="predict")
        """Where predictions run."""
        self._cached_models = cached_models
        self._models = LoadedModels(database, cached_models)
        self._count_lock = threading.Lock()
        self.predicted_rows = 0
        """Rows labeled so far, of whatever call."""

    def warm_up(self) -> None:
        """Loads the label model's libraries and the newest models, so that first predictions are quick."""
        label_model_class()
        with self._database.read() as tx:
            newest = models.newest(tx, self._cached_models)
        for name in reversed(newest):
            try:
                loaded = self._models.load(name)
                self.label(SourceColumns.of(loaded, ()), None, 1)
            except Exception:
                # One that cannot be loaded must not keep the others from being served.
                log.exception("loading model %s", names.format_model(*name))

    @property
    def n_cached(self) -> int:
        """Models ready in memory."""
        return len(self._models)

    def load(self, name: str) -> LoadedModel:
        """A model that exists now, by its resource name.

        Raises:
            ServiceError: INVALID_FIELD, PROJECT_NOT_FOUND, MODEL_NOT_FOUND.
        """
        return self._models.load(names.parse_model(name, field="model"))

    def recall_quick(self, name: str) -> LoadedModel | None:
        """A model of which small predictions may be made on the event loop: no store, and no program to compile.

        Raises:
            ServiceError: INVALID_FIELD, STORE_LOST.
        """
        recalled = self._models.recall(names.parse_model(name, field="model"))
        return recalled if recalled is not None and recalled.pace.is_quick else None

    def label(
        self,
        columns: SourceColumns,
        codes: Codes | None,
        rows: int,
        symbols: Symbols | None = None,
        tie_break_policy: "TieBreakPolicy" = "abstain",
        **side_information: Any,
    ) -> SoftLabels:
        """Soft labels of new votes, some rows at a time: a few votes of a model of many sources take little memory.

        Args:
            columns: The model, and its sources that have voted.
            codes: [rows, sources]; None where there are no votes.
            rows: Their number.
            symbols: What codes from K on stand for.
            tie_break_policy: What the label is where classes are tied.
            side_information: What LabelModel.label takes beside votes.

        Raises:
            ServiceError: LABELS_TOO_LARGE; INVALID_FIELD where the model cannot use the side information.
        """
        model = columns.model
        check_label_cells(rows, model.n_classes, self._max_label_cells)
        features = side_information.get("features")
        step = max(1, BLOCK_CELLS // max(len(model.column_of), 1 if features is None else features.shape[1]))
        if rows > step and "bags" in side_information:
            raise invalid("side.bags", f"with bags, at most {step} rows at a time of this model, got {rows}")
        parts = []
        for start in range(0, rows, step):
            if (gone := _gone.get(None)) is not None and gone.is_set():
                raise ServiceError(Reason.DEADLINE_PASSED, "the client has gone")
            block = slice(start, min(start + step, rows))
            whole = rows <= step
            side = {name: value if whole else value[block] for name, value in side_information.items()}
            parts.append(_label(columns, columns.votes(codes, block, symbols), tie_break_policy, side))
        probabilities, labels = (
            np.concatenate(part) if len(parts) > 1 else part[0] for part in zip(*parts, strict=True)
        )
        with self._count_lock:
            self.predicted_rows += rows
        return probabilities, labels

    def label_together(self, model: LoadedModel, parts: Sequence[Codes]) -> list[SoftLabels]:
        """Soft labels of several requests, each [rows, sources of the model], as `label` gives them one by one.

        Raises:
            ServiceError: As `label`, for any of them.
        """
        codes = np.concatenate(parts)
        probabilities, labels = self.label(SourceColumns.of(model, ()), codes, len(codes))
        cuts = np.cumsum([len(part) for part in parts])[:-1]
        return list(zip(np.split(probabilities, cuts), np.split(labels, cuts), strict=True))

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs work(...), which may call the methods that block, in a thread for predictions.

        When the client hangs up, or its deadline passes, work that has not begun is not begun, and `label` ends.
        """
        gone = threading.Event()

        def begin() -> T:
            token = _gone.set(gone)
            try:
                return work(*args, **kwargs)
            finally:
                _gone.reset(token)

        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, begin)
        finally:
            gone.set()

    def close(self) -> None:
        """Waits for what runs."""
        self.threads.shutdown(cancel_futures=True)


def _label(
    columns: SourceColumns, votes: Codes | Votes, tie_break_policy: "TieBreakPolicy", side: Mapping[str, Any]
) -> SoftLabels:
    try:
        return columns.model.label_model.label(votes, tie_break_policy, unseen=columns.unseen, **side)
    except InvalidArgumentError as error:
        raise invalid(f"side.{error.field}" if error.field in side else "votes", str(error)) from error
