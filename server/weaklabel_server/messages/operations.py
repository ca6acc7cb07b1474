"""Operations and their progress as messages."""

from dataclasses import asdict

from weaklabel_protocol.v1 import operations_pb2, status_pb2
from weaklabel_server import names
from weaklabel_server.messages.resources import timestamp
from weaklabel_server.store.operations import Operation, Progress, PromptProgress, PromptSettings, Stage

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
