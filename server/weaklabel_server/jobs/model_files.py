"""Models that were fitted elsewhere: read without pickle, checked against the project, and put to use. It blocks."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from weaklabel._archive import TooLargeError
from weaklabel.errors import ModelFileError, WeaklabelError
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs.label_model import check_label_cells, label_model_class
from weaklabel_server.jobs.workers.work import summary_of
from weaklabel_server.messages.analysis.summaries import diagnostics_message
from weaklabel_server.messages.checks import MAX_SOURCES, check_names
from weaklabel_server.messages.models import model_message
from weaklabel_server.store import projects, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, Model
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideSettings

if TYPE_CHECKING:
    from weaklabel.model import LabelModel

_SHOWN = 5
_MOST_TEXT = 200
"""Characters of what went wrong, which may quote the file."""
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
        data: What LabelModel.to_bytes made.
        project_id: The project whose model it becomes.
        votes_version: The version to label, 0 for the newest; None for none.
        max_bytes: What the file may unpack to.
        max_label_cells: Items times classes that may be labeled.

    Raises:
        ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE, PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, NO_VOTES,
            LABELS_TOO_LARGE, VOTES_UNSUITABLE.
    """
    model = _opened(data, max_bytes)
    with database.read() as tx:
        project = projects.get(tx, project_id)
        if project.label_space is not None:
            projects.check_class_labels(project)
            raise ServiceError(
                Reason.LABEL_SPACE_MISMATCH,
                f'project "{project_id}" has the label space {project.label_space.kind}: its models are fitted on the '
                "server",
                metadata={"project": project_id, "label_space": project.label_space.kind},
            )
        view = votes.view(tx, project_id, votes_version or 0)
        _check_fits(model, project, view.source_names)
        matrix = None
        if votes_version is not None:
            votes.check_not_empty(view)
            check_label_cells(view.item_count, view.n_classes, max_label_cells)
            matrix = votes.read(tx, view)
    _check_usable(model, project)
    soft, labels = np.empty((0, len(project.classes)), np.float32), np.empty(0, np.int32)
    if matrix is not None:
        try:
            soft, labels = model.label(matrix)
        except WeaklabelError as error:
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    return FittedModel(
        model_id=secrets.token_hex(8),
        votes_version=0 if votes_version is None else view.version,
        summary=summary_of(model, SideSettings(), uploaded=True),
        content=data,
        probabilities=soft,
        labels=labels,
    )


def read_label_model(data: bytes, project: Project, *, max_bytes: int) -> "LabelModel":
    """Reads the file of a model of a project, whose sources need not be those of the project any more.

    Raises:
        ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE.
    """
    model = _opened(data, max_bytes)
    _check_fits(model, project, ())
    _check_usable(model, project)
    return model


def _opened(data: bytes, max_bytes: int) -> "LabelModel":
    try:
        return label_model_class().from_bytes(data, most_bytes=max_bytes)
    except ModelFileError as error:
        if isinstance(error.__cause__, TooLargeError):
            message = f"{error}; see WEAKLABEL_MAX_MODEL_BYTES"
            raise ServiceError(Reason.MODEL_TOO_LARGE, message) from error
        raise _unsuitable(str(error)[:_MOST_TEXT]) from error


def _check_fits(model: "LabelModel", project: Project, sources: Sequence[str]) -> None:
    """Refuses a model of other classes, or of sources that are not among those of the project, where it has any."""
    if tuple(model.classes) != tuple(project.classes):
        raise _unsuitable(
            f"its {len(model.classes)} classes are not the {len(project.classes)} of the project, in order"
        )
    check_names(model.source_names, field="data", what="sources", limit=MAX_SOURCES)
    known = set(sources)
    unknown = [source for source in model.source_names if source not in known]
    if sources and unknown:
        listed = ", ".join(repr(source) for source in unknown[:_SHOWN])
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise _unsuitable(f"it has sources that are not among those of the project: {listed}{more}")


def _check_usable(model: "LabelModel", project: Project) -> None:
    """Refuses a model that cannot be told of, or cannot predict: a file may hold numbers of any kind."""
    if not 0 <= model.seed <= _MOST_SEED:
        raise _unsuitable(f"its seed is not between 0 and {_MOST_SEED}")
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
        raise _unsuitable(f"it is damaged: {type(error).__name__}: {str(error)[:_MOST_TEXT]}") from error
    if not (np.isfinite(soft).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
        raise _unsuitable("it is damaged: the probabilities that it gives do not sum to one")
    if not ((risks >= 0) & (risks <= 1)).all():
        raise _unsuitable("it is damaged: risk and doubt lie between 0 and 1")


def _unsuitable(why: str) -> ServiceError:
    return invalid("data", why, reason=Reason.MODEL_FILE_UNSUITABLE)
