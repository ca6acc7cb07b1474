"""Messages that are made of what the store holds."""

from dataclasses import asdict

from google.protobuf.timestamp_pb2 import Timestamp

from weaklabel_protocol.v1 import (
    models_pb2,
    operations_pb2,
    projects_pb2,
    side_data_pb2,
    sources_pb2,
    status_pb2,
)
from weaklabel_server import names
from weaklabel_server.store.models import Model
from weaklabel_server.store.operations import Operation, Progress, PromptProgress, PromptSettings, Stage
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideData, SideKind, SideSettings
from weaklabel_server.store.sources import Source

_STAGES = {
    Stage.QUEUED: operations_pb2.FIT_STAGE_QUEUED,
    Stage.READING: operations_pb2.FIT_STAGE_READING,
    Stage.FITTING: operations_pb2.FIT_STAGE_FITTING,
    Stage.LABELING: operations_pb2.FIT_STAGE_LABELING,
    Stage.DONE: operations_pb2.FIT_STAGE_DONE,
}
_PROMPT_STAGES = {
    Stage.QUEUED: operations_pb2.PROMPT_STAGE_QUEUED,
    Stage.READING: operations_pb2.PROMPT_STAGE_READING,
    Stage.ASKING: operations_pb2.PROMPT_STAGE_ASKING,
    Stage.STORING: operations_pb2.PROMPT_STAGE_STORING,
    Stage.DONE: operations_pb2.PROMPT_STAGE_DONE,
}


SIDE_KINDS: dict[int, SideKind] = {
    side_data_pb2.SIDE_DATA_KIND_GOLD: SideKind.GOLD,
    side_data_pb2.SIDE_DATA_KIND_PRIOR: SideKind.PRIOR,
    side_data_pb2.SIDE_DATA_KIND_GROUPS: SideKind.GROUPS,
    side_data_pb2.SIDE_DATA_KIND_FEATURES: SideKind.FEATURES,
    side_data_pb2.SIDE_DATA_KIND_BAGS: SideKind.BAGS,
    side_data_pb2.SIDE_DATA_KIND_FIELDS: SideKind.FIELDS,
}
"""What the numbers of the contract are in the store."""
_NUMBER_OF = {kind: number for number, kind in SIDE_KINDS.items()}


def timestamp(micros: int) -> Timestamp:
    """A time of the store as a message."""
    made = Timestamp()
    made.FromMicroseconds(micros)
    return made


def project_message(project: Project) -> projects_pb2.Project:
    """A project as a message."""
    return projects_pb2.Project(
        name=names.format_project(project.project_id),
        classes=project.classes,
        item_count=project.item_count,
        source_count=project.source_count,
        votes_version=project.votes_version,
        create_time=timestamp(project.create_time),
    )


def source_message(project: Project, source: Source) -> sources_pb2.Source:
    """A source as a message."""
    return sources_pb2.Source(
        name=names.format_source(project.project_id, source.display_name),
        display_name=source.display_name,
        votes_version=source.last_version,
        create_time=timestamp(source.create_time),
    )


def side_data_message(project: Project, side: SideData) -> side_data_pb2.SideData:
    """Side data as a message."""
    message = side_data_pb2.SideData(
        name=names.format_side_data(project.project_id, side.side_data_id),
        row_count=side.committed_rows,
        column_count=side.column_count,
        create_time=timestamp(side.create_time),
    )
    message.kind = _NUMBER_OF[side.kind]  # type: ignore[assignment]  # an enum is a number
    return message


def model_name(project: Project, model: Model) -> str:
    """The resource name of a model."""
    return names.format_model(project.project_id, model.model_id)


def model_message(project: Project, model: Model) -> models_pb2.Model:
    """A model as a message."""
    summary = model.summary
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
        groups=[
            models_pb2.GroupBalance(group=group, class_balance=balance)
            for group, balance in summary.group_balance.items()
        ],
        side=_side_message(project, summary.side),
        create_time=timestamp(model.create_time),
    )


def _side_message(project: Project, side: SideSettings) -> models_pb2.SideInformation | None:
    if side == SideSettings():
        return None
    return models_pb2.SideInformation(
        gold_error=side.gold_error,
        bounds=[
            models_pb2.SourceBounds(source=one.source, accuracy_low=one.low, accuracy_high=one.high)
            for one in side.bounds
        ],
        **{kind: names.format_side_data(project.project_id, name) for kind, name in side.data.items()},
    )


def operation_message(operation: Operation) -> operations_pb2.Operation:
    """An operation as a message."""
    message = operations_pb2.Operation(
        name=names.format_operation(operation.project_id, operation.operation_id),
        done=operation.done,
        create_time=timestamp(operation.create_time),
    )
    if isinstance(operation.progress, PromptProgress):
        message.prompts.CopyFrom(_prompt_progress_message(operation.progress))
    else:
        message.progress.CopyFrom(_progress_message(operation.progress))
    if operation.error is not None:
        message.error.CopyFrom(status_pb2.Status.FromString(operation.error))
    elif operation.model_id is not None:
        message.model = names.format_model(operation.project_id, operation.model_id)
    elif operation.done and isinstance(operation.settings, PromptSettings):
        message.prompt_run = names.format_prompt_run(operation.project_id, operation.operation_id)
    if operation.end_time is not None:
        message.end_time.CopyFrom(timestamp(operation.end_time))
    return message


def _progress_message(progress: Progress) -> operations_pb2.FitProgress:
    return operations_pb2.FitProgress(
        stage=_STAGES[progress.stage],
        iteration=progress.iteration,
        max_iterations=progress.max_iterations,
        objective=progress.objective,
        change=progress.change,
    )


def _prompt_progress_message(progress: PromptProgress) -> operations_pb2.PromptProgress:
    return operations_pb2.PromptProgress(**asdict(progress) | {"stage": _PROMPT_STAGES[progress.stage]})
