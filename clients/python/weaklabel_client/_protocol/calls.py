"""The unary calls: what is sent, and what is made of the response."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from weaklabel_client._exceptions import AlreadyExists
from weaklabel_client._inputs.choices import tie_break_policy_number, unseen_number
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.side_data import GoldSampling
from weaklabel_client._protocol import rpcs
from weaklabel_client._protocol.resource_names import (
    model_name,
    operation_name,
    project_name,
    side_data_name,
    source_name,
)
from weaklabel_client._results.types import Model, NextToLabel, Project, SideData, Source
from weaklabel_protocol import label_space_messages
from weaklabel_protocol.label_spaces import LabelSpace, Tree
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import labels_pb2, models_pb2, operations_pb2, projects_pb2, side_data_pb2, sources_pb2

Result = TypeVar("Result")
_PAGE_SIZE = 1000
_SAMPLINGS: dict[str, models_pb2.GoldSampling] = {
    "auto": models_pb2.GOLD_SAMPLING_UNSPECIFIED,
    "random": models_pb2.GOLD_SAMPLING_RANDOM,
    "by_class": models_pb2.GOLD_SAMPLING_BY_CLASS,
}


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A request, and the function that reads its response."""

    rpc: rpcs.Rpc[Any, Any]
    request: Message
    read: Callable[[Any], Result]


# Of a page token: the items of that page, and the token of the next.
Listing = Callable[[str], Call[tuple[list[Result], str]]]


def new_request_id() -> str:
    """Under which the server recognizes a call that is repeated."""
    return str(uuid.uuid4())


def listing(rpc: rpcs.Rpc[Any, Any], field: str, read: Callable[[Any], Result], **request: Any) -> Listing[Result]:
    """The calls that fetch the pages of a listing.

    Args:
        rpc: The method.
        field: The field of its response that holds the elements.
        read: Reads an element.
        **request: Fields of the request.
    """

    def page(token: str) -> Call[tuple[list[Result], str]]:
        return Call(
            rpc,
            rpc.request(page_size=_PAGE_SIZE, page_token=token, **request),
            lambda response: ([read(one) for one in getattr(response, field)], response.next_page_token),
        )

    return page


def create_project(project: str, classes: Iterable[str], label_space: LabelSpace | None) -> Call[Project]:
    """Creates a project."""
    request = projects_pb2.CreateProjectRequest(
        project_id=project_name(project).removeprefix("projects/"),
        classes=classes,
        request_id=new_request_id(),
        label_space=label_space_messages.to_message(label_space),
    )
    return Call(rpcs.CREATE_PROJECT, request, lambda response: Project.from_message(response.project))


def classes_of(classes: Iterable[str] | None, label_space: LabelSpace | None) -> tuple[str, ...]:
    """The classes of a new project: as given, or the leaves of a tree.

    Raises:
        ValueError: The label space has no classes, or there are others.
    """
    if isinstance(label_space, Tree):
        if classes is not None and tuple(classes) != label_space.leaves:
            raise ValueError("classes: of a tree they are its leaves, in their order; leave them out")
        return label_space.leaves
    if label_space is not None and not label_space.has_classes:
        if classes is not None and tuple(classes):
            raise ValueError(f"classes: a project of the label space {label_space.kind} has none")
        return ()
    if classes is None:
        raise ValueError("classes: the names of the classes are expected, or a label space without any")
    return names(classes, None, "classes")


def same_project(
    error: AlreadyExists, existing: Project, classes: Iterable[str], label_space: LabelSpace | None
) -> Project:
    """Returns a project that exists already, or raises the error where its classes or label space are others."""
    if existing.label_space != label_space:
        raise AlreadyExists(f"{existing.name} exists with another label space", reason=error.reason) from error
    if existing.classes != tuple(classes):
        raise AlreadyExists(
            f"{existing.name} exists with the classes {', '.join(existing.classes)}", reason=error.reason
        ) from error
    return existing


def get_project(project: str) -> Call[Project]:
    """One project."""
    request = projects_pb2.GetProjectRequest(name=project_name(project))
    return Call(rpcs.GET_PROJECT, request, lambda response: Project.from_message(response.project))


def list_projects() -> Listing[Project]:
    """All projects."""
    return listing(rpcs.LIST_PROJECTS, "projects", Project.from_message)


def delete_project(project: str) -> Call[None]:
    """Deletes a project."""
    request = projects_pb2.DeleteProjectRequest(name=project_name(project), request_id=new_request_id())
    return Call(rpcs.DELETE_PROJECT, request, lambda _: None)


def get_source(project: str, source: str) -> Call[Source]:
    """One source."""
    request = sources_pb2.GetSourceRequest(name=source_name(project, source))
    return Call(rpcs.GET_SOURCE, request, lambda response: Source.from_message(response.source))


def list_sources(project: str) -> Listing[Source]:
    """The sources of a project."""
    return listing(rpcs.LIST_SOURCES, "sources", Source.from_message, parent=project_name(project))


def delete_source(project: str, source: str) -> Call[int]:
    """Deletes a source; the result is the version of the votes without it."""
    request = sources_pb2.DeleteSourceRequest(name=source_name(project, source), request_id=new_request_id())

    def votes_version(response: sources_pb2.DeleteSourceResponse) -> int:
        return response.votes_version

    return Call(rpcs.DELETE_SOURCE, request, votes_version)


def get_side_data(name: str) -> Call[SideData]:
    """One upload of side data, by its full name."""
    request = side_data_pb2.GetSideDataRequest(name=name)
    return Call(rpcs.GET_SIDE_DATA, request, lambda response: SideData.from_message(response.side_data))


def list_side_data(project: str) -> Listing[SideData]:
    """The side data of a project."""
    return listing(rpcs.LIST_SIDE_DATA, "side_data", SideData.from_message, parent=project_name(project))


def delete_side_data(project: str, side_data: str) -> Call[None]:
    """Deletes side data."""
    request = side_data_pb2.DeleteSideDataRequest(name=side_data_name(project, side_data), request_id=new_request_id())
    return Call(rpcs.DELETE_SIDE_DATA, request, lambda _: None)


def side_information(
    project: str,
    side_data: Mapping[str, str],
    gold_error: float,
    gold_sampling: GoldSampling,
    bounds: Mapping[str, tuple[float, float]] | None,
    families: Mapping[str, str] | None = None,
) -> models_pb2.SideInformation:
    """The side information of a fit: names of side data by kind, and the rest."""
    if gold_sampling not in _SAMPLINGS:
        raise ValueError(f"gold_sampling: one of {', '.join(_SAMPLINGS)} is expected, got {gold_sampling!r}")
    if not isinstance(bounds, Mapping | None):
        raise ValueError(f"bounds: (low, high) by the name of the source are expected, got {bounds!r}")
    return models_pb2.SideInformation(
        gold_error=gold_error,
        families=source_families(families),
        gold_sampling=_SAMPLINGS[gold_sampling],
        bounds=[
            models_pb2.SourceBounds(source=source, accuracy_low=low, accuracy_high=high)
            for source, (low, high) in (bounds or {}).items()
        ],
        **{kind: side_data_name(project, name) for kind, name in side_data.items()},
    )


def source_families(families: Mapping[str, str] | None) -> list[models_pb2.SourceFamily]:
    """Families of sources as messages.

    Raises:
        ValueError: They are no mapping.
    """
    if not isinstance(families, Mapping | None):
        raise ValueError(f"families: the family by the name of the source is expected, got {families!r}")
    return [models_pb2.SourceFamily(source=source, family=family) for source, family in (families or {}).items()]


def fit(
    project: str,
    votes_version: int | None,
    seed: int,
    max_iter: int | None,
    side: models_pb2.SideInformation,
    options: models_pb2.KindOptions | None = None,
    *,
    follow: bool = False,
    over_time: bool = False,
) -> Call[operations_pb2.Operation]:
    """Starts a fit."""
    request = models_pb2.FitModelRequest(
        parent=project_name(project),
        votes_version=votes_version or 0,
        options=models_pb2.FitOptions(seed=seed, max_iterations=max_iter or 0),
        request_id=new_request_id(),
        side=side if side.ByteSize() else None,
        records=None if options is None else models_pb2.RecordFit(options=options),
        follow=follow,
        over_time=over_time,
    )
    return Call(rpcs.FIT_MODEL, request, _operation)


def stop_following(project: str) -> Call[None]:
    """Ends the fits of each new version of the votes."""
    request = models_pb2.StopFollowingRequest(parent=project_name(project), request_id=new_request_id())
    return Call(rpcs.STOP_FOLLOWING, request, lambda _: None)


def get_model(project: str, model: str | None) -> Call[Model]:
    """One model, or the newest."""
    request = models_pb2.GetModelRequest(name=model_name(project, model))
    return Call(rpcs.GET_MODEL, request, lambda response: Model.from_message(response.model))


def get_model_of(operation: operations_pb2.Operation) -> Call[Model]:
    """The model that an operation made."""
    request = models_pb2.GetModelRequest(name=operation.model)
    return Call(rpcs.GET_MODEL, request, lambda response: Model.from_message(response.model))


def list_models(project: str) -> Listing[Model]:
    """The models of a project."""
    return listing(rpcs.LIST_MODELS, "models", Model.from_message, parent=project_name(project))


def delete_model(project: str, model: str) -> Call[None]:
    """Deletes a model."""
    request = models_pb2.DeleteModelRequest(name=model_name(project, model), request_id=new_request_id())
    return Call(rpcs.DELETE_MODEL, request, lambda _: None)


def get_operation(name: str) -> Call[operations_pb2.Operation]:
    """One operation."""
    request = operations_pb2.GetOperationRequest(name=operation_name(name))
    return Call(rpcs.GET_OPERATION, request, _operation)


def list_operations(project: str) -> Listing[operations_pb2.Operation]:
    """The operations of a project."""
    return listing(rpcs.LIST_OPERATIONS, "operations", lambda operation: operation, parent=project_name(project))


def cancel_operation(name: str) -> Call[None]:
    """Asks an operation to stop."""
    return Call(rpcs.CANCEL_OPERATION, operations_pb2.CancelOperationRequest(name=name), lambda _: None)


def label(
    project: str,
    rows: PredictRows,
    model: str | None,
    sources: Iterable[str] | None,
    tie_break_policy: str = "abstain",
    unseen: str = "error",
) -> Call[tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]]:
    """Soft labels and hard labels of few new items."""
    columns = () if sources is None else names(sources, rows.n_sources, "sources")
    request = labels_pb2.PredictRequest(
        model=model_name(project, model),
        sources=columns,
        tie_break_policy=tie_break_policy_number(tie_break_policy),
        unseen=unseen_number(unseen),
    )
    rows.put(request, 0, rows.n_rows)

    def read(response: labels_pb2.PredictResponse) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        return from_tensor(response.probabilities).copy(), from_tensor(response.labels)[:, 0].copy()

    return Call(rpcs.PREDICT, request, read)


def next_to_label(
    project: str, n: int, model: str | None, side_data: Mapping[str, str], seed: int | None
) -> Call[NextToLabel]:
    """Draws items to label by hand; side_data names gold, or nothing."""
    gold = side_data_name(project, side_data["gold"]) if side_data else ""
    request = labels_pb2.NextToLabelRequest(model=model_name(project, model), n=n, seed=seed, gold=gold)
    return Call(rpcs.NEXT_TO_LABEL, request, NextToLabel.from_message)


def _operation(
    response: models_pb2.FitModelResponse | operations_pb2.GetOperationResponse,
) -> operations_pb2.Operation:
    return response.operation
