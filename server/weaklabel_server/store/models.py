"""Fitted models and their soft labels. A model never changes."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, select

from weaklabel_server import names
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.names import ChildName
from weaklabel_server.pages import Page
from weaklabel_server.store import schema
from weaklabel_server.store.chunks import pack_array, unpack_array
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideSettings

CHUNK_ROWS = 65_536

_models = schema.models.c
_labels = schema.soft_labels.c
# All but the content, which may be large.
_DESCRIPTION: tuple[ColumnElement[Any], ...] = (
    _models.key,
    _models.model_id,
    _models.votes_version,
    _models.item_count,
    _models.summary,
    _models.create_time,
)


# Made once: this is looked up at every prediction, and making a statement takes longer than running it.
_KEY_OF_LATEST = (
    select(_models.key)
    .join(schema.projects, schema.projects.c.key == _models.project_key)
    .where(schema.projects.c.project_id == bindparam("project_id"))
    .order_by(_models.key.desc())
    .limit(1)
)
_KEY_OF_ONE = _KEY_OF_LATEST.where(_models.model_id == bindparam("model_id"))


@dataclass(frozen=True, kw_only=True)
class SourceEstimate:
    """The estimates of a model about one source."""

    source: str
    coverage: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """The results of a fit, without its soft labels."""

    iteration_count: int
    converged: bool
    objective: list[float]
    class_balance: list[float]
    sources: list[SourceEstimate]
    warnings: list[str]
    risk: float
    group_balance: dict[str, list[float]] = field(default_factory=dict)
    side: SideSettings = field(default_factory=SideSettings)
    doubt: float | None = None  # of models that an earlier version fitted


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model without its content."""

    key: int
    model_id: str
    votes_version: int
    item_count: int
    summary: ModelSummary
    create_time: int


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A model that is to be stored: `content` is LabelModel.to_bytes()."""

    model_id: str
    votes_version: int
    summary: ModelSummary
    content: bytes
    probabilities: NDArray[np.float32]  # [N, K]
    labels: NDArray[np.int32]  # [N]


def add(tx: Connection, project_key: int, fitted: FittedModel) -> None:
    """Stores a model with its soft labels."""
    key = tx.execute(
        insert(schema.models)
        .values(
            project_key=project_key,
            model_id=fitted.model_id,
            votes_version=fitted.votes_version,
            item_count=len(fitted.labels),
            summary=asdict(fitted.summary),
            create_time=now_micros(),
            content=fitted.content,
        )
        .returning(_models.key)
    ).scalar_one()
    for start in range(0, len(fitted.labels), CHUNK_ROWS):
        labels = fitted.labels[start : start + CHUNK_ROWS]
        tx.execute(
            insert(schema.soft_labels).values(
                model_key=key,
                row_offset=start,
                rows=len(labels),
                probabilities=pack_array(fitted.probabilities[start : start + CHUNK_ROWS]),
                labels=pack_array(labels),
            )
        )


def get(tx: Connection, project: Project, model_id: str) -> Model:
    """One model, or the newest where the id is names.LATEST.

    Raises:
        ServiceError: MODEL_NOT_FOUND.
    """
    query = select(*_DESCRIPTION).where(_models.project_key == project.key)
    if model_id == names.LATEST:
        query = query.order_by(_models.key.desc()).limit(1)
    else:
        query = query.where(_models.model_id == model_id)
    row = tx.execute(query).first()
    if row is None:
        message = (
            f'project "{project.project_id}" has no model yet; fit one first'
            if model_id == names.LATEST
            else f'project "{project.project_id}" has no model "{model_id}"'
        )
        raise ServiceError(Reason.MODEL_NOT_FOUND, message, metadata={"project": project.project_id, "model": model_id})
    return _model(row)


def find_key(tx: Connection, project_id: str, model_id: str) -> int | None:
    """The key of what get would give, or None where it would raise. Quick."""
    if model_id == names.LATEST:
        return tx.execute(_KEY_OF_LATEST, {"project_id": project_id}).scalar()
    return tx.execute(_KEY_OF_ONE, {"project_id": project_id, "model_id": model_id}).scalar()


def newest(tx: Connection, limit: int) -> list[ChildName]:
    """The names of the newest models of all projects."""
    query = (
        select(schema.projects.c.project_id, _models.model_id)
        .join(schema.projects, schema.projects.c.key == _models.project_key)
        .order_by(_models.key.desc())
        .limit(limit)
    )
    return [ChildName(*row) for row in tx.execute(query)]


def content(tx: Connection, model: Model) -> bytes:
    """What LabelModel.from_bytes reads, of a model got in this transaction."""
    return bytes(tx.execute(select(_models.content).where(_models.key == model.key)).scalar_one())


def soft_labels(tx: Connection, model: Model, start: int) -> tuple[int, NDArray[np.float32], NDArray[np.int32]]:
    """The stored chunk that holds row `start`: its first row, probabilities [rows, K] and labels [rows].

    Raises:
        ServiceError: MODEL_NOT_FOUND when it was deleted since.
    """
    query = select(schema.soft_labels).where(
        _labels.model_key == model.key, _labels.row_offset == start - start % CHUNK_ROWS
    )
    row = tx.execute(query).first()
    if row is None:
        raise ServiceError(Reason.MODEL_NOT_FOUND, "the model was deleted", metadata={"model": model.model_id})
    probabilities = unpack_array(row.probabilities, "float32").reshape(row.rows, -1)
    return row.row_offset, probabilities, unpack_array(row.labels, "int32")


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[Model]:
    """Up to size + 1 models, newest first."""
    query = select(*_DESCRIPTION).where(_models.project_key == project.key)
    return [_model(row) for row in tx.execute(newest_first(query, _models.key, page))]


def remove(tx: Connection, project: Project, model_id: str) -> None:
    """Deletes a model and its soft labels.

    Raises:
        ServiceError: MODEL_NOT_FOUND.
    """
    tx.execute(delete(schema.models).where(_models.key == get(tx, project, model_id).key))


def _model(row: Row[Any]) -> Model:
    summary = dict(row.summary)
    summary["sources"] = [SourceEstimate(**estimate) for estimate in summary["sources"]]
    summary["side"] = SideSettings.from_json(summary.get("side", {}))  # older models have none
    return Model(
        key=row.key,
        model_id=row.model_id,
        votes_version=row.votes_version,
        item_count=row.item_count,
        summary=ModelSummary(**summary),
        create_time=row.create_time,
    )
