"""Fitted models and their soft labels. A model never changes."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from weaklabel_server import names
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.names import ChildName
from weaklabel_server.pages import Page
from weaklabel_server.store import label_tables, schema, trash
from weaklabel_server.store.access import quotas
from weaklabel_server.store.chunks import pack_array, unpack_array
from weaklabel_server.store.database import Database
from weaklabel_server.store.label_tables import LabelTable, PackedTable
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideSettings

_CHUNK_ROWS = 65_536
_CHUNK_BYTES = 1024 * 1024
"""Of the probabilities of a chunk, unless it is one row: readers hold a chunk each."""

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


@dataclass(frozen=True)
class SkillJump:
    """A change of the accuracy of a source at a time, in microseconds since 1970."""

    source: str
    time: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class KindSummary:
    """What is kept of a model of a project with a label space: beside what label models of classes have."""

    tables: list[LabelTable]
    sources: dict[str, list[Any]] = field(default_factory=dict)
    """Columns of the table of sources by name; numbers that are not finite are None."""
    text: str = ""
    records: RecordSettings = field(default_factory=RecordSettings)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON."""
        tables = [LabelTable(**one) for one in values["tables"]]
        return cls(**{**values, "tables": tables, "records": RecordSettings.from_json(values["records"])})


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
    uploaded: bool = False
    kind: KindSummary | None = None
    over_time: bool = False
    skill_jumps: list[SkillJump] = field(default_factory=list)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON; what is missing has its default."""
        sources = [SourceEstimate(**estimate) for estimate in values["sources"]]
        kind = values.get("kind")
        read = {
            "sources": sources,
            "side": SideSettings.from_json(values.get("side", {})),
            "kind": None if kind is None else KindSummary.from_json(kind),
            "skill_jumps": [SkillJump(**one) for one in values.get("skill_jumps", ())],
        }
        return cls(**{**values, **read})


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model without its content."""

    key: int
    model_id: str
    votes_version: int
    item_count: int
    summary: ModelSummary
    create_time: int


class ListedModel(NamedTuple):
    """A model without its summary, which may be large."""

    key: int
    model_id: str
    votes_version: int
    item_count: int
    create_time: int


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A model that is to be stored: `content` is LabelModel.to_bytes(). One that labeled nothing has no rows, N = 0.

    In a project with a label space, `content` is that of its own model, whose labels are tables.
    """

    model_id: str
    votes_version: int
    summary: ModelSummary
    content: bytes
    probabilities: NDArray[np.float32]  # [N, K]
    labels: NDArray[np.int32]  # [N]
    tables: tuple[PackedTable, ...] = ()
    n_items: int | None = None
    """N, where there are no rows."""


def stage(database: Database, fitted: FittedModel, replica_id: str, operation_id: str) -> int:
    """Stores a model with its soft labels where nobody sees it, in short transactions; returns its key."""
    key = database.transact(_insert_hidden, fitted, replica_id, operation_id)
    for chunk in _chunks_of(fitted, key):
        database.transact(_insert_chunk, chunk)
    for table in fitted.tables:
        for values in table.values(key):
            database.transact(label_tables.add_chunk, values)
    return key


def add(tx: Connection, project_key: int, fitted: FittedModel) -> None:
    """Stores a model with its soft labels in one transaction."""
    key = _insert(tx, project_key, fitted)
    for chunk in _chunks_of(fitted, key):
        _insert_chunk(tx, chunk)
    for table in fitted.tables:
        for values in table.values(key):
            label_tables.add_chunk(tx, values)
    _count(tx, project_key, key)


def show(tx: Connection, key: int, project_key: int) -> None:
    """Gives a model that was staged to its project."""
    hidden = tx.execute(select(_models.project_key).where(_models.key == key)).scalar_one()
    tx.execute(update(schema.models).where(_models.key == key).values(project_key=project_key))
    _count(tx, project_key, key)
    tx.execute(delete(schema.projects).where(schema.projects.c.key == hidden))


def _count(tx: Connection, project_key: int, key: int) -> None:
    """Counts the bytes of a model that was stored."""
    quotas.count(tx, project_key, schema.models, _models.key == key)
    quotas.count(tx, project_key, schema.soft_labels, _labels.model_key == key)
    quotas.count(tx, project_key, schema.label_chunks, schema.label_chunks.c.model_key == key)


def _insert_hidden(tx: Connection, fitted: FittedModel, replica_id: str, operation_id: str) -> int:
    trash.throw_staged(tx, replica_id, operation_id)  # of an attempt before
    return _insert(tx, trash.stage(tx, replica_id, operation_id), fitted)


def chunk_rows(n_classes: int) -> int:
    """Rows of the chunks that soft labels are stored in; those of earlier versions have 65,536 of any classes."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // (4 * n_classes)))


def _chunks_of(fitted: FittedModel, key: int) -> Iterator[dict[str, Any]]:
    step = chunk_rows(fitted.probabilities.shape[1])
    for start in range(0, len(fitted.labels), step):
        labels = fitted.labels[start : start + step]
        yield {
            "model_key": key,
            "row_offset": start,
            "rows": len(labels),
            "probabilities": pack_array(fitted.probabilities[start : start + step]),
            "labels": pack_array(labels),
        }


def _insert(tx: Connection, project_key: int, fitted: FittedModel) -> int:
    values = {
        "project_key": project_key,
        "model_id": fitted.model_id,
        "votes_version": fitted.votes_version,
        "item_count": len(fitted.labels) if fitted.n_items is None else fitted.n_items,
        "summary": asdict(fitted.summary),
        "create_time": now_micros(),
        "content": fitted.content,
    }
    key: int = tx.execute(insert(schema.models).values(values).returning(_models.key)).scalar_one()
    return key


def _insert_chunk(tx: Connection, chunk: dict[str, Any]) -> None:
    tx.execute(insert(schema.soft_labels).values(chunk))


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
    """The names of the newest models of all projects of classes."""
    query = (
        select(schema.projects.c.project_id, _models.model_id)
        .join(schema.projects, schema.projects.c.key == _models.project_key)
        .where(schema.projects.c.trash.is_(False), schema.projects.c.label_space.is_(None))
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
    query = select(schema.soft_labels).where(_labels.model_key == model.key, _labels.row_offset <= start)
    row = tx.execute(query.order_by(_labels.row_offset.desc()).limit(1)).first()
    if row is None:
        raise ServiceError(Reason.MODEL_NOT_FOUND, "the model was deleted", metadata={"model": model.model_id})
    probabilities = unpack_array(row.probabilities, "float32").reshape(row.rows, -1)
    return row.row_offset, probabilities, unpack_array(row.labels, "int32")


def all_soft_labels(tx: Connection, model: Model) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """The stored chunks of a model, in order: probabilities [rows, K] and labels [rows].

    Raises:
        ServiceError: MODEL_NOT_FOUND when it was deleted since.
    """
    row = 0
    while row < model.item_count:
        _, probabilities, labels = soft_labels(tx, model, row)
        yield probabilities, labels
        row += len(labels)


def check_labeled(model: Model) -> None:
    """Refuses a model that was uploaded without soft labels, and one whose labels are tables alone.

    Raises:
        ServiceError: NO_SOFT_LABELS.
    """
    if model.summary.kind is not None and not model.summary.sources:
        raise ServiceError(
            Reason.NO_SOFT_LABELS,
            "the labels of this model are tables: read them by RecordService.ReadLabelTable",
            metadata={"model": model.model_id},
        )
    if not model.item_count:
        raise ServiceError(
            Reason.NO_SOFT_LABELS,
            "the model was uploaded without a version of the votes to label: there are no soft labels of it",
            metadata={"model": model.model_id},
        )


def soft_labels_at(
    tx: Connection, model: Model, positions: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The soft labels of some items, in their order: probabilities [rows, K] and labels [rows].

    Raises:
        ServiceError: MODEL_NOT_FOUND when it was deleted since.
    """
    probabilities: NDArray[np.float32] | None = None
    labels = np.empty(len(positions), np.int32)
    order, done = np.argsort(positions, kind="stable"), 0
    while done < len(order):
        first, of_chunk, labels_of_chunk = soft_labels(tx, model, int(positions[order[done]]))
        if probabilities is None:
            probabilities = np.empty((len(positions), of_chunk.shape[1]), np.float32)
        end = int(np.searchsorted(positions, first + len(of_chunk), sorter=order))
        here = order[done:end]
        rows = positions[here] - first
        probabilities[here], labels[here] = of_chunk[rows], labels_of_chunk[rows]
        done = end
    assert probabilities is not None, "there are no positions"
    return probabilities, labels


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[Model]:
    """Up to size + 1 models, newest first."""
    query = select(*_DESCRIPTION).where(_models.project_key == project.key)
    return [_model(row) for row in tx.execute(newest_first(query, _models.key, page))]


def listed_at(tx: Connection, project: Project, votes_version: int, last_key: int, limit: int) -> list[ListedModel]:
    """Models of a version of the votes, or of one before it, the newest of up to a key first."""
    columns = [_models[name] for name in ListedModel._fields]
    query = select(*columns).where(_models.project_key == project.key, _models.votes_version <= votes_version)
    query = query.where(_models.key <= last_key).order_by(_models.key.desc()).limit(limit)
    return [ListedModel(*row) for row in tx.execute(query)]


def remove(tx: Connection, project: Project, model_id: str) -> None:
    """Deletes a model and its soft labels.

    Raises:
        ServiceError: MODEL_NOT_FOUND.
    """
    trash.throw(tx, schema.models, _models.key == get(tx, project, model_id).key)


def remove_old(tx: Connection, keep: int, before: int) -> int:
    """Deletes models made before a time, but for the newest `keep` of each project; returns how many."""
    rank = func.row_number().over(partition_by=_models.project_key, order_by=_models.key.desc()).label("rank")
    ranked = select(_models.key, _models.create_time, rank).subquery()
    old = select(ranked.c.key).where(ranked.c.rank > keep, ranked.c.create_time < before)
    return trash.throw(tx, schema.models, _models.key.in_(old))


def _model(row: Row[Any]) -> Model:
    return Model(
        key=row.key,
        model_id=row.model_id,
        votes_version=row.votes_version,
        item_count=row.item_count,
        summary=ModelSummary.from_json(row.summary),
        create_time=row.create_time,
    )
