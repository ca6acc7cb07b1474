"""Estimates with intervals as messages, and whose labels a request names."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from weaklabel_protocol.v1 import estimates_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.messages.analysis.cutting import NUMBER, cut
from weaklabel_server.messages.checks import side_data_id

if TYPE_CHECKING:  # SciPy takes a moment to load
    from weaklabel.analysis import ClassRates, Estimate

EstimateRequest = (
    estimates_pb2.GetAccuracyEstimateRequest
    | estimates_pb2.GetDifferenceEstimateRequest
    | estimates_pb2.ReadBalanceEstimatesRequest
    | estimates_pb2.ReadRateEstimatesRequest
)
"""What names a model, known labels, their weights and a confidence."""


LabelsRequest = (
    estimates_pb2.GetAccuracyEstimateRequest
    | estimates_pb2.GetDifferenceEstimateRequest
    | estimates_pb2.ReadRateEstimatesRequest
)
"""Those of them that are about labels."""
CONFIDENCE = 0.95
"""Where a request sets none."""


class Known(NamedTuple):
    """The known labels of a request: ids of side data, and the confidence of intervals."""

    gold: str
    gold_weight: str | None
    confidence: float


class LabelsOf(NamedTuple):
    """Whose labels are meant: one of these is set."""

    source: str = ""
    model_id: str = ""
    side_data_id: str = ""


def read_known(request: EstimateRequest) -> tuple[Known, str]:
    """The known labels that a request names, and its project.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    project_id, _ = names.parse_model(request.model, field="model")
    gold = side_data_id(request.gold, project_id, field="gold")
    weight = side_data_id(request.gold_weight, project_id, field="gold_weight") if request.gold_weight else None
    return Known(gold, weight, request.confidence or CONFIDENCE), project_id


def read_labels(request: LabelsRequest, project_id: str) -> LabelsOf | None:
    """Whose labels a request is about; None for those of its model; raises as read_labels_of."""
    return read_labels_of(request.labels, project_id, field="labels") if request.HasField("labels") else None


def read_labels_of(message: estimates_pb2.GivenLabels, project_id: str, *, field: str) -> LabelsOf:
    """Whose labels a request means.

    Raises:
        ServiceError: INVALID_FIELD where it says nobody's, or those of another project.
    """
    match message.WhichOneof("labels"):
        case "source":
            return LabelsOf(source=message.source)
        case "model":
            parent, model_id = names.parse_model(message.model, field=f"{field}.model")
            if parent != project_id:
                raise invalid(
                    f"{field}.model", f'a model of "{names.format_project(project_id)}", got "{message.model}"'
                )
            return LabelsOf(model_id=model_id)
        case "side_data":
            return LabelsOf(side_data_id=side_data_id(message.side_data, project_id, field=f"{field}.side_data"))
    raise invalid(field, "one of source, model and side_data must be set")


def estimate_message(estimate: "Estimate") -> estimates_pb2.Estimate:
    """An estimate as a message."""
    low, high = estimate.gold_only
    return estimates_pb2.Estimate(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        confidence=estimate.confidence,
        label_count=estimate.n_labels,
        gold_only_low=low,
        gold_only_high=high,
        unexplained=estimate.unexplained,
    )


def read_estimate(message: estimates_pb2.Estimate, *, field: str) -> "Estimate":
    """What estimate_message made, or could have.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    from weaklabel.analysis import Estimate

    if not -1 <= message.value <= 1:  # also of NaN
        raise invalid(f"{field}.value", f"a share, or a difference of two, got {message.value}")
    if not 0 < message.confidence < 1:
        raise invalid(f"{field}.confidence", f"above 0 and below 1, got {message.confidence}")
    if not 0 < message.label_count < float("inf"):
        raise invalid(f"{field}.label_count", f"above 0, got {message.label_count}")
    if not 0 <= message.unexplained <= 1:
        raise invalid(f"{field}.unexplained", f"0 to 1, got {message.unexplained}")
    return Estimate(
        value=message.value,
        low=message.low,
        high=message.high,
        confidence=message.confidence,
        n_labels=message.label_count,
        gold_only=(message.gold_only_low, message.gold_only_high),
        unexplained=message.unexplained,
    )


def balance_messages(
    model: str, shares: Sequence["Estimate"], max_bytes: int
) -> Iterator[estimates_pb2.ReadBalanceEstimatesResponse]:
    """The share of each class as messages."""
    made = [estimate_message(one) for one in shares]
    for start, stop in cut((one.ByteSize() + NUMBER for one in made), max_bytes):
        yield estimates_pb2.ReadBalanceEstimatesResponse(model="" if start else model, shares=made[start:stop])


def rate_messages(
    model: str, rates: Sequence["ClassRates"], max_bytes: int
) -> Iterator[estimates_pb2.ReadRateEstimatesResponse]:
    """The rates of each class as messages."""
    made = [
        estimates_pb2.ClassRates(**{name: estimate_message(one) for name, one in of_class._asdict().items()})
        for of_class in rates
    ]
    for start, stop in cut((one.ByteSize() + NUMBER for one in made), max_bytes):
        yield estimates_pb2.ReadRateEstimatesResponse(model="" if start else model, rates=made[start:stop])
