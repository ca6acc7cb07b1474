"""The RPCs of the contract, typed. Both clients build their calls from this table."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from weaklabel_protocol.v1 import (
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    prompts_pb2,
    side_data_pb2,
    sources_pb2,
    votes_pb2,
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True)
class Rpc(Generic[Request, Response]):
    """One method of one service."""

    service: str
    method: str
    request: type[Request]
    response: type[Response]

    @property
    def path(self) -> str:
        """The path of the HTTP/2 request."""
        return f"/{self.service}/{self.method}"


_PROJECT = "weaklabel.v1.ProjectService"
CREATE_PROJECT = Rpc(_PROJECT, "CreateProject", projects_pb2.CreateProjectRequest, projects_pb2.CreateProjectResponse)
GET_PROJECT = Rpc(_PROJECT, "GetProject", projects_pb2.GetProjectRequest, projects_pb2.GetProjectResponse)
LIST_PROJECTS = Rpc(_PROJECT, "ListProjects", projects_pb2.ListProjectsRequest, projects_pb2.ListProjectsResponse)
DELETE_PROJECT = Rpc(_PROJECT, "DeleteProject", projects_pb2.DeleteProjectRequest, projects_pb2.DeleteProjectResponse)

_SOURCE = "weaklabel.v1.SourceService"
GET_SOURCE = Rpc(_SOURCE, "GetSource", sources_pb2.GetSourceRequest, sources_pb2.GetSourceResponse)
LIST_SOURCES = Rpc(_SOURCE, "ListSources", sources_pb2.ListSourcesRequest, sources_pb2.ListSourcesResponse)
DELETE_SOURCE = Rpc(_SOURCE, "DeleteSource", sources_pb2.DeleteSourceRequest, sources_pb2.DeleteSourceResponse)

_MODEL = "weaklabel.v1.ModelService"
FIT_MODEL = Rpc(_MODEL, "FitModel", models_pb2.FitModelRequest, models_pb2.FitModelResponse)
GET_MODEL = Rpc(_MODEL, "GetModel", models_pb2.GetModelRequest, models_pb2.GetModelResponse)
LIST_MODELS = Rpc(_MODEL, "ListModels", models_pb2.ListModelsRequest, models_pb2.ListModelsResponse)
DELETE_MODEL = Rpc(_MODEL, "DeleteModel", models_pb2.DeleteModelRequest, models_pb2.DeleteModelResponse)

_PROMPT = "weaklabel.v1.PromptService"
PLAN_PROMPTS = Rpc(_PROMPT, "PlanPrompts", prompts_pb2.PlanPromptsRequest, prompts_pb2.PlanPromptsResponse)
RUN_PROMPTS = Rpc(_PROMPT, "RunPrompts", prompts_pb2.RunPromptsRequest, prompts_pb2.RunPromptsResponse)
GET_PROMPT_RUN = Rpc(_PROMPT, "GetPromptRun", prompts_pb2.GetPromptRunRequest, prompts_pb2.GetPromptRunResponse)
LIST_PROMPT_RUNS = Rpc(_PROMPT, "ListPromptRuns", prompts_pb2.ListPromptRunsRequest, prompts_pb2.ListPromptRunsResponse)
GET_PROMPT_SPENDING = Rpc(
    _PROMPT, "GetPromptSpending", prompts_pb2.GetPromptSpendingRequest, prompts_pb2.GetPromptSpendingResponse
)

_OPERATION = "weaklabel.v1.OperationService"
GET_OPERATION = Rpc(_OPERATION, "GetOperation", operations_pb2.GetOperationRequest, operations_pb2.GetOperationResponse)
LIST_OPERATIONS = Rpc(
    _OPERATION, "ListOperations", operations_pb2.ListOperationsRequest, operations_pb2.ListOperationsResponse
)
CANCEL_OPERATION = Rpc(
    _OPERATION, "CancelOperation", operations_pb2.CancelOperationRequest, operations_pb2.CancelOperationResponse
)
WATCH_OPERATION = Rpc(
    _OPERATION, "WatchOperation", operations_pb2.WatchOperationRequest, operations_pb2.WatchOperationResponse
)

_VOTE = "weaklabel.v1.VoteService"
UPLOAD_VOTES = Rpc(_VOTE, "UploadVotes", votes_pb2.UploadVotesRequest, votes_pb2.UploadVotesResponse)
READ_VOTES = Rpc(_VOTE, "ReadVotes", votes_pb2.ReadVotesRequest, votes_pb2.ReadVotesResponse)

_SIDE_DATA = "weaklabel.v1.SideDataService"
UPLOAD_SIDE_DATA = Rpc(
    _SIDE_DATA, "UploadSideData", side_data_pb2.UploadSideDataRequest, side_data_pb2.UploadSideDataResponse
)
GET_SIDE_DATA = Rpc(_SIDE_DATA, "GetSideData", side_data_pb2.GetSideDataRequest, side_data_pb2.GetSideDataResponse)
LIST_SIDE_DATA = Rpc(_SIDE_DATA, "ListSideData", side_data_pb2.ListSideDataRequest, side_data_pb2.ListSideDataResponse)
DELETE_SIDE_DATA = Rpc(
    _SIDE_DATA, "DeleteSideData", side_data_pb2.DeleteSideDataRequest, side_data_pb2.DeleteSideDataResponse
)

_LABEL = "weaklabel.v1.LabelService"
READ_SOFT_LABELS = Rpc(_LABEL, "ReadSoftLabels", labels_pb2.ReadSoftLabelsRequest, labels_pb2.ReadSoftLabelsResponse)
PREDICT = Rpc(_LABEL, "Predict", labels_pb2.PredictRequest, labels_pb2.PredictResponse)
PREDICT_STREAM = Rpc(_LABEL, "PredictStream", labels_pb2.PredictStreamRequest, labels_pb2.PredictStreamResponse)
NEXT_TO_LABEL = Rpc(_LABEL, "NextToLabel", labels_pb2.NextToLabelRequest, labels_pb2.NextToLabelResponse)

# Every unary call may be repeated: what it changes is guarded by a request id.
UNARY: tuple[Rpc[Any, Any], ...] = (
    CREATE_PROJECT,
    GET_PROJECT,
    LIST_PROJECTS,
    DELETE_PROJECT,
    GET_SOURCE,
    LIST_SOURCES,
    DELETE_SOURCE,
    FIT_MODEL,
    GET_MODEL,
    LIST_MODELS,
    DELETE_MODEL,
    PLAN_PROMPTS,
    RUN_PROMPTS,
    GET_PROMPT_RUN,
    LIST_PROMPT_RUNS,
    GET_PROMPT_SPENDING,
    GET_SIDE_DATA,
    LIST_SIDE_DATA,
    DELETE_SIDE_DATA,
    GET_OPERATION,
    LIST_OPERATIONS,
    CANCEL_OPERATION,
    PREDICT,
    NEXT_TO_LABEL,
)
# On the wire a single request is a stream of one, so streams of both kinds are driven alike.
STREAMS: tuple[Rpc[Any, Any], ...] = (
    WATCH_OPERATION,
    UPLOAD_VOTES,
    UPLOAD_SIDE_DATA,
    READ_VOTES,
    READ_SOFT_LABELS,
    PREDICT_STREAM,
)
