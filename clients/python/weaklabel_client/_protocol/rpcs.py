"""The RPCs of the contract, typed. Both clients build their calls from this table."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from weaklabel_protocol.v1 import (
    analysis_pb2,
    estimates_pb2,
    inspection_pb2,
    label_errors_pb2,
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    prompts_pb2,
    records_pb2,
    releases_pb2,
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

_RECORD = "weaklabel.v1.RecordService"
UPLOAD_RECORDS = Rpc(_RECORD, "UploadRecords", records_pb2.UploadRecordsRequest, records_pb2.UploadRecordsResponse)
GET_RECORD_SET = Rpc(_RECORD, "GetRecordSet", records_pb2.GetRecordSetRequest, records_pb2.GetRecordSetResponse)
LIST_RECORD_SETS = Rpc(_RECORD, "ListRecordSets", records_pb2.ListRecordSetsRequest, records_pb2.ListRecordSetsResponse)
DELETE_RECORD_SET = Rpc(
    _RECORD, "DeleteRecordSet", records_pb2.DeleteRecordSetRequest, records_pb2.DeleteRecordSetResponse
)
READ_RECORDS = Rpc(_RECORD, "ReadRecords", records_pb2.ReadRecordsRequest, records_pb2.ReadRecordsResponse)
READ_LABEL_TABLE = Rpc(_RECORD, "ReadLabelTable", records_pb2.ReadLabelTableRequest, records_pb2.ReadLabelTableResponse)
PREDICT_RECORDS = Rpc(_RECORD, "PredictRecords", records_pb2.PredictRecordsRequest, records_pb2.PredictRecordsResponse)
PREDICT_RECORDS_STREAM = Rpc(
    _RECORD,
    "PredictRecordsStream",
    records_pb2.PredictRecordsStreamRequest,
    records_pb2.PredictRecordsStreamResponse,
)
SCORE_RECORDS = Rpc(_RECORD, "ScoreRecords", records_pb2.ScoreRecordsRequest, records_pb2.ScoreRecordsResponse)
INSPECT_MODEL = Rpc(_RECORD, "InspectModel", records_pb2.InspectModelRequest, records_pb2.InspectModelResponse)

_MODEL = "weaklabel.v1.ModelService"
FIT_MODEL = Rpc(_MODEL, "FitModel", models_pb2.FitModelRequest, models_pb2.FitModelResponse)
STOP_FOLLOWING = Rpc(_MODEL, "StopFollowing", models_pb2.StopFollowingRequest, models_pb2.StopFollowingResponse)
GET_MODEL = Rpc(_MODEL, "GetModel", models_pb2.GetModelRequest, models_pb2.GetModelResponse)
LIST_MODELS = Rpc(_MODEL, "ListModels", models_pb2.ListModelsRequest, models_pb2.ListModelsResponse)
DELETE_MODEL = Rpc(_MODEL, "DeleteModel", models_pb2.DeleteModelRequest, models_pb2.DeleteModelResponse)
DOWNLOAD_MODEL = Rpc(_MODEL, "DownloadModel", models_pb2.DownloadModelRequest, models_pb2.DownloadModelResponse)
UPLOAD_MODEL = Rpc(_MODEL, "UploadModel", models_pb2.UploadModelRequest, models_pb2.UploadModelResponse)

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
GET_SOFT_LABELS = Rpc(_LABEL, "GetSoftLabels", labels_pb2.GetSoftLabelsRequest, labels_pb2.GetSoftLabelsResponse)
EXPLAIN = Rpc(_LABEL, "Explain", labels_pb2.ExplainRequest, labels_pb2.ExplainResponse)
PREDICT_SET = Rpc(_LABEL, "PredictSet", labels_pb2.PredictSetRequest, labels_pb2.PredictSetResponse)

_ANALYSIS = "weaklabel.v1.AnalysisService"
READ_SOURCE_SUMMARY = Rpc(
    _ANALYSIS, "ReadSourceSummary", analysis_pb2.ReadSourceSummaryRequest, analysis_pb2.ReadSourceSummaryResponse
)
READ_PAIRWISE_AGREEMENT = Rpc(
    _ANALYSIS,
    "ReadPairwiseAgreement",
    analysis_pb2.ReadPairwiseAgreementRequest,
    analysis_pb2.ReadPairwiseAgreementResponse,
)
READ_EFFECTIVE_VOTES = Rpc(
    _ANALYSIS, "ReadEffectiveVotes", analysis_pb2.ReadEffectiveVotesRequest, analysis_pb2.ReadEffectiveVotesResponse
)
READ_CONFUSION_MATRICES = Rpc(
    _ANALYSIS,
    "ReadConfusionMatrices",
    analysis_pb2.ReadConfusionMatricesRequest,
    analysis_pb2.ReadConfusionMatricesResponse,
)
GET_DIAGNOSTICS = Rpc(
    _ANALYSIS, "GetDiagnostics", analysis_pb2.GetDiagnosticsRequest, analysis_pb2.GetDiagnosticsResponse
)
EVALUATE = Rpc(_ANALYSIS, "Evaluate", analysis_pb2.EvaluateRequest, analysis_pb2.EvaluateResponse)
GET_ACCURACY_ESTIMATE = Rpc(
    _ANALYSIS,
    "GetAccuracyEstimate",
    estimates_pb2.GetAccuracyEstimateRequest,
    estimates_pb2.GetAccuracyEstimateResponse,
)
GET_DIFFERENCE_ESTIMATE = Rpc(
    _ANALYSIS,
    "GetDifferenceEstimate",
    estimates_pb2.GetDifferenceEstimateRequest,
    estimates_pb2.GetDifferenceEstimateResponse,
)
READ_BALANCE_ESTIMATES = Rpc(
    _ANALYSIS,
    "ReadBalanceEstimates",
    estimates_pb2.ReadBalanceEstimatesRequest,
    estimates_pb2.ReadBalanceEstimatesResponse,
)
READ_RATE_ESTIMATES = Rpc(
    _ANALYSIS, "ReadRateEstimates", estimates_pb2.ReadRateEstimatesRequest, estimates_pb2.ReadRateEstimatesResponse
)
GET_LABELS_NEEDED = Rpc(
    _ANALYSIS, "GetLabelsNeeded", estimates_pb2.GetLabelsNeededRequest, estimates_pb2.GetLabelsNeededResponse
)
GET_RELIABILITY = Rpc(
    _ANALYSIS, "GetReliability", inspection_pb2.GetReliabilityRequest, inspection_pb2.GetReliabilityResponse
)
READ_SOURCE_PAIRS = Rpc(
    _ANALYSIS, "ReadSourcePairs", inspection_pb2.ReadSourcePairsRequest, inspection_pb2.ReadSourcePairsResponse
)
READ_SOURCE_CONFUSIONS = Rpc(
    _ANALYSIS,
    "ReadSourceConfusions",
    inspection_pb2.ReadSourceConfusionsRequest,
    inspection_pb2.ReadSourceConfusionsResponse,
)
READ_CONTESTED_ITEMS = Rpc(
    _ANALYSIS, "ReadContestedItems", inspection_pb2.ReadContestedItemsRequest, inspection_pb2.ReadContestedItemsResponse
)
READ_MISTAKES = Rpc(_ANALYSIS, "ReadMistakes", inspection_pb2.ReadMistakesRequest, inspection_pb2.ReadMistakesResponse)
READ_LEAVE_ONE_OUT = Rpc(
    _ANALYSIS, "ReadLeaveOneOut", inspection_pb2.ReadLeaveOneOutRequest, inspection_pb2.ReadLeaveOneOutResponse
)
READ_SCORES = Rpc(_ANALYSIS, "ReadScores", inspection_pb2.ReadScoresRequest, inspection_pb2.ReadScoresResponse)
READ_LABEL_ERRORS = Rpc(
    _ANALYSIS, "ReadLabelErrors", label_errors_pb2.ReadLabelErrorsRequest, label_errors_pb2.ReadLabelErrorsResponse
)

_RELEASE = "weaklabel.v1.ReleaseService"
GET_CARD = Rpc(_RELEASE, "GetCard", releases_pb2.GetCardRequest, releases_pb2.GetCardResponse)
EXPORT_PROJECT = Rpc(_RELEASE, "ExportProject", releases_pb2.ExportProjectRequest, releases_pb2.ExportProjectResponse)
IMPORT_PROJECT = Rpc(_RELEASE, "ImportProject", releases_pb2.ImportProjectRequest, releases_pb2.ImportProjectResponse)

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
    STOP_FOLLOWING,
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
    GET_RECORD_SET,
    LIST_RECORD_SETS,
    DELETE_RECORD_SET,
    PREDICT_RECORDS,
    INSPECT_MODEL,
    SCORE_RECORDS,
    GET_OPERATION,
    LIST_OPERATIONS,
    CANCEL_OPERATION,
    PREDICT,
    NEXT_TO_LABEL,
    GET_SOFT_LABELS,
    EXPLAIN,
    PREDICT_SET,
    GET_DIAGNOSTICS,
    EVALUATE,
    GET_ACCURACY_ESTIMATE,
    GET_DIFFERENCE_ESTIMATE,
    GET_LABELS_NEEDED,
    GET_RELIABILITY,
    GET_CARD,
)
# On the wire a single request is a stream of one, so streams of both kinds are driven alike.
STREAMS: tuple[Rpc[Any, Any], ...] = (
    WATCH_OPERATION,
    UPLOAD_VOTES,
    UPLOAD_SIDE_DATA,
    UPLOAD_RECORDS,
    READ_RECORDS,
    READ_LABEL_TABLE,
    PREDICT_RECORDS_STREAM,
    READ_VOTES,
    READ_SOFT_LABELS,
    PREDICT_STREAM,
    DOWNLOAD_MODEL,
    UPLOAD_MODEL,
    READ_SOURCE_SUMMARY,
    READ_PAIRWISE_AGREEMENT,
    READ_EFFECTIVE_VOTES,
    READ_CONFUSION_MATRICES,
    READ_BALANCE_ESTIMATES,
    READ_RATE_ESTIMATES,
    READ_SOURCE_PAIRS,
    READ_SOURCE_CONFUSIONS,
    READ_CONTESTED_ITEMS,
    READ_MISTAKES,
    READ_LEAVE_ONE_OUT,
    READ_SCORES,
    READ_LABEL_ERRORS,
    EXPORT_PROJECT,
    IMPORT_PROJECT,
)
