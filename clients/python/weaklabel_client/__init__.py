"""Client of the weaklabel service: votes up, calibrated soft labels down.

    from weaklabel_client import Client

    with Client("127.0.0.1:50051") as client:
        client.create_project("spam", classes=["ham", "spam"])
        client.upload_votes("spam", votes, sources=names)
        model = client.fit("spam").result(progress=True)
        soft = client.soft_labels("spam", model=model.name)

The client for asyncio is weaklabel_client.aio.
"""

from weaklabel_client._client import Client, FitOperation
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
from weaklabel_client._types import (
    FitProgress,
    FitStage,
    Model,
    Project,
    SoftLabels,
    Source,
    SourceEstimate,
    UploadProgress,
    UploadResult,
    VoteMatrix,
)
from weaklabel_client._version import __version__

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cancelled",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "FitOperation",
    "FitProgress",
    "FitStage",
    "InternalError",
    "InvalidArgument",
    "Model",
    "NotFound",
    "PermissionDenied",
    "Project",
    "ResourceExhausted",
    "SoftLabels",
    "Source",
    "SourceEstimate",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UploadInterrupted",
    "UploadProgress",
    "UploadResult",
    "VoteMatrix",
    "__version__",
]
