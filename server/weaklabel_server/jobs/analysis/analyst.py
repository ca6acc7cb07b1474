"""Reports on votes and models, explanations and sets, in a thread of their own; and those that take long in another.

They take seconds of a large project, so predictions do not wait for them; and few are taken at a time, results that are
being sent included, so that memory has a bound. Those that fit models take as long as fits: they have a thread and
places for themselves, so that the others do not wait for them either.
"""

import asyncio
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.votes import ABSTAIN, Votes
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.analysis.estimates import Estimates
from weaklabel_server.jobs.analysis.inspection import Inspection, check_pairs
from weaklabel_server.jobs.analysis.lasting import Gone, Lasting
from weaklabel_server.jobs.analysis.reading import Reader, refusals
from weaklabel_server.jobs.fit import Fitter
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.jobs.operations.schedule import Schedule, WaitingFit
from weaklabel_server.jobs.operations.turns import Turns
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.store import items, models, projects, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideKind

if TYPE_CHECKING:
    from weaklabel.analysis import EffectiveVotes, PairwiseAgreement, Scores, SourceSummary
    from weaklabel.model import Explanation, LabelModel
    from weaklabel.model.inputs import Unseen
    from weaklabel.report import Card

P = ParamSpec("P")
T = TypeVar("T")

_PLACES = 8
_LASTING_PLACES = 8
_PROJECT_PLACES = 2
"""Of those that fit models, for one project."""


class Evaluation(NamedTuple):
    """How good the soft labels of a model are, and how many of its hard labels are right."""

    scores: "Scores"
    label_accuracy: float


class Analyst:
    """Makes reports. Its methods block, except `place` and `run`, which runs them in a thread within a place."""

    def __init__(
        self, database: Database, predictor: Predictor, fitter: Fitter, *, max_label_cells: int, max_votes: int
    ) -> None:
        self._database = database
        self._reader = Reader(database, predictor, max_label_cells=max_label_cells, max_votes=max_votes)
        self.estimates = Estimates(self._reader)
        self.inspection = Inspection(self._reader)
        self.lasting = Lasting(self._reader, fitter)
        self.load = self._reader.load
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self._lasting_threads = ThreadPoolExecutor(1, thread_name_prefix="lasting-analysis")
        self._places = _PLACES
        self._lasting_places: Counter[int] = Counter()  # those taken, by project
        self._turns = Turns(Schedule(places=1))  # of those
        self._asked = 0
        self._calibrated: weakref.WeakSet[LabelModel] = weakref.WeakSet()  # for sets

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place among the reports that are being made or sent.

        Raises:
            ServiceError: TOO_MANY_ANALYSES when there is none.
        """
        if not self._places:
            raise ServiceError(
                Reason.TOO_MANY_ANALYSES, f"{_PLACES} reports are being made already; try again in some seconds"
            )
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs work(...), which may call the methods that block, in the thread for reports."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    @asynccontextmanager
    async def lasting_place(self, project_id: str) -> AsyncIterator[int]:
        """A place among the reports of all projects that fit models; gives the key of the project.

        Raises:
            ServiceError: PROJECT_NOT_FOUND; TOO_MANY_ANALYSES when there is none.
        """
        key = (await self._database.run_read(projects.get, project_id)).key
        own = self._lasting_places[key]
        if own >= _PROJECT_PLACES or self._lasting_places.total() >= _LASTING_PLACES:
            whose = f'of project "{project_id}" ' if own >= _PROJECT_PLACES else ""
            raise ServiceError(
                Reason.TOO_MANY_ANALYSES,
                f"{own if whose else _LASTING_PLACES} reports {whose}that fit models are being made already; try again "
                "when one has ended",
            )
        self._lasting_places[key] += 1
        try:
            yield key
        finally:
            self._lasting_places[key] -= 1
            self._lasting_places += Counter()  # drops projects without any

    async def run_lasting(self, project: int, work: Callable[[Gone], T]) -> T:
        """Runs work(gone) in the thread for reports that fit models, when it is the turn of the project.

        gone() says that nobody waits any more.
        """
        gone = threading.Event()
        self._asked += 1
        try:
            async with self._turns.turn(WaitingFit(key=self._asked, project=project)):
                return await asyncio.get_running_loop().run_in_executor(self._lasting_threads, work, gone.is_set)
        finally:
            gone.set()

    def close(self) -> None:
        """Waits for what runs."""
        self._threads.shutdown(cancel_futures=True)
        self._lasting_threads.shutdown(cancel_futures=True)

    def source_summary(
        self, project_id: str, votes_version: int, *, gold: str | None, model: LoadedModel | None
    ) -> "tuple[int, SourceSummary, int]":
        """The version of the votes, weaklabel.analysis.source_summary of it, and K; gold is the id of side data.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES, LABELS_TOO_LARGE, SIDE_DATA_NOT_FOUND,
                INVALID_FIELD.
        """
        from weaklabel.analysis import source_summary

        with self._reader.begin() as tx:
            view = votes.view(tx, project_id, votes_version)
            matrix = self._reader.votes(tx, view)
            labels = None if gold is None else side_data.read_gold(tx, view, gold, field="gold")
        with refusals():
            summary = source_summary(matrix, labels, None if model is None else model.label_model)
        return view.version, summary, view.n_classes

    def pairwise_agreement(
        self, project_id: str, votes_version: int
    ) -> "tuple[int, tuple[str, ...], PairwiseAgreement]":
        """The version of the votes, its M sources, and weaklabel.analysis.pairwise_agreement of it.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES, LABELS_TOO_LARGE, RESULT_TOO_LARGE,
                VOTES_UNSUITABLE.
        """
        from weaklabel.analysis import pairwise_agreement

        with self._reader.begin() as tx:
            view = votes.view(tx, project_id, votes_version)
            check_pairs(view)
            matrix = self._reader.votes(tx, view)
        with refusals():
            return view.version, view.source_names, pairwise_agreement(matrix)

    def effective_votes(self, model: LoadedModel, *, gold: str | None, families: Mapping[str, str]) -> "EffectiveVotes":
        """LabelModel.effective_votes of the votes that a model labeled; gold is the id of side data.

        Raises:
            ServiceError: as pairwise_agreement; NO_SOFT_LABELS, SIDE_DATA_NOT_FOUND, INVALID_FIELD.
        """
        with self._reader.begin() as tx:
            view = self._reader.view_of(tx, model)[1]
            check_pairs(view)
            matrix = self._reader.votes(tx, view)
            labels = None if gold is None else side_data.read_gold(tx, view, gold, field="gold")
        with refusals():
            return model.label_model.effective_votes(matrix, labels, families=families or None)

    def evaluate(self, model: LoadedModel, *, gold: str, positive: int | None) -> Evaluation:
        """weaklabel.analysis.evaluate of the stored soft labels, and LabelModel.score; gold is the id of side data.

        Raises:
            ServiceError: NO_SOFT_LABELS, SIDE_DATA_NOT_FOUND, INVALID_FIELD, MODEL_NOT_FOUND.
        """
        from weaklabel.analysis import evaluate

        if positive is not None and positive >= model.n_classes:
            raise invalid("positive", f"a class, 0..{model.n_classes - 1}, got {positive}")
        with self._reader.begin() as tx:
            stored, view = self._reader.view_of(tx, model)
            known = side_data.read_gold(tx, view, gold, field="gold")
            items = np.flatnonzero(known >= 0)
            if not len(items):
                raise invalid("gold", "gold holds no label")
            probabilities, labels = models.soft_labels_at(tx, stored, items)
        with refusals():
            scores = evaluate(probabilities, known[items], positive=positive)
        return Evaluation(scores, float((labels == known[items]).mean()))

    def explain_stored(
        self, model: LoadedModel, positions: Callable[[Connection, Project, Model], NDArray[np.int64]]
    ) -> "list[Explanation]":
        """LabelModel.explain of some of the items that a model labeled, which positions(tx, project, model) gives.

        Raises:
            ServiceError: NO_SOFT_LABELS, INVALID_FIELD; whatever positions raises.
        """
        with self._reader.begin() as tx:
            stored, view = self._reader.view_of(tx, model)
            rows = []
            for position in positions(tx, view.project, stored).tolist():
                codes, symbols = votes.read_rows(tx, view, position, position + 1)
                codes = np.maximum(codes, ABSTAIN, dtype=codes.dtype)  # what failed is no vote
                rows.append(Votes.from_codes(codes, view.n_classes, symbols=symbols, sources=view.source_names))
        return [explanation for row in rows for explanation in self.explain(model, row)]

    def explain(self, model: LoadedModel, given: Votes, unseen: "Unseen" = "error") -> "list[Explanation]":
        """LabelModel.explain of each item of some votes.

        Raises:
            ServiceError: INVALID_FIELD.
        """
        with refusals():
            return [model.label_model.explain(given, row, unseen=unseen) for row in range(len(given))]

    def predict_set(
        self, model: LoadedModel, given: Votes, coverage: float, unseen: "Unseen" = "error"
    ) -> NDArray[np.bool_]:
        """LabelModel.predict_set of new votes. The first one for a model fits one on half of its gold.

        Raises:
            ServiceError: NO_EXACT_GOLD, LABELS_TOO_LARGE, SIDE_DATA_NOT_FOUND, INVALID_FIELD.
        """
        if not 0 < coverage < 1:
            raise invalid("coverage", f"above 0 and below 1, got {coverage}")
        with refusals():
            if model.label_model not in self._calibrated:
                model.label_model.calibrate_sets(*self._exact_gold(model))
            sets = model.label_model.predict_set(given, coverage, unseen=unseen)
        self._calibrated.add(model.label_model)
        return sets

    def card(self, model: LoadedModel, words: Mapping[str, Any], *, gold: str | None = None) -> "Card":
        """weaklabel.report.card of the votes that a model labeled; words are its other arguments, gold an id.

        Raises:
            ServiceError: NO_SOFT_LABELS, NO_VOTES, LABELS_TOO_LARGE, SIDE_DATA_NOT_FOUND, INVALID_FIELD.
        """
        from weaklabel.report import card

        with self._reader.begin() as tx:
            view = self._reader.view_of(tx, model)[1]
            ids = items.ids(tx, view.project, 0, view.item_count) or None
            matrix = self._reader.votes(tx, view, ids)
            labels = None if gold is None else side_data.read_gold(tx, view, gold, field="gold")
        with refusals():
            return card(matrix, model.label_model, gold=labels, **words)

    def _exact_gold(self, model: LoadedModel) -> tuple[Votes, NDArray[np.int32]]:
        """The votes and the gold that a model was fitted on."""
        with self._reader.begin() as tx:
            stored, view = self._reader.view_of(tx, model)
            side = stored.summary.side
            if SideKind.GOLD not in side.data or side.gold_error:
                raise ServiceError(
                    Reason.NO_EXACT_GOLD,
                    "sets are calibrated on exact gold, and this model was fitted without: fit one with gold, and "
                    "gold_error 0",
                    metadata={"model": model.name},
                )
            return self._reader.votes(tx, view), side_data.read_gold(tx, view, side.data[SideKind.GOLD], field="model")
