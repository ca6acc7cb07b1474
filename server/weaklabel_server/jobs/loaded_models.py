"""Fitted models in memory: found again without the store for as long as nothing in it has changed."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weaklabel_server import names
from weaklabel_server.jobs.label_model import label_model_class
from weaklabel_server.names import ChildName
from weaklabel_server.store import models, projects
from weaklabel_server.store.database import Database

if TYPE_CHECKING:
    from weaklabel.model import LabelModel

QUICK_SECONDS = 0.003
"""Of a thread's CPU: a small prediction that took no longer may be made on the event loop."""
_SLOW_SECONDS = 0.02
_MOST_NAMES = 1024


class Pace:
    """How long small predictions of one model take. It starts as unknown."""

    def __init__(self) -> None:
        self.is_quick = False
        self._may_be_quick = True

    def note(self, seconds: float) -> None:
        """Notes the CPU time of one. A model that was quick and then compiled a program is not trusted again."""
        if self.is_quick and seconds > _SLOW_SECONDS:
            self._may_be_quick = False
        self.is_quick = self._may_be_quick and seconds <= QUICK_SECONDS


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, ready to predict. Models never change, so it is valid for as long as the model exists."""

    name: str
    n_classes: int
    column_of: Mapping[str, int]  # the column of each source, in order
    label_model: "LabelModel"
    pace: Pace = field(default_factory=Pace)


class LoadedModels:
    """Models of the store, the latest used of them in memory. May be used from any thread."""

    def __init__(self, database: Database, limit: int) -> None:
        """Loads nothing yet; keeps so many."""
        self._database = database
        self._limit = limit
        self._lock = threading.Lock()
        self._models: OrderedDict[int, LoadedModel] = OrderedDict()  # by key
        # What a name meant when the store had seen so many changes: a name may be that of another model, or of none.
        self._named: OrderedDict[ChildName, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._models)

    def recall(self, name: ChildName) -> LoadedModel | None:
        """The model of this name, if it is in memory and nothing in the store has changed since it was looked up.

        Microseconds: it may be called on the event loop.

        Raises:
            ServiceError: STORE_LOST.
        """
        changes = self._database.change_count()
        with self._lock:
            known, key = self._named.get(name, (None, 0))
            return None if changes is None or changes != known else self._get(key)

    def load(self, name: ChildName) -> LoadedModel:
        """A model that exists now, out of memory where it is there. It may block.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, LABEL_SPACE_MISMATCH, MODEL_NOT_FOUND; those of Database.read.
        """
        if (recalled := self.recall(name)) is not None:
            return recalled
        # Before the store is read: what changes meanwhile is a change since.
        changes = self._database.change_count()
        with self._database.read() as tx:
            key = models.find_key(tx, *name)
            if key is not None:
                with self._lock:
                    found = self._get(key)
                    if found is not None:
                        self._remember(name, changes, key)
                        return found
            project = projects.get(tx, name.project_id)
            projects.check_class_labels(project)
            model = models.get(tx, project, name.child_id)
            content = models.content(tx, model)
        loaded = LoadedModel(
            name=names.format_model(name.project_id, model.model_id),
            n_classes=len(project.classes),
            column_of={estimate.source: column for column, estimate in enumerate(model.summary.sources)},
            label_model=label_model_class().from_bytes(content),
        )
        with self._lock:
            self._models[model.key] = loaded
            self._remember(name, changes, model.key)
            if len(self._models) > self._limit:
                self._models.popitem(last=False)
        return loaded

    def _get(self, key: int) -> LoadedModel | None:
        found = self._models.get(key)
        if found is not None:
            self._models.move_to_end(key)
        return found

    def _remember(self, name: ChildName, changes: int | None, key: int) -> None:
        if changes is None:
            return
        self._named[name] = changes, key
        self._named.move_to_end(name)
        if len(self._named) > _MOST_NAMES:
            self._named.popitem(last=False)
