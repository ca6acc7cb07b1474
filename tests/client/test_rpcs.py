from google.protobuf.descriptor import FileDescriptor

from weaklabel_client._protocol import rpcs
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

FILES: list[FileDescriptor] = [
    module.DESCRIPTOR
    for module in (
        labels_pb2,
        models_pb2,
        operations_pb2,
        projects_pb2,
        prompts_pb2,
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
