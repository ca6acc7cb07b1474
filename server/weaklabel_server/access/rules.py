"""The scope of every RPC: what a token must hold, and where the request names the project.

An RPC that is not here is refused to everybody who needs a token; a test fails where the contract has one that is not.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf.message import Message

from weaklabel_server.caller import Scope


class Rule(NamedTuple):
    """What one RPC needs."""

    scope: Scope | None
    """None: no token at all."""
    field: str = ""
    """Of the request, that names the project or what is in it; empty where the call is about no project. In a stream,
    messages that do not set it are about what an earlier one named."""


_READ, _WRITE, _ADMIN = Scope.READ, Scope.WRITE, Scope.ADMIN

_SERVICES: dict[str, dict[str, Rule]] = {
    "weaklabel.v1.ProjectService": {
        "CreateProject": Rule(_ADMIN, "project_id"),
        "GetProject": Rule(_READ, "name"),
        "ListProjects": Rule(_READ),  # those that the token knows of
        "DeleteProject": Rule(_ADMIN, "name"),
    },
    "weaklabel.v1.SourceService": {
        "GetSource": Rule(_READ, "name"),
        "ListSources": Rule(_READ, "parent"),
        "DeleteSource": Rule(_WRITE, "name"),
    },
    "weaklabel.v1.VoteService": {
        "UploadVotes": Rule(_WRITE, "open.parent"),
        "ReadVotes": Rule(_READ, "parent"),
    },
    "weaklabel.v1.SideDataService": {
        "UploadSideData": Rule(_WRITE, "open.parent"),
        "GetSideData": Rule(_READ, "name"),
        "ListSideData": Rule(_READ, "parent"),
        "DeleteSideData": Rule(_WRITE, "name"),
    },
    "weaklabel.v1.RecordService": {
        "UploadRecords": Rule(_WRITE, "open.parent"),
        "GetRecordSet": Rule(_READ, "name"),
        "ListRecordSets": Rule(_READ, "parent"),
        "DeleteRecordSet": Rule(_WRITE, "name"),
        "ReadRecords": Rule(_READ, "name"),
        "ReadLabelTable": Rule(_READ, "model"),
        "PredictRecords": Rule(_READ, "model"),
        "PredictRecordsStream": Rule(_READ, "model"),
        "InspectModel": Rule(_READ, "model"),
        "ScoreRecords": Rule(_READ, "model"),
    },
    "weaklabel.v1.ModelService": {
        "FitModel": Rule(_WRITE, "parent"),
        "StopFollowing": Rule(_WRITE, "parent"),
        "GetModel": Rule(_READ, "name"),
        "ListModels": Rule(_READ, "parent"),
        "DeleteModel": Rule(_WRITE, "name"),
        "DownloadModel": Rule(_READ, "name"),
        "UploadModel": Rule(_WRITE, "open.parent"),
    },
    "weaklabel.v1.PromptService": {
        "PlanPrompts": Rule(_READ, "parent"),
        "RunPrompts": Rule(_WRITE, "parent"),
        "GetPromptRun": Rule(_READ, "name"),
        "ListPromptRuns": Rule(_READ, "parent"),
        "GetPromptSpending": Rule(_READ, "parent"),
    },
    "weaklabel.v1.OperationService": {
        "GetOperation": Rule(_READ, "name"),
        "ListOperations": Rule(_READ, "parent"),
        "WaitOperation": Rule(_READ, "name"),
        "WatchOperation": Rule(_READ, "name"),
        "CancelOperation": Rule(_WRITE, "name"),
    },
    "weaklabel.v1.LabelService": {
        "ReadSoftLabels": Rule(_READ, "model"),
        "Predict": Rule(_READ, "model"),
        "PredictStream": Rule(_READ, "model"),
        "NextToLabel": Rule(_READ, "model"),
        "GetSoftLabels": Rule(_READ, "model"),
        "Explain": Rule(_READ, "model"),
        "PredictSet": Rule(_READ, "model"),
    },
    "weaklabel.v1.AnalysisService": {
        "ReadSourceSummary": Rule(_READ, "parent"),
        "ReadPairwiseAgreement": Rule(_READ, "parent"),
        "ReadEffectiveVotes": Rule(_READ, "model"),
        "ReadConfusionMatrices": Rule(_READ, "model"),
        "GetDiagnostics": Rule(_READ, "model"),
        "Evaluate": Rule(_READ, "model"),
        "ReadScores": Rule(_READ, "model"),
        "GetAccuracyEstimate": Rule(_READ, "model"),
        "GetDifferenceEstimate": Rule(_READ, "model"),
        "ReadBalanceEstimates": Rule(_READ, "model"),
        "ReadRateEstimates": Rule(_READ, "model"),
        "GetLabelsNeeded": Rule(_READ, "parent"),
        "GetReliability": Rule(_READ, "parent"),
        "ReadSourcePairs": Rule(_READ, "model"),
        "ReadSourceConfusions": Rule(_READ, "model"),
        "ReadContestedItems": Rule(_READ, "parent"),
        "ReadMistakes": Rule(_READ, "model"),
        "ReadLeaveOneOut": Rule(_READ, "model"),
        "ReadLabelErrors": Rule(_READ, "parent"),
    },
    "weaklabel.v1.ReleaseService": {
        "GetCard": Rule(_READ, "model"),
        "ExportProject": Rule(_READ, "name"),
        "ImportProject": Rule(_ADMIN, "open.name"),
    },
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": Rule(_READ)},
    # Load balancers and probes have no token; they learn nothing of any project.
    "grpc.health.v1.Health": {"Check": Rule(None), "List": Rule(None), "Watch": Rule(None)},
}

RULES: Mapping[str, Rule] = MappingProxyType(
    {f"/{service}/{method}": rule for service, methods in _SERVICES.items() for method, rule in methods.items()}
)

CREATE_PROJECT = "/weaklabel.v1.ProjectService/CreateProject"


def named(rule: Rule, request: Message) -> str:
    """What a request names in the field of its rule; empty where it sets none."""
    value: object = request
    for part in rule.field.split("."):
        value = getattr(value, part)
    return str(value)


def project_of(name: str) -> str | None:
    """The project in a resource name, as names.py reads it; None where there is none."""
    match name.split("/"):
        case ["projects", project_id, *_] if project_id:
            return project_id
    return None
