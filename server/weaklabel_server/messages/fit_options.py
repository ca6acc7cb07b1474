"""What a fit of a project with a label space is told."""

from collections.abc import Callable, Mapping
from typing import Any

from weaklabel_protocol.v1 import models_pb2
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.messages.checks import record_set_id
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideKind, SideSettings

MOST_SETS = 100
"""Record sets of one fit."""


def _between(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Callable[[Any], str]:
    told = f"{'above' if open_low else 'at least'} {low:g} and {'below' if open_high else 'at most'} {high:g}"

    def fault(value: float) -> str:
        inside = (low < value if open_low else low <= value) and (value < high if open_high else value <= high)
        return "" if inside else f"a number {told}, got {value:g}"

    return fault


def _one_of(*choices: str) -> Callable[[Any], str]:
    return lambda value: "" if value in choices else f"one of {', '.join(choices)}, got {value!r}"


_OPTIONS: Mapping[str, Mapping[str, Callable[[Any], str]]] = {
    "classes": {},
    "numbers": {"common_error": _between(0, 10), "coverage": _between(0, 1, open_low=True, open_high=True)},
    "tags": {"unlisted": _one_of("learned", "no", "unknown")},
    "preferences": {},
    "sequence": {"silence": _one_of("auto", "O", "nothing"), "decoding": _one_of("viterbi", "marginal")},
    "ordinal": {"common_error": _between(0, 1)},
    "tree": {"threshold": _between(0.5, 1, open_high=True)},
}
"""The options of each label space, and what is wrong with a value."""


def read_records(message: models_pb2.RecordFit, project_id: str) -> RecordSettings:
    """The records of a fit, checked to the extent that it takes no store.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if len(message.votes) > MOST_SETS:
        raise invalid("records.votes", f"at most {MOST_SETS} record sets, got {len(message.votes)}")
    votes = [record_set_id(name, project_id, field=f"records.votes[{at}]") for at, name in enumerate(message.votes)]
    if len(set(votes)) < len(votes):
        raise invalid("records.votes", "a record set is named twice")
    gold = record_set_id(message.gold, project_id, field="records.gold") if message.gold else ""
    options = {field.name: value for field, value in message.options.ListFields()}
    return RecordSettings(tuple(votes), gold, options)


def records_message(project: Project, records: RecordSettings) -> models_pb2.RecordFit:
    """What a fit was told, as a message."""
    return models_pb2.RecordFit(
        votes=[names.format_record_set(project.project_id, one) for one in records.votes],
        gold=names.format_record_set(project.project_id, records.gold) if records.gold else "",
        options=models_pb2.KindOptions(**records.options) if records.options else None,
    )


def check_fit_settings(project: Project, votes_version: int, settings: FitSettings) -> None:
    """Refuses what is not for the label space of a project.

    Raises:
        ServiceError: INVALID_FIELD, NO_VOTES.
    """
    kind = "classes" if project.label_space is None else project.label_space.kind
    records = settings.records
    for name, value in records.options.items():
        fault = _OPTIONS[kind].get(name)
        if fault is None:
            known = ", ".join(_OPTIONS[kind]) or "none"
            raise invalid(f"records.options.{name}", f"the options of the label space {kind} are {known}")
        if told := fault(value):
            raise invalid(f"records.options.{name}", told)
    if settings.follow and project.takes_records:
        raise invalid("follow", "projects are followed whose votes are those of VoteService")
    if settings.over_time and kind != "classes":
        raise invalid("over_time", f"skills change over time where labels are classes, not in the label space {kind}")
    if not project.takes_records:
        if records.votes or records.gold:
            raise invalid("records.votes", f"the votes of the label space {kind} are those of VoteService")
        if kind == "ordinal" and not _is_gold_alone(settings.side):
            raise invalid("side", "of side data, ordered classes take exact gold and nothing else")
        return
    if votes_version:
        raise invalid("votes_version", f"the votes of the label space {kind} are record sets, which have no versions")
    if settings.side != SideSettings():
        raise invalid("side", f"the label space {kind} takes no side data: give records.gold")
    if not records.votes:
        raise ServiceError(
            Reason.NO_VOTES,
            f'no record sets are named: upload votes of project "{project.project_id}" by RecordService.UploadRecords, '
            "and name them in records.votes",
            metadata={"project": project.project_id},
        )


def _is_gold_alone(side: SideSettings) -> bool:
    return side == SideSettings(data={kind: one for kind, one in side.data.items() if kind is SideKind.GOLD})
