"""The unary calls about records, and fits of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from weaklabel_client._inputs.records import read_records
from weaklabel_client._protocol import rpcs
from weaklabel_client._protocol.calls import Call, Listing, listing, new_request_id
from weaklabel_client._protocol.kind_options import kind_options
from weaklabel_client._protocol.resource_names import model_name, project_name, record_set_name
from weaklabel_client._results.column_table import ColumnTable, ModelInspection, RecordSet
from weaklabel_protocol import column_tables
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.v1 import models_pb2, operations_pb2, records_pb2


def get_record_set(name: str) -> Call[RecordSet]:
    """One record set, by its full name."""
    request = records_pb2.GetRecordSetRequest(name=name)
    return Call(rpcs.GET_RECORD_SET, request, lambda response: RecordSet.from_message(response.record_set))


def list_record_sets(project: str) -> Listing[RecordSet]:
    """The record sets of a project."""
    return listing(rpcs.LIST_RECORD_SETS, "record_sets", RecordSet.from_message, parent=project_name(project))


def delete_record_set(project: str, record_set: str) -> Call[None]:
    """Deletes a record set."""
    request = records_pb2.DeleteRecordSetRequest(name=record_set_name(project, record_set), request_id=new_request_id())
    return Call(rpcs.DELETE_RECORD_SET, request, lambda _: None)


def predict_records(
    project: str, records: Any, space: LabelSpace | None, model: str | None
) -> Call[dict[str, ColumnTable]]:
    """Labels of new records, tables by name."""
    table = read_records(records, space, "new")
    request = records_pb2.PredictRecordsRequest(
        model=model_name(project, model), records=column_tables.to_message(table)
    )

    def read(response: records_pb2.PredictRecordsResponse) -> dict[str, ColumnTable]:
        return {one.name: ColumnTable.of(column_tables.from_message(one.table)) for one in response.tables}

    return Call(rpcs.PREDICT_RECORDS, request, read)


def inspect_model(project: str, model: str | None) -> Call[ModelInspection]:
    """What the library tells of a model."""
    request = records_pb2.InspectModelRequest(model=model_name(project, model))
    return Call(rpcs.INSPECT_MODEL, request, ModelInspection.from_message)


def score_records(
    project: str, votes: Sequence[str], gold: str, metrics: Sequence[str] | None, model: str | None
) -> Call[dict[str, float]]:
    """Scores of the labels of record sets, named."""
    request = records_pb2.ScoreRecordsRequest(
        model=model_name(project, model),
        records=models_pb2.RecordFit(
            votes=[record_set_name(project, one) for one in votes], gold=record_set_name(project, gold)
        ),
        metrics=metrics or (),
    )
    return Call(rpcs.SCORE_RECORDS, request, lambda response: {one.name: one.value for one in response.scores})


def fit_records(
    project: str,
    votes: Sequence[str],
    gold: str | None,
    seed: int,
    max_iter: int | None,
    options: Mapping[str, Any] | None,
) -> Call[operations_pb2.Operation]:
    """Starts a fit to record sets, named."""
    request = models_pb2.FitModelRequest(
        parent=project_name(project),
        options=models_pb2.FitOptions(seed=seed, max_iterations=max_iter or 0),
        request_id=new_request_id(),
        records=models_pb2.RecordFit(
            votes=[record_set_name(project, one) for one in votes],
            gold=record_set_name(project, gold) if gold else "",
            options=kind_options(options),
        ),
    )
    return Call(rpcs.FIT_MODEL, request, lambda response: response.operation)


def named_sets(records: Any) -> list[str] | None:
    """The names of record sets that are uploaded already; None of records."""
    listed = list(records) if isinstance(records, list | tuple) and records else [records]
    if all(isinstance(one, RecordSet | str) for one in listed):
        return [one.name if isinstance(one, RecordSet) else one for one in listed]
    return None
