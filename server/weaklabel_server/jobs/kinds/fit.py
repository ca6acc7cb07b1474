"""Fits of models of label spaces, on what the store holds. It runs in a worker."""

import math
import secrets
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection

from weaklabel.errors import WeaklabelError
from weaklabel_protocol.column_tables import cuts, to_message
from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.kinds.kind import FitArguments, Kind, Tables
from weaklabel_server.jobs.kinds.registry import kind_of
from weaklabel_server.jobs.kinds.trees import TreeKind
from weaklabel_server.jobs.label_model import check_label_cells, fitting
from weaklabel_server.messages.checks import MAX_SOURCES
from weaklabel_server.messages.records import stored_table
from weaklabel_server.store import items, label_tables, projects, record_sets, votes
from weaklabel_server.store.chunks import compressed
from weaklabel_server.store.label_tables import LabelTable, PackedTable
from weaklabel_server.store.models import FittedModel, KindSummary, ModelSummary
from weaklabel_server.store.operations import FitSettings, Progress, Stage
from weaklabel_server.store.projects import Project
from weaklabel_server.store.reader import StoreReader
from weaklabel_server.store.record_sets import RecordSettings

if TYPE_CHECKING:
    from weaklabel.model import FitProgress


@dataclass(frozen=True)
class Limits:
    """What a fit may take."""

    cells: int
    """Of labels."""
    spare_bytes: int
    """Memory beyond what was estimated of the number of records."""


def fit(
    store: StoreReader,
    project_id: str,
    votes_version: int,
    settings: FitSettings,
    limits: Limits,
    report: Callable[[Progress], None],
) -> FittedModel:
    """Fits a model on records, or on votes for ordered classes.

    Args:
        store: Where they are.
        project_id: Of which project.
        votes_version: The version of the votes, where there are any.
        settings: How to fit.
        limits: What it may take.
        report: Called with each step of progress; what it raises ends the fit.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND, RECORDS_UNSUITABLE, LABELS_TOO_LARGE, FIT_TOO_LARGE; whatever report
            raises.
    """
    project, given, gold = _read(store, project_id, votes_version, settings)
    kind = kind_of(project)
    check_label_cells(kind.cells(given), 1, limits.cells)
    if isinstance(given, Table):
        _check_sources(given)
        _check_memory(kind.bytes_beyond_rows(given), limits)
    progress = Progress(Stage.FITTING)

    def on_iteration(step: "FitProgress") -> None:
        nonlocal progress
        progress = fitting(step)
        report(progress)

    report(progress)
    arguments = FitArguments(
        seed=settings.seed,
        max_iter=settings.max_iterations or None,
        options=settings.records.options,
        progress=on_iteration,
    )
    try:
        with warnings.catch_warnings(action="ignore"):  # they are among what the model tells
            model = kind.fit(given, gold, arguments)
        report(progress.at(Stage.LABELING))
        labels = kind.labels(model, given, settings.records.options)
    except WeaklabelError as error:
        raise ServiceError(Reason.RECORDS_UNSUITABLE, str(error)) from error
    return fitted_model(kind, model, labels, settings, votes_version=votes_version)


def fitted_model(
    kind: Kind[Any],
    model: Any,
    labels: Tables | None,
    settings: FitSettings,
    *,
    votes_version: int,
    content: bytes | None = None,
) -> FittedModel:
    """A model as it is stored, with its labels where it has any; `content` is its file where it came as one."""
    return FittedModel(
        model_id=secrets.token_hex(8),
        votes_version=votes_version,
        summary=summary_of(kind, model, labels, settings, uploaded=content is not None),
        content=kind.save(model) if content is None else content,
        probabilities=np.empty((0, 1), np.float32),
        labels=np.empty(0, np.int32),
        tables=() if labels is None else tuple(pack(name, table) for name, table in labels.items()),
        n_items=0 if labels is None else _items(labels),
    )


def summary_of(
    kind: Kind[Any], model: Any, labels: Tables | None, settings: FitSettings, *, uploaded: bool = False
) -> ModelSummary:
    """What is kept of a model beside its file and its labels; None where tables are added later."""
    told = kind.told(model)
    return ModelSummary(
        iteration_count=told.iterations,
        converged=told.converged,
        objective=[float(value) for value in told.objective],
        class_balance=[],
        sources=[],
        warnings=list(told.warnings),
        risk=0.0,
        side=settings.side,
        uploaded=uploaded,
        kind=KindSummary(
            tables=[] if labels is None else _described(labels),
            sources={name: _plain(values) for name, values in kind.sources(model).items()},
            text=told.text,
            records=settings.records,
        ),
    )


def with_nodes(fitted: FittedModel, project: Project, names: Texts, records: RecordSettings) -> FittedModel:
    """A model of a tree with the tables of its nodes."""
    kind = kind_of(project)
    assert isinstance(kind, TreeKind)
    labels = kind.nodes(names, fitted.probabilities, records.options)
    summary = replace(fitted.summary, kind=KindSummary(tables=_described(labels), records=records))
    tables = tuple(pack(name, table) for name, table in labels.items())
    return replace(fitted, summary=summary, tables=tables)


def _read(store: StoreReader, project_id: str, votes_version: int, settings: FitSettings) -> tuple[Project, Any, Any]:
    """The project, its votes and gold, as its kind takes them."""
    with store.read() as tx:
        project = projects.get(tx, project_id)
        if not project.takes_records:
            view = votes.view(tx, project_id, votes_version)
            votes.check_not_empty(view)
            ids = items.ids(tx, project, 0, view.item_count) or None
            return project, votes.read(tx, view, ids), side_data.read(tx, view, settings.side).get("gold")
        gold = None
        if settings.records.gold:
            gold = read_set(tx, project, settings.records.gold)
        return project, read_sets(tx, project, settings.records.votes), gold


def read_sets(tx: Connection, project: Project, record_set_ids: Sequence[str]) -> Table:
    """All rows of record sets.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND, RECORDS_UNSUITABLE.
    """
    parts = [read_set(tx, project, one) for one in record_set_ids]
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    different = next((name for name in names for part in parts if name not in part), None)
    if different is not None:
        raise ServiceError(
            Reason.RECORDS_UNSUITABLE,
            f'record sets that are fitted together have the same columns; "{different}" is not in all of them',
        )
    if len(parts) > 1 and project.label_space is not None:
        of_set = {rule.name for rule in project.label_space.rules("votes") if rule.of_set}
        parts = [_apart(part, of_set, one) for part, one in zip(parts, record_set_ids, strict=True)]
    return Table.joined([Table({name: part.columns[name] for name in names}) for part in parts])


def _apart(part: Table, columns: Collection[str], record_set_id: str) -> Table:
    """A record set with texts of these columns that no other record set has."""

    def own(name: str, column: AnyColumn) -> AnyColumn:
        if name in columns and isinstance(column, Texts):
            return Texts(tuple(f"{text} of {record_set_id}" for text in column.names), column.codes)
        return column

    return Table({name: own(name, column) for name, column in part})


def _check_sources(votes: Table) -> None:
    """Refuses more sources than a model tells of in one message.

    Raises:
        ServiceError: RECORDS_UNSUITABLE.
    """
    sources = votes.columns["judge" if "judge" in votes else "source"]
    assert isinstance(sources, Texts)
    if len(sources.names) > MAX_SOURCES:
        raise ServiceError(
            Reason.RECORDS_UNSUITABLE, f"at most {MAX_SOURCES} sources are fitted, got {len(sources.names)}"
        )


def _check_memory(needed: int, limits: Limits) -> None:
    """Refuses records of which more is to be held than their number tells.

    Raises:
        ServiceError: FIT_TOO_LARGE.
    """
    if needed > limits.spare_bytes:
        raise ServiceError(
            Reason.FIT_TOO_LARGE,
            f"the table of the rankings, each as long as the longest, takes about {needed} bytes beside the records, "
            f"and this server allows {max(0, limits.spare_bytes)} more; fit the longest rankings apart, or see "
            "WEAKLABEL_MAX_FIT_MEMORY_BYTES",
            metadata={"estimate_bytes": str(needed), "limit_bytes": str(max(0, limits.spare_bytes))},
        )


def read_set(tx: Connection, project: Project, record_set_id: str) -> Table:
    """All rows of a record set."""
    found = record_sets.get(tx, project, record_set_id)
    return Table.joined([stored_table(chunk.content) for chunk in record_sets.chunks(tx, found)])


def pack(name: str, table: Table) -> PackedTable:
    """A table in chunks; one of no rows has a chunk, too, which says what its columns hold."""
    ranges = list(cuts(table, label_tables.CHUNK_BYTES, label_tables.CHUNK_ROWS)) or [(0, 0)]
    parts = [compressed(to_message(table.part(*one)).SerializeToString()) for one in ranges]
    described = LabelTable(name=name, rows=table.n_rows, columns=list(table.columns))
    return PackedTable(described, [stop - start for start, stop in ranges], parts)


def _items(labels: Tables) -> int:
    """Different items, or documents, of the first table that has each of them."""
    table = labels.get("tokens", next(iter(labels.values())))
    column = table.columns.get("document", table.columns.get("item"))
    assert isinstance(column, Texts)
    return len(column.names)


def _described(labels: Tables) -> list[label_tables.LabelTable]:
    return [
        label_tables.LabelTable(name=name, rows=table.n_rows, columns=list(table.columns))
        for name, table in labels.items()
    ]


def _plain(values: Any) -> list[Any]:
    """A column for JSON: numbers that are not finite are None."""
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [None if isinstance(one, float) and not math.isfinite(one) else one for one in listed]
