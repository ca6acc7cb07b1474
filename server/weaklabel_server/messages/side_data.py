"""Side data: chunks of uploads, and the description of what is stored."""

from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import side_data_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.messages.codebooks import write_codebook
from weaklabel_server.messages.resources import timestamp
from weaklabel_server.messages.side_rows import SideRows, kinds_of, read_side_rows
from weaklabel_server.messages.uploads import check_chunk_rows, read_item_ids
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideChunk, SideData, SideKind

SIDE_KINDS: dict[int, SideKind] = {
    side_data_pb2.SIDE_DATA_KIND_GOLD: SideKind.GOLD,
    side_data_pb2.SIDE_DATA_KIND_PRIOR: SideKind.PRIOR,
    side_data_pb2.SIDE_DATA_KIND_GROUPS: SideKind.GROUPS,
    side_data_pb2.SIDE_DATA_KIND_FEATURES: SideKind.FEATURES,
    side_data_pb2.SIDE_DATA_KIND_BAGS: SideKind.BAGS,
    side_data_pb2.SIDE_DATA_KIND_FIELDS: SideKind.FIELDS,
    side_data_pb2.SIDE_DATA_KIND_GOLD_WEIGHT: SideKind.GOLD_WEIGHT,
    side_data_pb2.SIDE_DATA_KIND_LABELS: SideKind.LABELS,
}
"""The kinds of the store by the numbers of the contract."""
_NUMBER_OF = {kind: number for number, kind in SIDE_KINDS.items()}


def side_data_message(project: Project, side: SideData) -> side_data_pb2.SideData:
    """Side data as a message."""
    message = side_data_pb2.SideData(
        name=names.format_side_data(project.project_id, side.upload_id),
        row_count=side.committed_rows,
        column_count=side.column_count,
        create_time=timestamp(side.create_time),
    )
    message.kind = _NUMBER_OF[side.kind]  # type: ignore[assignment]  # an enum is a number
    return message


def read_chunk(chunk: side_data_pb2.UploadSideDataChunk, *, kind: SideKind, n_classes: int) -> tuple[SideChunk, int]:
    """Checks a chunk of an upload; returns it and its number of columns.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    check_chunk_rows(chunk.rows)
    if set(kinds_of(chunk.values)) != {kind}:
        raise invalid("chunk.values", f"the field of {kind}, and no other")
    if chunk.item_ids and kind is SideKind.BAGS:
        raise invalid("chunk.item_ids", "the rows of bags are not items; their items stand in chunk.values.bags")
    item_ids = read_item_ids(chunk.item_ids, rows=chunk.rows)
    read = read_side_rows(chunk.values, field="chunk.values", rows=chunk.rows, n_classes=n_classes)
    if read.bags is not None and len(chunk.values.bags.sizes.data) != 4 * chunk.rows:
        raise invalid("chunk.values.bags.sizes.rows", f"{chunk.rows} rows, got {chunk.values.bags.sizes.rows}")
    content = _kept(chunk.values, read).SerializeToString()
    return SideChunk(chunk.row_offset, chunk.rows, item_ids, content), read.column_count


def _kept(values: side_data_pb2.SideRows, read: SideRows) -> side_data_pb2.SideRows:
    """What is stored of the rows of a chunk: a codebook without the entries that no row uses."""
    if read.gold is None or not values.HasField("gold_codebook"):
        return values
    codebook = None if read.gold_symbols is None else write_codebook(read.gold_symbols)
    return side_data_pb2.SideRows(gold=to_tensor(read.gold.reshape(-1, 1)), gold_codebook=codebook)
