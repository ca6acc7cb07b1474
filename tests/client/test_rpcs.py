from google.protobuf.descriptor import FileDescriptor

from weaklabel_client._protocol import rpcs
from weaklabel_protocol.v1 import (
    analysis_pb2,
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

FILES: list[FileDescriptor] = [
    module.DESCRIPTOR
    for module in (
        analysis_pb2,
        labels_pb2,
        models_pb2,
        operations_pb2,
        projects_pb2,
        prompts_pb2,
        releases_pb2,
        records_pb2,
        side_data_pb2,
        sources_pb2,
        votes_pb2,
    )
]
# The client follows operations with WatchOperation, which tells of progress too.
LEFT_OUT = {"/weaklabel.v1.OperationService/WaitOperation"}


def test_the_table_is_the_contract() -> None:
    contract = {
        f"/{service.full_name}/{method.name}": (
            method.input_type.full_name,
            method.output_type.full_name,
            method.client_streaming or method.server_streaming,
        )
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }
    table = {
        rpc.path: (rpc.request.DESCRIPTOR.full_name, rpc.response.DESCRIPTOR.full_name, rpc in rpcs.STREAMS)
        for rpc in rpcs.UNARY + rpcs.STREAMS
    }
    assert table == {path: types for path, types in contract.items() if path not in LEFT_OUT}
    assert contract.keys() >= LEFT_OUT


def test_only_calls_that_may_be_repeated_are_retried() -> None:
    """They read, or an id makes their repetition known; that of a cancellation changes nothing."""
    reading = (
        "Get",
        "List",
        "Plan",
        "Predict",
        "NextToLabel",
        "Explain",
        "Evaluate",
        "Inspect",
        "Score",
        "CancelOperation",
    )
    guarded = {rpc.method for rpc in rpcs.UNARY if "request_id" in rpc.request.DESCRIPTOR.fields_by_name}
    assert {rpc.method for rpc in rpcs.UNARY if not rpc.method.startswith(reading)} == guarded
