"""Client of the weaklabel service: votes up, calibrated soft labels down.

    from weaklabel_client import Client

    with Client("127.0.0.1:50051") as client:
        client.create_project("spam", classes=["ham", "spam"])
        client.upload_votes("spam", votes, sources=names)
        model = client.fit("spam").result(progress=True)
        soft = client.soft_labels("spam", model=model.name)

The client for asyncio is weaklabel_client.aio.
"""

from weaklabel_client import _compatibility as _compatibility  # first: it checks the version of weaklabel-protocol
from weaklabel_client._exceptions import (
    Aborted,
    AlreadyExists,
    Cancelled,
    ClientError,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InternalError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    UploadInterrupted,
)
from weaklabel_client._inputs.records import document_records
from weaklabel_client._results.analysis import (
    ConfusionMatrices,
    Diagnostics,
    EffectiveVotes,
    Explanation,
    Finding,
    PairwiseAgreement,
    Scores,
    SourceSummary,
)
from weaklabel_client._results.cards import Card
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.column_table import ColumnTable, ModelInspection, RecordSet
from weaklabel_client._results.estimates import ClassRates, Estimate
from weaklabel_client._results.inspection import (
    ContestedItems,
    LeaveOneOut,
    Mistakes,
    Reliability,
    ScoreTable,
    SourceConfusions,
    SourcePairs,
)
from weaklabel_client._results.label_errors import LabelIssues, Suspect
from weaklabel_client._results.prompts import (
    Plan,
    PromptFailure,
    PromptPlan,
    PromptProgress,
    PromptRun,
    PromptSpending,
    PromptStage,
    PromptSummary,
)
from weaklabel_client._results.types import (
    FitProgress,
    FitStage,
    Model,
    NextToLabel,
    Project,
    SideData,
    SkillJump,
    SoftLabels,
    Source,
    SourceEstimate,
    TransferProgress,
    UploadProgress,
    UploadResult,
    VoteMatrix,
)
from weaklabel_client._sync.operations import FitOperation, PromptOperation
from weaklabel_client._sync.prompts import Prompts
from weaklabel_client._version import __version__
from weaklabel_client.client import Client
from weaklabel_protocol.bags import (
    Bags,
    at_least_one,
    class_counts,
    different_label,
    none_of,
    proportions,
    same_label,
)
from weaklabel_protocol.label_spaces import LabelSpace, Numbers, Ordinal, Preferences, Sequences, Tags, Tree
from weaklabel_protocol.rankings import comparisons_from_rankings
from weaklabel_protocol.vote_objects import CandidateSet, Complement, SoftVote, not_, one_of, soft

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Bags",
    "Cancelled",
    "CandidateSet",
    "Card",
    "ClassRates",
    "Client",
    "ClientError",
    "Codebook",
    "ColumnTable",
    "Complement",
    "ConfusionMatrices",
    "ContestedItems",
    "DeadlineExceeded",
    "Diagnostics",
    "EffectiveVotes",
    "Estimate",
    "Explanation",
    "FailedPrecondition",
    "FieldViolation",
    "Finding",
    "FitOperation",
    "FitProgress",
    "FitStage",
    "InternalError",
    "InvalidArgument",
    "LabelIssues",
    "LabelSpace",
    "LeaveOneOut",
    "Mistakes",
    "Model",
    "ModelInspection",
    "NextToLabel",
    "NotFound",
    "Numbers",
    "Ordinal",
    "PairwiseAgreement",
    "PermissionDenied",
    "Plan",
    "Preferences",
    "Project",
    "PromptFailure",
    "PromptOperation",
    "PromptPlan",
    "PromptProgress",
    "PromptRun",
    "PromptSpending",
    "PromptStage",
    "PromptSummary",
    "Prompts",
    "RecordSet",
    "Reliability",
    "ResourceExhausted",
    "ScoreTable",
    "Scores",
    "Sequences",
    "SideData",
    "SkillJump",
    "SoftLabels",
    "SoftVote",
    "Source",
    "SourceConfusions",
    "SourceEstimate",
    "SourcePairs",
    "SourceSummary",
    "Suspect",
    "Tags",
    "TransferProgress",
    "Tree",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadInterrupted",
    "UploadProgress",
    "UploadResult",
    "VoteMatrix",
    "__version__",
    "at_least_one",
    "class_counts",
    "comparisons_from_rankings",
    "different_label",
    "document_records",
    "none_of",
    "not_",
    "one_of",
    "proportions",
    "same_label",
    "soft",
]
