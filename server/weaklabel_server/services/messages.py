"""Messages that are made of what the store holds."""

from dataclasses import asdict

from google.protobuf.timestamp_pb2 import Timestamp

from weaklabel_client._gen import models_pb2, operations_pb2, projects_pb2, sources_pb2, status_pb2
from weaklabel_server import names
from weaklabel_server.store.models import Model
from weaklabel_server.store.operations import Operation, Progress, Stage
from weaklabel_server.store.projects import Project
from weaklabel_server.store.sources import Source

_STAGES = {
    Stage.QUEUED: operations_pb2.FIT_STAGE_QUEUED,
    Stage.READING: operations_pb2.FIT_STAGE_READING,
    Stage.FITTING: operations_pb2.FIT_STAGE_FITTING,
    Stage.LABELING: operations_pb2.FIT_STAGE_LABELING,
    Stage.DONE: operations_pb2.FIT_STAGE_DONE,
}


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
        create_time=timestamp(model.create_time),
    )


def operation_message(operation: Operation) -> operations_pb2.Operation:
    """An operation as a message."""
    message = operations_pb2.Operation(
        name=names.format_operation(operation.project_id, operation.operation_id),
        done=operation.done,
        progress=_progress_message(operation.progress),
        create_time=timestamp(operation.create_time),
    )
    if operation.error is not None:
        message.error.CopyFrom(status_pb2.Status.FromString(operation.error))
    elif operation.model_id is not None:
        message.model = names.format_model(operation.project_id, operation.model_id)
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
