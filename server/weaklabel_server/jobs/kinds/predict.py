"""Labels of new records by models of the store. Its methods block: run them in a thread."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from weaklabel.errors import WeaklabelError
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.v1 import tables_pb2
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs.kinds.kind import Inspection, Kind, Tables
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.messages.records import read_table
from weaklabel_server.store import models, projects
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project


@dataclass(frozen=True)
class _Loaded:
    kind: Kind[Any]
    model: Any


@dataclass(frozen=True)
class OpenedModel:
    """A model of a label space, in memory."""

    name: str
    """Its resource name."""
    space: LabelSpace
    kind: Kind[Any]
    model: Any
    options: Mapping[str, Any]
    """Of its fit."""


class RecordPredictor:
    """Models of label spaces, the latest used of them in memory."""

    def __init__(self, database: Database, *, cached_models: int, max_cells: int) -> None:
        """Loads nothing yet.

        Args:
            database: The store.
            cached_models: So many are kept in memory.
            max_cells: Numbers that one prediction may hold.
        """
        self._database = database
        self._limit = cached_models
        self._max_cells = max_cells
        self._lock = threading.Lock()
        self._models: OrderedDict[int, _Loaded] = OrderedDict()  # by key

    def open(self, name: str) -> OpenedModel:
        """A model by its resource name.

        Raises:
            ServiceError: INVALID_FIELD, PROJECT_NOT_FOUND, MODEL_NOT_FOUND, LABEL_SPACE_MISMATCH.
        """
        project_id, model_id = names.parse_model(name, field="model")
        with self._database.read() as tx:
            project = projects.get(tx, project_id)
            model = models.get(tx, project, model_id)
            summary = model.summary.kind
            if project.label_space is None or summary is None:
                raise no_tables(project)
            loaded = self._load(tx, project, model)
        return OpenedModel(
            name=names.format_model(project_id, model.model_id),
            space=project.label_space,
            kind=loaded.kind,
            model=loaded.model,
            options=summary.records.options,
        )

    def label(self, opened: OpenedModel, message: tables_pb2.ColumnTable) -> Tables:
        """The labels of records.

        Raises:
            ServiceError: INVALID_FIELD, LABELS_TOO_LARGE.
        """
        records = read_table(message, opened.space, "new", field="records")
        check_label_cells(opened.kind.cells(records), 1, self._max_cells)
        try:
            with warnings.catch_warnings(action="ignore"):
                return opened.kind.predict(opened.model, records, opened.options)
        except WeaklabelError as error:
            raise invalid("records", str(error)) from error

    def inspect(self, opened: OpenedModel) -> Inspection:
        """What the library tells of a model.

        Raises:
            ServiceError: LABEL_SPACE_MISMATCH, MODEL_FILE_UNSUITABLE.
        """
        if opened.space.kind == "tree":
            raise ServiceError(
                Reason.LABEL_SPACE_MISMATCH,
                "models of a tree are models of its leaves as classes: see AnalysisService",
                metadata={"label_space": "tree"},
            )
        return opened.kind.inspect(opened.model)

    def _load(self, tx: Connection, project: Project, model: Model) -> _Loaded:
        with self._lock:
            if (found := self._models.get(model.key)) is not None:
                self._models.move_to_end(model.key)
                return found
        label_model_class()  # which sets JAX up
        from weaklabel_server.jobs.kinds.registry import kind_of

        kind = kind_of(project)
        loaded = _Loaded(kind, kind.open(models.content(tx, model)))
        with self._lock:
            self._models[model.key] = loaded
            if len(self._models) > self._limit:
                self._models.popitem(last=False)
        return loaded


def no_tables(project: Project) -> ServiceError:
    """The models of a project have no tables of labels."""
    kind = "classes" if project.label_space is None else project.label_space.kind
    return ServiceError(
        Reason.LABEL_SPACE_MISMATCH,
        f'project "{project.project_id}" has the label space {kind}: its labels are soft labels, see LabelService',
        metadata={"project": project.project_id, "label_space": kind},
    )
