"""Models that were fitted elsewhere: read without pickle, checked against the project, and put to use. It blocks."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from weaklabel.errors import ModelFileError, WeaklabelError
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs.label_model import (
    check_label_cells,
    damaged,
    label_model_class,
    unreadable,
    unsuitable,
)
from weaklabel_server.jobs.workers.work import summary_of
from weaklabel_server.messages.analysis.summaries import diagnostics_message
from weaklabel_server.messages.checks import MAX_SOURCES, check_names
from weaklabel_server.messages.models import model_message
from weaklabel_server.store import items, projects, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, KindSummary, Model
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideSettings
from weaklabel_server.store.votes import View

if TYPE_CHECKING:
    from weaklabel import Votes
    from weaklabel.model import LabelModel

_SHOWN = 5
_MOST_SEED = 2**63 - 1


class UploadedFile:
    """The bytes of an upload, of which a server holds so many at a time."""

    def __init__(self, budget: "UploadBudget") -> None:
        self._budget = budget
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            ServiceError: MODEL_TOO_LARGE.
        """
        self._budget.take(len(self._data), len(data))
        self._data += data

    def whole(self, digest: bytes) -> bytes:
        """All bytes, of this SHA-256.

        Raises:
            ServiceError: MODEL_FILE_UNSUITABLE.
        """
        data = bytes(self._data)
        if hashlib.sha256(data).digest() != digest:
            raise invalid(
                "open.content_digest",
                f"it is not the SHA-256 of the {len(data)} bytes that came",
                reason=Reason.MODEL_FILE_UNSUITABLE,
            )
        return data

    def close(self) -> None:
        """Gives the bytes back."""
        self._budget.give_back(len(self._data))
        self._data = bytearray()


class UploadBudget:
    """How many bytes of uploads of models are held: of one, and of all together twice as many."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._held = 0

    def take(self, held: int, more: int) -> None:
        """Takes more bytes of an upload that holds some.

        Raises:
            ServiceError: MODEL_TOO_LARGE.
        """
        if held + more > self.max_bytes:
            raise ServiceError(
                Reason.MODEL_TOO_LARGE,
                f"a model takes at most {self.max_bytes} bytes on this server; see WEAKLABEL_MAX_MODEL_BYTES",
            )
        if self._held + more > 2 * self.max_bytes:
            raise ServiceError(Reason.MODEL_TOO_LARGE, "too many models are being uploaded; try again in some seconds")
        self._held += more

    def give_back(self, held: int) -> None:
        """Gives the bytes of an upload back."""
        self._held -= held


def read_model_file(
    database: Database,
    data: bytes,
    *,
    project_id: str,
    votes_version: int | None,
    max_bytes: int,
    max_label_cells: int,
) -> FittedModel:
    """Reads the file of a model, and labels a version of the votes with it.

    Args:
        database: The store.
        data: What to_bytes of a model of the label space of the project made.
        project_id: The project whose model it becomes.
        votes_version: The version to label, 0 for the newest; None for none.
        max_bytes: What the file may unpack to.
        max_label_cells: Items times classes that may be labeled.

    Raises:
        ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE, PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES,
            LABELS_TOO_LARGE, VOTES_UNSUITABLE.
    """
    label_model_class()  # which sets JAX up
    with database.read() as tx:
        project = projects.get(tx, project_id)
        if project.takes_records and votes_version is not None:
            raise invalid("open.votes_version", "records have no versions: leave it out, and ask for PredictRecords")
        view = None if project.takes_records else votes.view(tx, project_id, votes_version or 0)
        matrix = None
        if view is not None and votes_version is not None:
            votes.check_not_empty(view)
            check_label_cells(view.item_count, view.n_classes, max_label_cells)
            ids = [] if project.label_space is None else items.ids(tx, project, 0, view.item_count)
            matrix = votes.read(tx, view, ids or None)
    if project.label_space is not None and project.label_space.kind != "tree":
        return _of_kind(project, data, view, matrix, max_bytes=max_bytes, max_label_cells=max_label_cells)
    assert view is not None
    model = read_label_model(data, project, max_bytes=max_bytes, sources=view.source_names)
    soft, labels = np.empty((0, len(project.classes)), np.float32), np.empty(0, np.int32)
    if matrix is not None:
        try:
            soft, labels = model.label(matrix)
        except WeaklabelError as error:
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    fitted = FittedModel(
        model_id=secrets.token_hex(8),
        votes_version=0 if matrix is None else view.version,
        summary=summary_of(model, SideSettings(), uploaded=True),
        content=data,
        probabilities=soft,
        labels=labels,
    )
    return fitted if project.label_space is None else _with_nodes(fitted, project, matrix)


def _with_nodes(fitted: FittedModel, project: Project, matrix: "Votes | None") -> FittedModel:
    """A model of a tree, with the tables of what it has labeled."""
    from weaklabel_server.jobs.kinds.class_votes import item_names
    from weaklabel_server.jobs.kinds.fit import with_nodes

    if matrix is None:
        return replace(fitted, summary=replace(fitted.summary, kind=KindSummary(tables=[])))
    return with_nodes(fitted, project, item_names(matrix), RecordSettings())


def _of_kind(
    project: Project,
    data: bytes,
    view: View | None,
    matrix: "Votes | None",
    *,
    max_bytes: int,
    max_label_cells: int,
) -> FittedModel:
    """A model of another label space, with the tables of what it has labeled."""
    from weaklabel_server.jobs.kinds.files import read_kind_model
    from weaklabel_server.jobs.kinds.fit import fitted_model
    from weaklabel_server.jobs.kinds.registry import kind_of

    kind = kind_of(project)
    model = read_kind_model(kind, data, project, max_bytes=max_bytes)
    tables = None
    if matrix is not None:
        check_label_cells(kind.cells(matrix), 1, max_label_cells)
        try:
            tables = kind.labels(model, matrix, {})
        except WeaklabelError as error:
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    version = view.version if view is not None and matrix is not None else 0
    return fitted_model(kind, model, tables, FitSettings(), votes_version=version, content=data)


def read_label_model(data: bytes, project: Project, *, max_bytes: int, sources: Sequence[str] = ()) -> "LabelModel":
    """Reads the file of a model of a project; its sources are among those that are given, where any are.

    Raises:
        ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE.
    """
    model = _opened(data, max_bytes)
    _check_fits(model, project, sources)
    _check_usable(model, project)
    return model


def _opened(data: bytes, max_bytes: int) -> "LabelModel":
    try:
        return label_model_class().from_bytes(data, most_bytes=max_bytes)
    except ModelFileError as error:
        raise unreadable(error) from error


def _check_fits(model: "LabelModel", project: Project, sources: Sequence[str]) -> None:
    """Refuses a model of other classes, or of sources that are not among those of the project, where it has any."""
    if tuple(model.classes) != tuple(project.classes):
        raise unsuitable(
            f"its {len(model.classes)} classes are not the {len(project.classes)} of the project, in order"
        )
    check_names(model.source_names, field="data", what="sources", limit=MAX_SOURCES)
    known = set(sources)
    unknown = [source for source in model.source_names if source not in known]
    if sources and unknown:
        listed = ", ".join(repr(source) for source in unknown[:_SHOWN])
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise unsuitable(f"it has sources that are not among those of the project: {listed}{more}")


def _check_usable(model: "LabelModel", project: Project) -> None:
    """Refuses a model that cannot be told of, or cannot predict: a file may hold numbers of any kind."""
    if not 0 <= model.seed <= _MOST_SEED:
        raise unsuitable(f"its seed is not between 0 and {_MOST_SEED}")
    try:
        told = Model(
            key=0,
            model_id="",
            votes_version=0,
            item_count=0,
            summary=summary_of(model, SideSettings(), uploaded=True),
            create_time=0,
        )
        model_message(project, told)
        diagnostics_message(model.diagnostics, model.source_names)
        risks = np.array([model.diagnostics.risk, model.diagnostics.doubt], np.float64)
        n_classes = len(project.classes)
        rows = np.array([-1, 0, 1, n_classes - 1], np.int32)[:, None]
        soft, _ = model.label(np.tile(rows, len(model.source_names)))
    except MemoryError:
        raise
    except Exception as error:  # what damaged numbers bring about is not known
        raise damaged(error) from error
    if not (np.isfinite(soft).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
        raise unsuitable("it is damaged: the probabilities that it gives do not sum to one")
    if not ((risks >= 0) & (risks <= 1)).all():
        raise unsuitable("it is damaged: risk and doubt lie between 0 and 1")
