"""Fits and models: the side information of a fit, and models as messages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from weaklabel_protocol.column_tables import to_message
from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_protocol.v1 import models_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import MAX_SOURCES, check_names, side_data_id
from weaklabel_server.messages.fit_options import read_records, records_message
from weaklabel_server.messages.resources import timestamp
from weaklabel_server.store.label_tables import LabelTable
from weaklabel_server.store.models import Model
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import FIT_KINDS, SideKind, SideSettings, SourceBounds

MAX_ITERATIONS = 100_000

_SAMPLINGS: dict[int, str] = {
    models_pb2.GOLD_SAMPLING_UNSPECIFIED: "auto",
    models_pb2.GOLD_SAMPLING_RANDOM: "random",
    models_pb2.GOLD_SAMPLING_BY_CLASS: "by_class",
}
"""LabelModel.fit's gold_sampling by the numbers of the contract."""
_NUMBER_OF_SAMPLING = {sampling: number for number, sampling in _SAMPLINGS.items()}


def read_fit_settings(request: models_pb2.FitModelRequest, project_id: str) -> FitSettings:
    """The settings of a fit in a project, checked to the extent that it takes no store.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if request.options.max_iterations > MAX_ITERATIONS:
        raise invalid("options.max_iterations", f"at most {MAX_ITERATIONS}, got {request.options.max_iterations}")
    side = _read_side(request.side, project_id)
    records = read_records(request.records, project_id)
    if request.follow and request.votes_version:
        raise invalid("votes_version", "a fit that follows the project reads the newest version: 0")
    if request.over_time and side != SideSettings():
        raise invalid("side", "a fit over time takes no side information")
    return FitSettings(
        seed=request.options.seed,
        max_iterations=request.options.max_iterations,
        side=side,
        records=records,
        follow=request.follow,
        over_time=request.over_time,
    )


def model_name(project: Project, model: Model) -> str:
    """The resource name of a model."""
    return names.format_model(project.project_id, model.model_id)


def model_message(project: Project, model: Model) -> models_pb2.Model:
    """A model as a message."""
    summary, kind = model.summary, model.summary.kind
    return models_pb2.Model(
        name=model_name(project, model),
        votes_version=model.votes_version,
        item_count=model.item_count,
        iteration_count=summary.iteration_count,
        converged=summary.converged,
        objective=summary.objective,
        class_balance=summary.class_balance,
        sources=[models_pb2.SourceEstimate(**asdict(one)) for one in summary.sources],
        warnings=summary.warnings,
        risk=summary.risk,
        doubt=summary.doubt,
        groups=[
            models_pb2.GroupBalance(group=group, class_balance=balance)
            for group, balance in summary.group_balance.items()
        ],
        side=_side_message(project, summary.side),
        create_time=timestamp(model.create_time),
        uploaded=summary.uploaded,
        tables=[] if kind is None else [_table_info(one) for one in kind.tables],
        source_table=None if kind is None or not kind.sources else to_message(_table(kind.sources)),
        summary="" if kind is None else kind.text,
        records=None if kind is None else records_message(project, kind.records),
        over_time=summary.over_time,
        skill_jumps=[
            models_pb2.SkillJump(
                source=one.source,
                time=timestamp(one.time),
                accuracy_before=one.before,
                accuracy_after=one.after,
            )
            for one in summary.skill_jumps
        ],
    )


def _table_info(table: LabelTable) -> models_pb2.LabelTableInfo:
    return models_pb2.LabelTableInfo(name=table.name, row_count=table.rows, columns=table.columns)


def _table(columns: Mapping[str, list[Any]]) -> Table:
    """A table of sources, as it is kept in JSON."""
    read: dict[str, AnyColumn] = {}
    for name, values in columns.items():
        if any(isinstance(one, str) for one in values):
            read[name] = Texts.of(values)
        elif values and all(isinstance(one, int) for one in values):
            read[name] = np.array(values, np.int32)
        else:
            read[name] = np.array([np.nan if one is None else one for one in values], np.float64)
    return Table(read)


def _side_message(project: Project, side: SideSettings) -> models_pb2.SideInformation | None:
    if side == SideSettings():
        return None
    message = models_pb2.SideInformation(
        gold_error=side.gold_error,
        bounds=[
            models_pb2.SourceBounds(source=one.source, accuracy_low=one.low, accuracy_high=one.high)
            for one in side.bounds
        ],
        families=[models_pb2.SourceFamily(source=source, family=family) for source, family in side.families.items()],
        **{kind: names.format_side_data(project.project_id, name) for kind, name in side.data.items()},
    )
    message.gold_sampling = _NUMBER_OF_SAMPLING[side.gold_sampling]  # type: ignore[assignment]  # an enum is a number
    return message


def _read_side(message: models_pb2.SideInformation, project_id: str) -> SideSettings:
    data: dict[SideKind, str] = {}
    for kind in FIT_KINDS:
        name = getattr(message, kind)
        if name:
            data[kind] = side_data_id(name, project_id, field=f"side.{kind}")
    if not 0 <= message.gold_error < 1:
        raise invalid("side.gold_error", f"0 to below 1, got {message.gold_error}")
    if message.gold_error and not message.gold:
        raise invalid("side.gold_error", "there is no gold that it could be the error of")
    if message.gold_weight and not message.gold:
        raise invalid("side.gold_weight", "there is no gold that it could weigh")
    if message.gold_sampling not in _SAMPLINGS:
        raise invalid("side.gold_sampling", f"a way in which gold is drawn, got {message.gold_sampling}")
    for at, bound in enumerate(message.bounds):
        if not 0 <= bound.accuracy_low <= bound.accuracy_high <= 1:
            raise invalid(
                f"side.bounds[{at}]", f"0 <= low <= high <= 1, got {bound.accuracy_low} and {bound.accuracy_high}"
            )
    check_names([bound.source for bound in message.bounds], field="side.bounds", what="sources", limit=MAX_SOURCES)
    bounds = tuple(SourceBounds(one.source, one.accuracy_low, one.accuracy_high) for one in message.bounds)
    families = read_families(message.families, field="side.families")
    return SideSettings(data, message.gold_error, bounds, _SAMPLINGS[message.gold_sampling], families)


def read_families(given: Sequence[models_pb2.SourceFamily], *, field: str) -> dict[str, str]:
    """The family of sources by their names.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    check_names([one.source for one in given], field=field, what="sources", limit=MAX_SOURCES)
    check_names(list(dict.fromkeys(one.family for one in given)), field=field, what="families", limit=MAX_SOURCES)
    return {one.source: one.family for one in given}
